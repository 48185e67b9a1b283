/* SPDX-License-Identifier: Apache-2.0 */
/* world: the agent's DNS modules on a fake clock, the transport that is none, and clients on real loopback sockets.
 *
 * Loopback delivers before send() returns: so what an input leads to has happened when world_settle() returns, and a
 * scenario always runs the same way. */
#pragma once

#include "agent/agent.h"
#include "base/buf.h"
#include "tests/scenario/transport.h"

struct client {
	struct client *next;
	int fd;
	bool tcp;
	bool deaf;			/* does not read */
	bool closed;			/* TCP: the agent has ended it */
	struct buf in;			/* TCP: what has come of a message */
};

struct question {
	unsigned number;		/* the scenario's */
	struct client *client;		/* borrowed */
	struct dns_query query;
	uint8_t *sent;			/* owned */
	size_t sent_len;
	uint8_t *answer;		/* owned; NULL: none yet */
	size_t len;
};

struct world {
	struct agent a;
	struct client *clients;
	struct question *questions;	/* owned */
	size_t n, cap;
	bool alive;			/* the cluster's DNS answers the probe */
	char broken[256];		/* what must never happen, and did */
};

/* settings: members of the agent's configuration, as JSON (", \"key\":\"value\"…"), or "". */
int world_open(struct world *w, const char *settings, struct err *err) must_check;
void world_close(struct world *w);
/* Runs the loop until nothing is left to do now, and collects the answers. */
void world_settle(struct world *w);
void world_advance(struct world *w, uint64_t ms);

/* Upstream n: 192.0.2.n. */
struct hostport world_upstream(unsigned n);

struct client *world_client(struct world *w, bool tcp);
/* Sends msg from c; q is what an answer is matched and checked with. */
void world_ask(struct world *w, struct client *c, unsigned number, const struct dns_query *q, const void *msg, size_t n);
struct question *world_question(struct world *w, unsigned number);	/* NULL: none of this number */
void world_hang_up(struct world *w, struct client *c);
