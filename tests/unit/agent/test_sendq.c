/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/sendq.h"

#include "net/sock.h"
#include "tests/tap.h"

#define BIG 20000

static struct sockaddr_storage at;
static socklen_t at_len;

static int socket_open(void)
{
	struct hostport any = { 0 };
	int fd = addr_parse("127.0.0.1", &any.addr);

	fd = fd ? fd : sock_udp_bind(&any, NULL);
	if (fd < 0)
		abort();
	return fd;
}

/* What has arrived: how many datagrams, and their first bytes in order. */
static const char *arrived(int fd, char ret[static 100])
{
	char p[BIG];
	unsigned n = 0;

	while (n < 99 && recv(fd, p, sizeof(p), MSG_DONTWAIT) > 0)
		ret[n++] = p[0];
	ret[n] = '\0';
	return ret;
}

int main(void)
{
	struct loop *l = loop_new(LOOP_DEFAULT);
	int to = socket_open(), a = socket_open(), b = socket_open();
	struct hostport here;
	uint64_t dropped = 0;
	struct sendq *q = sendq_new(l, &dropped);
	char got[100], big[BIG] = "B";

	(void)!sock_local(to, &here);
	at_len = hostport_to_sockaddr(&here, &at);
	sendq_add(q, a, (struct sockaddr *)&at, at_len, "1", 1);
	sendq_add(q, a, (struct sockaddr *)&at, at_len, "2", 1);
	is_str(arrived(to, got), "", "datagrams wait for their neighbours");
	(void)!loop_turn(l, loop_deadline(1000));
	is_str(arrived(to, got), "12", "they leave in order when the turn ends");

	sendq_add(q, a, (struct sockaddr *)&at, at_len, "a", 1);
	sendq_add(q, b, (struct sockaddr *)&at, at_len, "b", 1);
	is_str(arrived(to, got), "a", "another socket's turn sends what waits");
	sendq_add(q, b, (struct sockaddr *)&at, at_len, big, BIG);
	is_str(arrived(to, got), "bB", "one that is too large goes alone, behind those before it");

	for (int i = 0; i < SENDQ_DATAGRAMS + 1; i++)
		sendq_add(q, a, (struct sockaddr *)&at, at_len, "x", 1);
	is_int((long long)strlen(arrived(to, got)), SENDQ_DATAGRAMS, "a full queue is sent at once");
	sendq_flush(q);
	is_str(arrived(to, got), "x", "what is left is sent when asked for");

	sendq_add(q, -1, (struct sockaddr *)&at, at_len, "x", 1);
	sendq_add(q, -1, (struct sockaddr *)&at, at_len, "x", 1);
	sendq_free(q);
	is_int((long long)dropped, 2, "what cannot be sent is counted, and does not hold up the end");
	close(a);
	close(b);
	close(to);
	loop_free(l);
	return tap_done();
}
