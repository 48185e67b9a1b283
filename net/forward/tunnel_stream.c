/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <errno.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "net/forward/tunnel_internal.h"

#define MESSAGE_MAX (128u << 10)
#define WINDOW_SHARED (1u << 20)
#define WINDOW_ALONE (4u << 20)

enum { V4_DATA = 0 };

/* ---- streams ----------------------------------------------------------------------------------------------------- */

/* A pair has ids 4k+1 (error) and 4k+3 (data), as streams are opened in pairs. */
static struct tunnel_stream **bucket(struct tunnel *t, uint32_t id)
{
	return &t->streams[id / 4 % TUNNEL_BUCKETS];
}

struct tunnel_stream *tunnel_stream_find(struct tunnel *t, uint32_t id)
{
	struct tunnel_stream *s = *bucket(t, id);

	while (s && s->data != id && s->error != id)
		s = s->next;
	return s;
}

static void stream_link(struct tunnel *t, struct tunnel_stream *s)
{
	struct tunnel_stream **at = bucket(t, s->data);

	s->tunnel = t;
	s->next = *at;
	*at = s;
	t->count++;
}

static void stream_unlink(struct tunnel_stream *s)
{
	struct tunnel_stream **at = bucket(s->tunnel, s->data);

	while (*at != s)
		at = &(*at)->next;
	*at = s->next;
	s->tunnel->count--;
	s->tunnel = NULL;
	s->next = NULL;
}

void tunnel_stream_over(struct tunnel_stream *s, int code, const char *text)
{
	auto(buf) struct buf said = s->text;

	s->text = (struct buf){ 0 };
	stream_unlink(s);
	s->ops->on_end(s, code, text ? text : buf_str(&said));
}

/* kubelets since 1.36 say {"closeConnection":…, "message":…}, the others plain text. */
static char *text_read(const struct buf *said)
{
	autojson json *o = buf_str(said)[0] == '{' ? json_parse(said->data, said->len, NULL) : NULL;
	struct str plain = str_trim(str_from(json_str(o, "message", buf_str(said))));
	char *text = xstrndup(plain.p, plain.len);

	str_printable(text);
	return text;
}

bool tunnel_text_is_refusal(const char *text)
{
	static const char *const words[] = { "connection refused", "failed to connect", "network namespace", "sandbox", "dial ",
					     "not found", "not running", "no route to host", "no such", "i/o timeout" };
	static const char *const broken[] = { "reset by peer", "broken pipe" };

	for (size_t i = 0; i < ARRAY_SIZE(broken); i++)
		if (strstr(text, broken[i]))
			return false;
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (strstr(text, words[i]))
			return true;
	return false;
}

/* Both directions have ended: only now it is known whether in order. */
static void stream_check(struct tunnel_stream *s)
{
	autofree char *text = NULL;

	if (!s->data_over || !s->error_over)
		return;
	if (!s->finished && s->tunnel->protocol != UPGRADE_V4)
		spdy_send(&s->tunnel->spdy, s->data, NULL, 0, true);
	text = text_read(&s->text);
	tunnel_stream_over(s, !*text ? 0 : tunnel_text_is_refusal(text) ? -ECONNREFUSED : -ECONNRESET, text);
}

void tunnel_stream_ended(struct tunnel_stream *s, bool error)
{
	if (error)
		s->error_over = true;
	else
		s->data_over = true;
	s->over_ns = loop_now(s->tunnel->loop);
	stream_check(s);
}

void tunnel_each(struct tunnel *t, void (*fn)(struct tunnel_stream *s))
{
	for (size_t i = 0; i < TUNNEL_BUCKETS; i++)
		for (struct tunnel_stream *s = t->streams[i], *next; s; s = next) {
			next = s->next;
			fn(s);
		}
}

/* ---- what is to be sent ------------------------------------------------------------------------------------------ */

/* Once for all that this turn of the loop has to send: few records and writes, here and at the API server. */
static void on_flush(struct timer *timer)
{
	struct tunnel *t = container_of(timer, struct tunnel, flush);
	size_t n;

	for (size_t at = 0; at < t->plain.len; at += n) {
		n = MIN(t->plain.len - at, (size_t)MESSAGE_MAX);
		ws_send(&t->ws, NULL, 0, t->plain.data + at, n);
	}
	buf_reset(&t->plain);
	http_stream_flush(t->stream);
}

void tunnel_flush(struct tunnel *t)
{
	if (t->state == TUNNEL_OPEN && !t->flush.loop)
		timer_start(t->loop, &t->flush, 0, on_flush);
}

void tunnel_ping(struct tunnel *t)
{
	if (t->ping_ns || t->protocol == UPGRADE_V4)
		return;
	t->ping_ns = t->pinged_ns = loop_now(t->loop);
	t->ping_mark = t->sent;
	t->ping_id = spdy_ping(&t->spdy);
}

static size_t window_left(const struct tunnel *t)
{
	uint64_t under_way = t->sent - t->read, window = t->alone ? WINDOW_ALONE : WINDOW_SHARED;

	return under_way < window ? window - under_way : 0;
}

size_t tunnel_room(struct tunnel_stream *s)
{
	struct tunnel *t = s->tunnel;
	size_t queued = t ? http_stream_queued(t->stream) + t->plain.len : 0, limit, room;

	if (!t || s->finished)
		return 0;
	limit = t->alone ? WINDOW_ALONE / 4 : WINDOW_SHARED / 4;
	room = queued < limit ? limit - queued : 0;
	if (t->protocol != UPGRADE_V4)
		room = MIN(room, window_left(t));
	s->thirsty = !room;
	return room;
}

void tunnel_stream_send(struct tunnel_stream *s, const void *p, size_t n)
{
	struct tunnel *t = s->tunnel;
	const uint8_t channel = V4_DATA;

	if (!t || s->finished || !n)
		return;
	if (t->protocol == UPGRADE_V4) {
		ws_send(&t->ws, &channel, 1, p, n);
		return;
	}
	spdy_send(&t->spdy, s->data, p, n, false);
	t->sent += n;
	s->sent += n;
	s->unread += n;
	if (t->sent - t->read >= TUNNEL_PING_BYTES)
		tunnel_ping(t);
}

void tunnel_stream_finish(struct tunnel_stream *s)
{
	struct tunnel *t = s->tunnel;

	if (!t || s->finished)
		return;
	s->finished = true;
	if (t->protocol == UPGRADE_V4)
		ws_close(&t->ws, WS_CLOSE_NORMAL);
	else
		spdy_send(&t->spdy, s->data, NULL, 0, true);
}

void tunnel_stream_reset(struct tunnel_stream *s)
{
	struct tunnel *t = s->tunnel;

	buf_done(&s->text);
	if (!t)
		return;
	if (t->protocol == UPGRADE_V4) {
		ws_close(&t->ws, WS_CLOSE_NORMAL);
	} else {
		spdy_reset(&t->spdy, s->data, SPDY_CANCEL);
		spdy_reset(&t->spdy, s->error, SPDY_CANCEL);
	}
	stream_unlink(s);
}

void tunnel_stream_forget(struct tunnel_stream *s)
{
	buf_done(&s->text);
	stream_unlink(s);
}

static void stream_room(struct tunnel_stream *s)
{
	if (s->thirsty && tunnel_room(s))
		s->ops->on_room(s);
}

void tunnel_room_report(struct tunnel *t)
{
	tunnel_each(t, stream_room);
	tunnel_flush(t);
}

/* ---- opening a stream -------------------------------------------------------------------------------------------- */

bool tunnel_has_place(const struct tunnel *t)
{
	if (t->state != TUNNEL_OPEN || t->wedged || t->lost)
		return false;
	return t->protocol == UPGRADE_V4 ? t->count == 0 && !t->ws.closed && t->next_request == 0 : !t->spdy.goaway;
}

/* Both SYNs at once, the data after them in the same write: the server keeps the order, whether it has answered or not. */
static bool pair_open(struct tunnel *t, struct tunnel_stream *s, uint16_t port)
{
	char number[8], request[12];
	struct spdy_header h[] = { { "streamtype", "error" }, { "port", number }, { "requestid", request } };

	snprintf(number, sizeof(number), "%u", port);
	snprintf(request, sizeof(request), "%u", t->next_request);
	s->error = spdy_open(&t->spdy, h, ARRAY_SIZE(h), true);
	h[0].value = "data";
	s->data = s->error ? spdy_open(&t->spdy, h, ARRAY_SIZE(h), false) : 0;
	return s->data != 0;
}

bool tunnel_stream_open(struct tunnel *t, struct tunnel_stream *s, uint16_t port, const struct tunnel_stream_ops *ops)
{
	*s = (struct tunnel_stream){ .ops = ops, .text = BUF_INIT(TUNNEL_TEXT_MAX) };
	if (!tunnel_has_place(t))
		return false;
	if (t->protocol == UPGRADE_V4 ? port != t->port : !pair_open(t, s, port))
		return false;
	t->next_request++;
	stream_link(t, s);
	return true;
}
