/* SPDX-License-Identifier: Apache-2.0 */
/* dns: the stub on loopback: UDP and TCP listeners, and what becomes of a question.
 *
 * A question is answered by ourselves (localhost, the cluster away, nonsense), from what is known of the cluster's names
 * (agent/zone), from the cache of what the original upstreams said, or becomes an exchange with the cluster's DNS or these
 * upstreams. At most DNS_IN_FLIGHT_MAX clients' questions wait at a time, DNS_SOURCE_MAX of one socket: beyond, SERVFAIL at
 * once. */
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include "agent/agent.h"
#include "net/dnswire.h"

#define DNS_IN_FLIGHT_MAX 4096
#define DNS_SOURCE_MAX 768	/* of these for one socket of a client: less than an upstream takes at a time */
#define DNS_SOURCES 1024
#define DNS_BATCH 32
#define DNS_LISTENERS 8
#define DNS_CACHE_BYTES (8u << 20)
#define DNS_CACHE_ENTRIES 16384
#define DNS_EXCHANGE_BUCKETS 1024	/* a power of two */

struct cache;
struct dnstcp;
struct dnstcp_conn;
struct exchange;
struct sendq;

/* Who asked. */
struct dns_peer {
	struct dnstcp_conn *conn;	/* NULL: over UDP, from sa */
	int udp;			/* the socket that it asked */
	union {
		struct sockaddr sa;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	};
	socklen_t len;
};

struct dns_stats {
	uint64_t queries, tcp, local, memory, cluster, external, coalesced, failures, overload, dropped;
};

/* An address that we answer at: answers leave from where the question came to. */
struct dns_listener {
	struct dns *dns;
	struct hostport at;
	int udp;
	struct io io;
	struct dnstcp *tcp;		/* owned */
};

struct dns {
	struct agent *agent;
	struct dns_listener listener[DNS_LISTENERS];
	size_t listeners;
	struct cache *cache;		/* owned; of the upstreams' answers */
	struct exchange *exchanges, *asking[DNS_EXCHANGE_BUCKETS];	/* all; by cache_hash() of the question */
	unsigned in_flight;		/* clients that wait */
	uint16_t waiting[DNS_SOURCES];	/* of these, by dns_source(); sockets that meet in one place share it */
	struct dns_stats stats;
	struct dns_batch *batch;	/* owned; receive buffers */
	struct sendq *sendq;		/* owned; answers over UDP */
	uint8_t out[DNS_MSG_MAX];	/* the answer being built */
};

int dns_start(struct agent *a, struct err *err);
void dns_stop(struct agent *a);
void dns_status(struct agent *a, json *o);

/* Answers at this address as well; 0 also when it does already. */
int dns_listen(struct dns *d, const struct hostport *at, struct err *err) must_check;

/* The cluster's DNS cannot be asked any more / there are other upstreams: questions under way follow. NULL is fine. */
void dns_cluster_lost(struct dns *d);
void dns_upstreams_changed(struct dns *d);

/* For the TCP side and exchanges. */
void dns_receive(struct dns *d, const struct dns_peer *peer, const void *msg, size_t n);
void dns_send(struct dns *d, const struct dns_peer *peer, const void *msg, size_t n);
size_t dns_peer_limit(const struct dns_peer *peer, const struct dns_query *q);
/* The place in `waiting` of who asks over UDP; over TCP a connection has its own limit: NULL. */
uint16_t *dns_source(struct dns *d, const struct dns_peer *peer);
void dns_conn_gone(struct dns *d, const struct dnstcp_conn *conn);
