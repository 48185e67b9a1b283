/* SPDX-License-Identifier: Apache-2.0 */
#include "net/forward/spdy.h"

#include <errno.h>
#include <string.h>

#include "base/cur.h"
#include "base/mem.h"

#define VERSION 3
#define FLAG_FIN 1
#define HEADERS_MAX 4096
#define STREAM_MAX 0x7fffffffu

enum frame { SYN_STREAM = 1, SYN_REPLY = 2, RST_STREAM = 3, SETTINGS = 4, PING = 6, GOAWAY = 7, HEADERS = 8, WINDOW_UPDATE = 9 };

/* ---- writing ----------------------------------------------------------------------------------------------------- */

static void put32(struct buf *b, uint32_t v)
{
	const uint8_t bytes[4] = { (uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v };

	buf_add(b, bytes, sizeof(bytes));
}

static void control_begin(struct spdy *s, enum frame type, unsigned flags, size_t n)
{
	put32(s->out, 0x80000000u | VERSION << 16 | type);
	put32(s->out, flags << 24 | (uint32_t)n);
}

static void text_put(struct buf *b, const char *text)
{
	put32(b, (uint32_t)strlen(text));
	buf_adds(b, text);
}

/* RFC 1950 head with the preset dictionary's check value (SPDY/3's), then stored blocks (RFC 1951 section 3.2.4). The empty
 * one behind each flushes it: without, Go's reader waits for more. */
static void block_put(struct spdy *s, struct buf *to, const struct buf *plain)
{
	static const uint8_t head[] = { 0x78, 0xbb, 0xe3, 0xc6, 0xa7, 0xc2 }, flush[] = { 0, 0, 0, 0xff, 0xff };
	const uint8_t stored[] = { 0, (uint8_t)plain->len, (uint8_t)(plain->len >> 8), (uint8_t)~plain->len,
				   (uint8_t)(~plain->len >> 8) };

	if (!s->started)
		buf_add(to, head, sizeof(head));
	s->started = true;
	buf_add(to, stored, sizeof(stored));
	buf_add(to, plain->data, plain->len);
	buf_add(to, flush, sizeof(flush));
}

uint32_t spdy_open(struct spdy *s, const struct spdy_header *headers, size_t n, bool end)
{
	auto(buf) struct buf plain = BUF_INIT(HEADERS_MAX), block = BUF_INIT(2 * HEADERS_MAX);
	uint32_t id = s->next_stream;

	if (s->goaway || id > STREAM_MAX)
		return 0;
	put32(&plain, (uint32_t)n);
	for (size_t i = 0; i < n; i++) {
		text_put(&plain, headers[i].name);
		text_put(&plain, headers[i].value);
	}
	if (!buf_ok(&plain))
		return 0;
	block_put(s, &block, &plain);
	control_begin(s, SYN_STREAM, end ? FLAG_FIN : 0, 10 + block.len);
	put32(s->out, id);
	put32(s->out, 0);			/* associated to none */
	buf_add(s->out, "\0\0", 2);		/* priority, slot */
	buf_add(s->out, block.data, block.len);
	s->next_stream += 2;
	return id;
}

void spdy_send(struct spdy *s, uint32_t stream, const void *p, size_t n, bool end)
{
	const uint8_t *at = p;

	do {
		size_t part = MIN(n, (size_t)SPDY_DATA_MAX);

		n -= part;
		put32(s->out, stream);
		put32(s->out, (end && !n ? FLAG_FIN << 24 : 0) | (uint32_t)part);
		buf_add(s->out, at, part);
		at += part;
	} while (n);
}

void spdy_reset(struct spdy *s, uint32_t stream, uint32_t status)
{
	control_begin(s, RST_STREAM, 0, 8);
	put32(s->out, stream);
	put32(s->out, status);
}

static void ping_put(struct spdy *s, uint32_t id)
{
	control_begin(s, PING, 0, 4);
	put32(s->out, id);
}

uint32_t spdy_ping(struct spdy *s)
{
	uint32_t id = s->next_ping;

	s->next_ping += 2;
	ping_put(s, id);
	return id;
}

/* ---- reading ----------------------------------------------------------------------------------------------------- */

static void end_report(struct spdy *s, uint32_t stream, unsigned flags)
{
	if (flags & FLAG_FIN && s->ops->on_end)
		s->ops->on_end(s->owner, stream);
}

/* A ping with our (odd) id is an answer; with an even one it wants one. */
static void ping_read(struct spdy *s, uint32_t id)
{
	if (!(id & 1))
		ping_put(s, id);
	else if (s->ops->on_pong)
		s->ops->on_pong(s->owner, id);
}

static int control_end(struct spdy *s, struct err *err)
{
	struct cur c = cur_init(s->control.data, s->control.len);
	unsigned type = (unsigned)(s->head[2] << 8 | s->head[3]), flags = s->head[4];
	uint32_t first = cur_u32(&c) & STREAM_MAX, status;

	switch (type) {
	case SYN_REPLY:
	case HEADERS:
		if (cur_ok(&c))
			end_report(s, first, flags);
		break;
	case RST_STREAM:
		status = cur_u32(&c);
		if (cur_ok(&c) && s->ops->on_reset)
			s->ops->on_reset(s->owner, first, status);
		break;
	case PING:
		if (cur_ok(&c))
			ping_read(s, first);
		break;
	case GOAWAY:
		s->goaway = true;
		if (cur_ok(&c) && s->ops->on_goaway)
			s->ops->on_goaway(s->owner, first);
		break;
	case SYN_STREAM:			/* a server of port-forward opens none: refused */
		if (cur_ok(&c))
			spdy_reset(s, first, SPDY_CANCEL);
		break;
	default:				/* settings, window updates: of no use here */
		return 0;
	}
	return cur_ok(&c) ? 0 : err_set(err, -EBADMSG, "SPDY: a frame of type %u is too short", type);
}

static int head_read(struct spdy *s, struct err *err)
{
	bool control = s->head[0] & 0x80;

	s->left = (uint32_t)s->head[5] << 16 | (uint32_t)s->head[6] << 8 | s->head[7];
	if (!control)
		return 0;
	if ((s->head[0] & 0x7f) != 0 || s->head[1] != VERSION)
		return err_set(err, -EBADMSG, "SPDY: version %u instead of 3", (unsigned)((s->head[0] & 0x7f) << 8 | s->head[1]));
	if (s->left > SPDY_CONTROL_MAX)
		return err_set(err, -EBADMSG, "SPDY: a control frame of %u bytes", (unsigned)s->left);
	buf_reset(&s->control);
	return 0;
}

static uint32_t stream_id(const struct spdy *s)
{
	return ((uint32_t)s->head[0] << 24 | (uint32_t)s->head[1] << 16 | (uint32_t)s->head[2] << 8 | s->head[3]) & STREAM_MAX;
}

/* The payload's next n bytes; its end ends the frame. */
static int payload_read(struct spdy *s, const uint8_t *p, size_t n, struct err *err)
{
	bool control = s->head[0] & 0x80;

	s->left -= (uint32_t)n;
	if (control)
		buf_add(&s->control, p, n);
	else if (n && s->ops->on_data)
		s->ops->on_data(s->owner, stream_id(s), p, n);
	if (s->left)
		return 0;
	s->have = 0;
	if (control)
		return control_end(s, err);
	end_report(s, stream_id(s), s->head[4]);
	return 0;
}

int spdy_feed(struct spdy *s, const void *p, size_t n, struct err *err)
{
	const uint8_t *at = p;
	int r = 0;

	while (!r && (n || (s->have == sizeof(s->head) && !s->left))) {
		size_t part = MIN(n, s->have < sizeof(s->head) ? sizeof(s->head) - s->have : s->left);

		if (s->have < sizeof(s->head)) {
			memcpy(s->head + s->have, at, part);
			s->have += part;
			if (s->have == sizeof(s->head))
				r = head_read(s, err);
		} else {
			r = payload_read(s, at, part, err);
		}
		at += part;
		n -= part;
	}
	return r;
}

/* ---- life -------------------------------------------------------------------------------------------------------- */

void spdy_init(struct spdy *s, const struct spdy_ops *ops, void *owner, struct buf *out)
{
	*s = (struct spdy){ .ops = ops, .owner = owner, .out = out, .next_stream = 1, .next_ping = 1,
			    .control = BUF_INIT(SPDY_CONTROL_MAX) };
}

void spdy_done(struct spdy *s)
{
	buf_done(&s->control);
}
