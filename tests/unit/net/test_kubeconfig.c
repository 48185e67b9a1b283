/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/file.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/str.h"
#include "net/kube/kubeconfig.h"
#include "net/kube/lockfile.h"
#include "tests/tap.h"

#define PEM_CERT "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCg=="
#define PEM_KEY "LS0tLS1CRUdJTiBFQyBQUklWQVRFIEtFWS0tLS0tCg=="

static const char k3s[] =
	"apiVersion: v1\nclusters:\n- cluster:\n    certificate-authority-data: " PEM_CERT "\n    server: https://127.0.0.1:6443\n"
	"  name: default\ncontexts:\n- context:\n    cluster: default\n    user: default\n  name: default\n"
	"current-context: default\nkind: Config\npreferences: {}\nusers:\n- name: default\n  user:\n"
	"    client-certificate-data: " PEM_CERT "\n    client-key-data: " PEM_KEY "\n";

static char dir[] = "/tmp/kubeconfig.XXXXXX";

static json *parse(const char *text, struct err *err)
{
	autofree char *file = path_join(dir, "config");

	return kubeconfig_parse(file, text, strlen(text), err);
}

static void put(const char *name, const char *text, mode_t mode)
{
	autofree char *path = path_join(dir, name);
	struct err err;

	if (file_write(path, text, strlen(text), mode, &err) < 0)
		ok(false, "%s", err.msg);
}

static json *load(const char *name)
{
	autofree char *path = path_join(dir, name);
	auto(buf) struct buf b = BUF_INIT(1 << 20);
	struct err err;

	if (file_read(path, &b, &err) < 0)
		return NULL;
	return kubeconfig_parse(path, b.data, b.len, &err);
}

/* ---- endpoint ---- */

#define CONFIG(cluster, user) \
	"clusters:\n- {name: c, cluster: {" cluster "}}\nusers:\n- {name: u, user: {" user "}}\n" \
	"contexts:\n- {name: x, context: {cluster: c, user: u}}\ncurrent-context: x\n"

static const struct {
	const char *what, *text, *context;
	const char *want;	/* part of the message, or NULL: good */
	const char *base, *bearer;
} endpoints[] = {
	{ "k3s's file gives its endpoint", k3s, NULL, NULL, "https://127.0.0.1:6443", NULL },
	{ "a trailing slash goes", CONFIG("server: 'https://h/k8s/'", "token: abc"), NULL, NULL, "https://h/k8s", "abc" },
	{ "a token of digits stays text", CONFIG("server: 'https://h'", "token: 012345678901234567890123"), NULL, NULL, "https://h",
	  "012345678901234567890123" },
	{ "a token file goes before a token", CONFIG("server: 'https://h'", "token: abc, tokenFile: token"), "x", NULL, "https://h",
	  "from-file" },
	{ "an unreadable token file leaves the token", CONFIG("server: 'https://h'", "token: abc, tokenFile: nope"), NULL, NULL,
	  "https://h", "abc" },
	{ "certificate files are read beside the config", CONFIG("server: 'https://h', certificate-authority: ca.pem", ""), NULL, NULL,
	  "https://h", NULL },
	{ "JSON is read as well", "{\"clusters\":[{\"name\":\"c\",\"cluster\":{\"server\":\"https://h\"}}],\n\t\"contexts\":"
	  "[{\"name\":\"x\",\"context\":{\"cluster\":\"c\"}}],\"current-context\":\"x\"}", NULL, NULL, "https://h", NULL },
	{ "an unknown context is named, with those there", k3s, "prod", "no context \"prod\"; it has default", NULL, NULL },
	{ "an empty file has no current context", "", NULL, "no current context", NULL, NULL },
	{ "a missing cluster is named", "contexts:\n- {name: x, context: {cluster: c, user: u}}", "x", "no cluster \"c\"", NULL, NULL },
	{ "a missing user is named", "clusters:\n- {name: c, cluster: {server: 'https://h'}}\n"
	  "contexts:\n- {name: x, context: {cluster: c, user: u}}", "x", "no user \"u\"", NULL, NULL },
	{ "a server without scheme is refused", CONFIG("server: h", ""), NULL, "not an http or https URL: \"h\"", NULL, NULL },
	{ "a missing CA file is named", CONFIG("server: 'https://h', certificate-authority: nope.pem", ""), NULL, "nope.pem", NULL, NULL },
	{ "broken base64 is refused", CONFIG("server: 'https://h', certificate-authority-data: '*'", ""), NULL, "not base64", NULL, NULL },
	{ "what is not PEM is refused", CONFIG("server: 'https://h', certificate-authority-data: YWJj", ""), NULL, "not in PEM", NULL, NULL },
	{ "a certificate without key is refused", CONFIG("server: 'https://h'", "client-certificate-data: " PEM_CERT), NULL,
	  "a client certificate without its key", NULL, NULL },
	{ "a key without certificate is refused", CONFIG("server: 'https://h'", "client-key-data: " PEM_KEY), NULL,
	  "a client key without its certificate", NULL, NULL },
	{ "a missing token file is named", CONFIG("server: 'https://h'", "tokenFile: nope"), NULL, "tokenFile of \"u\"", NULL, NULL },
	{ "a token with a newline is refused", CONFIG("server: 'https://h'", "token: \"a\\nb\""), NULL, "not one line", NULL, NULL },
	{ "an empty token file is refused", CONFIG("server: 'https://h'", "tokenFile: empty"), NULL, "not one line", NULL, NULL },
	{ "exec is refused by name", CONFIG("server: 'https://h'", "exec: {command: aws}"), NULL, "program aws (exec)", NULL, NULL },
	{ "passwords are refused", CONFIG("server: 'https://h'", "username: a, password: b"), NULL, "name and password", NULL, NULL },
	{ "impersonation is refused", CONFIG("server: 'https://h'", "token: t, as: b"), NULL, "(as)", NULL, NULL },
};

static void test_endpoints(void)
{
	put("token", "from-file\n", 0600);
	put("empty", "\n", 0600);
	put("ca.pem", "-----BEGIN CERTIFICATE-----\n", 0600);
	for (size_t i = 0; i < ARRAY_SIZE(endpoints); i++) {
		struct err err = { 0 };
		autojson json *config = parse(endpoints[i].text, &err);
		struct http_endpoint e = { 0 };
		int r = config ? kubeconfig_endpoint(config, endpoints[i].context, &e, &err) : -EINVAL;

		if (endpoints[i].want)
			ok(r < 0 && strstr(err.msg, endpoints[i].want), "%s (%s)", endpoints[i].what, err.msg);
		else
			ok(r == 0 && streq(e.base, endpoints[i].base) && streq(e.bearer, endpoints[i].bearer), "%s (%s)",
			   endpoints[i].what, err.msg);
		if (r == 0)
			http_endpoint_done(&e);
	}
}

static void test_k3s_identity(void)
{
	autojson json *config = parse(k3s, NULL);
	struct http_endpoint e = { 0 };

	is_int(kubeconfig_endpoint(config, NULL, &e, NULL), 0, "k3s's context is taken");
	is_str(e.ca_pem, "-----BEGIN CERTIFICATE-----\n", "its CA is decoded");
	ok(e.cert_pem && e.key_pem && strstr(e.key_pem, "EC PRIVATE KEY"), "and its client certificate and key");
	http_endpoint_done(&e);
}

static void test_broken(void)
{
	static const struct {
		const char *what, *text;
	} broken[] = {
		{ "a list is no kubeconfig", "- a\n" },
		{ "text is no kubeconfig", "hello" },
		{ "another kind is no kubeconfig", "kind: Pod\n" },
		{ "clusters that are no list are refused", "clusters: {a: b}\n" },
		{ "an entry without name is refused", "users:\n- {user: {}}\n" },
		{ "broken YAML is refused", "clusters: [\n" },
		{ "broken JSON is refused", "{\"clusters\": [}" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(broken); i++) {
		struct err err = { 0 };
		autojson json *config = parse(broken[i].text, &err);

		ok(!config && err.code == -EINVAL && strstr(err.msg, "config"), "%s (%s)", broken[i].what, err.msg);
	}
}

/* ---- change ---- */

static void test_rename(void)
{
	autojson json *config = parse(k3s, NULL), *other = parse(CONFIG("server: 'https://h'", ""), NULL);
	autojson json *ret = kubeconfig_rename(config, "k3d-a", "admin@k3d-a", "k3d-a", "https://127.0.0.1:7", NULL);
	struct err err = { 0 };

	is_str(json_str(ret, "clusters[0].name", NULL), "k3d-a", "the cluster has its new name");
	is_str(json_str(ret, "clusters[0].cluster.server", NULL), "https://127.0.0.1:7", "and its new server");
	is_str(json_str(ret, "clusters[0].cluster.certificate-authority-data", NULL), PEM_CERT, "with the old CA");
	is_str(json_str(ret, "contexts[0].context.user", NULL), "admin@k3d-a", "the context names the user");
	is_str(json_str(ret, "contexts[0].context.cluster", NULL), "k3d-a", "and the cluster");
	is_str(json_str(ret, "current-context", NULL), "k3d-a", "it is the current one");
	is_str(json_str(config, "clusters[0].cluster.server", NULL), "https://127.0.0.1:6443", "the original is as it was");
	ok(!kubeconfig_rename(other, "a", "b", "c", NULL, &err) && strstr(err.msg, "\"default\""), "without \"default\": %s", err.msg);
}

static json *named(const char *name, const char *server)
{
	autojson json *config = parse(k3s, NULL);

	return kubeconfig_rename(config, name, name, name, server, NULL);
}

static void test_merge(void)
{
	autofree char *file = path_join(dir, "new/sub/config"), *lock = xasprintf("%s.lock", file);
	autojson json *a = named("a", "https://a"), *b = named("b", "https://b"), *a2 = named("a", "https://a2");
	autojson json *got = NULL;
	struct stat st;

	is_int(kubeconfig_merge(file, a, false, NULL), 0, "a file is made, with its directories");
	ok(stat(file, &st) == 0 && (st.st_mode & 07777) == 0600, "its mode is 0600");
	ok(!file_exists(lock), "the lock is gone");
	is_int(kubeconfig_merge(file, b, false, NULL), 0, "another cluster is added");
	is_int(kubeconfig_merge(file, a2, false, NULL), 0, "the first one changes");
	got = load("new/sub/config");
	is_int(cJSON_GetArraySize(json_get(got, "clusters")), 2, "there are two clusters");
	is_str(json_str(got, "clusters[0].cluster.server", NULL), "https://a2", "the first one's server is the new one");
	is_str(json_str(got, "users[1].name", NULL), "b", "the second one's user is there");
	is_str(json_str(got, "current-context", NULL), "a", "the current context stays");
	is_str(json_str(got, "kind", NULL), "Config", "the kind is written");
	is_int(kubeconfig_merge(file, b, true, NULL), 0, "b is made current");
	is_int(kubeconfig_remove(file, "b", "b", "b", NULL), 0, "b is removed");
	json_free(got);
	got = load("new/sub/config");
	is_int(cJSON_GetArraySize(json_get(got, "contexts")), 1, "one context is left");
	is_str(json_str(got, "current-context", NULL), "", "none is current");
	is_int(kubeconfig_remove(file, "b", "b", "b", NULL), 0, "removing twice is fine");
	is_int(kubeconfig_remove("/nonexistent/config", "b", "b", "b", NULL), 0, "so is a file that is not there");
}

static void test_foreign(void)
{
	static const char theirs[] =
		"apiVersion: v1\nkind: Config\nclusters:\n- name: prod\n  cluster:\n    certificate-authority: pki/ca.crt\n"
		"    server: https://prod\n    extensions:\n    - name: e\n      extension: {n: 7}\ncontexts: null\nfuture: {a: [1, x]}\n"
		"users:\n- name: \"007\"\n  user: {token: 00123456789012345678901, exec: null}\ncurrent-context: prod\n";
	autofree char *file = path_join(dir, "link"), *target = path_join(dir, "theirs");
	autojson json *a = named("a", "https://a"), *got = NULL;
	auto(buf) struct buf text = BUF_INIT(1 << 20);
	struct stat st;

	put("theirs", theirs, 0640);
	(void)!symlink("theirs", file);
	is_int(kubeconfig_merge(file, a, false, NULL), 0, "merging into a foreign file behind a link");
	ok(lstat(file, &st) == 0 && S_ISLNK(st.st_mode), "the link is still a link");
	ok(stat(target, &st) == 0 && (st.st_mode & 07777) == 0640, "the mode is kept");
	is_int(file_read(target, &text, NULL), 0, "the target is the new file");
	ok(strstr(text.data, "certificate-authority: pki/ca.crt") != NULL, "a relative path stays relative");
	got = load("theirs");
	is_str(json_str(got, "users[0].user.token", NULL), "00123456789012345678901", "a token of digits keeps every digit");
	is_str(json_str(got, "users[0].name", NULL), "007", "a name of digits is still a text");
	is_int(json_int(got, "clusters[0].cluster.extensions[0].extension.n", 0), 7, "extensions are kept");
	is_str(json_str(got, "future.a[1]", NULL), "x", "unknown fields are kept");
	is_str(json_str(got, "current-context", NULL), "prod", "the current context stays");
	is_str(json_str(got, "contexts[0].name", NULL), "a", "ours is added to a list that was null");
}

static void test_bad_file(void)
{
	autofree char *file = path_join(dir, "bad");
	autojson json *a = named("a", "https://a");
	auto(buf) struct buf text = BUF_INIT(1 << 20);
	struct err err = { 0 };

	put("bad", "clusters: [\n", 0600);
	is_int(kubeconfig_merge(file, a, false, &err), -EINVAL, "a broken file is not merged into (%s)", err.msg);
	is_int(file_read(file, &text, NULL), 0, "it is still there");
	is_str(text.data, "clusters: [\n", "and as it was");
}

/* ---- lock ---- */

static void test_lock(void)
{
	autofree char *file = path_join(dir, "locked"), *path = xasprintf("%s.lock", file);
	struct lockfile a = { 0 }, b = { 0 };
	struct err err = { 0 };
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0);

	is_int(lockfile_take(file, loop_deadline(60), &a, &err), -EBUSY, "another program's lock is respected");
	ok(strstr(err.msg, "locked.lock") != NULL, "and named: %s", err.msg);
	close(fd);
	(void)unlink(path);
	is_int(lockfile_take(file, 0, &a, NULL), 0, "a free lock is taken");
	is_int(lockfile_take(file, loop_deadline(60), &b, &err), -EBUSY, "a second taker waits in vain");
	lockfile_done(&a);
	ok(!file_exists(path), "a released lock is gone");
	put("locked.lock", "firestream\n", 0600);
	is_int(lockfile_take(file, 0, &a, NULL), 0, "what a killed Firestream left is taken over");
	is_int(lockfile_take(file, 0, &b, NULL), -EBUSY, "by one only");
	lockfile_done(&a);
	ok(!file_exists(path), "and removed");
	is_int(lockfile_take("/nonexistent/x", 0, &a, &err), -ENOENT, "without a directory there is no lock: %s", err.msg);
}

/* Eight processes add a cluster each to one file; one is killed while it holds the lock. */
static void test_crowd(void)
{
	autofree char *file = path_join(dir, "crowd");
	autojson json *got = NULL;
	int bad = 0, status;

	for (int i = 0; i < 8; i++)
		if (fork() == 0) {
			autofree char *name = xasprintf("c%d", i);
			autojson json *config = named(name, "https://c");
			struct lockfile l;

			if (i == 0 && lockfile_take(file, loop_deadline(5000), &l, NULL) == 0)
				_exit(0);
			_exit(kubeconfig_merge(file, config, false, NULL) ? 1 : 0);
		}
	while (wait(&status) > 0)
		bad += status != 0;
	is_int(bad, 0, "no writer in a crowd fails, although one dies with the lock");
	got = load("crowd");
	is_int(cJSON_GetArraySize(json_get(got, "clusters")), 7, "nobody's cluster is lost");
}

static void test_path(void)
{
	autofree char *a = NULL, *b = NULL;

	setenv("KUBECONFIG", ":/k/one:/k/two", 1);
	setenv("HOME", "/home/dev", 1);
	a = kubeconfig_path();
	is_str(a, "/k/one", "the first file of KUBECONFIG is ours");
	unsetenv("KUBECONFIG");
	b = kubeconfig_path();
	is_str(b, "/home/dev/.kube/config", "otherwise the one in the home");
}

int main(void)
{
	if (!mkdtemp(dir))
		return 1;
	test_endpoints();
	test_k3s_identity();
	test_broken();
	test_rename();
	test_merge();
	test_foreign();
	test_bad_file();
	test_lock();
	test_crowd();
	test_path();
	(void)!file_remove_tree(dir, NULL);
	return tap_done();
}
