/* SPDX-License-Identifier: Apache-2.0 */
/* upstream_udp: connected UDP sockets to one DNS server.
 *
 * Each has a port of the kernel's random choice (RFC 5452); a question goes out by one of them at random. A socket that
 * has sent enough or is old is exchanged once nothing is in flight on it. On the loopback, where nobody else can send,
 * one is enough. "In flight" is the owner's to count, in slot->in_flight. */
#pragma once

#include "base/loop.h"
#include "net/addr.h"

#define UPSTREAM_UDP_SLOTS 4
#define UPSTREAM_MESSAGE_MAX 4096	/* longer ones come cut */

struct upstream_udp;

struct upstream_slot {
	struct upstream_udp *udp;
	struct io io;
	int fd;				/* -1: none yet */
	unsigned sent, in_flight;
	uint64_t born_ns;
	bool reading;
};

struct upstream_udp {
	struct loop *loop;
	struct hostport server;
	unsigned count;
	struct upstream_slot slot[UPSTREAM_UDP_SLOTS];
	/* cut: the datagram was longer. Neither may end the pool. */
	void (*on_message)(struct upstream_slot *s, const uint8_t *p, size_t n, bool cut);
	void (*on_refused)(struct upstream_slot *s);	/* nobody listens there, says the network */
};

/* The two functions are the caller's to set. */
void upstream_udp_init(struct upstream_udp *p, struct loop *l, const struct hostport *server);
void upstream_udp_done(struct upstream_udp *p);
struct upstream_slot *upstream_udp_pick(struct upstream_udp *p, unsigned random);
/* -EAGAIN: no room now. -ECONNREFUSED: an earlier one was refused, this one is not sent. */
int upstream_udp_send(struct upstream_slot *s, const uint8_t *msg, size_t n) must_check;
/* What every socket to an upstream gets before it is connected; for c-ares, too. */
void upstream_socket_prepare(int fd);
