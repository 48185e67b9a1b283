/* SPDX-License-Identifier: Apache-2.0 */
#include "net/addr.h"

#include <netinet/in.h>

#include "tests/tap.h"

static void test_addresses(void)
{
	static const struct { const char *text; bool good; const char *out; } rows[] = {
		{ "10.43.0.10", true, "10.43.0.10" },
		{ "::1", true, "::1" },
		{ "FD00::0001", true, "fd00::1" },
		{ "10.43.0", false, NULL },
		{ "10.43.0.10 ", false, NULL },
		{ "010.1.1.1", false, NULL },
		{ "", false, NULL },
		{ "fe80::1%eth0", false, NULL },
	};
	char text[ADDR_STRLEN];
	struct addr a;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		ok(!addr_parse(rows[i].text, &a) == rows[i].good, "\"%s\" is %s", rows[i].text,
		   rows[i].good ? "an address" : "refused");
		if (rows[i].good)
			is_str(addr_format(&a, text), rows[i].out, "and is written as %s", rows[i].out);
	}
	ok(!addr_parse("127.9.9.9", &a) && addr_is_loopback(&a), "all of 127/8 is loopback");
	ok(!addr_parse("0.0.0.0", &a) && addr_is_unspecified(&a), "0.0.0.0 is unspecified");
}

static void test_prefixes(void)
{
	static const struct { const char *a, *b; bool overlap; } pairs[] = {
		{ "10.42.0.0/16", "10.42.3.0/24", true },
		{ "10.42.3.0/24", "10.42.0.0/16", true },
		{ "10.42.0.0/16", "10.43.0.0/16", false },
		{ "0.0.0.0/0", "10.43.0.0/16", true },
		{ "10.42.0.0/15", "10.43.0.0/16", true },
		{ "fd00::/8", "10.0.0.0/8", false },
		{ "fd00:1::/33", "fd00:1:8000::/33", false },
		{ "fd00:1::/32", "fd00:1:8000::/33", true },
	};
	static const char *const bad[] = { "10.42.0.1/16", "10.42.0.0", "10.42.0.0/33", "10.42.0.0/", "/8", "fd00::1/64", "a/8", "10.0.0.0/-1" };
	struct prefix a, b;
	struct addr addr;

	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++)
		ok(!prefix_parse(pairs[i].a, &a) && !prefix_parse(pairs[i].b, &b) && prefix_overlaps(&a, &b) == pairs[i].overlap,
		   "%s and %s %s", pairs[i].a, pairs[i].b, pairs[i].overlap ? "overlap" : "do not overlap");
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		ok(prefix_parse(bad[i], &a) < 0, "\"%s\" is no prefix", bad[i]);
	ok(!prefix_parse("10.42.0.0/23", &a) && !addr_parse("10.42.1.255", &addr) && prefix_contains(&a, &addr),
	   "a /23 contains the last address of its second half");
	ok(!addr_parse("10.42.2.0", &addr) && !prefix_contains(&a, &addr), "and not the next one");
}

static void test_hostports(void)
{
	static const struct { const char *text, *out; } rows[] = {
		{ "1.2.3.4", "1.2.3.4:53" },
		{ "1.2.3.4:5353", "1.2.3.4:5353" },
		{ "::1", "[::1]:53" },
		{ "[::1]", "[::1]:53" },
		{ "[fd00::2]:99", "[fd00::2]:99" },
		{ "1.2.3.4:", NULL },
		{ "1.2.3.4:0", NULL },
		{ "1.2.3.4:65536", NULL },
		{ "[::1", NULL },
		{ "[::1]53", NULL },
		{ "host:53", NULL },
	};
	char text[HOSTPORT_STRLEN];
	struct sockaddr_storage sa;
	struct hostport h, back;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		bool good = !hostport_parse(rows[i].text, 53, &h);

		ok(good == (rows[i].out != NULL), "\"%s\" is %s", rows[i].text, rows[i].out ? "taken" : "refused");
		if (!good)
			continue;
		is_str(hostport_format(&h, text), rows[i].out, "as %s", rows[i].out);
		(void)hostport_to_sockaddr(&h, &sa);
		ok(!hostport_from_sockaddr((struct sockaddr *)&sa, &back) && back.port == h.port && !addr_cmp(&back.addr, &h.addr),
		   "and survives being a sockaddr");
	}
	sa.ss_family = AF_UNIX;
	ok(hostport_from_sockaddr((struct sockaddr *)&sa, &h) < 0, "a unix address is no host and port");
}

int main(void)
{
	test_addresses();
	test_prefixes();
	test_hostports();
	return tap_done();
}
