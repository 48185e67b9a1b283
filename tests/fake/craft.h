/* SPDX-License-Identifier: Apache-2.0 */
/* craft: a DNS server on the test's own loop, UDP and TCP on one port, whose every byte is the test's. */
#pragma once

#include <netinet/in.h>

#include "base/loop.h"
#include "net/addr.h"

#define CRAFT_MAX 65535

struct craft {
	struct hostport at;
	/* The answer to a question of n bytes, into out; 0: none. */
	size_t (*make)(struct craft *c, const uint8_t *q, size_t n, bool tcp, uint8_t *out);
	void *owner;			/* the test's */
	unsigned udp_seen, tcp_seen;
	uint8_t question[512];		/* the last one */
	size_t question_len;
	uint16_t from_port;		/* whence it came, over UDP */
	uint8_t *sent;			/* the last answer; owned */
	size_t sent_len;
	/* private */
	struct loop *loop;
	int udp, tcp, conn;
	struct io udp_io, tcp_io, conn_io;
	struct sockaddr_in from;
};

/* At this IPv4 address; aborts the test when it cannot. */
void craft_start(struct craft *c, struct loop *l, const char *address);
void craft_stop(struct craft *c);
void craft_tcp_close(struct craft *c);		/* nobody listens on TCP from now on */
void craft_send(struct craft *c, const uint8_t *p, size_t n);	/* a datagram more to who asked last */
