/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/cache.h"

#include "base/mem.h"
#include "tests/tap.h"

#define S 1000000000ull
#define START (5 * S)

static const uint8_t seed[CACHE_SEED] = "not so random..";

static struct dns_query query(const char *name, uint16_t type)
{
	struct dns_query q = { .id = 77, .flags = DNS_RD, .type = type, .class = DNS_IN };

	if (dns_name_parse(name, &q.name))
		abort();
	return q;
}

/* What an upstream would say: addresses with these TTLs, an SOA when its TTL is not negative. */
struct said {
	unsigned rcode;
	int64_t ttl[3];			/* of A records, until the first 0; -1 is a TTL of 0 */
	int64_t soa_ttl, minimum;	/* minimum 0: no SOA */
	unsigned flags;			/* added to the header */
};

static size_t say(const struct dns_query *q, const struct said *s, uint8_t *out)
{
	uint8_t soa[22] = { 0 };
	struct dns_query bare = *q;
	struct dns_build b;
	size_t n;

	bare.edns.present = true;	/* an OPT that must not be kept */
	dns_build_start(&b, &bare, s->rcode, out, 4096);
	for (int i = 0; i < 3 && s->ttl[i]; i++)
		dns_build_record(&b, 0, NULL, DNS_A, s->ttl[i] < 0 ? 0 : (uint32_t)s->ttl[i], "\1\2\3\4", 4);
	for (int i = 0; i < 4; i++)
		soa[18 + i] = (uint8_t)(s->minimum >> (24 - 8 * i));
	if (s->minimum)
		dns_build_record(&b, 1, NULL, DNS_SOA, (uint32_t)s->soa_ttl, soa, sizeof(soa));
	n = dns_build_end(&b);
	out[2] |= (uint8_t)(s->flags >> 8);
	return n;
}

static bool put(struct cache *c, const struct dns_query *q, const struct said *s)
{
	uint8_t reply[4096];
	size_t n = say(q, s, reply);
	struct dns_edns edns;
	unsigned rcode;

	if (dns_reply_check(q, q->id, reply, n, &rcode, &edns))
		abort();
	return cache_put(c, q, rcode, reply, n, START);
}

/* The TTL of the first record that is served, 0 when none is, -1 when nothing is. */
static int64_t served_ttl(struct cache *c, const struct dns_query *q, uint64_t at)
{
	uint8_t out[4096];
	struct dns_record rec;
	struct dns_walk w;
	unsigned section;
	size_t n = cache_serve(c, q, at, out, sizeof(out));

	if (!n)
		return -1;
	return !dns_walk_start(&w, out, n) && dns_walk_next(&w, &rec, &section) > 0 ? rec.ttl : 0;
}

static void test_engine_names(void)
{
	struct dns_query node = query("k3d-seed-server-0", DNS_A), outside = query("www.example", DNS_A);
	struct said s = { 0, { 600 }, 0, 0, 0 };
	struct cache *c = cache_new(1 << 16, 100, seed);

	put(c, &node, &s);
	put(c, &outside, &s);
	ok(served_ttl(c, &node, START + S / 2) >= 0, "a container's name is known for a moment");
	is_int(served_ttl(c, &node, START + 2 * S), -1, "and then asked again, whatever its TTL");
	is_int(served_ttl(c, &outside, START + 2 * S), 598, "unlike a name outside");
	cache_free(c);
}

static void test_lifetimes(void)
{
	static const struct { const char *what; struct said s; unsigned life; } rows[] = {
		{ "an address lives for its TTL", { 0, { 60 }, 0, 0, 0 }, 60 },
		{ "the least TTL counts", { 0, { 60, 20, 90 }, 0, 0, 0 }, 20 },
		{ "that of the authority, too", { 0, { 60 }, 7, 5, 0 }, 7 },
		{ "a TTL is capped", { 0, { 900000 }, 0, 0, 0 }, CACHE_TTL_MAX },
		{ "a TTL of 0 is not kept", { 0, { 60, -1 }, 0, 0, 0 }, 0 },
		{ "a TTL with its top bit set is 0", { 0, { 0x80000001 }, 0, 0, 0 }, 0 },
		{ "NXDOMAIN lives for the SOA's TTL", { DNS_NXDOMAIN, { 0 }, 30, 100, 0 }, 30 },
		{ "or its MINIMUM, when that is less", { DNS_NXDOMAIN, { 0 }, 100, 30, 0 }, 30 },
		{ "no data likewise", { 0, { 0 }, 100, 30, 0 }, 30 },
		{ "a negative answer is capped", { DNS_NXDOMAIN, { 0 }, 90000, 90000, 0 }, CACHE_NEGATIVE_MAX },
		{ "NXDOMAIN without SOA is not kept", { DNS_NXDOMAIN, { 0 }, 0, 0, 0 }, 0 },
		{ "no data without SOA neither", { 0, { 0 }, 0, 0, 0 }, 0 },
		{ "nor what is truncated", { 0, { 60 }, 0, 0, DNS_TC }, 0 },
		{ "nor SERVFAIL, as an answer", { DNS_SERVFAIL, { 60 }, 30, 30, 0 }, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct cache *c = cache_new(1 << 20, 100, seed);
		struct dns_query q = query("a.example", DNS_A);
		bool kept = put(c, &q, &rows[i].s);
		unsigned life = rows[i].life;

		ok(kept == (life > 0) && (life == 0 || served_ttl(c, &q, START + life * S - 1) > 0) &&
		   served_ttl(c, &q, START + life * S) == -1, "%s (%u s)", rows[i].what, life);
		ok(served_ttl(c, &q, START + (life + CACHE_STALE_MAX) * S) == -1 && !cache_stats(c)->bytes, "... and nothing is left behind");
		cache_free(c);
	}
}

static void test_keys(void)
{
	static const struct { const char *what, *name; uint16_t type, class, flags; bool dnssec_ok, hit; } rows[] = {
		{ "the same question", "www.example", DNS_A, DNS_IN, DNS_RD, false, true },
		{ "another case", "wWw.EXAMPLE", DNS_A, DNS_IN, DNS_RD, false, true },
		{ "another name", "ww.wexample", DNS_A, DNS_IN, DNS_RD, false, false },
		{ "another type", "www.example", DNS_AAAA, DNS_IN, DNS_RD, false, false },
		{ "another class", "www.example", DNS_A, DNS_CH, DNS_RD, false, false },
		{ "checking disabled", "www.example", DNS_A, DNS_IN, DNS_RD | DNS_CD, false, false },
		{ "with AD", "www.example", DNS_A, DNS_IN, DNS_RD | DNS_AD, false, false },
		{ "without recursion", "www.example", DNS_A, DNS_IN, 0, false, false },
		{ "with DO", "www.example", DNS_A, DNS_IN, DNS_RD, true, false },
	};
	struct cache *c = cache_new(1 << 20, 100, seed);
	struct dns_query first = query("www.example", DNS_A);

	ok(put(c, &first, &(struct said){ .ttl = { 60 } }), "an answer is kept");
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct dns_query q = query(rows[i].name, rows[i].type);

		q.class = rows[i].class;
		q.flags = rows[i].flags;
		q.edns = (struct dns_edns){ .present = rows[i].dnssec_ok, .dnssec_ok = rows[i].dnssec_ok };
		ok((served_ttl(c, &q, START) > 0) == rows[i].hit, "%s: %s", rows[i].what, rows[i].hit ? "served" : "not");
		ok(cache_is_same(&first, &q) == rows[i].hit && (!rows[i].hit || cache_hash(c, &first) == cache_hash(c, &q)),
		   "... and so for questions under way");
	}
	is_int((long long)cache_stats(c)->hits, 2, "hits are counted");
	is_int((long long)cache_stats(c)->misses, 7, "and misses");
	cache_flush(c);
	ok(served_ttl(c, &first, START) == -1 && cache_stats(c)->entries == 0, "after a flush nothing is left");
	cache_free(c);
}

static void test_served(void)
{
	struct cache *c = cache_new(1 << 20, 100, seed);
	struct dns_query q = query("www.example", DNS_A), asks = query("wWw.ExAmple", DNS_A);
	struct dns_edns edns;
	unsigned rcode;
	uint8_t out[4096];
	size_t n;

	ok(put(c, &q, &(struct said){ .ttl = { 60, 90, 60 } }), "three addresses are kept");
	asks.id = 4711;
	n = cache_serve(c, &asks, START + 10 * S + S / 2, out, sizeof(out));
	ok(n && !dns_reply_check(&asks, 4711, out, n, &rcode, &edns), "the answer is sound and has the client's id");
	ok(memcmp(out + 13, "wWw", 3) == 0, "and its case");
	ok(!edns.present, "no OPT for who sent none");
	is_int(out[2] & (DNS_AA >> 8), 0, "it is not authoritative");
	is_int(out[7], 3, "it has all three");
	is_int(served_ttl(c, &asks, START + 10 * S + S / 2), 50, "with what is left of their TTL");
	is_int(served_ttl(c, &asks, START - S), 60, "a clock that steps back adds nothing");
	asks.edns = (struct dns_edns){ .present = true, .udp_size = 1232 };
	n = cache_serve(c, &asks, START + S, out, sizeof(out));
	ok(n && !dns_reply_check(&asks, 4711, out, n, &rcode, &edns) && edns.present, "an OPT for who sent one");
	asks.edns.present = false;
	asks.name = q.name;
	n = cache_serve(c, &asks, START + S, out, DNS_HEADER + 17 + 2 * 16 + 1);
	ok(n && out[2] & (DNS_TC >> 8) && out[7] == 2, "cut to size: two addresses and TC");
	cache_flush(c);
	cache_put_failure(c, &q, DNS_REFUSED, START);
	n = cache_serve(c, &q, START + S, out, sizeof(out));
	ok(n && (out[3] & 15) == DNS_REFUSED && out[7] == 0, "a failure is kept");
	is_int((long long)cache_stats(c)->entries, 1, "as one entry");
	is_int((long long)cache_stats(c)->failure_hits, 1, "is counted");
	is_int(served_ttl(c, &q, START + CACHE_FAILURE_TTL * S), -1, "and is forgotten after seconds");
	cache_free(c);
}

static void test_stale(void)
{
	struct cache *c = cache_new(1 << 20, 100, seed);
	struct dns_query q = query("a.example", DNS_A), asks = q;
	uint64_t late = START + 61 * S;
	uint8_t out[4096];
	size_t n;

	ok(!cache_serve_stale(c, &q, START, out, sizeof(out)), "nothing is known");
	ok(put(c, &q, &(struct said){ .ttl = { 60 } }) && served_ttl(c, &q, late) == -1, "what was kept is over");
	asks.edns = (struct dns_edns){ .present = true, .udp_size = 1232 };
	n = cache_serve_stale(c, &asks, late, out, sizeof(out));
	ok(n && out[7] == 1 && memcmp(out + n - 8, "\0\6\0\17\0\2\0\3", 8) == 0, "but still there, and said to be stale");
	ok(cache_serve_stale(c, &asks, late, out, DNS_QUERY_MAX) <= DNS_QUERY_MAX, "within the limit");
	is_int((long long)cache_stats(c)->stale_hits, 2, "is counted");
	cache_put_failure(c, &q, DNS_SERVFAIL, late);
	is_int(served_ttl(c, &q, late + 29 * S), CACHE_STALE_TTL, "after a failure it is said at once");
	is_int(served_ttl(c, &q, late + 30 * S), -1, "for half a minute");
	ok(cache_serve_stale(c, &q, START + 60 * S + CACHE_STALE_MAX * S - 1, out, sizeof(out)), "it is there for an hour");
	ok(!cache_serve_stale(c, &q, START + 60 * S + CACHE_STALE_MAX * S, out, sizeof(out)), "and not longer");
	ok(!put(c, &q, &(struct said){ .ttl = { -1 } }) && !cache_stats(c)->entries, "an answer that is not kept ends it");
	cache_free(c);
}

static void test_bounds(void)
{
	struct cache *c = cache_new(1 << 20, 100, seed);
	struct dns_query q;
	char name[32];

	for (int i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "n%d.example", i);
		q = query(name, DNS_A);
		(void)put(c, &q, &(struct said){ .ttl = { 60 } });
		q = query("n0.example", DNS_A);
		(void)served_ttl(c, &q, START);
	}
	is_int((long long)cache_stats(c)->entries, 100, "of a thousand names a hundred are kept");
	is_int((long long)cache_stats(c)->evictions, 900, "the others made room");
	ok(served_ttl(c, &q, START) > 0, "what is asked all the time stays");
	q = query("n500.example", DNS_A);
	is_int(served_ttl(c, &q, START), -1, "what is not asked leaves");
	cache_free(c);

	c = cache_new(2000, 100, seed);
	for (int i = 0; i < 50; i++) {
		snprintf(name, sizeof(name), "n%d.example", i);
		q = query(name, DNS_A);
		(void)put(c, &q, &(struct said){ .ttl = { 60 } });
	}
	ok(cache_stats(c)->bytes <= 2000 && cache_stats(c)->entries > 3, "bytes are bounded as well");
	cache_free(c);
}

static void test_big(void)
{
	autofree uint8_t *reply = xcalloc(1, DNS_MSG_MAX), *rdata = xcalloc(1, CACHE_REPLY_MAX);
	struct cache *c = cache_new(1 << 20, 100, seed);
	struct dns_query q = query("big.example", 9999);
	struct dns_build b;

	dns_build_start(&b, &q, DNS_NOERROR, reply, DNS_MSG_MAX);
	for (int i = 0; i < CACHE_RECORDS_MAX + 1; i++)
		dns_build_record(&b, 0, NULL, 9999, 60, rdata, 1);
	ok(!cache_put(c, &q, DNS_NOERROR, reply, dns_build_end(&b), START), "too many records are not kept");
	dns_build_start(&b, &q, DNS_NOERROR, reply, DNS_MSG_MAX);
	dns_build_record(&b, 0, NULL, 9999, 60, rdata, CACHE_REPLY_MAX);
	ok(!cache_put(c, &q, DNS_NOERROR, reply, dns_build_end(&b), START), "nor too many bytes");
	dns_build_start(&b, &q, DNS_NOERROR, reply, DNS_MSG_MAX);
	dns_build_record(&b, 0, NULL, 9999, 60, rdata, CACHE_REPLY_MAX / 2);
	ok(cache_put(c, &q, DNS_NOERROR, reply, dns_build_end(&b), START), "an unknown type is");
	q.type = 249;
	ok(!cache_put(c, &q, DNS_NOERROR, reply, dns_build_end(&b), START), "a meta type is not");
	cache_free(c);
}

int main(void)
{
	test_lifetimes();
	test_engine_names();
	test_keys();
	test_served();
	test_stale();
	test_bounds();
	test_big();
	return tap_done();
}
