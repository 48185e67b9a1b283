/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/ctl.h"

#include <errno.h>
#include <sys/socket.h>

#include "base/file.h"
#include "base/mem.h"
#include "net/ctlmsg.h"
#include "net/sock.h"

#define CONNS_MAX 16
#define CONN_MS 5000

struct conn {
	struct ctl *ctl;		/* NULL: the slot is free */
	struct io io;
	struct timer timer;
	struct buf in, out;
};

struct ctl {
	struct agent *agent;
	int fd;
	struct io io;
	struct conn conn[CONNS_MAX];
};

static void conn_close(struct conn *c)
{
	int fd = c->io.fd;

	io_stop(&c->io);
	timer_stop(&c->timer);
	close(fd);
	buf_done(&c->in);
	buf_done(&c->out);
	c->ctl = NULL;
}

static bool may_stop(int fd)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 && (peer.uid == 0 || peer.uid == geteuid());
}

/* The reply to one request line; caller owns. */
static char *reply_make(struct conn *c, size_t len)
{
	struct agent *a = c->ctl->agent;
	struct err err = { 0 };
	enum ctl_op op;

	if (ctl_request_parse(c->in.data, len, &op, &err))
		return ctl_reply_error(err_text(&err));
	switch (op) {
	case CTL_STATUS:
		return ctl_reply_ok("status", agent_status(a));
	case CTL_STOP:
		if (!may_stop(c->io.fd))
			return ctl_reply_error("only root may stop the agent");
		a->stop = true;
		return ctl_reply_ok(NULL, NULL);
	case CTL_OPS:
		break;
	}
	return ctl_reply_error("unknown request");
}

static bool conn_read(struct conn *c)
{
	char chunk[1024], *end;
	ssize_t n = recv(c->io.fd, chunk, sizeof(chunk), 0);

	if (n <= 0)
		return n < 0 && (errno == EAGAIN || errno == EINTR);
	buf_add(&c->in, chunk, (size_t)n);
	if (!buf_ok(&c->in))
		return false;
	end = memchr(c->in.data, '\n', c->in.len);
	if (end) {
		autofree char *reply = reply_make(c, (size_t)(end - c->in.data));

		buf_adds(&c->out, reply);
		io_set(&c->io, IO_OUT);
	}
	return buf_ok(&c->out);
}

static void on_conn(struct io *io, unsigned events)
{
	struct conn *c = container_of(io, struct conn, io);
	bool keep = true;

	if (!c->out.len)
		keep = conn_read(c);
	if (keep && c->out.len) {
		ssize_t n = send(io->fd, c->out.data, c->out.len, MSG_NOSIGNAL);

		if (n > 0)
			buf_consume(&c->out, (size_t)n);
		keep = c->out.len && (n >= 0 || errno == EAGAIN || errno == EINTR);
	}
	if (!keep)
		conn_close(c);
}

static void on_timeout(struct timer *t)
{
	conn_close(container_of(t, struct conn, timer));
}

static void on_listen(struct io *io, unsigned events)
{
	struct ctl *ctl = container_of(io, struct ctl, io);
	int fd = sock_accept(ctl->fd, NULL);

	for (int i = 0; fd >= 0 && i < CONNS_MAX; i++) {
		struct conn *c = &ctl->conn[i];

		if (c->ctl)
			continue;
		*c = (struct conn){ .ctl = ctl, .in = BUF_INIT(CTLMSG_REQUEST_MAX), .out = BUF_INIT(CTLMSG_REPLY_MAX) };
		io_start(ctl->agent->loop, &c->io, fd, IO_IN, on_conn);
		timer_start(ctl->agent->loop, &c->timer, CONN_MS, on_timeout);
		return;
	}
	if (fd >= 0)
		close(fd);
}

int ctl_start(struct agent *a, struct err *err)
{
	struct ctl *ctl = a->ctl = xcalloc(1, sizeof(*ctl));
	autofree char *dir = path_dirname(a->config.socket);
	int r = file_mkdirs(dir, 0755, err);

	ctl->agent = a;
	ctl->fd = r ? r : sock_unix_listen(a->config.socket, 0666, err);
	if (ctl->fd < 0)
		return ctl->fd;
	io_start(a->loop, &ctl->io, ctl->fd, IO_IN, on_listen);
	return 0;
}

void ctl_stop(struct agent *a)
{
	struct ctl *ctl = a->ctl;

	if (!ctl)
		return;
	for (int i = 0; i < CONNS_MAX; i++)
		if (ctl->conn[i].ctl)
			conn_close(&ctl->conn[i]);
	if (ctl->fd >= 0) {
		io_stop(&ctl->io);
		close(ctl->fd);
		unlink(a->config.socket);
	}
	free(steal(&a->ctl));
}
