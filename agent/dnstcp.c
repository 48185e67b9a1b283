/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/dnstcp.h"

#include <errno.h>
#include <netinet/tcp.h>

#include "base/buf.h"
#include "base/mem.h"
#include "net/sock.h"

#define CONNS_MAX 64
#define IN_FLIGHT_MAX 100
#define IDLE_MS 10000
#define OUT_HIGH (256u << 10)
#define FRAME_MAX (2 + DNS_MSG_MAX)

struct dnstcp_conn {
	struct dnstcp *tcp;		/* NULL: the slot is free */
	struct io io;
	struct timer idle;
	struct buf in, out;
	uint64_t active_ns;
	unsigned in_flight;
	bool eof, busy;			/* busy: inside of conn_work, which sends what is answered at once */
};

struct dnstcp {
	struct dns *dns;
	int fd;
	struct io io;
	struct dnstcp_conn conn[CONNS_MAX];
};

static void conn_close(struct dnstcp_conn *c)
{
	struct dns *d = c->tcp->dns;
	int fd = c->io.fd;

	c->tcp = NULL;			/* answers are dropped from here on */
	dns_conn_gone(d, c);
	timer_stop(&c->idle);
	io_stop(&c->io);
	close(fd);
	buf_done(&c->in);
	buf_done(&c->out);
}

static bool conn_is_full(const struct dnstcp_conn *c)
{
	return c->in_flight >= IN_FLIGHT_MAX || c->out.len >= OUT_HIGH;
}

/* What to wait for now; closes a connection that has nothing left to do. */
static void conn_update(struct dnstcp_conn *c)
{
	unsigned events = 0;

	if (c->eof && !c->in_flight && !c->out.len) {
		conn_close(c);
		return;
	}
	if (!c->eof && !conn_is_full(c))
		events |= IO_IN;
	if (c->out.len)
		events |= IO_OUT;
	io_set(&c->io, events);
}

static int conn_flush(struct dnstcp_conn *c)
{
	ssize_t n;

	if (!c->out.len)
		return 0;
	n = send(c->io.fd, c->out.data, c->out.len, MSG_NOSIGNAL);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	buf_consume(&c->out, (size_t)n);
	return 0;
}

/* Every whole message that has arrived. */
static void conn_parse(struct dnstcp_conn *c)
{
	struct dns_peer peer = { .conn = c };
	size_t at = 0;

	while (c->in.len - at >= 2 && !conn_is_full(c)) {
		const uint8_t *p = (const uint8_t *)c->in.data + at;
		size_t n = (size_t)p[0] << 8 | p[1];

		if (c->in.len - at - 2 < n)
			break;
		if (n < DNS_HEADER || p[4] & 0x80) {	/* no question: it would never be answered */
			c->eof = true;
			at = c->in.len;
			break;
		}
		c->in_flight++;
		dns_receive(c->tcp->dns, &peer, p + 2, n);
		at += 2 + n;
	}
	buf_consume(&c->in, at);
}

/* Questions in, answers out, as far as both go. */
static int conn_work(struct dnstcp_conn *c)
{
	int r;

	c->busy = true;
	conn_parse(c);
	r = conn_flush(c);
	c->busy = false;
	return buf_ok(&c->out) ? r : -ENOBUFS;
}

void dnstcp_send(struct dnstcp_conn *c, const void *msg, size_t n)
{
	const uint8_t prefix[2] = { (uint8_t)(n >> 8), (uint8_t)n };

	if (!c->tcp)
		return;
	c->in_flight--;
	buf_add(&c->out, prefix, 2);
	buf_add(&c->out, msg, n);
	if (!c->busy)
		io_set(&c->io, c->io.events | IO_OUT);	/* written, or closed, in its own turn: the caller may stand on it */
}

static int conn_read(struct dnstcp_conn *c)
{
	char chunk[16384];
	size_t room = MIN(sizeof(chunk), FRAME_MAX - c->in.len);
	ssize_t n = room ? recv(c->io.fd, chunk, room, 0) : 0;

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	if (n == 0 && room)
		c->eof = true;
	c->active_ns = loop_now(c->tcp->dns->agent->loop);
	buf_add(&c->in, chunk, (size_t)n);
	return 0;
}

static void on_idle(struct timer *t)
{
	struct dnstcp_conn *c = container_of(t, struct dnstcp_conn, idle);
	uint64_t idle_ms = (loop_now(c->tcp->dns->agent->loop) - c->active_ns) / 1000000;

	if (idle_ms >= IDLE_MS)
		conn_close(c);
	else
		timer_start(c->tcp->dns->agent->loop, t, IDLE_MS - idle_ms, on_idle);
}

static void on_conn(struct io *io, unsigned events)
{
	struct dnstcp_conn *c = container_of(io, struct dnstcp_conn, io);
	int r = 0;

	if (events & (IO_IN | IO_ERR) && !c->eof)
		r = conn_read(c);
	if (!r)
		r = conn_work(c);
	if (r || (events & IO_ERR && (c->eof || conn_is_full(c))))
		conn_close(c);
	else
		conn_update(c);
}

static struct dnstcp_conn *conn_slot(struct dnstcp *t)
{
	struct dnstcp_conn *oldest = &t->conn[0];

	for (int i = 0; i < CONNS_MAX; i++) {
		if (!t->conn[i].tcp)
			return &t->conn[i];
		if (t->conn[i].active_ns < oldest->active_ns)
			oldest = &t->conn[i];
	}
	conn_close(oldest);
	return oldest;
}

static void on_listen(struct io *io, unsigned events)
{
	struct dnstcp *t = container_of(io, struct dnstcp, io);
	struct loop *l = t->dns->agent->loop;
	int fd = sock_accept(t->fd, NULL);
	struct dnstcp_conn *c;

	if (fd < 0)
		return;
	/* else Nagle holds an answer back while the one before it waits for the client's delayed acknowledgement: 40 ms */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
	c = conn_slot(t);
	*c = (struct dnstcp_conn){ .tcp = t, .active_ns = loop_now(l) };
	buf_init(&c->in, FRAME_MAX);
	buf_init(&c->out, OUT_HIGH + 2 * FRAME_MAX);
	io_start(l, &c->io, fd, IO_IN, on_conn);
	timer_start(l, &c->idle, IDLE_MS, on_idle);
}

int dnstcp_new(struct dns *d, const struct hostport *at, struct dnstcp **ret, struct err *err)
{
	int fd = sock_tcp_listen(at, err);
	struct dnstcp *t;

	if (fd < 0)
		return fd;
	t = *ret = xcalloc(1, sizeof(*t));
	t->dns = d;
	t->fd = fd;
	io_start(d->agent->loop, &t->io, fd, IO_IN, on_listen);
	return 0;
}

void dnstcp_free(struct dnstcp *t)
{
	if (!t)
		return;
	io_stop(&t->io);
	close(t->fd);
	for (int i = 0; i < CONNS_MAX; i++)
		if (t->conn[i].tcp)
			conn_close(&t->conn[i]);
	free(t);
}
