/* SPDX-License-Identifier: Apache-2.0 */
/* cache: answers of the original upstreams, kept for as long as their records allow. Pure over bytes and time.
 *
 * One entry per name (without case), type, class and the bits that change an answer: RD, AD, CD, DO. It lives for the
 * least TTL of its records, at most CACHE_TTL_MAX; without data (RFC 2308) for the least of these and the SOA's MINIMUM,
 * at most CACHE_NEGATIVE_MAX, and not at all without SOA; a failure for CACHE_FAILURE_TTL (RFC 9520). A name of one label is
 * one of the engine's containers, which says 600 s and may have another address right away: CACHE_ENGINE_TTL. Truncated answers,
 * other rcodes, meta types and what is over the limits are not kept. OPT is hop by hop and never stored, nor is AA, as
 * we are no authority. What a name has stays for CACHE_STALE_MAX longer, to be said when nobody can say better (RFC 8767),
 * not that it does not exist. The least recently used entry leaves first. The seed keeps the table's order from being guessed. */
#pragma once

#include "net/dnswire.h"

#define CACHE_TTL_MAX 3600u		/* seconds */
#define CACHE_NEGATIVE_MAX 300u
#define CACHE_FAILURE_TTL 5u
#define CACHE_STALE_MAX 3600u
#define CACHE_STALE_TTL 30u		/* said of stale data, and until it is asked again */
#define CACHE_ENGINE_TTL 1u
#define CACHE_REPLY_MAX 16384
#define CACHE_RECORDS_MAX 512
#define CACHE_SEED 16

struct cache;

struct cache_stats {
	uint64_t hits, misses;			/* hits: all, with those of the next kinds */
	uint64_t negative_hits, failure_hits, stale_hits;
	uint64_t evictions;			/* before their time, for room */
	size_t entries, bytes;
};

struct cache *cache_new(size_t max_bytes, size_t max_entries, const uint8_t seed[static CACHE_SEED]);
struct cache *cache_free(struct cache *c);	/* NULL is fine; returns NULL */
void cache_flush(struct cache *c);
const struct cache_stats *cache_stats(const struct cache *c);

/* The answer for q, TTLs counted down; its length, or 0 when there is none. out and limit as for dns_reply_build(). */
size_t cache_serve(struct cache *c, const struct dns_query *q, uint64_t now_ns, uint8_t *out, size_t limit);
/* The same of data whose time is over, with an Extended DNS Error; 0 when there is none. */
size_t cache_serve_stale(struct cache *c, const struct dns_query *q, uint64_t now_ns, uint8_t *out, size_t limit);
/* Keeps reply, which passed dns_reply_check() for q and rcode; false when it is none to keep. Replaces what is there. */
bool cache_put(struct cache *c, const struct dns_query *q, unsigned rcode, const uint8_t *reply, size_t n, uint64_t now_ns);
/* No server could answer q: rcode is SERVFAIL, or what they said instead. Where there is stale data it is said for a while. */
void cache_put_failure(struct cache *c, const struct dns_query *q, unsigned rcode, uint64_t now_ns);

/* Would one answer do for both? Then their hashes are equal, too. */
bool cache_is_same(const struct dns_query *a, const struct dns_query *b);
uint64_t cache_hash(const struct cache *c, const struct dns_query *q);
