/* SPDX-License-Identifier: Apache-2.0 */
#include "net/linux/upstream_udp.h"

#include <errno.h>
#include <sys/uio.h>

#include "base/mem.h"
#include "net/sock.h"

#define BATCH 16		/* datagrams a callback */
#define RECEIVE_BUFFER (1 << 20)
#define RENEW_SENT 1000
#define RENEW_NS (10 * 1000000000ull)

void upstream_socket_prepare(int fd)
{
	int size = RECEIVE_BUFFER;

	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	sock_mark(fd);
}

/* ---- receiving --------------------------------------------------------------------------------------------------- */

static void on_readable(struct io *io, unsigned events)
{
	struct upstream_slot *s = container_of(io, struct upstream_slot, io);
	uint8_t bytes[BATCH][UPSTREAM_MESSAGE_MAX];
	struct mmsghdr m[BATCH];
	struct iovec v[BATCH];
	int n;

	for (int i = 0; i < BATCH; i++) {
		v[i] = (struct iovec){ bytes[i], UPSTREAM_MESSAGE_MAX };
		m[i] = (struct mmsghdr){ .msg_hdr = { .msg_iov = &v[i], .msg_iovlen = 1 } };
	}
	n = recvmmsg(s->fd, m, BATCH, 0, NULL);
	if (n < 0 && errno != EAGAIN && errno != EINTR)
		s->udp->on_refused(s);
	s->reading = true;
	for (int i = 0; i < n; i++)
		s->udp->on_message(s, bytes[i], m[i].msg_len, m[i].msg_hdr.msg_flags & MSG_TRUNC);
	s->reading = false;
}

/* ---- sockets ----------------------------------------------------------------------------------------------------- */

static void slot_close(struct upstream_slot *s)
{
	io_stop(&s->io);
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
}

static int slot_open(struct upstream_slot *s)
{
	struct upstream_udp *p = s->udp;
	autoclose int fd = socket(p->server.addr.family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_storage sa;

	if (fd < 0)
		return -errno;
	upstream_socket_prepare(fd);
	if (connect(fd, (struct sockaddr *)&sa, hostport_to_sockaddr(&p->server, &sa)) < 0)
		return -errno;
	s->fd = steal_fd(&fd);
	s->sent = 0;
	s->born_ns = loop_now(p->loop);
	io_start(p->loop, &s->io, s->fd, IO_IN, on_readable);
	return 0;
}

void upstream_udp_init(struct upstream_udp *p, struct loop *l, const struct hostport *server)
{
	*p = (struct upstream_udp){ .loop = l, .server = *server };
	p->count = addr_is_loopback(&server->addr) ? 1 : UPSTREAM_UDP_SLOTS;
	for (unsigned i = 0; i < UPSTREAM_UDP_SLOTS; i++)
		p->slot[i] = (struct upstream_slot){ .udp = p, .fd = -1 };
}

void upstream_udp_done(struct upstream_udp *p)
{
	for (unsigned i = 0; i < UPSTREAM_UDP_SLOTS; i++)
		slot_close(&p->slot[i]);
}

/* ---- sending ----------------------------------------------------------------------------------------------------- */

static bool slot_is_spent(const struct upstream_slot *s)
{
	return s->fd >= 0 && (s->sent >= RENEW_SENT || loop_now(s->udp->loop) - s->born_ns >= RENEW_NS);
}

/* The next from a random one on that is fresh or can be made so; when all are spent and busy, the random one. */
struct upstream_slot *upstream_udp_pick(struct upstream_udp *p, unsigned random)
{
	for (unsigned i = 0; i < p->count; i++) {
		struct upstream_slot *s = &p->slot[(random + i) % p->count];

		if (!slot_is_spent(s))
			return s;
		if (!s->in_flight && !s->reading) {
			slot_close(s);
			return s;
		}
	}
	return &p->slot[random % p->count];
}

static int slot_send(struct upstream_slot *s, const uint8_t *msg, size_t n)
{
	int r = s->fd < 0 ? slot_open(s) : 0;

	if (r)
		return r;
	s->sent++;
	if (send(s->fd, msg, n, MSG_NOSIGNAL) >= 0)
		return 0;
	return errno == ENOBUFS || errno == EINTR ? -EAGAIN : -errno;
}

/* A socket keeps the address that it was connected from: when that is gone, a new one may do. */
int upstream_udp_send(struct upstream_slot *s, const uint8_t *msg, size_t n)
{
	int r = slot_send(s, msg, n);

	if (!r || r == -EAGAIN || r == -ECONNREFUSED || s->reading)
		return r;
	slot_close(s);
	return slot_send(s, msg, n);
}
