/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/split.h"

#include "agent/answer.h"
#include "base/mem.h"
#include "tests/tap.h"
#include "tests/unit/agent/config_of.h"

static void test_split(void)
{
	static const struct { const char *name; enum split_kind kind; const char *zone; } rows[] = {
		{ "web.default.svc.cluster.local", SPLIT_CLUSTER, "cluster.local" },
		{ "WEB.Default.SVC.Cluster.LOCAL", SPLIT_CLUSTER, "cluster.local" },
		{ "cluster.local", SPLIT_CLUSTER, "cluster.local" },
		{ "xcluster.local", SPLIT_EXTERNAL, NULL },
		{ "printer.local", SPLIT_EXTERNAL, NULL },
		{ "local", SPLIT_EXTERNAL, NULL },
		{ ".", SPLIT_EXTERNAL, NULL },
		{ "web", SPLIT_EXTERNAL, NULL },
		{ "cluster.local.example.com", SPLIT_EXTERNAL, NULL },
		{ "localhost", SPLIT_LOCALHOST, NULL },
		{ "a.localhost", SPLIT_LOCALHOST, NULL },
		{ "a.invalid", SPLIT_INVALID, "invalid" },
		{ "3.0.42.10.in-addr.arpa", SPLIT_CLUSTER, "42.10.in-addr.arpa" },
		{ "42.10.IN-ADDR.arpa", SPLIT_CLUSTER, "42.10.IN-ADDR.arpa" },
		{ "10.in-addr.arpa", SPLIT_EXTERNAL, NULL },
		{ "1.0.43.10.in-addr.arpa", SPLIT_EXTERNAL, NULL },
		{ "10.0.96.10.in-addr.arpa", SPLIT_CLUSTER, "96.10.in-addr.arpa" },
		{ "1.2.111.10.in-addr.arpa", SPLIT_CLUSTER, "111.10.in-addr.arpa" },
		{ "1.2.112.10.in-addr.arpa", SPLIT_EXTERNAL, NULL },
		{ "x.0.42.10.in-addr.arpa", SPLIT_CLUSTER, "42.10.in-addr.arpa" },
		{ "256.0.42.10.in-addr.arpa", SPLIT_CLUSTER, "42.10.in-addr.arpa" },
		{ "1.3.0.0.42.10.in-addr.arpa", SPLIT_CLUSTER, "42.10.in-addr.arpa" },
		{ "1.0/25.0.44.10.in-addr.arpa", SPLIT_EXTERNAL, NULL },
		{ "x.in-addr.arpa", SPLIT_EXTERNAL, NULL },
		{ "g.1.0.0.0.0.0.0.0.1.0.0.0.2.4.d.f.ip6.arpa", SPLIT_CLUSTER, "0.0.0.0.0.0.0.1.0.0.0.2.4.d.f.ip6.arpa" },
		{ "1.0.0.0.0.0.0.0.1.0.0.0.2.4.d.f.ip6.arpa", SPLIT_CLUSTER, "0.0.0.0.0.0.0.1.0.0.0.2.4.D.f.ip6.arpa" },
		{ "0.0.0.0.0.0.0.1.0.0.0.2.4.d.f.ip6.arpa", SPLIT_CLUSTER, "0.0.0.0.0.0.0.1.0.0.0.2.4.d.f.ip6.arpa" },
		{ "0.0.0.0.0.0.1.0.0.0.2.4.d.f.ip6.arpa", SPLIT_EXTERNAL, NULL },
		{ "0.0.0.0.2.4.d.f.ip6.arpa", SPLIT_EXTERNAL, NULL },
		{ "g.0.0.0.1.0.0.0.2.4.d.f.ip6.arpa", SPLIT_EXTERNAL, NULL },
	};
	struct config c = config_of("10.42.0.0/16,fd42:1::/60", "10.96.0.0/12", "10.96.0.10");
	char text[DNS_TEXT_MAX];
	struct dns_name n, zone;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		enum split_kind kind = dns_name_parse(rows[i].name, &n) ? SPLIT_EXTERNAL : split_name(&c, &n, &zone);

		if (ok(kind == rows[i].kind, "%s goes the right way", rows[i].name) && rows[i].zone)
			ok(strcasecmp(dns_name_text(&zone, text), rows[i].zone) == 0, "in zone %s", text);
	}
	config_done(&c);
}

static void test_answers(void)
{
	struct dns_query q = { .id = 7, .flags = DNS_RD, .type = DNS_AAAA, .class = DNS_IN };
	uint8_t out[DNS_LOCAL_MAX];
	struct dns_name zone = { 0 };
	struct dns_edns edns;
	unsigned rcode;
	size_t n;

	ok(!dns_name_parse("web.default.svc.cluster.local", &q.name) && !dns_name_parse("cluster.local", &zone), "names");
	n = answer_away(&q, &zone, 5, out);
	ok(!dns_reply_check(&q, 7, out, n, &rcode, &edns) && rcode == DNS_NXDOMAIN, "away: NXDOMAIN, also for AAAA");
	ok(out[9] == 1 && out[7] == 0 && out[2] & 4 && out[3] & 0x80, "with an SOA, authoritative, recursion available");
	q.name = zone;
	n = answer_away(&q, &zone, 5, out);
	ok(!dns_reply_check(&q, 7, out, n, &rcode, &edns) && rcode == DNS_NOERROR && out[9] == 1, "the zone itself exists");
	q.type = DNS_SOA;
	n = answer_away(&q, &zone, 5, out);
	ok(!dns_reply_check(&q, 7, out, n, &rcode, &edns) && out[7] == 1, "and has its SOA");
	q.type = DNS_A;
	ok(!dns_name_parse("localhost", &q.name), "localhost");
	n = answer_localhost(&q, out);
	ok(!dns_reply_check(&q, 7, out, n, &rcode, &edns) && out[7] == 1 && out[n - 4] == 127, "is 127.0.0.1");
	q.type = DNS_MX;
	n = answer_localhost(&q, out);
	ok(!dns_reply_check(&q, 7, out, n, &rcode, &edns) && out[7] == 0 && out[9] == 1 && !rcode, "and has no mail: no data");
}

int main(void)
{
	test_split();
	test_answers();
	return tap_done();
}
