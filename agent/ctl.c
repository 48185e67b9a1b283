/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/ctl.h"

#include <errno.h>
#include <sys/socket.h>

#include "agent/calls.h"
#include "base/file.h"
#include "base/mem.h"
#include "net/ctlmsg.h"
#include "net/sock.h"

static bool may_stop(int fd)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 && (peer.uid == 0 || peer.uid == geteuid());
}

/* The reply to one request line; caller owns. */
static char *reply_make(struct agent *a, int fd, const char *line, size_t len)
{
	struct err err = { 0 };
	enum ctl_op op;

	if (ctl_request_parse(line, len, &op, &err))
		return ctl_reply_error(err_text(&err));
	switch (op) {
	case CTL_STATUS:
		return ctl_reply_ok("status", agent_status(a));
	case CTL_STOP:
		if (!may_stop(fd))
			return ctl_reply_error("only root may stop the agent");
		a->stop = true;
		return ctl_reply_ok(NULL, NULL);
	case CTL_OPS:
		break;
	}
	return ctl_reply_error("unknown request");
}

static void on_request(void *owner, int fd, const struct buf *in, struct buf *out)
{
	const char *end = memchr(buf_str(in), '\n', in->len);
	autofree char *reply = NULL;

	if (!end)
		return;
	reply = reply_make(owner, fd, in->data, (size_t)(end - in->data));
	buf_adds(out, reply);
}

int ctl_start(struct agent *a, struct err *err)
{
	autofree char *dir = path_dirname(a->config.socket);
	int r = file_mkdirs(dir, 0755, err);
	int fd = r ? r : sock_unix_listen(a->config.socket, 0666, err);

	if (fd < 0)
		return fd;
	a->ctl = calls_new(a->loop, fd, CTLMSG_REQUEST_MAX, CTLMSG_REPLY_MAX, on_request, a);
	return 0;
}

void ctl_stop(struct agent *a)
{
	if (!a->ctl)
		return;
	a->ctl = calls_free(a->ctl);
	unlink(a->config.socket);
}
