/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/config.h"

#include <errno.h>

#include "base/mem.h"
#include "tests/tap.h"

#define BASE "\"kubeconfig\":\"/k\",\"pod_cidr\":\"10.42.0.0/16\",\"service_cidr\":\"10.43.0.0/16\""

static void test_good(void)
{
	static const char text[] = "{\"kubeconfig\":\"/k\",\"pod_cidr\":\"10.42.0.0/16, fd42::/56\",\"service_cidr\":[\"10.43.0.0/16\"],"
				   "\"dns\":\"10.43.0.10\"}";
	char a[HOSTPORT_STRLEN], p[PREFIX_STRLEN];
	struct err err = { 0 };
	struct config c;

	is_int(config_parse(text, strlen(text), &c, &err), 0, "the least that is needed: %s", err_text(&err));
	is_str(c.cluster_domain, "cluster.local", "a default");
	is_str(hostport_format(&c.listen, a), "127.0.53.53:53", "and another");
	is_str(hostport_format(&c.dns[0], a), "10.43.0.10:53", "the cluster's DNS");
	is_int(c.metrics.port, 0, "no metrics unless they are wanted");
	is_int(c.mode, CONFIG_ROUTE, "routes, unless something else is said");
	is_int((long long)c.pods.n, 2, "two pod networks in one string");
	is_str(prefix_format(&c.pods.v[1], p), "fd42::/56", "the second of them");
	is_int((long long)c.services.n, 1, "a list works as well");
	config_done(&c);
}

static void test_mode(void)
{
	static const struct { const char *text, *said; enum config_mode want; } rows[] = {
		{ "\"route\"", NULL, CONFIG_ROUTE },
		{ "\"forward\"", NULL, CONFIG_FORWARD },
		{ "\"auto\"", NULL, CONFIG_AUTO },
		{ "\"tunnel\"", "\"mode\": \"tunnel\" is none of route, forward and auto", 0 },
		{ "true", "\"mode\": a text is expected", 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		autofree char *text = xasprintf("{" BASE ",\"dns\":\"10.43.0.10\",\"mode\":%s}", rows[i].text);
		struct err err = { 0 };
		struct config c;
		int r = config_parse(text, strlen(text), &c, &err);

		if (r) {
			is_str(err_text(&err), rows[i].said, "mode %s is refused", rows[i].text);
			continue;
		}
		is_int(c.mode, rows[i].want, "mode %s", rows[i].text);
		config_done(&c);
	}
}

static void test_metrics(void)
{
	static const struct { const char *text, *want; } rows[] = {
		{ "\"127.0.0.1:9100\"", "127.0.0.1:9100" },
		{ "\"127.0.0.1\"", "127.0.0.1:9153" },
		{ "\"[::1]:9153\"", "[::1]:9153" },
		{ "\"0.0.0.0:9153\"", NULL },
		{ "\"172.18.0.5:9153\"", NULL },
		{ "\"127.0.0.1:0\"", NULL },
		{ "\"localhost:9153\"", NULL },
		{ "\"\"", NULL },
		{ "9153", NULL },
		{ "true", NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		autofree char *text = xasprintf("{" BASE ",\"dns\":\"10.43.0.10\",\"metrics\":%s}", rows[i].text);
		char at[HOSTPORT_STRLEN] = "";
		struct err err = { 0 };
		struct config c;
		int r = config_parse(text, strlen(text), &c, &err);

		if (!r)
			is_str(hostport_format(&c.metrics, at), rows[i].want, "metrics at %s", rows[i].text);
		else
			ok(!rows[i].want, "%s", err_text(&err));
		if (!r)
			config_done(&c);
	}
}

static void test_bad(void)
{
	static const struct { const char *text, *want; } rows[] = {
		{ "", NULL },
		{ "[]", "\"kubeconfig\" is missing" },
		{ "{" BASE ",\"dns\":\"10.43.0.10\",\"metric\":\"127.0.0.1\"}", "\"metric\" is no key; did you mean \"metrics\"?" },
		{ "{" BASE ",\"dns\":\"10.43.0.10\",\"zzzzzzzzzz\":1}", "\"zzzzzzzzzz\" is no key" },
		{ "{\"kubeconfig\":5}", "\"kubeconfig\": a text is expected" },
		{ "{" BASE ",\"dns\":\"10.43.0.10\",\"socket\":\"run/a.sock\"}", "\"socket\": \"run/a.sock\" is no absolute path" },
		{ "{" BASE ",\"dns\":\"10.43.0.10\",\"cluster_domain\":5}", "\"cluster_domain\": a text is expected" },
		{ "{" BASE ",\"dns\":\"10.43.0.10\",\"listen\":[\"127.0.0.1\"]}", "\"listen\": a text is expected" },
		{ "{" BASE ",\"dns\":\"10.43.0.10\",\"metrics\":9153}", "\"metrics\": a text is expected" },
		{ "{" BASE ",\"dns\":5}", "\"dns\": a text, or a list of texts, is expected" },
		{ "{" BASE ",\"dns\":[\"10.43.0.10\",5]}", "\"dns\": a text, or a list of texts, is expected" },
		{ "{" BASE "}", "\"dns\" is missing" },
		{ "{\"kubeconfig\":\"/k\",\"service_cidr\":\"10.43.0.0/16\",\"dns\":\"1.1.1.1\"}", "\"pod_cidr\" is missing" },
		{ "{\"kubeconfig\":\"/k\",\"mode\":\"auto\",\"service_cidr\":\"10.43.0.0/16\",\"dns\":\"1.1.1.1\"}", "\"pod_cidr\" is missing" },
		{ "{\"kubeconfig\":\"/k\",\"mode\":\"forward\",\"service_cidr\":\"10.43.0.0/16\"}", "\"dns\" is missing" },
		{ "{" BASE ",\"dns\":\"dns.local\"}", "\"dns\": \"dns.local\" is no address" },
		{ "{" BASE ",\"dns\":\"10.43.0.10\",\"namespace\":\"A_b\"}", "namespace: \"A_b\" is no DNS label" },
		{ "{" BASE ",\"dns\":\"10.43.0.10\",\"cluster_domain\":\"a b\"}", "cluster_domain: \"a b\" is no DNS name" },
		{ "{" BASE ",\"dns\":\"10.43.0.10\",\"listen\":\"0.0.0.0\"}", "\"listen\": \"0.0.0.0\" is no loopback address" },
		{ "{\"kubeconfig\":\"/k\",\"pod_cidr\":\"0.0.0.0/0\",\"service_cidr\":\"10.43.0.0/16\",\"dns\":\"1.1.1.1\"}",
		  "\"pod_cidr\": \"0.0.0.0/0\" is no network like 10.42.0.0/16" },
		{ "{\"kubeconfig\":\"/k\",\"pod_cidr\":\"10.42.0.1/16\",\"service_cidr\":\"10.43.0.0/16\",\"dns\":\"1.1.1.1\"}",
		  "\"pod_cidr\": \"10.42.0.1/16\" is no network like 10.42.0.0/16" },
		{ "{\"kubeconfig\":\"/k\",\"pod_cidr\":\"1.0.0.0/8,2.0.0.0/8,3.0.0.0/8,4.0.0.0/8,5.0.0.0/8\",\"service_cidr\":\"10.43.0.0/16\","
		  "\"dns\":\"1.1.1.1\"}", "\"pod_cidr\": at most 4 entries" },
	};
	struct config c;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct err err = { 0 };

		is_int(config_parse(rows[i].text, strlen(rows[i].text), &c, &err), -EINVAL, "refused: %.60s", rows[i].text);
		if (rows[i].want)
			is_str(err_text(&err), rows[i].want, "because: %s", rows[i].want);
	}
}

int main(void)
{
	test_good();
	test_mode();
	test_metrics();
	test_bad();
	return tap_done();
}
