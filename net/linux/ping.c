/* SPDX-License-Identifier: Apache-2.0 */
#include "net/linux/ping.h"

#include <errno.h>
#include <linux/icmp.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <sys/random.h>

#include "base/cur.h"
#include "base/mem.h"

#define BATCH 64
#define REPLY_MAX 256		/* an IPv4 header with options, and what we sent; longer ones are not ours */
#define IPV4_HEADER 20

struct way {
	struct ping *ping;
	struct io io;
	int family, fd;		/* fd: owned, or -errno */
	enum ping_kind kind;
};

struct ping {
	ping_fn fn;
	void *owner;
	struct ping_mark mark;
	struct way way[2];
};

/* ---- messages ---------------------------------------------------------------------------------------------------- */

/* RFC 1071. */
static uint16_t checksum(const uint8_t *p, size_t n)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < n; i += 2)
		sum += (uint32_t)p[i] << 8 | (i + 1 < n ? p[i + 1] : 0);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static void put_u16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

void ping_build(const struct ping_mark *m, int family, uint16_t seq, uint8_t ret[static PING_MSG])
{
	memset(ret, 0, 8);
	ret[0] = family == AF_INET6 ? ICMP6_ECHO_REQUEST : ICMP_ECHO;
	put_u16(ret + 4, m->id);
	put_u16(ret + 6, seq);
	memcpy(ret + 8, m->secret, PING_SECRET);
	if (family == AF_INET)
		put_u16(ret + 2, checksum(ret, PING_MSG));
}

/* Raw IPv4 sockets see the IP header (RFC 791, 3.1). */
static void ip_header_skip(struct cur *c)
{
	unsigned words = cur_u8(c) & 15u;

	cur_take(c, MAX(words * 4u, IPV4_HEADER) - 1);
}

int ping_parse(const struct ping_mark *m, int family, enum ping_kind kind, const void *p, size_t n, uint16_t *ret)
{
	struct cur c = cur_init(p, n);
	const uint8_t *secret;
	uint16_t id, seq;
	uint8_t type, code;

	if (kind == PING_RAW && family == AF_INET)
		ip_header_skip(&c);
	type = cur_u8(&c);
	code = cur_u8(&c);
	cur_u16(&c);		/* the kernel has checked the sum */
	id = cur_u16(&c);
	seq = cur_u16(&c);
	secret = cur_take(&c, PING_SECRET);
	if (!cur_ok(&c) || cur_left(&c) || type != (family == AF_INET6 ? ICMP6_ECHO_REPLY : ICMP_ECHOREPLY) || code)
		return -EBADMSG;
	if ((kind == PING_RAW && id != m->id) || memcmp(secret, m->secret, PING_SECRET) != 0)
		return -EBADMSG;
	*ret = seq;
	return 0;
}

/* ---- sockets ----------------------------------------------------------------------------------------------------- */

/* A raw socket gets everybody's messages: only echo replies may wake us. */
static int filter_set(int fd, int family)
{
	struct icmp_filter v4 = { .data = ~(1u << ICMP_ECHOREPLY) };
	struct icmp6_filter v6;

	if (family == AF_INET)
		return setsockopt(fd, SOL_RAW, ICMP_FILTER, &v4, sizeof(v4));
	ICMP6_FILTER_SETBLOCKALL(&v6);
	ICMP6_FILTER_SETPASS(ICMP6_ECHO_REPLY, &v6);
	return setsockopt(fd, IPPROTO_ICMPV6, ICMP6_FILTER, &v6, sizeof(v6));
}

static int way_socket(int family, enum ping_kind kind)
{
	int type = (kind == PING_RAW ? SOCK_RAW : SOCK_DGRAM) | SOCK_CLOEXEC | SOCK_NONBLOCK;
	autoclose int fd = socket(family, type, family == AF_INET6 ? (int)IPPROTO_ICMPV6 : (int)IPPROTO_ICMP);

	if (fd < 0 || (kind == PING_RAW && filter_set(fd, family) < 0))
		return -errno;
	return steal_fd(&fd);
}

static void way_read(struct way *w)
{
	struct sockaddr_storage from;
	socklen_t len = sizeof(from);
	struct hostport peer;
	uint8_t msg[REPLY_MAX];
	uint16_t seq;
	ssize_t n;

	for (int i = 0; i < BATCH; i++, len = sizeof(from)) {
		n = recvfrom(w->fd, msg, sizeof(msg), MSG_TRUNC, (struct sockaddr *)&from, &len);
		if (n < 0)
			return;
		if ((size_t)n > sizeof(msg) || ping_parse(&w->ping->mark, w->family, w->kind, msg, (size_t)n, &seq))
			continue;
		if (!hostport_from_sockaddr((const struct sockaddr *)&from, &peer))
			w->ping->fn(w->ping->owner, &peer.addr, seq);
	}
}

static void on_readable(struct io *io, unsigned events)
{
	way_read(container_of(io, struct way, io));
}

static void way_open(struct ping *p, struct way *w, int family, struct loop *l)
{
	*w = (struct way){ .ping = p, .family = family };
	for (enum ping_kind k = PING_DGRAM; k <= PING_RAW; k++) {
		w->fd = way_socket(family, k);
		if (w->fd < 0)
			continue;
		w->kind = k;
		io_start(l, &w->io, w->fd, IO_IN, on_readable);
		return;
	}
}

struct ping *ping_new(struct loop *l, ping_fn fn, void *owner)
{
	struct ping *p = xcalloc(1, sizeof(*p));

	p->fn = fn;
	p->owner = owner;
	if (getrandom(&p->mark, sizeof(p->mark), 0) != (ssize_t)sizeof(p->mark))
		abort();
	way_open(p, &p->way[0], AF_INET, l);
	way_open(p, &p->way[1], AF_INET6, l);
	return p;
}

struct ping *ping_free(struct ping *p)
{
	for (size_t i = 0; p && i < ARRAY_SIZE(p->way); i++) {
		io_stop(&p->way[i].io);
		if (p->way[i].fd >= 0)
			close(p->way[i].fd);
	}
	free(p);
	return NULL;
}

static const struct way *way_of(const struct ping *p, int family)
{
	return &p->way[family == AF_INET6];
}

enum ping_kind ping_kind(const struct ping *p, int family, int *ret_code)
{
	const struct way *w = way_of(p, family);

	*ret_code = w->fd < 0 ? w->fd : 0;
	return w->kind;
}

const char *ping_kind_name(enum ping_kind kind)
{
	static const char *const names[] = { [PING_NONE] = "none", [PING_DGRAM] = "ping", [PING_RAW] = "raw" };
	_Static_assert(ARRAY_SIZE(names) == PING_KINDS, "each kind has a name");

	return names[kind];
}

int ping_send(struct ping *p, const struct addr *to, uint16_t seq)
{
	const struct way *w = way_of(p, to->family);
	struct hostport peer = { .addr = *to };
	struct sockaddr_storage sa;
	socklen_t len = hostport_to_sockaddr(&peer, &sa);
	uint8_t msg[PING_MSG];

	if (w->fd < 0)
		return -EAFNOSUPPORT;
	ping_build(&p->mark, to->family, seq, msg);
	(void)!sendto(w->fd, msg, sizeof(msg), 0, (struct sockaddr *)&sa, len);
	return 0;
}
