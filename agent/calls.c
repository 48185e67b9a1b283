/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/calls.h"

#include <errno.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "net/sock.h"

struct call {
	struct calls *calls;		/* NULL: the slot is free */
	struct io io;
	struct timer timer;
	struct buf in, out;
	bool said;			/* the reply is out: what still comes is dropped */
};

struct calls {
	struct loop *loop;
	int fd;
	struct io io;
	size_t request_max, reply_max;
	calls_fn fn;
	void *owner;
	struct call call[CALLS_MAX];
};

static void call_close(struct call *c)
{
	int fd = c->io.fd;

	io_stop(&c->io);
	timer_stop(&c->timer);
	close(fd);
	buf_done(&c->in);
	buf_done(&c->out);
	c->calls = NULL;
}

static bool is_later(void)
{
	return errno == EAGAIN || errno == EINTR;
}

/* Return false when the connection is at its end. */
static bool call_read(struct call *c)
{
	char chunk[4096];
	ssize_t n = recv(c->io.fd, chunk, sizeof(chunk), 0);

	if (n <= 0)
		return n < 0 && is_later();
	if (c->said)
		return true;
	buf_add(&c->in, chunk, (size_t)n);
	c->calls->fn(c->calls->owner, c->io.fd, &c->in, &c->out);
	return buf_ok(&c->out) && (c->out.len || buf_ok(&c->in));
}

static bool call_write(struct call *c)
{
	ssize_t n = send(c->io.fd, c->out.data, c->out.len, MSG_NOSIGNAL);

	if (n < 0)
		return is_later();
	buf_consume(&c->out, (size_t)n);
	if (c->out.len)
		return true;
	c->said = true;
	io_set(&c->io, IO_IN);
	return shutdown(c->io.fd, SHUT_WR) == 0;
}

static void on_call(struct io *io, unsigned events)
{
	struct call *c = container_of(io, struct call, io);
	bool keep = c->out.len || call_read(c);

	if (keep && c->out.len) {
		io_set(io, IO_OUT);
		keep = call_write(c);
	}
	if (!keep)
		call_close(c);
}

static void on_timeout(struct timer *t)
{
	call_close(container_of(t, struct call, timer));
}

static void on_listen(struct io *io, unsigned events)
{
	struct calls *calls = container_of(io, struct calls, io);
	int fd = sock_accept(calls->fd, NULL);

	for (int i = 0; fd >= 0 && i < CALLS_MAX; i++) {
		struct call *c = &calls->call[i];

		if (c->calls)
			continue;
		*c = (struct call){ .calls = calls, .in = BUF_INIT(calls->request_max), .out = BUF_INIT(calls->reply_max) };
		io_start(calls->loop, &c->io, fd, IO_IN, on_call);
		timer_start(calls->loop, &c->timer, CALL_MS, on_timeout);
		return;
	}
	if (fd >= 0)
		close(fd);
}

struct calls *calls_new(struct loop *l, int listen_fd, size_t request_max, size_t reply_max, calls_fn fn, void *owner)
{
	struct calls *c = xcalloc(1, sizeof(*c));

	*c = (struct calls){ .loop = l, .fd = listen_fd, .request_max = request_max, .reply_max = reply_max, .fn = fn, .owner = owner };
	io_start(l, &c->io, listen_fd, IO_IN, on_listen);
	return c;
}

struct calls *calls_free(struct calls *c)
{
	if (!c)
		return NULL;
	for (int i = 0; i < CALLS_MAX; i++)
		if (c->call[i].calls)
			call_close(&c->call[i]);
	io_stop(&c->io);
	close(c->fd);
	free(c);
	return NULL;
}
