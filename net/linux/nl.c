/* SPDX-License-Identifier: Apache-2.0 */
#include "net/linux/nl.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/errno.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <sys/socket.h>

#include "base/mem.h"

#define ACK_TIMEOUT_S 2
#define BATCH 64
#define QUEUE_MAX 65536	/* more than the receive buffer holds */

struct nl {
	struct nl_sock *sock;
	char reason[256];	/* extended acknowledgement of the request under way */
	int code;		/* its -errno */
};

int nl_errno(int nle)
{
	static const struct { int nle, code; } table[] = {
		{ NLE_EXIST, -EEXIST }, { NLE_OBJ_NOTFOUND, -ESRCH }, { NLE_PERM, -EPERM }, { NLE_NOACCESS, -EACCES },
		{ NLE_NODEV, -ENODEV }, { NLE_AGAIN, -ETIMEDOUT }, { NLE_NOMEM, -ENOBUFS }, { NLE_BUSY, -EBUSY },
		{ NLE_INVAL, -EINVAL }, { NLE_AF_NOSUPPORT, -EAFNOSUPPORT }, { NLE_NOADDR, -EADDRNOTAVAIL },
		{ NLE_OPNOTSUPP, -EOPNOTSUPP }, { NLE_DUMP_INTR, -EAGAIN },
	};

	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		if (table[i].nle == (nle < 0 ? -nle : nle))
			return table[i].code;
	return -EIO;
}

/* The kernel's message in an error reply (NLMSGERR_ATTR_MSG), which stands behind the echoed request. */
static void reason_read(struct nl *n, const struct nlmsghdr *h, const struct nlmsgerr *e)
{
	size_t skip = sizeof(*e) + (h->nlmsg_flags & NLM_F_CAPPED ? 0 : e->msg.nlmsg_len - NLMSG_HDRLEN);
	struct nlattr *attr;

	if (!(h->nlmsg_flags & NLM_F_ACK_TLVS) || NLMSG_HDRLEN + NLMSG_ALIGN(skip) > h->nlmsg_len)
		return;
	attr = nlmsg_find_attr((struct nlmsghdr *)h, (int)NLMSG_ALIGN(skip), NLMSGERR_ATTR_MSG);
	if (attr)
		nla_strlcpy(n->reason, attr, sizeof(n->reason));
}

static int on_error(struct sockaddr_nl *from, struct nlmsgerr *e, void *arg)
{
	struct nl *n = arg;

	n->code = e->error;
	reason_read(n, (const void *)((const char *)e - NLMSG_HDRLEN), e);
	return NL_STOP;
}

static int on_ack(struct nl_msg *msg, void *arg)
{
	((struct nl *)arg)->code = 0;
	return NL_STOP;
}

/* Also after a request without an answer: what may still arrive belongs to the old socket. */
static int nl_open(struct nl *n)
{
	struct timeval limit = { .tv_sec = ACK_TIMEOUT_S };
	int fd, one = 1, r;

	nl_close(n->sock);
	r = nl_connect(n->sock, NETLINK_ROUTE);
	if (r)
		return nl_errno(r);
	fd = nl_socket_get_fd(n->sock);
	(void)setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &one, sizeof(one));
	nl_socket_set_buffer_size(n->sock, 1 << 20, 0);
	return setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) < 0 ? -errno : 0;
}

struct nl *nl_new(struct err *err)
{
	struct nl *n = xcalloc(1, sizeof(*n));
	int r;

	n->sock = nl_socket_alloc();
	r = n->sock ? nl_open(n) : -ENOMEM;
	if (!r)
		return n;
	errno = -r;
	err_set(err, r, "netlink: %m");
	return nl_free(n);
}

struct nl *nl_free(struct nl *n)
{
	if (n) {
		nl_socket_free(n->sock);
		free(n);
	}
	return NULL;
}

struct nl_sock *nl_sock(struct nl *n)
{
	return n->sock;
}

int nl_request(struct nl *n, struct nl_msg *msg, struct err *err)
{
	struct nl_cb *cb = nl_cb_alloc(NL_CB_DEFAULT);
	int r;

	n->reason[0] = '\0';
	n->code = 1;
	nl_cb_err(cb, NL_CB_CUSTOM, on_error, n);
	nl_cb_set(cb, NL_CB_ACK, NL_CB_CUSTOM, on_ack, n);
	r = nl_send_auto(n->sock, msg);
	while (r >= 0 && n->code == 1)
		r = nl_recvmsgs(n->sock, cb);
	nl_cb_put(cb);
	nlmsg_free(msg);
	if (n->code <= 0) {
		errno = -n->code;
		return n->code ? err_set(err, n->code, "%s%s%m", n->reason, *n->reason ? ": " : "") : 0;
	}
	r = nl_errno(r);
	(void)nl_open(n);
	errno = -r;
	return err_set(err, r, "netlink: %m");
}

/* ---- change notices ---------------------------------------------------------------------------------------------- */

/* What a notice says does not matter, only that there was one. Returns whether there was. */
static bool notices_read(struct nl_watch *w, unsigned max)
{
	bool changed = false;
	char start;

	for (unsigned i = 0; i < max; i++) {
		if (recv(w->io.fd, &start, sizeof(start), 0) < 0) {
			if (errno != ENOBUFS)
				break;
			w->lost++;
		}
		changed = true;
	}
	return changed;
}

static void on_readable(struct io *io, unsigned events)
{
	struct nl_watch *w = container_of(io, struct nl_watch, io);

	if (notices_read(w, BATCH))
		w->fn(w);
}

void nl_watch_pause(struct nl_watch *w)
{
	io_set(&w->io, 0);
}

void nl_watch_resume(struct nl_watch *w)
{
	(void)notices_read(w, QUEUE_MAX);
	io_set(&w->io, IO_IN);
}

int nl_watch_start(struct nl_watch *w, struct loop *l, nl_watch_fn fn, struct err *err)
{
	int r;

	w->fn = fn;
	w->sock = nl_socket_alloc();
	if (!w->sock)
		return err_set(err, -ENOMEM, "netlink: no socket");
	r = nl_connect(w->sock, NETLINK_ROUTE);
	if (!r)
		r = nl_socket_add_memberships(w->sock, RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR,
					      RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE, 0);
	if (!r)
		r = nl_socket_set_nonblocking(w->sock);
	if (r) {
		nl_watch_stop(w);
		return err_set(err, nl_errno(r), "netlink: %s", nl_geterror(r));
	}
	nl_socket_set_buffer_size(w->sock, 1 << 20, 0);
	io_start(l, &w->io, nl_socket_get_fd(w->sock), IO_IN, on_readable);
	return 0;
}

void nl_watch_stop(struct nl_watch *w)
{
	io_stop(&w->io);
	if (w->sock)
		nl_socket_free(w->sock);
	w->sock = NULL;
}
