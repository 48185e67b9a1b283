/* SPDX-License-Identifier: Apache-2.0 */
/* upstream: asks one DNS server.
 *
 * By UDP over sockets of its own (upstream_udp), two tries (timeout_ms, then twice that); after a truncated answer over TCP
 * by c-ares (upstream_tcp). The message is built here (own random id, our OPT last), the answer is checked in full before
 * anyone sees it; what does not pass is -EBADMSG, an answer to another question is nobody's. A server that knows no EDNS
 * is asked without, for a minute at a time. "Refused" ends at once all that is in flight on that socket.
 * Completion is exactly once, never from inside of upstream_ask(), and never after upstream_cancel(). Health and
 * failover are the owner's; the counters here are what it needs. Raw bytes in and out: the transport can be replaced. */
#pragma once

#include "base/err.h"
#include "base/loop.h"
#include "net/addr.h"
#include "net/dnswire.h"

#define UPSTREAM_IN_FLIGHT_MAX 1024	/* what Docker's own resolver takes */

struct upstream;
struct upstream_query;

/* code 0: reply of len bytes, valid during the call, with rcode (extended by its OPT); else -ETIMEDOUT, -ECONNREFUSED,
 * -EBADMSG, -EIO. The owner may free itself and ask again. */
typedef void (*upstream_fn)(struct upstream_query *q, int code, unsigned rcode, const uint8_t *reply, size_t len);

struct upstream_query {
	const struct dns_query *query;		/* borrowed until completion */
	upstream_fn fn;
	void *owner;				/* the caller's */
	const uint8_t *raw;			/* borrowed; sent as it is but for its id, instead of what is built from query; or NULL */
	size_t raw_len;
	struct upstream_flight *flight;		/* private; NULL when not under way */
};

struct upstream_stats {
	uint64_t asked, answered, timeouts, refused, bad;
	uint32_t latency_us;		/* smoothed, of answers */
	unsigned in_flight;
	unsigned failures;		/* in a row */
	bool no_edns;
};

/* NULL on failure. */
struct upstream *upstream_new(struct loop *l, const struct hostport *server, unsigned timeout_ms, struct err *err);
/* It is reached over connections that are carried (agent/carry): TCP only, and not marked as the agent's own; or no more. What was
 * asked before goes on as it was. */
void upstream_set_carried(struct upstream *u, bool carried);
/* Its queries end without completion; returns NULL. Not from inside of a completion. */
struct upstream *upstream_free(struct upstream *u);
const struct hostport *upstream_server(const struct upstream *u);
const struct upstream_stats *upstream_stats(const struct upstream *u);

/* -EBUSY when UPSTREAM_IN_FLIGHT_MAX are under way. */
int upstream_ask(struct upstream *u, struct upstream_query *q, const struct dns_query *query, upstream_fn fn) must_check;
void upstream_cancel(struct upstream_query *q);		/* no-op when not under way */
