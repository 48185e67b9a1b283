/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/resolvtext.h"

#include "base/mem.h"
#include "tests/tap.h"

#define OURS "nameserver 127.0.53.53\n# firestream agent: cluster names are answered here; `agent undo` restores the original\n"
#define SEARCH "search default.svc.cluster.local svc.cluster.local cluster.local"

static struct config config(void)
{
	static const char text[] = "{\"kubeconfig\":\"/k\",\"pod_cidr\":\"10.42.0.0/16\",\"service_cidr\":\"10.43.0.0/16\",\"dns\":\"10.43.0.10\"}";
	struct config c;

	if (config_parse(text, strlen(text), &c, NULL))
		abort();
	return c;
}

static void test_compose(void)
{
	static const struct { const char *what, *in; bool only; const char *out; } rows[] = {
		{ "Docker's", "nameserver 127.0.0.11\noptions ndots:0\n", false,
		  OURS "nameserver 127.0.0.11\n" SEARCH "\noptions ndots:5\n" },
		{ "the same in a musl image", "nameserver 127.0.0.11\noptions ndots:0\n", true, OURS SEARCH "\noptions ndots:5\n" },
		{ "options and search of a company", "search corp.example eu.corp.example\nnameserver 10.0.0.1\nnameserver 10.0.0.2\n"
		  "nameserver 10.0.0.3\noptions timeout:1 rotate attempts:2 ndots:2 edns0\nsortlist 10.0.0.0\n", false,
		  OURS "nameserver 10.0.0.1\nnameserver 10.0.0.2\n" SEARCH " corp.example eu.corp.example\n"
		  "options ndots:5 timeout:1 attempts:2 edns0\nsortlist 10.0.0.0\n" },
		{ "domain, tabs, comments, no last newline", "; comment\n#nameserver 9.9.9.9\n domain\tcorp.example \nnameserver\t8.8.8.8", false,
		  OURS "nameserver 8.8.8.8\n" SEARCH " corp.example\noptions ndots:5\n" },
		{ "the last search counts", "search a\ndomain b\n", true, OURS SEARCH " b\noptions ndots:5\n" },
		{ "six domains at most", "search 1 2 3 4\n", true, OURS SEARCH " 1 2 3\noptions ndots:5\n" },
		{ "an empty file means the local server", "", false, OURS "nameserver 127.0.0.1\n" SEARCH "\noptions ndots:5\n" },
		{ "our own address is no upstream", "nameserver 127.0.53.53\nnameserver 1.1.1.1\n", false,
		  OURS "nameserver 1.1.1.1\n" SEARCH "\noptions ndots:5\n" },
	};
	struct config c = config();

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		auto(buf) struct buf out = BUF_INIT(4096);
		struct resolv r;

		resolv_parse(rows[i].in, strlen(rows[i].in), &r);
		resolv_compose(&r, &c, rows[i].only, &out);
		is_str(buf_str(&out), rows[i].out, "%s", rows[i].what);
		ok(resolv_is_ours(out.data, out.len), "and is known as ours");
		ok(!resolv_is_ours(rows[i].in, strlen(rows[i].in)), "which the original is not");
		resolv_done(&r);
	}
	config_done(&c);
}

static void test_servers(void)
{
	static const char text[] = "nameserver 1.1.1.1\nnameserver fd00::1\nnameserver what\nnameserver 127.0.53.53\nnameserver 2.2.2.2\nnameserver 3.3.3.3\n";
	struct config c = config();
	struct hostport servers[RESOLV_NAMESERVERS];
	char a[HOSTPORT_STRLEN];
	struct resolv r;

	resolv_parse(text, strlen(text), &r);
	is_int((long long)resolv_servers(&r, &c.listen.addr, servers), 3, "three usable servers, without ourselves and nonsense");
	is_str(hostport_format(&servers[2], a), "2.2.2.2:53", "in order");
	resolv_done(&r);
	config_done(&c);
}

static void test_strip(void)
{
	static const char text[] = OURS "nameserver 127.0.0.11\n" SEARCH " corp.example\noptions ndots:5 timeout:1\n\n\n";
	auto(buf) struct buf out = BUF_INIT(4096);
	struct config c = config();

	resolv_strip(text, strlen(text), &c, &out);
	is_str(buf_str(&out), "nameserver 127.0.0.11\nsearch corp.example\noptions timeout:1\n", "without the saved original, ours is undone");
	config_done(&c);
}

int main(void)
{
	test_compose();
	test_servers();
	test_strip();
	return tap_done();
}
