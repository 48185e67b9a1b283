/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/corefile.h"

#include "base/mem.h"
#include "base/str.h"
#include "tests/tap.h"

#define KUBERNETES "kubernetes cluster.local in-addr.arpa ip6.arpa {\n pods insecure\n fallthrough in-addr.arpa ip6.arpa\n }\n"
#define BLOCK(inner) ".:53 {\n errors\n " KUBERNETES inner " forward . /etc/resolv.conf\n}\nimport /etc/coredns/custom/*.server\n"

static const struct {
	const char *what, *corefile, *hosts, *key, *custom;
	const char *want;	/* flags (k known, o opaque, f fallthrough, p pods) and names */
} cases[] = {
	{ "k3s's own", BLOCK("hosts /etc/coredns/NodeHosts {\n ttl 60\n reload 15s\n fallthrough\n }\n cache 30\n"), "172.18.0.2 k3d-a-server-0", NULL, NULL, "kp" },
	{ "no ConfigMap", NULL, NULL, NULL, NULL, "" },
	{ "hosts of more than one label are names", BLOCK(""), "172.18.0.1 host.k3d.internal\n# 1.2.3.4 not.this\n::1 six.example # nor.this\n", NULL, NULL,
	  "kp host.k3d.internal six.example" },
	{ "hosts within a block", BLOCK("hosts {\n 10.0.0.1 one.example two\n fallthrough\n }\n"), NULL, NULL, NULL, "kp one.example two" },
	{ "hosts for a zone", BLOCK("hosts /etc/h corp.example\n"), NULL, NULL, NULL, "kp *.corp.example" },
	{ "a server of its own", BLOCK("") "corp.example:53 dns://other.example.:1053 {\n forward . 10.0.0.53\n}\n", NULL, NULL, NULL, "kp *.corp.example *.other.example" },
	{ "a custom server", BLOCK(""), NULL, "corp.server", "corp.example {\n forward . 10.0.0.53\n}\n", "kp *.corp.example" },
	{ "a custom override", BLOCK(""), NULL, "a.override", "rewrite name db.example db.default.svc.cluster.local\n", "kp db.example" },
	{ "a server of our own zone", BLOCK(""), NULL, "mine.server", "cluster.local:53 {\n file /db\n}\n", "kop" },
	{ "our zone's server, with kubernetes", "cluster.local:53 {\n " KUBERNETES "}\n. {\n forward . 10.0.0.1\n}\n", NULL, NULL, NULL, "kp" },
	{ "other keys are not read", BLOCK(""), NULL, "a.txt", "corp.example {\n}\n", "kp" },
	{ "forwards of a zone", BLOCK("forward corp.example 10.0.0.53 10.0.0.54\n"), NULL, NULL, NULL, "kp *.corp.example" },
	{ "an exact rewrite", BLOCK("rewrite stop name exact a.example b.example\n"), NULL, NULL, NULL, "kp a.example" },
	{ "a rewrite of a suffix", BLOCK("rewrite name suffix .old.example .new.example\n"), NULL, NULL, NULL, "kp *.old.example" },
	{ "a rewrite by pattern", BLOCK("rewrite name regex (.*)\\.x\\.example {1}.default.svc.cluster.local\n"), NULL, NULL, NULL, "kop" },
	{ "a rewrite as a block", BLOCK("rewrite stop {\n name regex (.*).x {1}.y\n answer name a b\n }\n"), NULL, NULL, NULL, "kop" },
	{ "a rewrite of types", BLOCK("rewrite type ANY HINFO\n"), NULL, NULL, NULL, "kop" },
	{ "a template of a zone", BLOCK("template IN A t.example {\n answer \"{{ .Name }} 60 IN A 1.2.3.4\"\n }\n"), NULL, NULL, NULL, "kp *.t.example" },
	{ "a template of everything", BLOCK("template ANY ANY {\n rcode NXDOMAIN\n }\n"), NULL, NULL, NULL, "kop" },
	{ "addresses made up", BLOCK("dns64 64:ff9b::/96\n"), NULL, NULL, NULL, "kop" },
	{ "names refused to some", BLOCK("acl {\n block type A net 10.0.0.0/8\n }\n"), NULL, NULL, NULL, "kop" },
	{ "kubernetes that falls through", ".:53 {\n kubernetes cluster.local {\n fallthrough\n }\n}\n", NULL, NULL, NULL, "kf" },
	{ "kubernetes with verified pods", ".:53 {\n kubernetes cluster.local {\n pods verified\n }\n}\n", NULL, NULL, NULL, "k" },
	{ "kubernetes with names of pods", ".:53 {\n kubernetes cluster.local {\n endpoint_pod_names\n }\n}\n", NULL, NULL, NULL, "ko" },
	{ "kubernetes of another zone", ".:53 {\n kubernetes other.local {\n pods insecure\n }\n}\n", NULL, NULL, NULL, "p *.other.local" },
	{ "more ends than beginnings", "}\n}\n.:53 {\n" KUBERNETES "}\n", NULL, NULL, NULL, "kp" },
	{ "a comment and quotes", ".:53 { # all\n" KUBERNETES "  hosts { # mine\n 1.2.3.4 \"q.example\"\n }\n}", NULL, NULL, NULL, "kp q.example" },
	{ "a snippet is no zone", "(mine) {\n errors\n}\n" BLOCK(""), NULL, NULL, NULL, "kp" },
};

static json *map_of(const char *key, const char *text, const char *key2, const char *text2)
{
	json *o = json_object(), *data = json_set(o, "data", json_object());

	json_set_str(data, key, text);
	json_set_str(data, key2, text2);
	return o;
}

static void test_read(void)
{
	struct dns_name zone;

	(void)!dns_name_parse("cluster.local", &zone);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		autojson json *main = map_of("Corefile", cases[i].corefile, "NodeHosts", cases[i].hosts);
		autojson json *custom = cases[i].key ? map_of(cases[i].key, cases[i].custom, "x", NULL) : NULL;
		auto(buf) struct buf b = BUF_INIT(4096);
		struct corefile c;
		char text[DNS_TEXT_MAX];

		corefile_read(main, custom, &zone, &c);
		buf_addf(&b, "%s%s%s%s", c.known ? "k" : "", c.opaque ? "o" : "", c.fallthrough ? "f" : "", c.pods_insecure ? "p" : "");
		for (size_t k = 0; k < c.n; k++)
			buf_addf(&b, " %s%s", c.names[k].below ? "*." : "", dns_name_text(&c.names[k].name, text));
		is_str(buf_str(&b), cases[i].want, "%s", cases[i].what);
		corefile_done(&c);
	}
}

static void test_find(void)
{
	autojson json *main = map_of("Corefile", BLOCK("forward corp.example 10.0.0.53\n rewrite name a.cluster.local b.cluster.local\n"), "x", NULL);
	static const struct { const char *name; bool has; } names[] = {
		{ "corp.example", true }, { "WWW.corp.EXAMPLE", true }, { "example", false }, { "xcorp.example", false },
		{ "a.cluster.local", true }, { "b.a.cluster.local", false }, { ".", false },
	};
	struct dns_name zone, n;
	struct corefile c;

	(void)!dns_name_parse("cluster.local", &zone);
	corefile_read(main, NULL, &zone, &c);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		ok(!dns_name_parse(names[i].name, &n) && (corefile_find(&c, &n) != NULL) == names[i].has, "%s is %sone of CoreDNS's own", names[i].name,
		   names[i].has ? "" : "not ");
	corefile_done(&c);
}

static void test_limit(void)
{
	struct buf b = BUF_INIT(1 << 20);
	struct dns_name zone;
	struct corefile c;

	for (int i = 0; i < 600; i++)
		buf_addf(&b, "10.0.0.1 n%d.example\n", i);
	autojson json *main = map_of("NodeHosts", buf_str(&b), "x", NULL);

	(void)!dns_name_parse("cluster.local", &zone);
	corefile_read(main, NULL, &zone, &c);
	ok(c.n == COREFILE_NAMES_MAX && c.opaque, "more names than we keep: everything is asked of CoreDNS");
	corefile_done(&c);
	buf_done(&b);
}

int main(void)
{
	test_read();
	test_find();
	test_limit();
	return tap_done();
}
