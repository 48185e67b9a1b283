/* SPDX-License-Identifier: Apache-2.0 */
/* exchange: a question, forwarded, and its answer on the way back to all clients that ask it meanwhile.
 *
 * The servers are asked one after another: the next after 1.4 s of silence (the first stays in the race) or at once after
 * a failure (SERVFAIL, REFUSED and NOTIMP count as one); the first real answer wins. Deadlines: 4.4 s for names outside,
 * then SERVFAIL; 3 s for the cluster's, then NXDOMAIN as if it were away. What comes from outside goes to the cache, answers
 * and failures. What the cache knew until not long ago is said after 1.8 s, or instead of a failure (RFC 8767). */
#pragma once

#include "agent/dns.h"
#include "net/linux/upstream.h"

#define EXCHANGE_SERVERS 3

/* A client that waits; its id, case and size are its own. */
struct asker {
	struct asker *next;
	struct dns_peer peer;
	struct dns_query query;
	uint8_t *head;			/* owned; the beginning of its answer, where another name is asked for it, or NULL */
	size_t head_len;
};

struct exchange {
	struct dns *dns;
	struct exchange *next, **prev;		/* dns->exchanges */
	struct exchange *chain;			/* dns->asking */
	uint64_t hash;
	struct dns_query query;			/* the first asker's */
	uint8_t *raw;				/* owned; a signed message, sent and answered as it is; or NULL */
	size_t raw_len;
	struct asker *askers;			/* owned; none once stale data was said to them */
	struct dns_name zone;			/* the cluster's: for the negative answer */
	bool cluster;
	bool failing;				/* a server was asked, in vain */
	uint64_t deadline_ns;
	uint64_t turn_ns;			/* the next server's, or when the cluster is doubted */
	uint64_t stale_ns;			/* when those who wait get stale data; 0: that was, or never */
	struct timer timer;
	struct upstream *servers[EXCHANGE_SERVERS];
	struct upstream_query ask[EXCHANGE_SERVERS];
	size_t server_count, asked, failed;
	uint8_t *held;				/* owned; a failure answer, for when nothing better comes */
	size_t held_len;
	unsigned held_rcode;
};

/* Asks `ask` for `who` (which is emptied), or joins the exchange that asks the same already. Answers by itself when there is
 * nobody to ask. servers: at most EXCHANGE_SERVERS, borrowed. */
void exchange_new(struct dns *d, struct asker *who, const struct dns_query *ask, const struct dns_name *cluster_zone,
		  struct upstream *const *servers, size_t n);
/* A signed message goes as it is, and so does its answer, which is for this one asker and not kept. */
void exchange_new_signed(struct dns *d, struct asker *who, const void *msg, size_t n, struct upstream *const *servers,
			 size_t count);
void exchange_free(struct exchange *x);		/* without an answer */
void exchange_conn_gone(struct exchange *x, const struct dnstcp_conn *conn);	/* frees it with its last asker */
/* Starts over with other servers, same deadline; the old ones are not touched any more. */
void exchange_retarget(struct exchange *x, struct upstream *const *servers, size_t n);
/* Answers at once: the cluster's NXDOMAIN, or the failure that is held, or SERVFAIL. */
void exchange_give_up(struct exchange *x);
