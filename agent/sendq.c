/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/sendq.h"

#include <netinet/in.h>

#include "base/mem.h"

struct sendq {
	struct loop *loop;
	struct timer timer;		/* of 0 ms: runs when the turn's descriptors are done */
	uint64_t *dropped;
	int fd;
	unsigned n;
	size_t used;
	struct mmsghdr msg[SENDQ_DATAGRAMS];
	struct iovec iov[SENDQ_DATAGRAMS];
	struct sockaddr_in6 to[SENDQ_DATAGRAMS];
	uint8_t data[SENDQ_BYTES];
};

struct sendq *sendq_new(struct loop *l, uint64_t *dropped)
{
	struct sendq *q = xcalloc(1, sizeof(*q));

	q->loop = l;
	q->dropped = dropped;
	for (unsigned i = 0; i < SENDQ_DATAGRAMS; i++)
		q->msg[i].msg_hdr = (struct msghdr){ .msg_name = &q->to[i], .msg_iov = &q->iov[i], .msg_iovlen = 1 };
	return q;
}

struct sendq *sendq_free(struct sendq *q)
{
	if (q)
		sendq_flush(q);
	free(q);
	return NULL;
}

void sendq_flush(struct sendq *q)
{
	unsigned done = 0;

	while (done < q->n) {
		int r = sendmmsg(q->fd, q->msg + done, q->n - done, MSG_NOSIGNAL);

		*q->dropped += r <= 0;
		done += r > 0 ? (unsigned)r : 1;	/* over the one that it does not take */
	}
	q->n = 0;
	q->used = 0;
	timer_stop(&q->timer);
}

static void on_timer(struct timer *t)
{
	sendq_flush(container_of(t, struct sendq, timer));
}

void sendq_add(struct sendq *q, int fd, const struct sockaddr *to, socklen_t to_len, const void *msg, size_t n)
{
	if (q->n && (q->fd != fd || q->n == SENDQ_DATAGRAMS || n > SENDQ_BYTES - q->used))
		sendq_flush(q);
	if (n > SENDQ_BYTES || to_len > sizeof(q->to[0])) {
		*q->dropped += sendto(fd, msg, n, MSG_NOSIGNAL, to, to_len) < 0;
		return;
	}
	q->fd = fd;
	memcpy(q->data + q->used, msg, n);
	memcpy(&q->to[q->n], to, to_len);
	q->msg[q->n].msg_hdr.msg_namelen = to_len;
	q->iov[q->n] = (struct iovec){ q->data + q->used, n };
	q->used += n;
	if (!q->n++)
		timer_start(q->loop, &q->timer, 0, on_timer);
}
