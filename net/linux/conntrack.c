/* SPDX-License-Identifier: Apache-2.0 */
/* How it works: the table is dumped over ctnetlink; the tuple of each entry that fits goes back, byte for byte, in a request
 * to delete it. The kernel works inside of each call; the time limit of the socket is only a belt. */
#include "net/linux/conntrack.h"

#include <errno.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "base/buf.h"
#include "base/mem.h"

#define TUPLES_MAX (1u << 20)
#define LIMIT_S 2

/* ---- attributes -------------------------------------------------------------------------------------------------- */

struct slice {
	const uint8_t *p;
	size_t n;
};

/* The payload of the first attribute of that type. */
static bool attr_find(struct slice in, unsigned type, struct slice *ret)
{
	while (in.n >= sizeof(struct nlattr)) {
		struct nlattr a;
		size_t step;

		memcpy(&a, in.p, sizeof(a));
		if (a.nla_len < sizeof(a) || a.nla_len > in.n)
			return false;
		if ((a.nla_type & NLA_TYPE_MASK) == type) {
			*ret = (struct slice){ in.p + sizeof(a), a.nla_len - sizeof(a) };
			return true;
		}
		step = MIN((size_t)NLA_ALIGN(a.nla_len), in.n);
		in = (struct slice){ in.p + step, in.n - step };
	}
	return false;
}

/* An address of a tuple; family 0: none. */
static struct addr tuple_addr(struct slice tuple, unsigned v4, unsigned v6)
{
	struct slice ip, field;

	if (attr_find(tuple, CTA_TUPLE_IP, &ip)) {
		if (attr_find(ip, v4, &field) && field.n == 4)
			return addr_from_bytes(AF_INET, field.p);
		if (attr_find(ip, v6, &field) && field.n == 16)
			return addr_from_bytes(AF_INET6, field.p);
	}
	return (struct addr){ 0 };
}

int conntrack_parse(const void *p, size_t n, struct conntrack_entry *ret)
{
	struct slice all = { p, n }, tuple, reply, proto, field;
	struct conntrack_entry e = { 0 };

	if (n < sizeof(struct nfgenmsg))
		return -EBADMSG;
	all = (struct slice){ all.p + sizeof(struct nfgenmsg), n - sizeof(struct nfgenmsg) };
	if (!attr_find(all, CTA_TUPLE_ORIG, &tuple) || !attr_find(all, CTA_TUPLE_REPLY, &reply) ||
	    !attr_find(tuple, CTA_TUPLE_PROTO, &proto) || !attr_find(proto, CTA_PROTO_NUM, &field) || field.n != 1)
		return -EBADMSG;
	e.protocol = field.p[0];
	e.dst = tuple_addr(tuple, CTA_IP_V4_DST, CTA_IP_V6_DST);
	e.to = tuple_addr(reply, CTA_IP_V4_SRC, CTA_IP_V6_SRC);
	if (!e.dst.family || !e.to.family)
		return -EBADMSG;
	e.tuple = tuple.p;
	e.tuple_len = tuple.n;
	*ret = e;
	return 0;
}

/* ---- requests ---------------------------------------------------------------------------------------------------- */

static int request_send(int fd, unsigned type, unsigned flags, int family, const void *tuple, size_t n)
{
	struct {
		struct nlmsghdr h;
		struct nfgenmsg g;
		struct nlattr a;
		uint8_t tuple[512];
	} m = {
		.h = { .nlmsg_type = (uint16_t)(NFNL_SUBSYS_CTNETLINK << 8 | type), .nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags) },
		.g = { .nfgen_family = (uint8_t)family, .version = NFNETLINK_V0 },
		.a = { .nla_len = (uint16_t)(sizeof(m.a) + n), .nla_type = CTA_TUPLE_ORIG | NLA_F_NESTED },
	};
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };

	if (n > sizeof(m.tuple))
		return -EMSGSIZE;
	if (n)
		memcpy(m.tuple, tuple, n);
	m.h.nlmsg_len = (uint32_t)(offsetof(__typeof__(m), a) + (n ? sizeof(m.a) + NLA_ALIGN(n) : 0));
	return sendto(fd, &m, m.h.nlmsg_len, 0, (struct sockaddr *)&kernel, sizeof(kernel)) < 0 ? -errno : 0;
}

static bool is_ping(const struct conntrack_entry *e)
{
	return e->protocol == (e->dst.family == AF_INET6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP);
}

/* One datagram of a dump: the tuples that fit go to out, each behind family and length. 1: the dump is over. */
static int dump_read(const uint8_t *p, size_t len, conntrack_stale_fn is_stale, void *arg, struct buf *out)
{
	const struct nlmsghdr *h = (const void *)p;
	struct conntrack_entry e;

	for (; NLMSG_OK(h, len); h = NLMSG_NEXT(h, len)) {
		if (h->nlmsg_type == NLMSG_DONE)
			return 1;
		if (h->nlmsg_type == NLMSG_ERROR)
			return ((const struct nlmsgerr *)NLMSG_DATA(h))->error;
		if (conntrack_parse(NLMSG_DATA(h), h->nlmsg_len - NLMSG_HDRLEN, &e) || !is_ping(&e) ||
		    !is_stale(arg, &e.dst, &e.to))
			continue;
		buf_addc(out, (char)e.dst.family);
		buf_add(out, &(uint16_t){ (uint16_t)e.tuple_len }, sizeof(uint16_t));
		buf_add(out, e.tuple, e.tuple_len);
	}
	return 0;
}

static int dump(int fd, conntrack_stale_fn is_stale, void *arg, struct buf *out)
{
	union {
		struct nlmsghdr h;
		uint8_t bytes[32768];
	} u;
	int r = request_send(fd, IPCTNL_MSG_CT_GET, NLM_F_DUMP, AF_UNSPEC, NULL, 0);

	while (!r) {
		ssize_t len = recv(fd, &u, sizeof(u), 0);

		if (len < 0 && errno != EINTR)
			return -errno;
		r = len > 0 ? dump_read(u.bytes, (size_t)len, is_stale, arg, out) : 0;
	}
	return r < 0 ? r : 0;
}

static int answer_read(int fd)
{
	union {
		struct nlmsghdr h;
		uint8_t bytes[1024];
	} u;
	ssize_t len = recv(fd, &u, sizeof(u), 0);

	if (len < 0)
		return -errno;
	return NLMSG_OK(&u.h, (size_t)len) && u.h.nlmsg_type == NLMSG_ERROR ? ((struct nlmsgerr *)NLMSG_DATA(&u.h))->error : -EBADMSG;
}

static int tuples_delete(int fd, const struct buf *tuples)
{
	int count = 0;

	for (size_t at = 0; at < tuples->len;) {
		const uint8_t *p = (const uint8_t *)tuples->data + at;
		uint16_t len;
		int r;

		memcpy(&len, p + 1, sizeof(len));
		r = request_send(fd, IPCTNL_MSG_CT_DELETE, NLM_F_ACK, p[0], p + 3, len);
		if (!r)
			r = answer_read(fd);
		if (r && r != -ENOENT)
			return r;
		count += !r;
		at += 3u + len;
	}
	return count;
}

int conntrack_forget_pings(conntrack_stale_fn is_stale, void *arg, struct err *err)
{
	auto(buf) struct buf tuples = BUF_INIT(TUPLES_MAX);
	autoclose int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
	struct timeval limit = { .tv_sec = LIMIT_S };
	int r;

	if (fd < 0)
		return err_set(err, -errno, "conntrack: %m");
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	r = dump(fd, is_stale, arg, &tuples);
	if (!r)
		r = buf_ok(&tuples) ? tuples_delete(fd, &tuples) : -ENOBUFS;
	errno = -r;
	return r < 0 ? err_set(err, r, "conntrack: %m") : r;
}
