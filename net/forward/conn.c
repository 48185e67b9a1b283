/* SPDX-License-Identifier: Apache-2.0 */
/* How it works: what comes from the pod gathers in `queue` and is written once per batch; what the client sends is read only while
 * the tunnel has room. Until the first byte comes back, what was sent is kept, so that a connection that turns out never to have
 * been made can be made to another endpoint.
 *
 * The node answers our end with its own one second later, whatever the pod still has to say. So the client's end is passed on
 * only after the pod has been silent for a while: a half-closed client still gets its answer. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "net/forward/forwarder_internal.h"

#define READ_BYTES (128u << 10)
#define READ_ROUNDS 4
#define FINISH_SILENT_MS 3000		/* the client has ended, the pod says nothing */
#define FINISH_END_MS 10000		/* our end was passed on, the pod's does not come */
#define DRAIN_ROUNDS 64
#define HOLD_MS 1000			/* a client that reads nothing for so long never does; */
#define HOLD_READS_MS 10000		/* one that did read may stop for a moment */

/* ---- life -------------------------------------------------------------------------------------------------------- */

static void conn_unlist(struct conn *c)
{
	struct conn **at = c->list;

	if (!at)
		return;
	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	c->list = NULL;
}

void conn_move(struct conn *c, struct conn **list)
{
	conn_unlist(c);
	c->list = list;
	c->next = *list;
	*list = c;
}

struct conn *conn_new(struct forward *w, int fd, const struct addr *client, struct loop *l)
{
	struct conn *c = xcalloc(1, sizeof(*c));
	int on = 1;

	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	*c = (struct conn){ .to = w, .fd = fd, .loop = l, .queue = BUF_INIT(2 * CONN_QUEUE_MAX), .replayable = true,
			    .replay = BUF_INIT(CONN_REPLAY_MAX), .begun_ns = loop_now(l), .active_ns = loop_now(l),
			    .taken_ns = loop_now(l) };
	if (client)
		c->client = *client;
	atomic_fetch_add(&w->open, 1);
	atomic_fetch_add(&w->connections, 1);
	return c;
}

static void conn_end(struct conn *c)
{
	struct session *s = c->session;
	struct forward *w = c->to;

	tunnel_stream_reset(&c->stream);
	io_stop(&c->io);
	timer_stop(&c->timer);
	timer_stop(&c->hold);
	conn_unlist(c);
	close(c->fd);
	buf_done(&c->queue);
	buf_done(&c->replay);
	free(c->why);
	free(c);
	if (s)
		session_conn_gone(s);
	atomic_fetch_sub(&w->open, 1);
}

/* What the client has sent in the meantime is read away: else the kernel would reset the connection, and take from the client
 * what it has not read. */
void conn_free(struct conn *c)
{
	char trash[4096];

	for (int i = 0; i < DRAIN_ROUNDS && recv(c->fd, trash, sizeof(trash), MSG_DONTWAIT) > 0; i++)
		;
	conn_end(c);
}

void conn_reset(struct conn *c)
{
	const struct linger now = { .l_onoff = 1 };

	(void)setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	conn_end(c);
}

/* ---- to the client ----------------------------------------------------------------------------------------------- */

static void on_client(struct io *io, unsigned events);
static void on_timer(struct timer *t);

static size_t queued(const struct conn *c)
{
	return c->queue.len - c->queue_at;
}

void conn_watch(struct conn *c)
{
	bool reads = c->started && !c->client_over && !c->far_over && tunnel_room(&c->stream);
	unsigned events = (reads ? IO_IN : 0) | (queued(c) ? IO_OUT : 0);

	if (!c->io.loop)
		io_start(c->loop, &c->io, c->fd, events, on_client);
	else
		io_set(&c->io, events);
}

/* The pod has ended, and the client has all of it. */
static bool conn_is_done(struct conn *c)
{
	return c->far_over && !queued(c);
}

static void unread_fail(struct conn *c)
{
	forward_fail(c->to, "the client does not read what the pod sends, and others share the session");
	conn_reset(c);
}

static uint64_t hold_left_ms(const struct conn *c)
{
	uint64_t ms = (loop_now(c->loop) - c->taken_ns) / 1000000, most = c->reads ? HOLD_READS_MS : HOLD_MS;

	return ms < most ? most - ms : 0;
}

static void on_hold(struct timer *t)
{
	struct conn *c = container_of(t, struct conn, hold);

	if (c->session->tunnel.alone)
		c->holds = false;
	else if (hold_left_ms(c))
		timer_start(c->loop, t, hold_left_ms(c), on_hold);
	else
		unread_fail(c);
}

/* Others in the session wait for a client that reads slowly: nothing new is placed there, and what it is sent is not lost. */
static void hold_set(struct conn *c, bool holds)
{
	if (c->holds == holds)
		return;
	c->holds = holds;
	if (holds)
		timer_start(c->loop, &c->hold, hold_left_ms(c), on_hold);
	else
		timer_stop(&c->hold);
	session_alone_check(c->session);
}

static void slow_check(struct conn *c)
{
	struct session *s = c->session;
	bool slow = queued(c) > CONN_QUEUE_SLOW;

	if (slow)
		session_retire(s);
	if (s->tunnel.alone && c->stream.tunnel)
		tunnel_pause(&s->tunnel, slow || (s->tunnel.paused && queued(c) > CONN_QUEUE_SLOW / 4));
	else
		hold_set(c, c->stream.tunnel && queued(c) > (c->holds ? CONN_QUEUE_HOLD / 4 : CONN_QUEUE_HOLD));
}

/* Returns false when the client is gone, and c with it. */
static bool conn_send(struct conn *c)
{
	while (queued(c)) {
		ssize_t n = send(c->fd, c->queue.data + c->queue_at, queued(c), MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {
			c->was_full = true;
			break;
		}
		if (n < 0) {
			conn_reset(c);
			return false;
		}
		c->queue_at += (size_t)n;
		c->reads = c->was_full;
		c->taken_ns = loop_now(c->loop);
	}
	if (!queued(c)) {
		buf_reset(&c->queue);
		c->queue_at = 0;
	} else if (c->queue_at > c->queue.len / 2) {
		buf_consume(&c->queue, c->queue_at);
		c->queue_at = 0;
	}
	return true;
}

void conn_write(struct conn *c)
{
	if (!conn_send(c))
		return;
	if (conn_is_done(c)) {
		conn_free(c);
		return;
	}
	slow_check(c);
	conn_watch(c);
}

/* ---- from the pod ------------------------------------------------------------------------------------------------ */

static void much_check(struct conn *c)
{
	if (c->received + c->sent < CONN_MUCH || c->session->retired)
		return;
	c->to->moves_much = true;
	session_retire(c->session);
}

static void on_data(struct tunnel_stream *stream, const uint8_t *p, size_t n)
{
	struct conn *c = container_of(stream, struct conn, stream);

	if (c->replayable) {
		c->replayable = false;
		buf_done(&c->replay);
	}
	buf_add(&c->queue, p, n);
	c->received += n;
	c->active_ns = loop_now(c->loop);
	atomic_fetch_add_explicit(&c->to->received, n, memory_order_relaxed);
	if (c->session->bulk)
		bulk_note(c->session->bulk, n);
	much_check(c);
	if (queued(c) > CONN_QUEUE_MAX)
		unread_fail(c);
}

static void on_end(struct tunnel_stream *stream, int code, const char *text)
{
	struct conn *c = container_of(stream, struct conn, stream);

	if (code < 0 && stream->unread)	/* which the node may now wait to get rid of, for ever: a part of the session hangs */
		session_retire(c->session);
	if (code < 0 && c->replayable && forwarder_again(c, code, text))
		return;
	if (code < 0) {
		forward_fail(c->to, text);
		if (!queued(c)) {
			conn_reset(c);
			return;
		}
	}
	c->far_over = true;
	timer_stop(&c->timer);
	session_alone_check(c->session);
	conn_write(c);
}

/* ---- from the client --------------------------------------------------------------------------------------------- */

static void replay_keep(struct conn *c, const void *p, size_t n)
{
	if (!c->replayable)
		return;
	buf_add(&c->replay, p, n);
	if (buf_ok(&c->replay))
		return;
	c->replayable = false;
	buf_done(&c->replay);
}

static void client_ended(struct conn *c)
{
	c->client_over = true;
	timer_start(c->loop, &c->timer, FINISH_SILENT_MS, on_timer);
}

/* Returns false when the client is gone, and c with it. */
static bool conn_read(struct conn *c)
{
	char p[READ_BYTES];

	for (int i = 0; i < READ_ROUNDS && !c->client_over; i++) {
		size_t room = tunnel_room(&c->stream);
		ssize_t n = room ? recv(c->fd, p, MIN(room, sizeof(p)), MSG_DONTWAIT) : -1;

		if (n < 0 && (!room || errno == EAGAIN || errno == EINTR))
			break;
		if (n < 0) {
			conn_reset(c);
			return false;
		}
		if (n == 0) {
			client_ended(c);
			break;
		}
		replay_keep(c, p, (size_t)n);
		tunnel_stream_send(&c->stream, p, (size_t)n);
		c->sent += (size_t)n;
		atomic_fetch_add_explicit(&c->to->sent, (uint64_t)n, memory_order_relaxed);
		much_check(c);
	}
	c->active_ns = loop_now(c->loop);
	return true;
}

static void on_room(struct tunnel_stream *stream)
{
	struct conn *c = container_of(stream, struct conn, stream);

	if (conn_read(c))
		conn_watch(c);
}

static void on_client(struct io *io, unsigned events)
{
	struct conn *c = container_of(io, struct conn, io);

	if (events & IO_ERR && !(events & IO_IN)) {
		conn_reset(c);
		return;
	}
	if (events & IO_IN) {
		struct session *s = c->session;

		if (!conn_read(c))
			return;
		tunnel_flush(&s->tunnel);
	}
	conn_write(c);
}

static uint64_t silent_ms(const struct conn *c)
{
	return (loop_now(c->loop) - c->active_ns) / 1000000;
}

/* After the client's end. */
static void on_timer(struct timer *t)
{
	struct conn *c = container_of(t, struct conn, timer);

	if (c->finishing) {
		conn_free(c);
	} else if (queued(c)) {
		timer_start(c->loop, &c->timer, FINISH_SILENT_MS, on_timer);
	} else if (silent_ms(c) < FINISH_SILENT_MS) {
		timer_start(c->loop, &c->timer, FINISH_SILENT_MS - silent_ms(c), on_timer);
	} else {
		c->finishing = true;
		timer_start(c->loop, &c->timer, FINISH_END_MS, on_timer);
		tunnel_stream_finish(&c->stream);
		tunnel_flush(&c->session->tunnel);
	}
}

/* ---- its stream -------------------------------------------------------------------------------------------------- */

static const struct tunnel_stream_ops stream_ops = { on_data, on_end, on_room };

bool conn_start(struct conn *c)
{
	struct session *s = c->session;

	if (!tunnel_stream_open(&s->tunnel, &c->stream, c->target.port, &stream_ops))
		return false;
	c->started = true;
	session_alone_check(s);
	if (c->replay.len)
		tunnel_stream_send(&c->stream, c->replay.data, c->replay.len);
	if (!conn_read(c))
		return true;
	if (c->client_over)		/* of an earlier attempt, too */
		timer_start(c->loop, &c->timer, FINISH_SILENT_MS, on_timer);
	tunnel_flush(&s->tunnel);
	conn_watch(c);
	return true;
}

/* ---- another loop ------------------------------------------------------------------------------------------------ */

void conn_leave(struct conn *c)
{
	io_stop(&c->io);
	timer_stop(&c->timer);
	timer_stop(&c->hold);
}

void conn_join(struct conn *c, struct loop *l)
{
	c->loop = l;
	if (c->client_over && !c->far_over)
		timer_start(l, &c->timer, c->finishing ? FINISH_END_MS : FINISH_SILENT_MS, on_timer);
	if (c->holds)
		timer_start(l, &c->hold, hold_left_ms(c), on_hold);
	conn_watch(c);
}
