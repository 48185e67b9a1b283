/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/names.h"

#include <arpa/inet.h>
#include <time.h>

#include "base/mem.h"
#include "base/str.h"
#include "tests/tap.h"
#include "tests/unit/agent/names_recorded.h"

static struct store *recorded_store(void)
{
	struct store *s = store_new();

	for (int k = 0; k < STORE_KINDS; k++)
		store_begin(s, (enum store_kind)k);
	for (size_t i = 0; i < ARRAY_SIZE(recorded_objects); i++) {
		autojson json *o = json_parse(recorded_objects[i].json, strlen(recorded_objects[i].json), NULL);

		if (store_put(s, recorded_objects[i].kind, o))
			ok(false, "the store takes %s", recorded_objects[i].json);
	}
	for (int k = 0; k < STORE_KINDS; k++)
		store_end(s, (enum store_kind)k);
	return s;
}

static struct names names_of(const struct store *s)
{
	struct names n = { .store = s, .serial = 7, .pods = true };

	if (dns_name_parse("cluster.local", &n.zone) || addr_parse("10.43.0.10", &n.dns))
		abort();
	return n;
}

/* An uncompressed name at p as lower-case text. */
static const char *name_at(const uint8_t *p, char text[static DNS_TEXT_MAX], size_t *ret_len)
{
	struct dns_name n = { 0 };

	do {
		memcpy(n.b + n.len, p + n.len, p[n.len] + 1u);
		n.len = (uint8_t)(n.len + p[n.len] + 1u);
	} while (n.b[n.len - 1] || n.len == 0);
	*ret_len = n.len;
	dns_name_text(&n, text);
	for (char *c = text; *c; c++)
		*c = *c >= 'A' && *c <= 'Z' ? (char)(*c | 0x20) : *c;
	return text;
}

static void rdata_text(const struct dns_walk *w, const struct dns_record *r, struct buf *b)
{
	char text[DNS_TEXT_MAX], addr[INET6_ADDRSTRLEN];
	const uint8_t *d = w->p + r->rdata;
	struct dns_name target;
	size_t n;

	if (r->type == DNS_A || r->type == DNS_AAAA)
		buf_addf(b, r->type == DNS_A ? "A %s" : "AAAA %s",
			 inet_ntop(r->type == DNS_A ? AF_INET : AF_INET6, d, addr, sizeof(addr)));
	else if (r->type == DNS_SRV)
		buf_addf(b, "SRV %d %d %d %s", d[0] << 8 | d[1], d[2] << 8 | d[3], d[4] << 8 | d[5], name_at(d + 6, text, &n));
	else if (r->type == DNS_TXT)
		buf_addf(b, "TXT \"%.*s\"", d[0], (const char *)d + 1);
	else if (r->type == DNS_SOA) {
		buf_addf(b, "SOA %s", name_at(d, text, &n));
		d += n;
		buf_addf(b, " %s *", name_at(d, text, &n));
		for (int i = 1; i < 5; i++)
			buf_addf(b, " %u", (unsigned)(d[n + 4 * i] << 24 | d[n + 4 * i + 1] << 16 | d[n + 4 * i + 2] << 8 | d[n + 4 * i + 3]));
	} else
		buf_addf(b, "%s %s", r->type == DNS_PTR ? "PTR" : r->type == DNS_NS ? "NS" : "CNAME",
			 dns_record_target(w, r, &target) ? "broken" : name_at(target.b, text, &n));
}

/* The answer as names_recorded.h writes it; caller owns. */
static char *answer_text(const struct dns_query *q, const uint8_t *p, size_t n)
{
	static const char *const sections[] = { "an", "au", "ad" };
	char asked[DNS_TEXT_MAX], owner[DNS_TEXT_MAX];
	struct strv lines = { 0 };
	struct dns_record rec;
	struct dns_edns edns;
	struct dns_walk w;
	unsigned section, rcode;
	size_t len;

	if (!n)
		return NULL;
	if (dns_reply_check(q, q->id, p, n, &rcode, &edns) || dns_walk_start(&w, p, n))
		return xstrdup("broken");
	name_at(q->name.b, asked, &len);
	while (dns_walk_next(&w, &rec, &section) > 0) {
		struct buf b = BUF_INIT(4096);

		name_at(rec.name.b, owner, &len);
		buf_addf(&b, "%s %s %u ", sections[section], streq(owner, asked) ? "=" : owner, rec.ttl);
		rdata_text(&w, &rec, &b);
		if (streq(buf_str(&b) + strcspn(buf_str(&b), " ") + 1 + strlen(streq(owner, asked) ? "=" : owner),
			  " 5 SOA ns.dns.cluster.local hostmaster.cluster.local * 7200 1800 86400 5") && section == 1) {
			buf_reset(&b);
			buf_addc(&b, '+');
		}
		strv_take(&lines, buf_steal(&b));
	}
	strv_sort(&lines);

	autofree char *records = strv_join(&lines, " | ");

	strv_done(&lines);
	return xasprintf("%s%s%s %s", rcode == DNS_NXDOMAIN ? "NXDOMAIN" : rcode ? "?" : "NOERROR", p[2] & 4 ? "" : " noaa",
			 p[2] & 2 ? " tc" : "", records);
}

static char *ask(const struct names *n, const char *name, uint16_t type, size_t max)
{
	struct dns_query q = { .id = 9, .type = type, .class = DNS_IN };
	uint8_t *out = xcalloc(1, max);
	char *text = NULL;

	if (!dns_name_parse(name, &q.name))
		text = answer_text(&q, out, names_answer(n, &q, &q.name, NULL, out, max));
	free(out);
	return text;
}

static void test_recorded(void)
{
	struct store *s = recorded_store();
	struct names n = names_of(s);

	for (size_t i = 0; i < ARRAY_SIZE(recorded_answers); i++) {
		n.turn = (unsigned)i;
		autofree char *got = ask(&n, recorded_answers[i].name, recorded_answers[i].type, DNS_LOCAL_MAX);

		is_str(got, recorded_answers[i].want, "%s %d", recorded_answers[i].name, recorded_answers[i].type);
	}
	store_free(s);
}

static void test_more(void)
{
	struct store *s = recorded_store(), *empty = store_new();
	struct names n = names_of(s), e = names_of(empty);
	struct dns_query q = { .id = 1, .type = DNS_TXT, .class = DNS_CH };
	uint8_t out[DNS_LOCAL_MAX];
	struct { const char *what, *name; uint16_t type; const char *want; } rows[] = {
		{ "an IPv4-mapped pod address is an A", "--ffff-102-304.t.pod.cluster.local", DNS_A, "NOERROR an = 5 A 1.2.3.4" },
		{ "a dot in a label names nothing", "we\\.b.t.svc.cluster.local", DNS_A, "NXDOMAIN +" },
		{ "a NUL in a label names nothing", "web\\000.t.svc.cluster.local", DNS_A, "NXDOMAIN +" },
		{ "SOA is not asked whether the name exists", "no.such.cluster.local", DNS_SOA, "NOERROR +" },
		{ "a search list's expansion", "www.example.com.default.svc.cluster.local", DNS_A, "NXDOMAIN +" },
		{ "another zone is not ours", "example.com", DNS_A, NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		autofree char *got = ask(&n, rows[i].name, rows[i].type, DNS_LOCAL_MAX);

		is_str(got, rows[i].want, "%s", rows[i].what);
	}
	ok(!ask(&e, "web.t.svc.cluster.local", DNS_A, DNS_LOCAL_MAX), "nothing is answered before the lists are complete");
	ok(!dns_name_parse("dns-version.cluster.local", &q.name) && !names_answer(&n, &q, &q.name, NULL, out, sizeof(out)), "class CH is not ours");
	autofree char *cut = ask(&n, "db.t.svc.cluster.local", DNS_SRV, 512);
	ok(str_starts(cut, "NOERROR tc an = 5 SRV"), "what does not fit sets TC");
	n.pods = false;
	ok(!ask(&n, "1-2-3-4.t.pod.cluster.local", DNS_A, DNS_LOCAL_MAX), "addresses of pods are CoreDNS's to say where it verifies them");
	n.pods = true;
	n.custom = true;
	ok(!ask(&n, "foo.cluster.local", DNS_A, DNS_LOCAL_MAX), "with custom zones NXDOMAIN is CoreDNS's to say");
	store_free(s);
	store_free(empty);
}

int main(void)
{
	test_recorded();
	test_more();
	return tap_done();
}
