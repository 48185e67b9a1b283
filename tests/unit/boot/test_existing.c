/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "boot/existing.h"
#include "net/kube/kubeconfig.h"
#include "tests/fake/kube.h"
#include "tests/tap.h"

static char dir[] = "/tmp/test-existing-XXXXXX";

static json *config_of(const char *user)
{
	autofree char *file = path_join(dir, "config"), *text = xasprintf(
		"apiVersion: v1\nkind: Config\ncurrent-context: prod\n"
		"contexts:\n- {name: prod, context: {cluster: c, user: u, namespace: shop}}\n- {name: staging, context: {cluster: gone, user: u}}\n"
		"clusters:\n- {name: other, cluster: {server: 'https://other:6443'}}\n"
		"- {name: c, cluster: {server: 'https://prod.example:6443', certificate-authority: ca.pem, tls-server-name: kube}}\n"
		"users:\n- {name: u, user: %s}\n", user);
	struct err err = { 0 };
	json *j = kubeconfig_parse(file, text, strlen(text), &err);

	ok(j != NULL, "a kubeconfig with user %s %s", user, err_text(&err));
	return j;
}

static void put(const char *name, const char *text)
{
	autofree char *path = path_join(dir, name);

	ok(file_write(path, text, strlen(text), 0600, NULL) == 0, "a file %s", name);
}

static void test_extract(void)
{
	static const struct { const char *user, *key, *want; } rows[] = {
		{ "{token: abc}", "users[0].user.token", "abc" },
		{ "{tokenFile: token}", "users[0].user.token", "from-file" },
		{ "{token: abc, tokenFile: token}", "users[0].user.token", "abc" },
		{ "{client-certificate: cert.pem, client-key: key.pem}", "users[0].user.client-certificate-data", "Y2VydA==" },
		{ "{client-certificate: cert.pem, client-key: key.pem}", "users[0].user.client-key-data", "a2V5" },
		{ "{token: abc}", "clusters[0].cluster.certificate-authority-data", "Y2E=" },
		{ "{token: abc}", "clusters[0].cluster.tls-server-name", "kube" },
		{ "{token: abc}", "clusters[0].cluster.server", "https://prod.example:6443" },
		{ "{token: abc}", "current-context", "here" },
		{ "{token: abc}", "contexts[0].context.user", "here" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		autojson json *config = config_of(rows[i].user), *one = existing_extract(config, NULL, "here", NULL);

		is_str(json_str(one, rows[i].key, NULL), rows[i].want, "of user %s, %s is inside", rows[i].user, rows[i].key);
		ok(!json_is(one, "users[0].user.tokenFile") && !json_is(one, "clusters[0].cluster.certificate-authority") &&
		   !json_is(one, "clusters[1]"), "and nothing that is elsewhere");
	}
}

static void test_refused(void)
{
	static const struct { const char *user, *context, *want; } rows[] = {
		{ "{token: a}", "prdo", "the kubeconfig has no context \"prdo\"; did you mean \"prod\"?" },
		{ "{token: a}", "staging", "context staging: its cluster is not in the kubeconfig" },
		{ "{exec: {command: aws}}", "prod", "context prod gets its credential from a program on this machine, which is not in the dev container; "
		  "make a ServiceAccount's token and a context with that" },
		{ "{tokenFile: no-such}", "prod", NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		autojson json *config = config_of(rows[i].user), *one = NULL;
		struct err err = { 0 };

		one = existing_extract(config, rows[i].context, "here", &err);
		ok(!one && err.code < 0, "refused: %s", err_text(&err));
		if (rows[i].want)
			is_str(err_text(&err), rows[i].want, "in these words");
	}
}

static void test_networks(void)
{
#define LIST(items) "{\"kind\":\"List\",\"apiVersion\":\"v1\",\"metadata\":{\"resourceVersion\":\"1\"},\"items\":[" items "]}"
#define SERVICE(ip) "{\"spec\":{\"clusterIPs\":[\"" ip "\"]}}"
	static const struct {
		const char *name, *cidrs, *services, *nodes, *dns;	/* NULL: 404 */
		const char *want_services, *want_pods;
	} rows[] = {
		{ "one that says its networks", LIST("{\"spec\":{\"cidrs\":[\"10.43.0.0/16\",\"fd43::/112\"]}}"), NULL,
		  LIST("{\"spec\":{\"podCIDRs\":[\"10.42.0.0/24\"]}},{\"spec\":{\"podCIDRs\":[\"10.42.3.0/24\"]}}"),
		  "{\"spec\":{\"clusterIP\":\"10.43.0.10\"}}", "10.43.0.0/16,fd43::/112", "10.42.0.0/22" },
		{ "an old one", NULL, LIST(SERVICE("10.96.0.1") "," SERVICE("None") "," SERVICE("10.96.0.10") "," SERVICE("10.100.7.7")),
		  LIST("{\"spec\":{}}"), "{\"spec\":{\"clusterIP\":\"10.96.0.10\"}}", "10.96.0.0/13", NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct fake_kube *f = fake_kube_new();
		struct http_endpoint to = fake_kube_endpoint(f);
		struct loop *l = loop_new(LOOP_DEFAULT);
		struct kube *k = kube_new(l, &to);
		struct existing_networks n = { 0 };
		struct err err = { 0 };

		fake_kube_say(f, rows[i].cidrs ? 200 : 404, FAKE_WHOLE, rows[i].cidrs ? rows[i].cidrs : "{}");
		if (rows[i].services)
			fake_kube_say(f, 200, FAKE_WHOLE, rows[i].services);
		fake_kube_say(f, 200, FAKE_WHOLE, rows[i].nodes);
		fake_kube_say(f, 200, FAKE_WHOLE, rows[i].dns);
		is_int(existing_networks(k, &n, &err), 0, "%s: %s", rows[i].name, err_text(&err));
		is_str(n.services, rows[i].want_services, "its services' network");
		is_str(n.pods, rows[i].want_pods, "its pods'");
		ok(n.dns && str_starts(n.dns, "10."), "its DNS: %s", n.dns);
		existing_networks_done(&n);
		kube_free(k);
		loop_free(l);
		fake_kube_free(f);
	}
}

int main(void)
{
	ok(mkdtemp(dir) != NULL, "a folder");
	put("ca.pem", "ca");
	put("cert.pem", "cert");
	put("key.pem", "key");
	put("token", "from-file\n");
	test_extract();
	test_refused();
	test_networks();
	(void)!file_remove_tree(dir, NULL);
	return tap_done();
}
