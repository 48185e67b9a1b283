/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/cache.h"

#include <string.h>

#include "base/mem.h"

/* How it works
 *
 * An entry holds the reply as far as its OPT, with the question in lower case: question and bits are the key. Where its
 * TTLs stand is noted behind it. dns_reply_build() makes the client's answer from that, in which the records keep their
 * places, so that the TTLs of those that fit can be set there. Chained hash table of fixed size; one list by use. */

#define NS_PER_S 1000000000ull
#define BITS (DNS_RD | DNS_AD | DNS_CD)
#define BIT_DO 1u			/* beside BITS */
#define ENTRY_OVERHEAD 16		/* malloc's */

struct key {
	uint64_t hash;
	uint16_t bits;
	size_t len;
	uint8_t b[DNS_NAME_MAX + 4];	/* the question as on the wire, lower case */
};

enum kind { POSITIVE, NEGATIVE, FAILURE };

struct entry {
	struct entry *chain;			/* in its bucket */
	struct entry *newer, *older;		/* by use */
	uint64_t hash, stored_ns, expires_ns;
	uint64_t failing_ns;			/* until then it is said stale, without asking */
	enum kind kind;
	uint16_t bits, rcode, len, records, key_len;
	uint8_t data[];				/* the reply, then uint16_t[records]: offsets of TTLs */
};

struct cache {
	struct entry **bucket;			/* owned */
	size_t buckets;				/* a power of two */
	struct entry *newest, *oldest;
	size_t max_bytes, max_entries;
	uint64_t seed[2];
	struct cache_stats stats;
};

/* ---- keys -------------------------------------------------------------------------------------------------------- */

static uint64_t rotate(uint64_t x, int n)
{
	return x << n | x >> (64 - n);
}

static void sip_round(uint64_t v[static 4])
{
	v[0] += v[1], v[1] = rotate(v[1], 13) ^ v[0], v[0] = rotate(v[0], 32);
	v[2] += v[3], v[3] = rotate(v[3], 16) ^ v[2];
	v[0] += v[3], v[3] = rotate(v[3], 21) ^ v[0];
	v[2] += v[1], v[1] = rotate(v[1], 17) ^ v[2], v[2] = rotate(v[2], 32);
}

/* SipHash-1-3: a client that does not know the seed cannot fill one bucket. */
static uint64_t sip_hash(const uint64_t seed[static 2], const uint8_t *p, size_t n)
{
	uint64_t v[4] = { seed[0] ^ 0x736f6d6570736575, seed[1] ^ 0x646f72616e646f6d, seed[0] ^ 0x6c7967656e657261,
			  seed[1] ^ 0x7465646279746573 };

	for (size_t at = 0; at <= n; at += 8) {
		size_t left = MIN(n - at, (size_t)8);
		uint64_t m = 0;

		memcpy(&m, p + at, left);
		if (left < 8)
			m |= (uint64_t)(n & 255) << 56;
		v[3] ^= m;
		sip_round(v);
		v[0] ^= m;
	}
	v[2] ^= 255;
	for (int i = 0; i < 3; i++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

static uint16_t key_bits(const struct dns_query *q)
{
	return (uint16_t)((q->flags & BITS) | (q->edns.dnssec_ok ? BIT_DO : 0));
}

static void put16(uint8_t *o, unsigned v)
{
	o[0] = (uint8_t)(v >> 8);
	o[1] = (uint8_t)v;
}

/* Eight bytes with what is A to Z in lower case. The lengths of labels are below. */
static uint64_t lower8(uint64_t w)
{
	const uint64_t ones = UINT64_MAX / 255;
	uint64_t low = w & 127 * ones, from_a = low + (128 - 'A') * ones, after_z = low + (127 - 'Z') * ones;

	return w | ((from_a ^ after_z) & ~w & 128 * ones) >> 2;
}

static void key_of(const struct cache *c, const struct dns_query *q, struct key *ret)
{
	for (size_t at = 0; at < q->name.len; at += 8) {
		size_t left = MIN(q->name.len - at, (size_t)8);
		uint64_t w = 0;

		memcpy(&w, q->name.b + at, left);
		w = lower8(w);
		memcpy(ret->b + at, &w, left);
	}
	put16(ret->b + q->name.len, q->type);
	put16(ret->b + q->name.len + 2, q->class);
	ret->len = q->name.len + 4u;
	ret->bits = key_bits(q);
	ret->hash = sip_hash(c->seed, ret->b, ret->len) ^ ret->bits;
}

uint64_t cache_hash(const struct cache *c, const struct dns_query *q)
{
	struct key k;

	key_of(c, q, &k);
	return k.hash;
}

bool cache_is_same(const struct dns_query *a, const struct dns_query *b)
{
	return a->type == b->type && a->class == b->class && key_bits(a) == key_bits(b) && dns_name_eq(&a->name, &b->name);
}

/* ---- entries ----------------------------------------------------------------------------------------------------- */

static size_t entry_size(const struct entry *e)
{
	return sizeof(*e) + e->len + e->records * sizeof(uint16_t) + ENTRY_OVERHEAD;
}

static struct entry **bucket_of(const struct cache *c, uint64_t hash)
{
	return &c->bucket[hash & (c->buckets - 1)];
}

static void use_link(struct cache *c, struct entry *e)
{
	e->newer = NULL;
	e->older = c->newest;
	*(e->older ? &e->older->newer : &c->oldest) = e;
	c->newest = e;
}

static void use_unlink(struct cache *c, struct entry *e)
{
	*(e->newer ? &e->newer->older : &c->newest) = e->older;
	*(e->older ? &e->older->newer : &c->oldest) = e->newer;
}

static void entry_free(struct cache *c, struct entry *e)
{
	struct entry **at = bucket_of(c, e->hash);

	while (*at != e)
		at = &(*at)->chain;
	*at = e->chain;
	use_unlink(c, e);
	c->stats.entries--;
	c->stats.bytes -= entry_size(e);
	free(e);
}

static struct entry *entry_find(const struct cache *c, const struct key *k)
{
	struct entry *e = *bucket_of(c, k->hash);

	while (e && (e->hash != k->hash || e->bits != k->bits || e->key_len != k->len ||
		     memcmp(e->data + DNS_HEADER, k->b, k->len) != 0))
		e = e->chain;
	return e;
}

static void entry_drop(struct cache *c, const struct key *k)
{
	struct entry *e = entry_find(c, k);

	if (e)
		entry_free(c, e);
}

static struct entry *entry_of(const struct cache *c, const struct dns_query *q, struct key *ret)
{
	key_of(c, q, ret);
	return entry_find(c, ret);
}

/* Takes e over, in place of what has its key; what was used least makes room. */
static void entry_add(struct cache *c, const struct key *k, struct entry *e)
{
	struct entry **bucket = bucket_of(c, k->hash);

	entry_drop(c, k);
	e->hash = k->hash;
	e->bits = k->bits;
	e->key_len = (uint16_t)k->len;
	memcpy(e->data + DNS_HEADER, k->b, k->len);
	e->chain = *bucket;
	*bucket = e;
	use_link(c, e);
	c->stats.entries++;
	c->stats.bytes += entry_size(e);
	while (c->oldest && (c->stats.entries > c->max_entries || c->stats.bytes > c->max_bytes)) {
		c->stats.evictions++;
		entry_free(c, c->oldest);
	}
}

static struct entry *entry_new(enum kind kind, unsigned rcode, uint64_t now_ns, uint32_t ttl, size_t len, size_t records)
{
	struct entry *e = xcalloc(1, sizeof(*e) + len + records * sizeof(uint16_t));

	e->kind = kind;
	e->rcode = (uint16_t)rcode;
	e->stored_ns = now_ns;
	e->expires_ns = now_ns + ttl * NS_PER_S;
	e->len = (uint16_t)len;
	e->records = (uint16_t)records;
	return e;
}

/* ---- what a reply is worth --------------------------------------------------------------------------------------- */

struct worth {
	bool data, soa;			/* has the type asked for; has an SOA that bounds its absence */
	uint32_t ttl, minimum;
	size_t len;			/* without OPT and what is behind it */
	unsigned count[3], records;
	uint16_t ttl_at[CACHE_RECORDS_MAX];
};

static uint32_t u32_at(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* RFC 2181 section 8: a TTL with its top bit set is 0. */
static uint32_t ttl_sane(uint32_t ttl)
{
	return ttl >> 31 ? 0 : ttl;
}

static void record_weigh(struct worth *v, const struct dns_query *q, const uint8_t *reply, const struct dns_record *rec,
			 unsigned section)
{
	v->ttl = MIN(v->ttl, ttl_sane(rec->ttl));
	if (section == 0 && (rec->type == q->type || q->type == DNS_ANY))
		v->data = true;
	if (section == 1 && rec->type == DNS_SOA) {
		v->soa = true;
		v->minimum = ttl_sane(u32_at(reply + rec->end - 4));
	}
	v->ttl_at[v->records++] = (uint16_t)(rec->rdata - 6);
	v->count[section]++;
	v->len = rec->end;
}

static bool reply_weigh(const struct dns_query *q, const uint8_t *reply, size_t n, struct worth *ret)
{
	struct dns_record rec;
	struct dns_walk w;
	unsigned section;
	int r = dns_walk_start(&w, reply, n);

	*ret = (struct worth){ .ttl = UINT32_MAX, .minimum = UINT32_MAX, .len = DNS_HEADER + q->name.len + 4u };
	if (r)
		return false;
	while ((r = dns_walk_next(&w, &rec, &section)) > 0 && rec.type != DNS_OPT) {
		if (ret->records == CACHE_RECORDS_MAX || rec.end > CACHE_REPLY_MAX)
			return false;
		record_weigh(ret, q, reply, &rec, section);
	}
	return r >= 0;
}

/* Seconds that a reply may be kept; 0: not at all. */
static uint32_t worth_ttl(const struct worth *v, bool negative)
{
	if (!negative)
		return MIN(v->ttl, CACHE_TTL_MAX);
	return v->soa ? MIN(MIN(v->ttl, v->minimum), CACHE_NEGATIVE_MAX) : 0;
}

/* Types that ask for no records of a name (RFC 6895 section 3.1), but ANY, which an upstream may answer as it likes. */
static bool type_is_meta(uint16_t type)
{
	return type == 0 || type == DNS_OPT || (type >= 128 && type < DNS_ANY);
}

/* Data, fresh or stale; or that there is none of the type, as A without AAAA is worth nothing to clients that ask for both. */
static bool is_sayable(const struct entry *e, uint64_t now_ns)
{
	bool exists = e->kind == POSITIVE || (e->kind == NEGATIVE && e->rcode == DNS_NOERROR);

	return exists && now_ns < e->expires_ns + CACHE_STALE_MAX * NS_PER_S;
}

bool cache_put(struct cache *c, const struct dns_query *q, unsigned rcode, const uint8_t *reply, size_t n, uint64_t now_ns)
{
	struct key k;
	struct worth v;
	struct entry *e;
	bool negative;
	uint32_t ttl;

	key_of(c, q, &k);
	if ((rcode != DNS_NOERROR && rcode != DNS_NXDOMAIN) || type_is_meta(q->type) || reply[2] & DNS_TC >> 8)
		return false;
	if (!reply_weigh(q, reply, n, &v))
		return false;
	negative = rcode == DNS_NXDOMAIN || !v.data;
	ttl = worth_ttl(&v, negative);
	if (dns_name_labels(&q->name) == 1)
		ttl = MIN(ttl, CACHE_ENGINE_TTL);
	if (!ttl) {
		entry_drop(c, &k);
		return false;
	}
	e = entry_new(negative ? NEGATIVE : POSITIVE, rcode, now_ns, ttl, v.len, v.records);
	memcpy(e->data, reply, v.len);
	memcpy(e->data + v.len, v.ttl_at, v.records * sizeof(*v.ttl_at));
	e->data[2] &= (uint8_t)~(DNS_AA >> 8);
	for (int i = 0; i < 3; i++)
		put16(e->data + 6 + 2 * i, v.count[i]);
	entry_add(c, &k, e);
	return true;
}

void cache_put_failure(struct cache *c, const struct dns_query *q, unsigned rcode, uint64_t now_ns)
{
	struct key k;
	struct entry *e = entry_of(c, q, &k);

	if (type_is_meta(q->type))
		return;
	if (e && is_sayable(e, now_ns)) {
		e->failing_ns = now_ns + CACHE_STALE_TTL * NS_PER_S;
		return;
	}
	e = entry_new(FAILURE, rcode, now_ns, CACHE_FAILURE_TTL, DNS_HEADER + k.len, 0);
	put16(e->data + 2, DNS_QR | DNS_RA | (q->flags & (DNS_RD | DNS_CD)));
	put16(e->data + 4, 1);
	entry_add(c, &k, e);
}

/* ---- serving ----------------------------------------------------------------------------------------------------- */

/* Sets the TTLs of those records that are in out: counted down by age, or to that of stale ones. */
static void ttls_set(const struct entry *e, const struct dns_query *q, bool stale, uint64_t age, uint8_t *out)
{
	unsigned kept = (out[6] << 8 | out[7]) + (out[8] << 8 | out[9]) + (out[10] << 8 | out[11]) - q->edns.present;

	for (unsigned i = 0; i < MIN(kept, (unsigned)e->records); i++) {
		uint32_t ttl;
		uint16_t at;

		memcpy(&at, e->data + e->len + i * sizeof(at), sizeof(at));
		ttl = ttl_sane(u32_at(out + at));
		ttl = stale ? CACHE_STALE_TTL : ttl > age ? ttl - (uint32_t)age : 0;
		put16(out + at, ttl >> 16);
		put16(out + at + 2, ttl & 0xffff);
	}
}

static size_t entry_serve(struct cache *c, struct entry *e, const struct dns_query *q, uint64_t now_ns, uint8_t *out, size_t limit)
{
	bool stale = now_ns >= e->expires_ns;
	size_t n;

	c->stats.hits++;
	c->stats.negative_hits += e->kind == NEGATIVE;
	c->stats.failure_hits += e->kind == FAILURE;
	c->stats.stale_hits += stale;
	if (e != c->newest) {
		use_unlink(c, e);
		use_link(c, e);
	}
	limit -= stale ? DNS_EDE_LEN : 0;
	n = e->rcode < 16 && e->len + (size_t)DNS_OPT_LEN <= limit ? dns_reply_copy(q, e->rcode, e->data, e->len, out)
								   : dns_reply_build(q, e->rcode, e->data, e->len, out, limit);
	ttls_set(e, q, stale, now_ns > e->stored_ns ? (now_ns - e->stored_ns) / NS_PER_S : 0, out);
	return stale && q->edns.present ? dns_ede_put(out, n, DNS_EDE_STALE) : n;
}

size_t cache_serve(struct cache *c, const struct dns_query *q, uint64_t now_ns, uint8_t *out, size_t limit)
{
	struct key k;
	struct entry *e = entry_of(c, q, &k);

	if (e && now_ns >= e->expires_ns && !is_sayable(e, now_ns)) {
		entry_free(c, e);
		e = NULL;
	}
	if (e && now_ns < MAX(e->expires_ns, e->failing_ns))
		return entry_serve(c, e, q, now_ns, out, limit);
	c->stats.misses++;
	return 0;
}

size_t cache_serve_stale(struct cache *c, const struct dns_query *q, uint64_t now_ns, uint8_t *out, size_t limit)
{
	struct key k;
	struct entry *e = entry_of(c, q, &k);

	return e && is_sayable(e, now_ns) ? entry_serve(c, e, q, now_ns, out, limit) : 0;
}

/* ---- life -------------------------------------------------------------------------------------------------------- */

const struct cache_stats *cache_stats(const struct cache *c)
{
	return &c->stats;
}

void cache_flush(struct cache *c)
{
	while (c->oldest)
		entry_free(c, c->oldest);
}

struct cache *cache_new(size_t max_bytes, size_t max_entries, const uint8_t seed[static CACHE_SEED])
{
	struct cache *c = xcalloc(1, sizeof(*c));

	c->max_bytes = max_bytes;
	c->max_entries = max_entries;
	c->buckets = 16;
	while (c->buckets < max_entries)
		c->buckets *= 2;
	c->bucket = xcalloc(c->buckets, sizeof(*c->bucket));
	memcpy(c->seed, seed, CACHE_SEED);
	return c;
}

struct cache *cache_free(struct cache *c)
{
	if (!c)
		return NULL;
	cache_flush(c);
	free(c->bucket);
	free(c);
	return NULL;
}
