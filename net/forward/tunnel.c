/* SPDX-License-Identifier: Apache-2.0 */
/* How it works: bytes go http_stream → (ws →) spdy → streams, and back into the http_stream's own queue, so that raw SPDY is copied
 * once. In v4 the messages of the WebSocket are the stream's.
 *
 * connecting (one way, then the other) → open → closed. Losses that a parser finds, or a callback asks for, are noted and acted on
 * when the parser has returned. Each second a look is taken: at pings, at streams that never end. */
#include "net/forward/tunnel.h"

#include <assert.h>
#include <errno.h>

#include "base/mem.h"
#include "base/str.h"
#include "net/forward/tunnel_internal.h"

#define OPEN_MS 5000
#define TICK_MS 1000
#define ERROR_LATE_MS 2000		/* the error stream's end is waited for so long after the data's */
#define STUCK_MS 3000			/* no pong for so long: a stream that is not read? */
#define STUCK_BYTES (1u << 20)		/* less than that the node takes (4 MB were measured), whether the pod reads it or not */
#define IDLE_PING_MS 15000
#define PLAIN_MAX (8u << 20)

enum { V4_DATA = 0, V4_ERROR = 1, V4_IDLE = 0xff };

/* ---- loss -------------------------------------------------------------------------------------------------------- */

static void stream_lost(struct tunnel_stream *s)
{
	tunnel_stream_over(s, -ECONNRESET, err_text(&s->tunnel->why));
}

static void tunnel_close(struct tunnel *t)
{
	if (t->state == TUNNEL_CLOSED)
		return;
	t->state = TUNNEL_CLOSED;
	timer_stop(&t->tick);
	timer_stop(&t->flush);
	http_stream_close(t->stream);
	t->stream = NULL;
	tunnel_each(t, stream_lost);
	t->ops->on_close(t, &t->why);
}

/* What an upgrade that did not last is worth: the other way is tried first next time. */
static void memory_doubt(struct tunnel *t)
{
	if (t->memory && !t->proved)
		t->memory->way = t->upgrade.way == UPGRADE_POST ? UPGRADE_GET : UPGRADE_POST;
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
	struct tunnel_stream *s = tunnel_stream_find(t, id);

	if (!s)
		return;
	if (id == s->error)
		buf_add(&s->text, p, MIN(n, TUNNEL_TEXT_MAX - s->text.len));
	else if (!s->data_over)
		s->ops->on_data(s, p, n);
}

static void on_spdy_end(void *owner, uint32_t id)
{
	struct tunnel_stream *s = tunnel_stream_find(owner, id);

	if (s)
		tunnel_stream_ended(s, id == s->error);
}

static void on_spdy_reset(void *owner, uint32_t id, uint32_t status)
{
	struct tunnel_stream *s = tunnel_stream_find(owner, id);

	if (!s)
		return;
	if (id == s->error) {
		tunnel_stream_ended(s, true);
	} else {
		tunnel_stream_over(s, -ECONNRESET, s->text.len ? NULL : "the node broke the stream off");
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
		tunnel_each(t, stream_was_read);
	else if (t->sent - t->read >= TUNNEL_PING_BYTES)
		tunnel_ping(t);
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

	if (t->protocol != UPGRADE_V4) {
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
	struct tunnel_stream *s = t->protocol == UPGRADE_V4 ? v4_stream(t) : NULL;
	struct err why;

	if (s && code == WS_CLOSE_NORMAL) {
		s->data_over = true;
		tunnel_stream_ended(s, true);
	}
	err_set(&why, -ECONNRESET, "the API server closed the WebSocket (%u%s%s)", code, *reason ? ": " : "", reason);
	str_printable(why.msg);
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
	if (t->protocol == UPGRADE_SPDY)
		r = spdy_feed(&t->spdy, p, n, &why);
	else
		r = ws_feed(&t->ws, p, n, &why);
	t->in_feed = false;
	if (!t->proved && t->memory)
		t->memory->way = t->upgrade.way;
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
	tunnel_room_report(t);
}

static void on_stream_drain(struct http_stream *s, void *owner)
{
	tunnel_room_report(owner);
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
		t->upgrade.way = t->upgrade.way == UPGRADE_POST ? UPGRADE_GET : UPGRADE_POST;
		tunnel_connect(t);
		return;
	}
	t->lost = true;
	t->why = *why;
	/* both ways: what is refused in the same words is said once */
	if (t->second && !streq(t->first_err.msg, why->msg))
		err_set(&t->why, t->first_err.code, "%s; %s: %s", t->first_err.msg,
			t->upgrade.way == UPGRADE_GET ? "by WebSocket" : "by SPDY", err_text(why));
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
	if (s->data_over && since_ms(s->tunnel, s->over_ns) >= ERROR_LATE_MS)
		tunnel_stream_ended(s, true);
}

/* The stream that most is on its way to is the one whose far end does not read. */
static void stuck_reset(struct tunnel *t)
{
	struct tunnel_stream *most = NULL;

	for (size_t i = 0; i < TUNNEL_BUCKETS; i++)
		for (struct tunnel_stream *s = t->streams[i]; s; s = s->next)
			if (s->unread && s->sent >= STUCK_BYTES && (!most || s->unread > most->unread))
				most = s;
	if (!most)
		return;
	spdy_reset(&t->spdy, most->data, SPDY_CANCEL);
	spdy_reset(&t->spdy, most->error, SPDY_CANCEL);
	tunnel_stream_over(most, -ECONNRESET, "the pod does not read what it is sent");
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
	tunnel_each(t, stream_late);
	if (since_ms(t, t->pinged_ns) >= (t->count ? TUNNEL_PING_MS : IDLE_PING_MS))
		tunnel_ping(t);
	silence_check(t);
	if (t->state == TUNNEL_OPEN)
		tunnel_room_report(t);
}

/* ---- the upgrade ------------------------------------------------------------------------------------------------- */

static void on_stream_open(struct http_stream *s, void *owner)
{
	struct tunnel *t = owner;
	struct err why;

	t->protocol = upgrade_protocol(&t->upgrade, s);
	if (t->protocol == UPGRADE_NONE) {
		http_stream_close(steal(&t->stream));
		err_set(&why, -EPROTO, "%s did not upgrade the connection to %s", t->to.base,
			t->upgrade.way == UPGRADE_POST ? "SPDY/3.1" : "a WebSocket for port-forward");
		way_failed(t, &why);
		return;
	}
	t->state = TUNNEL_OPEN;
	if (t->memory)
		t->memory->protocol = t->protocol;
	t->heard_ns = loop_now(t->loop);
	t->head_left[V4_DATA] = t->head_left[V4_ERROR] = sizeof(uint16_t);
	ws_init(&t->ws, &ws_ops, t, http_stream_out(s), !str_starts(t->to.base, "https:"));
	spdy_init(&t->spdy, &spdy_ops, t, t->protocol == UPGRADE_SPDY ? http_stream_out(s) : &t->plain);
	tunnel_ping(t);
	timer_start(t->loop, &t->tick, TICK_MS, on_tick);
	t->ops->on_open(t);
	tunnel_flush(t);
}

static const struct http_stream_ops stream_ops = {
	.on_open = on_stream_open, .on_data = on_stream_data, .on_batch = on_stream_batch, .on_drain = on_stream_drain,
	.on_close = on_stream_close,
};

static void on_unopened(struct timer *timer)
{
	tunnel_close(container_of(timer, struct tunnel, tick));
}

static void tunnel_connect(struct tunnel *t)
{
	struct err why;

	t->stream = upgrade_start(&t->upgrade, t->http, &t->to, t->path, t->port, OPEN_MS, &stream_ops, t, &why);
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
	*t = (struct tunnel){ .ops = ops, .loop = l, .http = http_new(l), .memory = memory, .port = port,
			      .upgrade.way = memory->way, .plain = BUF_INIT(PLAIN_MAX) };
	http_endpoint_copy(to, &t->to);
	t->path = xasprintf("/api/v1/namespaces/%s/pods/%s/portforward", ns, pod);
	tunnel_connect(t);
}

void tunnel_done(struct tunnel *t)
{
	tunnel_each(t, tunnel_stream_forget);
	timer_stop(&t->tick);
	timer_stop(&t->flush);
	http_stream_close(t->stream);
	http_free(t->http);
	spdy_done(&t->spdy);
	buf_done(&t->plain);
	http_endpoint_done(&t->to);
	free(t->path);
	*t = (struct tunnel){ 0 };
}

void tunnel_leave(struct tunnel *t)
{
	assert(t->state == TUNNEL_OPEN);
	t->memory = NULL;
	timer_stop(&t->tick);
	timer_stop(&t->flush);
	http_leave(t->http);
}

void tunnel_join(struct tunnel *t, struct loop *l)
{
	t->loop = l;
	http_join(t->http, l);
	timer_start(l, &t->tick, TICK_MS, on_tick);
	tunnel_flush(t);
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
