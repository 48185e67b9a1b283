/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <sys/stat.h>
#include <time.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "net/kube/auth.h"
#include "net/kube/kubeconfig.h"
#include "tests/tap.h"

#define V1 "client.authentication.k8s.io/v1"

static char dir[] = "/tmp/test-kube-auth-XXXXXX";
static struct loop *l;

static void test_parse(void)
{
#define CREDENTIAL(status) "{\"apiVersion\":\"" V1 "\",\"kind\":\"ExecCredential\",\"status\":{" status "}}"
	static const struct { const char *text, *want; long long expires; } rows[] = {
		{ CREDENTIAL("\"token\":\"t\""), NULL, 0 },
		{ CREDENTIAL("\"clientCertificateData\":\"c\",\"clientKeyData\":\"k\""), NULL, 0 },
		{ CREDENTIAL("\"token\":\"t\",\"expirationTimestamp\":\"2026-11-27T15:00:00Z\""), NULL, 1795791600 },
		{ CREDENTIAL("\"token\":\"t\",\"expirationTimestamp\":\"2026-11-27T16:00:00.5+01:00\""), NULL, 1795791600 },
		{ CREDENTIAL("\"token\":\"t\",\"expirationTimestamp\":\"tomorrow\""), "its expirationTimestamp \"tomorrow\" is no time", 0 },
		{ CREDENTIAL("\"token\":\"t\",\"expirationTimestamp\":\"2026-11-27T16:00:00*01:00\""), "its expirationTimestamp \"2026-11-27T16:00:00*01:00\" is no time", 0 },
		{ CREDENTIAL("\"token\":\"t\\r\\nX: y\""), "its token is not one line of printable characters", 0 },
		{ CREDENTIAL("\"clientKeyData\":\"k\",\"token\":\"t\""), "it printed a client key without its certificate", 0 },
		{ CREDENTIAL(""), "it printed neither a token nor a client certificate", 0 },
		{ "{\"apiVersion\":\"" V1 "beta1\",\"kind\":\"ExecCredential\"}", "it printed " V1 "beta1 instead of " V1, 0 },
		{ "{\"kind\":\"Secret\"}", "it printed no ExecCredential", 0 },
		{ "Please sign in at …", "it printed no ExecCredential", 0 },
		{ "", "it printed no ExecCredential", 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct kube_credential c = { 0 };
		struct err err = { 0 };
		int r = kube_credential_parse(rows[i].text, strlen(rows[i].text), V1, &c, &err);

		if (rows[i].want)
			is_str(err_text(&err), rows[i].want, "refused: %.60s", rows[i].text);
		else
			ok(r == 0 && c.expires == rows[i].expires, "taken: %.90s %s", rows[i].text, err_text(&err));
		kube_credential_done(&c);
	}
}

static void put(const char *name, mode_t mode, const char *text)
{
	autofree char *path = path_join(dir, name);

	ok(file_write(path, text, strlen(text), mode, NULL) == 0 && chmod(path, mode) == 0, "a file %s", name);
}

static char *read_back(const char *name)
{
	autofree char *path = path_join(dir, name);
	auto(buf) struct buf b = BUF_INIT(1 << 16);

	(void)!file_read(path, &b, NULL);
	return xstrdup(buf_str(&b));
}

static json *config_of(const char *user)
{
	autofree char *file = path_join(dir, "config"), *text = xasprintf(
		"{\"current-context\":\"c\",\"contexts\":[{\"name\":\"c\",\"context\":{\"cluster\":\"k\",\"user\":\"me\"}}],"
		"\"clusters\":[{\"name\":\"k\",\"cluster\":{\"server\":\"https://kube:6443\",\"tls-server-name\":\"kube.example\"}}],"
		"\"users\":[{\"name\":\"me\",\"user\":%s}]}", user);

	return kubeconfig_parse(file, text, strlen(text), NULL);
}

#define PLUGIN(more) "{\"exec\":{\"apiVersion\":\"" V1 "\",\"command\":\"./plugin\"," more "}}"

/* Counts its runs; answers as its first argument says. */
static const char plugin[] =
	"#!/bin/sh\n"
	"cd \"$(dirname \"$0\")\"\n"
	"echo run >>runs\n"
	"printf '%s' \"$KUBERNETES_EXEC_INFO\" >info\n"
	"printf '%s' \"$WHO\" >who\n"
	"case $1 in\n"
	"token) printf '{\"apiVersion\":\"client.authentication.k8s.io/v1\",\"kind\":\"ExecCredential\",\"status\":{\"token\":\"t%s\"%s}}' \"$(wc -l <runs | tr -d ' ')\" \"$2\" ;;\n"
	"soon) \"$0\" token \",\\\"expirationTimestamp\\\":\\\"$(date -u -d \"+21 seconds\" +%Y-%m-%dT%H:%M:%SZ)\\\"\" ;;\n"
	"fail) exit 3 ;;\n"
	"garbage) echo hello ;;\n"
	"leaves) sleep 30 & \"$0\" token ;;\n"
	"esac\n";

static void test_run(void)
{
	autojson json *config = config_of(PLUGIN("\"args\":[\"token\"],\"env\":[{\"name\":\"WHO\",\"value\":\"shop\"}],\"provideClusterInfo\":true"));
	struct http_endpoint e = { 0 };
	struct kube_auth *a = NULL;
	struct err err = { 0 };
	autofree char *info = NULL, *who = NULL;

	is_int(kube_auth_open(l, config, NULL, &a, &e, &err), 0, "a plugin runs: %s", err_text(&err));
	is_str(e.bearer, "t1", "its token is the credential");
	info = read_back("info");
	ok(strstr(info, "\"kind\":\"ExecCredential\"") && strstr(info, "\"server\":\"https://kube:6443\"") &&
	   strstr(info, "\"tls-server-name\":\"kube.example\""), "it is told the cluster: %s", info);
	who = read_back("who");
	is_str(who, "shop", "and has its environment");
	kube_auth_free(a);
	http_endpoint_done(&e);
}

static void test_refused(void)
{
	static const struct { const char *user, *want; int code; } rows[] = {
		{ PLUGIN("\"args\":[\"fail\"]"), "it ended with 3", -EACCES },
		{ PLUGIN("\"args\":[\"garbage\"]"), "it printed no ExecCredential", -EBADMSG },
		{ "{\"exec\":{\"apiVersion\":\"" V1 "\",\"command\":\"no-such-plugin\",\"installHint\":\"see the wiki\"}}",
		  "user \"me\" signs in through the program no-such-plugin, which is not there: see the wiki", -ENOPKG },
		{ "{\"exec\":{\"apiVersion\":\"v0\",\"command\":\"x\"}}", "exec's apiVersion is \"v0\" instead of " V1, -EINVAL },
		{ PLUGIN("\"interactiveMode\":\"Always\""), "there is no terminal", -EINVAL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		autojson json *config = config_of(rows[i].user);
		struct http_endpoint e = { 0 };
		struct kube_auth *a = NULL;
		struct err err = { 0 };

		is_int(kube_auth_open(l, config, NULL, &a, &e, &err), rows[i].code, "refused: %s", rows[i].user);
		ok(strstr(err_text(&err), rows[i].want) && !a, "in words: %s", err_text(&err));
	}
}

static bool soon(const struct kube *k, const char *token)
{
	for (uint64_t end = loop_deadline(4000); loop_deadline(0) < end && !streq(kube_endpoint(k)->bearer, token);)
		(void)!loop_turn(l, loop_deadline(50));
	return streq(kube_endpoint(k)->bearer, token);
}

static void test_renewal(void)
{
	autojson json *config = config_of(PLUGIN("\"args\":[\"soon\"]"));
	struct http_endpoint e = { 0 };
	struct kube_auth *a = NULL;
	struct kube *k;

	put("runs", 0600, "");
	is_int(kube_auth_open(l, config, NULL, &a, &e, NULL), 0, "a credential that expires");
	is_str(e.bearer, "t2", "is there");
	k = kube_new(l, &e);
	kube_auth_follow(a, k);
	ok(soon(k, "t4"), "and fetched again before it does");
	kube_auth_free(a);
	kube_free(k);
}

static void test_after_refusal(void)
{
	autojson json *config = config_of(PLUGIN("\"args\":[\"token\"]"));
	struct http_endpoint e = { 0 };
	struct kube_auth *a = NULL;
	struct kube *k;

	put("runs", 0600, "");
	is_int(kube_auth_open(l, config, NULL, &a, &e, NULL), 0, "a credential that does not expire");
	k = kube_new(l, &e);
	kube_auth_follow(a, k);
	kube_auth_refused(a);
	ok(!soon(k, "t2"), "is not fetched again at once when the server refuses it");
	for (int i = 0; i < 2 && !soon(k, "t2"); i++)
		;
	ok(soon(k, "t2"), "but ten seconds after");
	kube_auth_free(a);
	kube_free(k);
}

static void test_left_behind(void)
{
	autojson json *config = config_of(PLUGIN("\"args\":[\"leaves\"]"));
	uint64_t start = loop_deadline(0);
	struct http_endpoint e = { 0 };
	struct kube_auth *a = NULL;
	struct err err = { 0 };

	is_int(kube_auth_open(l, config, NULL, &a, &e, &err), 0, "a plugin that leaves a process behind is not waited for %s", err_text(&err));
	ok(e.bearer && loop_deadline(0) - start < UINT64_C(10000000000), "longer than it runs itself");
	kube_auth_free(a);
	http_endpoint_done(&e);
}

static void test_file(void)
{
	autojson json *config = config_of("{\"tokenFile\":\"token\"}");
	struct loop *fake = loop_new(LOOP_DEFAULT);
	struct http_endpoint e = { 0 };
	struct kube_auth *a = NULL;
	struct kube *k;

	loop_fake_clock(fake, 1000000000);
	put("token", 0600, "one\n");
	is_int(kube_auth_open(fake, config, NULL, &a, &e, NULL), 0, "a token in a file");
	k = kube_new(fake, &e);
	kube_auth_follow(a, k);
	is_str(kube_endpoint(k)->bearer, "one", "is read");
	put("token", 0600, "two\n");
	loop_advance(fake, UINT64_C(61000000000));
	(void)!loop_turn(fake, loop_now(fake));
	is_str(kube_endpoint(k)->bearer, "two", "and again after a minute");
	kube_auth_free(a);
	kube_free(k);
	loop_free(fake);
}

static void test_files(void)
{
	autofree char *list = xasprintf("%s/none:%s/first:%s/second", dir, dir, dir);
	autojson json *both = NULL, *none = NULL;
	struct http_endpoint e = { 0 };
	struct err err = { 0 };

	put("first", 0600, "contexts: [{name: a, context: {cluster: k, user: u}}]\nclusters: [{name: k, cluster: {server: 'https://first'}}]\n");
	put("second", 0600, "current-context: a\ncontexts: [{name: b, context: {cluster: k, user: u}}]\n"
		"clusters: [{name: k, cluster: {server: 'https://second'}}]\nusers: [{name: u, user: {token: t}}]\n");
	setenv("KUBECONFIG", list, 1);
	both = kubeconfig_load(NULL, &err);
	is_int(kubeconfig_endpoint(both, NULL, &e, &err), 0, "several files are one: %s", err_text(&err));
	is_str(e.base, "https://first", "the first that has something keeps it");
	is_str(e.bearer, "t", "what it has not, a later one has");
	http_endpoint_done(&e);
	setenv("KUBECONFIG", "/no/such:/nor/this", 1);
	none = kubeconfig_load(NULL, &err);
	ok(!none && err.code == -ENOPKG, "none of them: %s", err_text(&err));
	unsetenv("KUBECONFIG");
}

int main(void)
{
	l = loop_new(LOOP_DEFAULT);
	ok(mkdtemp(dir) != NULL, "a folder");
	put("plugin", 0755, plugin);
	test_parse();
	test_run();
	test_refused();
	test_renewal();
	test_after_refusal();
	test_left_behind();
	test_file();
	test_files();
	loop_free(l);
	(void)!file_remove_tree(dir, NULL);
	return tap_done();
}
