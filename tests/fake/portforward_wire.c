/* SPDX-License-Identifier: Apache-2.0 */
/* The bytes of the three protocols, written from their texts: the SPDY/3.1 draft (2.6), RFC 1950 and 1951, RFC 6455. Our clients
 * compress by stored blocks only, so these are all that is inflated, and strictly. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/num.h"
#include "base/str.h"
#include "tests/fake/portforward_internal.h"

enum { SYN_STREAM = 1, SYN_REPLY = 2, RST_STREAM = 3, PING = 6, GOAWAY = 7, FIN = 1 };

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void put32(uint8_t *p, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		p[i] = (uint8_t)(v >> (24 - 8 * i));
}

/* ---- out --------------------------------------------------------------------------------------------------------- */

/* Servers do not mask. */
static void ws_frame(struct pf_conn *c, uint8_t first, const void *head, size_t head_len, const void *p, size_t n)
{
	size_t len = head_len + n;
	uint8_t h[10] = { first, (uint8_t)(len < 126 ? len : len < 65536 ? 126 : 127) };

	if (len >= 65536)
		put32(h + 6, (uint32_t)len);
	else if (len >= 126)
		h[2] = (uint8_t)(len >> 8), h[3] = (uint8_t)len;
	buf_add(&c->out, h, len < 126 ? 2 : len < 65536 ? 4 : 10);
	buf_add(&c->out, head, head_len);
	buf_add(&c->out, p, n);
}

/* Of SPDY. In the tunnel each write of Go's framer is a message of two fragments, the last one empty. */
static void plain(struct pf_conn *c, const void *p, size_t n)
{
	if (c->kind == PF_SPDY) {
		buf_add(&c->out, p, n);
		return;
	}
	ws_frame(c, 0x02, NULL, 0, p, n);
	ws_frame(c, 0x80, NULL, 0, NULL, 0);
}

static void control(struct pf_conn *c, uint8_t type, const void *p, size_t n)
{
	uint8_t frame[64] = { 0x80, 3, 0, type };

	put32(frame + 4, (uint32_t)n);
	memcpy(frame + 8, p, n);
	plain(c, frame, 8 + n);
}

static void control_id(struct pf_conn *c, uint8_t type, uint32_t id, uint32_t more)
{
	uint8_t p[8];

	put32(p, id);
	put32(p + 4, more);
	control(c, type, p, type == PING ? 4 : 8);
}

static void data_frame(struct pf_conn *c, uint32_t id, uint8_t flags, const void *p, size_t n)
{
	uint8_t head[8];

	put32(head, id);
	put32(head + 4, (uint32_t)n);
	head[4] = flags;
	plain(c, head, 4);
	plain(c, head + 4, 4);
	if (n)
		plain(c, p, n);
}

/* No headers, in a stored block that the client has no need to look at. */
static void reply(struct pf_conn *c, uint32_t id)
{
	uint8_t p[] = { 0, 0, 0, 0, 0, 4, 0, 0xfb, 0xff, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

	put32(p, id);
	control(c, SYN_REPLY, p, sizeof(p));
}

static void ws_close(struct pf_conn *c, unsigned code)
{
	const uint8_t p[2] = { (uint8_t)(code >> 8), (uint8_t)code };

	if (!c->closing)
		ws_frame(c, 0x88, NULL, 0, p, sizeof(p));
	c->closing = true;
}

static void v4_message(struct pf_conn *c, uint8_t channel, const void *p, size_t n)
{
	ws_frame(c, 0x82, &channel, 1, p, n);
}

void pf_data(struct pf_conn *c, struct pf_stream *s, const void *p, size_t n)
{
	if (c->kind == PF_V4)
		v4_message(c, 0, p, n);
	else
		data_frame(c, s->data, 0, p, n);
	pf_count(c, count->sent += n);
}

void pf_end(struct pf_conn *c, struct pf_stream *s, const char *error)
{
	if (c->kind == PF_V4) {
		if (error)
			v4_message(c, 1, error, strlen(error));
		ws_close(c, 1000);
		return;
	}
	data_frame(c, s->data, FIN, NULL, 0);
	if (error)
		data_frame(c, s->error, 0, error, strlen(error));
	data_frame(c, s->error, FIN, NULL, 0);
}

void pf_break(struct pf_conn *c, struct pf_stream *s)
{
	if (c->kind == PF_V4)
		ws_close(c, 1011);
	else
		control_id(c, RST_STREAM, s->data, 2);
}

void pf_goaway(struct pf_conn *c)
{
	if (c->kind != PF_V4)
		control_id(c, GOAWAY, c->last_id, 0);
}

void pf_inject(struct pf_conn *c)
{
	if (!c->fault.inject || c->injected || c->opened < c->fault.inject_after)
		return;
	c->injected = true;
	if (c->kind == PF_V4 || c->fault.inject_ws)
		buf_add(&c->out, c->fault.inject, c->fault.inject_len);
	else
		plain(c, c->fault.inject, c->fault.inject_len);
}

/* ---- SPDY's frames ----------------------------------------------------------------------------------------------- */

/* Stored blocks, the last one empty, as a flush makes it. */
static int inflate_stored(struct pf_conn *c, const uint8_t *p, size_t n, struct buf *to)
{
	static const uint8_t head[] = { 0x78, 0xbb, 0xe3, 0xc6, 0xa7, 0xc2 };
	unsigned last = 1;

	if (!c->zlib_begun) {
		if (n < sizeof(head) || memcmp(p, head, sizeof(head)) != 0)
			return -EBADMSG;
		p += sizeof(head);
		n -= sizeof(head);
	}
	c->zlib_begun = true;
	while (n) {
		last = n >= 5 ? p[1] | (unsigned)p[2] << 8 : 0;
		if (n < 5 || p[0] != 0 || (p[1] ^ p[3]) != 0xff || (p[2] ^ p[4]) != 0xff || n - 5 < last)
			return -EBADMSG;
		buf_add(to, p + 5, last);
		p += 5 + last;
		n -= 5 + last;
	}
	return last == 0 ? 0 : -EBADMSG;
}

static bool text_take(const uint8_t **p, size_t *n, char ret[static 64])
{
	uint32_t len = *n >= 4 ? get32(*p) : UINT32_MAX;

	if (len >= 64 || *n - 4 < len)
		return false;
	snprintf(ret, 64, "%.*s", (int)len, (const char *)*p + 4);
	*p += 4 + len;
	*n -= 4 + len;
	return true;
}

struct head {
	char type[64], port[64], request[64];
};

static int headers_read(const struct buf *b, struct head *ret)
{
	const uint8_t *p = (const uint8_t *)buf_str(b) + 4;
	size_t n = b->len - 4;

	if (b->len < 4)
		return -EBADMSG;
	for (uint32_t left = get32(p - 4); left; left--) {
		char name[64], value[64];

		if (!text_take(&p, &n, name) || !text_take(&p, &n, value))
			return -EBADMSG;
		memcpy(streq(name, "streamtype") ? ret->type : streq(name, "port") ? ret->port : streq(name, "requestid") ? ret->request :
		       name, value, sizeof(value));
	}
	return n ? -EBADMSG : 0;
}

static struct pf_stream *stream_of_request(struct pf_conn *c, uint64_t request)
{
	struct pf_stream *s = c->streams;

	while (s && (s->request != request || (s->data && s->error)))
		s = s->next;
	if (s)
		return s;
	s = xcalloc(1, sizeof(*s));
	*s = (struct pf_stream){ .next = c->streams, .request = request, .backlog = BUF_INIT(64u << 20) };
	c->streams = s;
	return s;
}

static void stream_syn(struct pf_conn *c, uint32_t id, const struct head *h)
{
	uint64_t request;
	uint16_t port;
	struct pf_stream *s;
	bool data = streq(h->type, "data");

	if ((!data && !streq(h->type, "error")) || num_u16(h->port, &port) || num_u64(h->request, UINT64_MAX, &request)) {
		pf_complain(c, "stream %u has headers streamtype \"%s\", port \"%s\", requestid \"%s\"", id, h->type, h->port, h->request);
		return;
	}
	s = stream_of_request(c, request);
	if (data ? s->data : s->error) {
		pf_complain(c, "request %s has two %s streams", h->request, h->type);
		return;
	}
	*(data ? &s->data : &s->error) = id;
	s->port = port;
	reply(c, id);
	if (s->data && s->error)
		pf_open(c, s);
}

static void on_syn(struct pf_conn *c, const uint8_t *p, size_t n)
{
	auto(buf) struct buf b = BUF_INIT(65536);
	struct head h = { 0 };

	if (inflate_stored(c, p + 10, n - 10, &b) || headers_read(&b, &h))
		pf_complain(c, "the header block of stream %u cannot be read", get32(p));
	else
		stream_syn(c, get32(p), &h);
}

static struct pf_stream *stream_find(struct pf_conn *c, uint32_t id)
{
	struct pf_stream *s = c->streams;

	while (s && s->data != id && s->error != id)
		s = s->next;
	return s;
}

static void on_control(struct pf_conn *c, const uint8_t *f, size_t n)
{
	uint32_t id = n >= 12 ? get32(f + 8) : 0;
	struct pf_stream *s = stream_find(c, id);

	if (f[1] != 3)
		pf_complain(c, "a frame of version %u", f[1]);
	else if (f[3] == SYN_STREAM && n >= 18)
		on_syn(c, f + 8, n - 8);
	else if (f[3] == RST_STREAM && s && s->data == id)
		pf_client_reset(c, s), pf_held_again(c);
	else if (f[3] == PING && id % 2 == 0)
		pf_complain(c, "a ping with the id %u", id);
	else if (f[3] == PING)
		pf_count(c, count->pings++);
	if (f[3] == PING && !c->fault.no_pongs)
		control_id(c, PING, id, 0);
}

static void on_data(struct pf_conn *c, const uint8_t *f, size_t n)
{
	uint32_t id = get32(f);
	struct pf_stream *s = stream_find(c, id);

	if (id > c->last_id)
		pf_complain(c, "data of stream %u, which was never opened", id);
	if (!s || s->error == id)		/* it may be gone already */
		return;
	if (s->client_over && !s->reset)
		pf_complain(c, "data of stream %u behind its end", id);
	if (n > 8)
		pf_take(c, s, f + 8, n - 8);
	if (f[4] & FIN)
		pf_client_end(c, s);
}

/* As it is read, whatever becomes of it. */
static void id_check(struct pf_conn *c, const uint8_t *f, size_t n)
{
	uint32_t id = n >= 18 ? get32(f + 8) : 0;

	if (id % 2 == 0 || id <= c->last_id || id > 0x7fffffff)
		pf_complain(c, "a stream has the id %u after %u", id, c->last_id);
	else
		c->last_id = id;
}

static bool worker_is_stuck(const struct pf_conn *c, uint32_t worker)
{
	for (const struct pf_stream *s = c->streams; s; s = s->next)
		if (s->data % PF_WORKERS == worker && pf_is_stuck(c, s))
			return true;
	return false;
}

static void frame_do(struct pf_conn *c, const uint8_t *f, size_t n)
{
	if (f[0] & 0x80)
		on_control(c, f, n);
	else
		on_data(c, f, n);
}

/* A stream's frames are one worker's, pings go around. A worker that cannot get rid of data does nothing else. */
static void frame(struct pf_conn *c, const uint8_t *f, size_t n)
{
	bool is_control = f[0] & 0x80;
	uint32_t worker = is_control && f[3] == PING ? c->round++ : is_control && n >= 12 ? get32(f + 8) : get32(f);

	worker %= PF_WORKERS;
	if (is_control && f[3] == SYN_STREAM)
		id_check(c, f, n);
	if (c->over)
		return;
	if ((is_control && f[3] == RST_STREAM) || !worker_is_stuck(c, worker)) {
		frame_do(c, f, n);
		return;
	}
	buf_add(&c->held[worker], f, n);
	if (++c->held_n[worker] > PF_HELD_MAX)
		c->wedged = true;
}

static size_t frame_length(const struct buf *b, size_t at)
{
	size_t n = b->len - at >= 8 ? 8 + (get32((const uint8_t *)b->data + at + 4) & 0xffffff) : SIZE_MAX;

	return n <= b->len - at ? n : 0;
}

static void frames(struct pf_conn *c)
{
	size_t at = 0, n;

	while (!c->over && !c->wedged && (n = frame_length(&c->in, at))) {
		frame(c, (const uint8_t *)c->in.data + at, n);
		at += n;
	}
	buf_consume(&c->in, at);
}

void pf_held_again(struct pf_conn *c)
{
	for (uint32_t worker = 0; worker < PF_WORKERS && !c->wedged; worker++) {
		struct buf *b = &c->held[worker];
		size_t at = 0, n;

		while (!c->over && b->len && !worker_is_stuck(c, worker) && (n = frame_length(b, at))) {
			frame_do(c, (const uint8_t *)b->data + at, n);
			c->held_n[worker]--;
			at += n;
		}
		buf_consume(b, at);
	}
}

/* ---- the WebSocket's frames -------------------------------------------------------------------------------------- */

static void v4_in(struct pf_conn *c, const uint8_t *p, size_t n)
{
	if (!n || p[0] != 0)
		pf_complain(c, "a message of %zu bytes for channel %d", n, n ? p[0] : -1);
	else if (n > 1 && c->streams)
		pf_take(c, c->streams, p + 1, n - 1);
}

static void message(struct pf_conn *c, bool last, uint8_t *p, size_t n)
{
	if (c->kind == PF_TUNNEL) {
		buf_add(&c->in, p, n);
		frames(c);
		return;
	}
	buf_add(&c->message, p, n);
	if (last) {
		v4_in(c, (const uint8_t *)buf_str(&c->message), c->message.len);
		buf_reset(&c->message);
	}
}

static void ws_in(struct pf_conn *c, uint8_t first, uint8_t *p, size_t n)
{
	switch (first & 0x0f) {
	case 0:
	case 2:
		message(c, first & 0x80, p, n);
		break;
	case 8:
		if (c->streams)
			pf_client_end(c, c->streams);
		ws_close(c, n >= 2 ? (unsigned)p[0] << 8 | p[1] : 1000);
		break;
	case 9:
		ws_frame(c, 0x8a, NULL, 0, p, n);
		break;
	case 10:
		break;
	default:
		pf_complain(c, "a WebSocket frame of type %u", first & 0x0f);
	}
}

/* The length of the frame at p, and its payload's; 0: not all of it is there. */
static size_t ws_length(const uint8_t *p, size_t have, size_t *ret_head)
{
	uint64_t n;

	if (have < 2)
		return 0;
	n = p[1] & 0x7f;
	*ret_head = 2 + (n == 126 ? 2u : n == 127 ? 8u : 0u) + (p[1] & 0x80 ? 4u : 0u);
	if (have < *ret_head)
		return 0;
	if (n == 126)
		n = (uint64_t)p[2] << 8 | p[3];
	else if (n == 127)
		n = (uint64_t)get32(p + 2) << 32 | get32(p + 6);
	return have - *ret_head >= n ? *ret_head + n : 0;
}

static void ws_frames(struct pf_conn *c)
{
	size_t at = 0, n, head;

	while (!c->over && !c->closing && (n = ws_length((uint8_t *)c->raw.data + at, c->raw.len - at, &head))) {
		uint8_t *f = (uint8_t *)c->raw.data + at;

		if (!(f[1] & 0x80)) {
			pf_complain(c, "a WebSocket frame is not masked");
			break;
		}
		for (size_t i = head; i < n; i++)
			f[i] ^= f[head - 4 + ((i - head) & 3)];
		ws_in(c, f[0], f + head, n - head);
		at += n;
	}
	buf_consume(&c->raw, at);
}

/* ---- in ---------------------------------------------------------------------------------------------------------- */

/* v4: the port of both channels comes first. */
void pf_begin(struct pf_conn *c)
{
	struct pf_stream *s = c->streams;

	if (c->kind == PF_V4) {
		const uint8_t port[2] = { (uint8_t)s->port, (uint8_t)(s->port >> 8) };

		v4_message(c, 0, port, sizeof(port));
		v4_message(c, 1, port, sizeof(port));
		pf_open(c, s);
	}
	pf_inject(c);
}

void pf_in(struct pf_conn *c, const void *p, size_t n)
{
	if (c->kind == PF_SPDY) {
		buf_add(&c->in, p, n);
		frames(c);
	} else {
		buf_add(&c->raw, p, n);
		ws_frames(c);
	}
}
