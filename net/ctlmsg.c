/* SPDX-License-Identifier: Apache-2.0 */
#include "net/ctlmsg.h"

#include <errno.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "base/str.h"
#include "net/sock.h"

static const char *const op_names[CTL_OPS] = {
	[CTL_STATUS] = "status",
	[CTL_STOP] = "stop",
};

const char *ctl_op_name(enum ctl_op op)
{
	return op_names[op];
}

char *ctl_request_text(enum ctl_op op)
{
	return xasprintf("{\"op\":\"%s\"}\n", op_names[op]);
}

int ctl_request_parse(const void *p, size_t n, enum ctl_op *ret, struct err *err)
{
	autojson json *j = NULL;
	const char *name;

	if (n > CTLMSG_REQUEST_MAX)
		return err_set(err, -EBADMSG, "the request is longer than %d bytes", CTLMSG_REQUEST_MAX);
	j = json_parse(p, n, err);
	if (!j)
		return err_wrap(err, -EBADMSG, "request");
	name = json_str(j, "op", NULL);
	if (!name)
		return err_set(err, -EBADMSG, "the request has no \"op\"");
	for (unsigned i = 0; i < CTL_OPS; i++) {
		if (streq(name, op_names[i])) {
			*ret = (enum ctl_op)i;
			return 0;
		}
	}
	return err_set(err, -ENOSYS, "unknown op \"%.40s\"", name);
}

static char *line_take(json *j)
{
	autofree char *text = json_text(j);

	json_free(j);
	return xasprintf("%s\n", text);
}

char *ctl_reply_ok(const char *key, json *body)
{
	json *j = json_object();

	json_set_bool(j, "ok", true);
	if (body)
		json_set(j, key, body);
	return line_take(j);
}

char *ctl_reply_error(const char *text)
{
	json *j = json_object();

	json_set_bool(j, "ok", false);
	json_set_str(j, "error", text);
	return line_take(j);
}

int ctl_reply_parse(const void *p, size_t n, json **ret, struct err *err)
{
	autojson json *j = NULL;

	if (n > CTLMSG_REPLY_MAX)
		return err_set(err, -EBADMSG, "the reply is longer than %u bytes", CTLMSG_REPLY_MAX);
	j = json_parse(p, n, err);
	if (!j)
		return err_wrap(err, -EBADMSG, "reply");
	if (!json_is(j, "ok"))
		return err_set(err, -EBADMSG, "the reply has no \"ok\"");
	if (!json_bool(j, "ok", false))
		return err_set(err, -EREMOTEIO, "%s", json_str(j, "error", "it refused without a reason"));
	*ret = steal(&j);
	return 0;
}

/* ---- one exchange ------------------------------------------------------------------------------------------------ */

struct call {
	struct io io;
	struct buf out, in;
	bool done;
	int code;
};

static void call_end(struct call *c, int code)
{
	io_stop(&c->io);
	c->code = code;
	c->done = true;
}

static bool call_read(struct call *c)
{
	char chunk[16384];
	ssize_t n = recv(c->io.fd, chunk, sizeof(chunk), 0);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR || (call_end(c, -errno), false);
	if (n == 0) {
		call_end(c, c->in.len ? 0 : -ECONNRESET);
		return false;
	}
	buf_add(&c->in, chunk, (size_t)n);
	if (!buf_ok(&c->in))
		call_end(c, -EFBIG);
	else if (memchr(chunk, '\n', (size_t)n))
		call_end(c, 0);
	return !c->done;
}

static void call_io(struct io *io, unsigned events)
{
	struct call *c = container_of(io, struct call, io);

	if (events & (IO_IN | IO_ERR) && !call_read(c))
		return;
	if (events & IO_OUT && c->out.len) {
		ssize_t n = send(io->fd, c->out.data, c->out.len, MSG_NOSIGNAL);

		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return call_end(c, -errno);
		if (n > 0)
			buf_consume(&c->out, (size_t)n);
		if (!c->out.len)
			io_set(io, IO_IN);
	}
}

static int call_run(struct call *c, int fd, uint64_t deadline_ns)
{
	struct loop *l = loop_new(LOOP_DEFAULT);
	int r;

	io_start(l, &c->io, fd, IO_IN | IO_OUT, call_io);
	r = loop_run(l, &c->done, deadline_ns);
	io_stop(&c->io);
	loop_free(l);
	return r ? r : c->code;
}

int ctl_call(const char *socket_path, enum ctl_op op, uint64_t deadline_ns, json **ret, struct err *err)
{
	struct call c = { .out = BUF_INIT(CTLMSG_REQUEST_MAX), .in = BUF_INIT(CTLMSG_REPLY_MAX) };
	autofree char *text = ctl_request_text(op);
	autoclose int fd = sock_unix_connect(socket_path, err);
	int r;

	if (fd < 0)
		return fd;
	buf_adds(&c.out, text);
	r = call_run(&c, fd, deadline_ns);
	errno = -r;
	if (r)
		err_set(err, r, "%s: no answer to \"%s\": %m", socket_path, op_names[op]);
	else
		r = ctl_reply_parse(c.in.data, c.in.len, ret, err);
	buf_done(&c.out);
	buf_done(&c.in);
	return r;
}
