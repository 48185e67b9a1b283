/* SPDX-License-Identifier: Apache-2.0 */
/* How it works: bytes go http_stream → (ws →) spdy → streams, and back into the http_stream's own queue, so that raw SPDY is copied
 * once. In v4 the messages of the WebSocket are the stream's.
 *
 * connecting (one way, then the other) → open → closed. Losses that a parser finds, or a callback asks for, are noted and acted on
 * when the parser has returned. Each second a look is taken: at pings, at streams that never end. */
#include "net/forward/tunnel.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#define OPEN_MS 5000
#define TICK_MS 1000
#define ERROR_LATE_MS 2000		/* the error stream's end is waited for so long after the data's */
#define STUCK_MS 3000			/* no pong for so long: a stream that is not read? */
#define IDLE_PING_MS 15000
#define PLAIN_MAX (8u << 20)
#define MESSAGE_MAX (128u << 10)
#define WINDOW_SHARED (1u << 20)
#define WINDOW_ALONE (4u << 20)
#define PING_BYTES (256u << 10)
#define WEBSOCKET_GUID "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"	/* RFC 6455 section 1.3 */
#define SPDY_IN_WS "SPDY/3.1+portforward.k8s.io"
#define V4 "v4.channel.k8s.io"

enum { V4_DATA = 0, V4_ERROR = 1, V4_IDLE = 0xff };

const char *tunnel_protocol_name(enum tunnel_protocol p)
{
	static const char *const names[] = {
		[TUNNEL_NONE] = "none", [TUNNEL_SPDY] = "SPDY", [TUNNEL_SPDY_WS] = "SPDY over WebSocket", [TUNNEL_V4] = "WebSocket v4",
	};

	return names[p];
}

/* ---- streams ----------------------------------------------------------------------------------------------------- */

/* A pair has ids 4k+1 (error) and 4k+3 (data), as streams are opened in pairs. */
static struct tunnel_stream **bucket(struct tunnel *t, uint32_t id)
{
	return &t->streams[id / 4 % TUNNEL_BUCKETS];
}

static struct tunnel_stream *stream_find(struct tunnel *t, uint32_t id)
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

static void stream_over(struct tunnel_stream *s, int code, const char *text)
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

	return xstrndup(plain.p, plain.len);
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
	if (!s->finished && s->tunnel->protocol != TUNNEL_V4)
		spdy_send(&s->tunnel->spdy, s->data, NULL, 0, true);
	text = text_read(&s->text);
	stream_over(s, !*text ? 0 : tunnel_text_is_refusal(text) ? -ECONNREFUSED : -ECONNRESET, text);
}

static void stream_end_read(struct tunnel_stream *s, bool error)
{
	if (error)
		s->error_over = true;
	else
		s->data_over = true;
	s->over_ns = loop_now(s->tunnel->loop);
	stream_check(s);
}

static void streams_each(struct tunnel *t, void (*fn)(struct tunnel_stream *s))
{
	for (size_t i = 0; i < TUNNEL_BUCKETS; i++)
		for (struct tunnel_stream *s = t->streams[i], *next; s; s = next) {
			next = s->next;
			fn(s);
		}
}

/* ---- what is to be sent ------------------------------------------------------------------------------------------ */

static struct buf *out_of(struct tunnel *t)
{
	return http_stream_out(t->stream);
}

void tunnel_flush(struct tunnel *t)
{
	size_t n;

	if (t->state != TUNNEL_OPEN)
		return;
	for (size_t at = 0; at < t->plain.len; at += n) {
		n = MIN(t->plain.len - at, (size_t)MESSAGE_MAX);
		ws_send(&t->ws, NULL, 0, t->plain.data + at, n);
	}
	buf_reset(&t->plain);
	http_stream_flush(t->stream);
}

static void ping(struct tunnel *t)
{
	if (t->ping_ns || t->protocol == TUNNEL_V4)
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
	if (t->protocol != TUNNEL_V4)
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
	if (t->protocol == TUNNEL_V4) {
		ws_send(&t->ws, &channel, 1, p, n);
		return;
	}
	spdy_send(&t->spdy, s->data, p, n, false);
	t->sent += n;
	s->unread += n;
	if (t->sent - t->read >= PING_BYTES)
		ping(t);
}

void tunnel_stream_finish(struct tunnel_stream *s)
{
	struct tunnel *t = s->tunnel;

	if (!t || s->finished)
		return;
	s->finished = true;
	if (t->protocol == TUNNEL_V4)
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
	if (t->protocol == TUNNEL_V4) {
		ws_close(&t->ws, WS_CLOSE_NORMAL);
	} else {
		spdy_reset(&t->spdy, s->data, SPDY_CANCEL);
		spdy_reset(&t->spdy, s->error, SPDY_CANCEL);
	}
	stream_unlink(s);
}

static void stream_room(struct tunnel_stream *s)
{
	if (s->thirsty && tunnel_room(s))
		s->ops->on_room(s);
}

static void room_report(struct tunnel *t)
{
	streams_each(t, stream_room);
	tunnel_flush(t);
}

/* ---- opening a stream -------------------------------------------------------------------------------------------- */

bool tunnel_has_place(const struct tunnel *t)
{
	if (t->state != TUNNEL_OPEN || t->wedged || t->lost)
		return false;
	return t->protocol == TUNNEL_V4 ? t->count == 0 && !t->ws.closed && t->next_request == 0 : !t->spdy.goaway;
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
	if (t->protocol != TUNNEL_V4 && !pair_open(t, s, port))
		return false;
	t->next_request++;
	stream_link(t, s);
	return true;
}

/* ---- loss -------------------------------------------------------------------------------------------------------- */

static void stream_lost(struct tunnel_stream *s)
{
	stream_over(s, -ECONNRESET, err_text(&s->tunnel->why));
}

static void tunnel_close(struct tunnel *t)
{
	if (t->state == TUNNEL_CLOSED)
		return;
	t->state = TUNNEL_CLOSED;
	timer_stop(&t->tick);
	http_stream_close(t->stream);
	t->stream = NULL;
	streams_each(t, stream_lost);
	t->ops->on_close(t, &t->why);
}

/* What an upgrade that did not last is worth: the other way is tried first next time. */
static void memory_doubt(struct tunnel *t)
{
	if (t->memory && !t->proved)
		t->memory->way = t->way == TUNNEL_POST ? TUNNEL_GET : TUNNEL_POST;
}

static void tunnel_lose(struct tunnel *t, const struct err *why)
{
	if (t->lost || t->state == TUNNEL_CLOSED)
		return;
	t->lost = true;
	t->why = *why;
	memory_doubt(t);
	if (!t->in_feed)
		tunnel_close(t);
}

static void tunnel_lose_text(struct tunnel *t, int code, const char *text)
{
	struct err why;

	err_set(&why, code, "%s", text);
	tunnel_lose(t, &why);
}

/* ---- what SPDY says ---------------------------------------------------------------------------------------------- */

static void on_spdy_data(void *owner, uint32_t id, const uint8_t *p, size_t n)
{
	struct tunnel *t = owner;
	struct tunnel_stream *s = stream_find(t, id);

	if (!s)
		return;
	if (id == s->error)
		buf_add(&s->text, p, MIN(n, TUNNEL_TEXT_MAX - s->text.len));
	else if (!s->data_over)
		s->ops->on_data(s, p, n);
}

static void on_spdy_end(void *owner, uint32_t id)
{
	struct tunnel_stream *s = stream_find(owner, id);

	if (s)
		stream_end_read(s, id == s->error);
}

static void on_spdy_reset(void *owner, uint32_t id, uint32_t status)
{
	struct tunnel_stream *s = stream_find(owner, id);

	if (!s)
		return;
	if (id == s->error) {
		stream_end_read(s, true);
	} else {
		stream_over(s, -ECONNRESET, s->text.len ? NULL : "the node broke the stream off");
	}
}

static void on_spdy_goaway(void *owner, uint32_t last_good)
{
	struct tunnel *t = owner;

	if (t->count == 0)
		tunnel_lose_text(t, -ECONNRESET, "the node ended the session");
}

static void stream_was_read(struct tunnel_stream *s)
{
	s->unread = 0;
}

static void on_spdy_pong(void *owner, uint32_t id)
{
	struct tunnel *t = owner;

	if (id != t->ping_id || !t->ping_ns)
		return;
	t->ping_ns = 0;
	t->read = t->ping_mark;
	t->wedged = false;
	if (t->sent == t->read)
		streams_each(t, stream_was_read);
	else if (t->sent - t->read >= PING_BYTES)
		ping(t);
}

static const struct spdy_ops spdy_ops = { on_spdy_data, on_spdy_end, on_spdy_reset, on_spdy_goaway, on_spdy_pong };

/* ---- what the WebSocket says ------------------------------------------------------------------------------------- */

static struct tunnel_stream *v4_stream(struct tunnel *t)
{
	return t->streams[0];
}

/* The first two bytes of each channel are the port. */
static void v4_payload(struct tunnel *t, const uint8_t *p, size_t n)
{
	struct tunnel_stream *s = v4_stream(t);
	size_t skip;

	if (t->channel > V4_ERROR || !s)
		return;
	skip = MIN(n, (size_t)t->head_left[t->channel]);
	t->head_left[t->channel] -= (unsigned)skip;
	if (n == skip)
		return;
	if (t->channel == V4_ERROR)
		buf_add(&s->text, p + skip, MIN(n - skip, TUNNEL_TEXT_MAX - s->text.len));
	else
		s->ops->on_data(s, p + skip, n - skip);
}

static void on_ws_data(void *owner, const uint8_t *p, size_t n, bool first, bool last)
{
	struct tunnel *t = owner;
	struct err why;

	if (t->protocol != TUNNEL_V4) {
		if (!t->lost && spdy_feed(&t->spdy, p, n, &why) < 0)
			tunnel_lose(t, &why);
		return;
	}
	if (first)
		t->channel = V4_IDLE;
	if (t->channel == V4_IDLE && n) {
		t->channel = p[0];
		p++;
		n--;
	}
	if (n)
		v4_payload(t, p, n);
}

static void on_ws_close(void *owner, unsigned code, const char *reason)
{
	struct tunnel *t = owner;
	struct tunnel_stream *s = t->protocol == TUNNEL_V4 ? v4_stream(t) : NULL;
	struct err why;

	if (s && code == WS_CLOSE_NORMAL) {
		s->data_over = s->error_over = true;
		stream_check(s);
	}
	err_set(&why, -ECONNRESET, "the API server closed the WebSocket (%u%s%s)", code, *reason ? ": " : "", reason);
	tunnel_lose(t, &why);
}

static const struct ws_ops ws_ops = { on_ws_data, on_ws_close, NULL };

/* ---- the connection ---------------------------------------------------------------------------------------------- */

static void tunnel_feed(struct tunnel *t, const void *p, size_t n)
{
	struct err why;
	int r;

	if (t->lost)
		return;
	t->in_feed = true;
	t->heard_ns = loop_now(t->loop);
	if (t->protocol == TUNNEL_SPDY)
		r = spdy_feed(&t->spdy, p, n, &why);
	else
		r = ws_feed(&t->ws, p, n, &why);
	t->in_feed = false;
	if (!t->proved && t->memory)
		t->memory->way = t->way;
	t->proved = true;
	if (r < 0 && !t->lost)
		tunnel_lose(t, &why);
	else if (t->lost)
		tunnel_close(t);
}

static void on_stream_data(struct http_stream *s, void *owner, const void *p, size_t n)
{
	tunnel_feed(owner, p, n);
}

static void on_stream_batch(struct http_stream *s, void *owner)
{
	struct tunnel *t = owner;

	if (t->state != TUNNEL_OPEN)
		return;
	if (t->ops->on_batch)
		t->ops->on_batch(t);
	room_report(t);
}

static void on_stream_drain(struct http_stream *s, void *owner)
{
	room_report(owner);
}

static void tunnel_connect(struct tunnel *t);

/* The server, or something between, does not want this way: it may like the other one. */
static bool is_refused_way(int code)
{
	return code == -EACCES || code == -ENOENT || code == -EINVAL || code == -EAGAIN || code == -EEXIST || code == -ESTALE ||
	       code == -EPROTO || code == -ETIMEDOUT || code == -ECONNRESET || code == -EBADMSG;
}

static void way_failed(struct tunnel *t, const struct err *why)
{
	if (!t->second && is_refused_way(why->code)) {
		t->second = true;
		t->first_err = *why;
		t->way = t->way == TUNNEL_POST ? TUNNEL_GET : TUNNEL_POST;
		tunnel_connect(t);
		return;
	}
	t->lost = true;
	t->why = *why;
	/* both ways: what is refused in the same words is said once */
	if (t->second && !streq(t->first_err.msg, why->msg))
		err_set(&t->why, t->first_err.code, "%s; %s: %s", t->first_err.msg,
			t->way == TUNNEL_GET ? "by WebSocket" : "by SPDY", err_text(why));
	tunnel_close(t);
}

static void on_stream_close(struct http_stream *s, void *owner, int code, const struct err *err)
{
	struct tunnel *t = owner;
	struct err why = *err;

	t->stream = NULL;
	if (code == 0)
		err_set(&why, -ECONNRESET, "the API server closed the connection");
	if (t->state == TUNNEL_CONNECTING)
		way_failed(t, &why);
	else
		tunnel_lose(t, &why);
}

/* ---- ticks ------------------------------------------------------------------------------------------------------- */

static uint64_t since_ms(const struct tunnel *t, uint64_t ns)
{
	uint64_t now = loop_now(t->loop);

	return now > ns ? (now - ns) / 1000000 : 0;
}

static void stream_late(struct tunnel_stream *s)
{
	if ((s->data_over != s->error_over) && since_ms(s->tunnel, s->over_ns) >= ERROR_LATE_MS && s->data_over) {
		s->error_over = true;
		stream_check(s);
	}
}

/* The stream that most is on its way to is the one whose far end does not read. */
static void stuck_reset(struct tunnel *t)
{
	struct tunnel_stream *most = NULL;

	for (size_t i = 0; i < TUNNEL_BUCKETS; i++)
		for (struct tunnel_stream *s = t->streams[i]; s; s = s->next)
			if (s->unread && (!most || s->unread > most->unread))
				most = s;
	if (!most)
		return;
	spdy_reset(&t->spdy, most->data, SPDY_CANCEL);
	spdy_reset(&t->spdy, most->error, SPDY_CANCEL);
	stream_over(most, -ECONNRESET, "the pod does not read what it is sent");
}

/* No pong: is the far end gone, or kept from answering by what it cannot get rid of? */
static void silence_check(struct tunnel *t)
{
	uint64_t waits = t->ping_ns ? since_ms(t, t->ping_ns) : 0;
	bool heard = since_ms(t, t->heard_ns) < TUNNEL_DEAD_MS;

	if (waits >= STUCK_MS && !t->alone && t->sent > t->read) {
		t->wedged = true;
		stuck_reset(t);
	}
	if (waits < TUNNEL_DEAD_MS || heard)
		return;
	if (t->alone && t->sent > t->read && http_stream_unheard_ms(t->stream) < TUNNEL_DEAD_MS)
		return;			/* the one stream's far end is slow; the way there is alive */
	tunnel_lose_text(t, -ETIMEDOUT, t->proved ? "the node has gone silent" : "nothing comes through the upgraded connection");
}

static void on_tick(struct timer *timer)
{
	struct tunnel *t = container_of(timer, struct tunnel, tick);

	timer_start(t->loop, &t->tick, TICK_MS, on_tick);
	if (t->paused)
		return;
	streams_each(t, stream_late);
	if (since_ms(t, t->pinged_ns) >= (t->count ? TUNNEL_PING_MS : IDLE_PING_MS))
		ping(t);
	silence_check(t);
	if (t->state == TUNNEL_OPEN)
		room_report(t);
}

/* ---- the upgrade ------------------------------------------------------------------------------------------------- */

static enum tunnel_protocol protocol_chosen(const struct tunnel *t)
{
	const char *upgrade = http_stream_header(t->stream, "Upgrade");
	const char *accept = http_stream_header(t->stream, "Sec-WebSocket-Accept");
	const char *chosen = http_stream_header(t->stream, "Sec-WebSocket-Protocol");

	if (!upgrade)
		return TUNNEL_NONE;
	if (t->way == TUNNEL_POST)
		return str_starts(upgrade, "SPDY/3.1") ? TUNNEL_SPDY : TUNNEL_NONE;
	if (!streq(accept, t->accept))
		return TUNNEL_NONE;
	return streq(chosen, SPDY_IN_WS) ? TUNNEL_SPDY_WS : streq(chosen, V4) ? TUNNEL_V4 : TUNNEL_NONE;
}

static void on_stream_open(struct http_stream *s, void *owner)
{
	struct tunnel *t = owner;
	struct err why;

	t->protocol = protocol_chosen(t);
	if (t->protocol == TUNNEL_NONE) {
		http_stream_close(steal(&t->stream));
		err_set(&why, -EPROTO, "%s did not upgrade the connection to %s", t->to->base,
			t->way == TUNNEL_POST ? "SPDY/3.1" : "a WebSocket for port-forward");
		way_failed(t, &why);
		return;
	}
	t->state = TUNNEL_OPEN;
	t->heard_ns = loop_now(t->loop);
	t->head_left[V4_DATA] = t->head_left[V4_ERROR] = sizeof(uint16_t);
	ws_init(&t->ws, &ws_ops, t, out_of(t), !str_starts(t->to->base, "https:"));
	spdy_init(&t->spdy, &spdy_ops, t, t->protocol == TUNNEL_SPDY ? out_of(t) : &t->plain);
	ping(t);
	timer_start(t->loop, &t->tick, TICK_MS, on_tick);
	t->ops->on_open(t);
	tunnel_flush(t);
}

static const struct http_stream_ops stream_ops = {
	.on_open = on_stream_open, .on_data = on_stream_data, .on_batch = on_stream_batch, .on_drain = on_stream_drain,
	.on_close = on_stream_close,
};

static char *key_make(struct tunnel *t)
{
	auto(buf) struct buf key = BUF_INIT(64), accept = BUF_INIT(64);
	autofree char *both = NULL;
	uint8_t bytes[16], sum[20];

	random_bytes(bytes, sizeof(bytes));
	base64_encode(&key, bytes, sizeof(bytes), false);
	both = xasprintf("%s%s", buf_str(&key), WEBSOCKET_GUID);
	hash_sha1(both, strlen(both), sum);
	base64_encode(&accept, sum, sizeof(sum), false);
	snprintf(t->accept, sizeof(t->accept), "%s", buf_str(&accept));
	return buf_steal(&key);
}

static void on_unopened(struct timer *timer)
{
	tunnel_close(container_of(timer, struct tunnel, tick));
}

static void tunnel_connect(struct tunnel *t)
{
	static const char *const post[] = { "Connection: Upgrade", "Upgrade: SPDY/3.1",
					    "X-Stream-Protocol-Version: portforward.k8s.io", "Content-Length: 0", NULL };
	autofree char *key = key_make(t), *line = xasprintf("Sec-WebSocket-Key: %s", key);
	autofree char *path = t->way == TUNNEL_GET ? xasprintf("%s?ports=%u", t->path, t->port) : xstrdup(t->path);
	const char *const get[] = { "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", line,
				    "Sec-WebSocket-Protocol: " SPDY_IN_WS ", " V4, NULL };
	struct err why;

	t->stream = http_stream_open(t->http, t->to, t->way == TUNNEL_POST ? "POST" : "GET", path,
				     t->way == TUNNEL_POST ? post : get, NULL, 0, OPEN_MS, &stream_ops, t, &why);
	if (t->stream)
		return;
	t->lost = true;
	t->why = why;
	timer_start(t->loop, &t->tick, 0, on_unopened);	/* not from within tunnel_open */
}

/* ---- life -------------------------------------------------------------------------------------------------------- */

void tunnel_open(struct tunnel *t, struct loop *l, const struct http_endpoint *to, const char *ns, const char *pod, uint16_t port,
		 struct tunnel_memory *memory, const struct tunnel_ops *ops)
{
	*t = (struct tunnel){ .ops = ops, .loop = l, .http = http_new(l), .to = to, .memory = memory, .port = port,
			      .way = memory->way, .plain = BUF_INIT(PLAIN_MAX) };
	t->path = xasprintf("/api/v1/namespaces/%s/pods/%s/portforward", ns, pod);
	tunnel_connect(t);
}

static void stream_drop(struct tunnel_stream *s)
{
	buf_done(&s->text);
	stream_unlink(s);
}

void tunnel_done(struct tunnel *t)
{
	streams_each(t, stream_drop);
	timer_stop(&t->tick);
	http_stream_close(t->stream);
	http_free(t->http);
	spdy_done(&t->spdy);
	buf_done(&t->plain);
	free(t->path);
	*t = (struct tunnel){ 0 };
}

void tunnel_leave(struct tunnel *t)
{
	assert(t->state == TUNNEL_OPEN);
	t->memory = NULL;
	timer_stop(&t->tick);
	http_leave(t->http);
}

void tunnel_join(struct tunnel *t, struct loop *l)
{
	t->loop = l;
	http_join(t->http, l);
	timer_start(l, &t->tick, TICK_MS, on_tick);
}

void tunnel_pause(struct tunnel *t, bool pause)
{
	if (t->state != TUNNEL_OPEN || t->paused == pause)
		return;
	t->paused = pause;
	http_stream_pause(t->stream, pause);
	t->heard_ns = loop_now(t->loop);
	if (t->ping_ns)
		t->ping_ns = t->heard_ns;	/* its pong may have waited here */
}
