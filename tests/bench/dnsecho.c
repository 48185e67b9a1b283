/* SPDX-License-Identifier: Apache-2.0 */
/* The other end of the benches of DNS: dnsecho ADDR:PORT [ttl=SECONDS] [loss=PERCENT] [after=N] [silent=1]
 * Without ttl it only turns questions into empty answers: what a UDP server costs at the least. With ttl each question is
 * answered by one address. loss: so many of a hundred questions are not answered, behind the first N. silent: none is. */
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "net/dnswire.h"
#include "net/sock.h"
#include "tests/bench/figures.h"

#define BATCH 32
#define SIZE 512
#define RECORD 16			/* name as a pointer, type, class, TTL, length, address */

struct echo {
	bool answers;
	uint64_t ttl, loss, after, turn;
	struct mmsghdr in[BATCH], out[BATCH];
	struct iovec iov[BATCH], iov_out[BATCH];
	struct sockaddr_storage peer[BATCH];
	uint8_t data[BATCH][SIZE + RECORD];
};

/* Spread evenly, so that no client's own questions are all lost. */
static bool is_lost(struct echo *e)
{
	return ++e->turn > e->after && e->turn * 37 % 100 < e->loss;
}

/* The answer's length. */
static size_t answer(const struct echo *e, uint8_t *p, size_t n)
{
	const uint8_t record[RECORD] = { 0xc0, DNS_HEADER, 0, DNS_A, 0, DNS_IN, (uint8_t)(e->ttl >> 24), (uint8_t)(e->ttl >> 16),
					 (uint8_t)(e->ttl >> 8), (uint8_t)e->ttl, 0, 4, 192, 0, 2, 1 };
	size_t end = DNS_HEADER;

	p[2] |= DNS_QR >> 8;
	p[3] |= DNS_RA;
	if (!e->answers)
		return n;
	while (end + 5 < n && p[end])
		end += 1u + p[end];
	end += 5;
	if (end > n)
		return n;
	memcpy(p + end, record, sizeof(record));
	p[7] = 1;
	p[11] = 0;
	return end + sizeof(record);
}

static void turn(struct echo *e, int fd)
{
	int n, count = 0;

	for (int i = 0; i < BATCH; i++) {
		e->iov[i] = (struct iovec){ e->data[i], SIZE };
		e->in[i].msg_hdr = (struct msghdr){ .msg_name = &e->peer[i], .msg_namelen = sizeof(e->peer[i]),
						    .msg_iov = &e->iov[i], .msg_iovlen = 1 };
	}
	n = recvmmsg(fd, e->in, BATCH, MSG_DONTWAIT, NULL);
	for (int i = 0; i < n; i++) {
		if (e->in[i].msg_len < DNS_HEADER || is_lost(e))
			continue;
		e->out[count].msg_hdr = e->in[i].msg_hdr;
		e->out[count].msg_hdr.msg_iov = &e->iov_out[count];
		e->iov_out[count++] = (struct iovec){ e->data[i], answer(e, e->data[i], e->in[i].msg_len) };
	}
	if (count)
		(void)!sendmmsg(fd, e->out, (unsigned)count, 0);
}

int main(int argc, char **argv)
{
	struct echo *e = xcalloc(1, sizeof(*e));
	struct err err = { 0 };
	struct hostport at;
	int fd, size = 4 << 20;

	if (argc < 2 || hostport_parse(argv[1], 53, &at)) {
		fprintf(stderr, "dnsecho ADDR:PORT [ttl=SECONDS] [loss=PERCENT] [after=N] [silent=1]\n");
		return 2;
	}
	e->answers = option_text(argc, argv, "ttl", NULL);
	e->ttl = option_number(argc, argv, "ttl", 0, INT32_MAX);
	e->after = option_number(argc, argv, "after", 0, UINT32_MAX);
	e->loss = option_number(argc, argv, "loss", 0, 100);
	fd = sock_udp_bind(&at, &err);
	if (fd < 0) {
		fprintf(stderr, "dnsecho: %s\n", err_text(&err));
		return 1;
	}
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	for (;;) {
		struct pollfd p = { .fd = fd, .events = option_number(argc, argv, "silent", 0, 1) ? 0 : POLLIN };

		(void)!poll(&p, 1, -1);
		turn(e, fd);
	}
}
