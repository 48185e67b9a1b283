/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fake/craft.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "net/sock.h"

static size_t answer(struct craft *c, const uint8_t *q, size_t n, bool tcp)
{
	c->question_len = n < sizeof(c->question) ? n : sizeof(c->question);
	memcpy(c->question, q, c->question_len);
	*(tcp ? &c->tcp_seen : &c->udp_seen) += 1;
	c->sent_len = c->make(c, q, n, tcp, c->sent);
	return c->sent_len;
}

void craft_send(struct craft *c, const uint8_t *p, size_t n)
{
	(void)!sendto(c->udp, p, n, 0, (struct sockaddr *)&c->from, sizeof(c->from));
}

static void on_udp(struct io *io, unsigned events)
{
	struct craft *c = container_of(io, struct craft, udp_io);
	socklen_t len = sizeof(c->from);
	uint8_t q[4096];
	ssize_t n = recvfrom(c->udp, q, sizeof(q), 0, (struct sockaddr *)&c->from, &len);

	c->from_port = ntohs(c->from.sin_port);
	if (n > 0 && answer(c, q, (size_t)n, false))
		craft_send(c, c->sent, c->sent_len);
}

static void conn_close(struct craft *c)
{
	int fd = c->conn;

	io_stop(&c->conn_io);
	if (fd >= 0)
		close(fd);
	c->conn = -1;
}

/* One question per read: enough for a test. */
static void on_conn(struct io *io, unsigned events)
{
	struct craft *c = container_of(io, struct craft, conn_io);
	uint8_t q[4096], head[2];
	ssize_t n = recv(c->conn, q, sizeof(q), 0);

	if (n <= 2) {
		conn_close(c);
		return;
	}
	if (!answer(c, q + 2, (size_t)n - 2, true))
		return;
	head[0] = (uint8_t)(c->sent_len >> 8);
	head[1] = (uint8_t)c->sent_len;
	(void)!send(c->conn, head, 2, MSG_NOSIGNAL | MSG_MORE);
	(void)!send(c->conn, c->sent, c->sent_len, MSG_NOSIGNAL);
}

static void on_tcp(struct io *io, unsigned events)
{
	struct craft *c = container_of(io, struct craft, tcp_io);
	int fd = sock_accept(c->tcp, NULL), size = 1 << 20;

	if (fd < 0)
		return;
	conn_close(c);
	c->conn = fd;
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	io_start(c->loop, &c->conn_io, fd, IO_IN, on_conn);
}

static int bind_both(struct craft *c, struct err *err)
{
	c->at.port = 0;
	c->udp = sock_udp_bind(&c->at, err);
	if (c->udp < 0)
		return c->udp;
	c->tcp = sock_local(c->udp, &c->at) ? -1 : sock_tcp_listen(&c->at, err);
	if (c->tcp < 0)
		close(c->udp);
	return c->tcp;
}

void craft_start(struct craft *c, struct loop *l, const char *address)
{
	struct err err = { 0 };
	int r = hostport_parse(address, 0, &c->at);

	if (r)
		abort();
	c->loop = l;
	c->conn = -1;
	c->sent = malloc(CRAFT_MAX);
	for (int i = 0, bound = -1; i < 20 && bound < 0; i++)
		r = bound = bind_both(c, &err);
	if (r < 0 || !c->sent) {
		printf("Bail out! craft: %s\n", err_text(&err));
		exit(1);
	}
	io_start(l, &c->udp_io, c->udp, IO_IN, on_udp);
	io_start(l, &c->tcp_io, c->tcp, IO_IN, on_tcp);
}

void craft_tcp_close(struct craft *c)
{
	conn_close(c);
	io_stop(&c->tcp_io);
	if (c->tcp >= 0)
		close(c->tcp);
	c->tcp = -1;
}

void craft_stop(struct craft *c)
{
	craft_tcp_close(c);
	io_stop(&c->udp_io);
	close(c->udp);
	free(c->sent);
	c->sent = NULL;
}
