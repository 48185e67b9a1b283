/* SPDX-License-Identifier: Apache-2.0 */
#include "boot/hostpkg.h"

#include <errno.h>
#include <sys/stat.h>

#include "base/child.h"
#include "base/file.h"
#include "base/mem.h"
#include "tests/tap.h"

static char dir[] = "/tmp/test_hostpkg.XXXXXX";

static void test_apt(void)
{
	static const struct {
		const char *what, *text;
		bool deb822;
		const char *main, *security;
		bool updates, trusted;
	} cases[] = {
		{ "one line each", "deb http://m.example/debian bookworm main contrib\ndeb http://s.example/sec bookworm-security main\n", false,
		  "http://m.example/debian", "http://s.example/sec", false, false },
		{ "options and comments", "# deb http://x/ bookworm main\ndeb [arch=amd64 trusted=yes] https://m.example/d bookworm main # us\n", false,
		  "https://m.example/d", NULL, false, true },
		{ "foreign archives are not the distribution's", "deb http://d.example/linux bookworm stable\ndeb http://p.example bookworm-pgdg main\n", false,
		  NULL, NULL, false, false },
		{ "sources are no packages", "deb-src http://m.example/debian bookworm main\n", false, NULL, NULL, false, false },
		{ "local ones mean nothing elsewhere", "deb file:/srv/debian bookworm main\ndeb http://localhost:3142/debian bookworm main\n", false,
		  NULL, NULL, false, false },
		{ "the first wins", "deb http://a.example bookworm main\ndeb http://b.example bookworm main\n", false, "http://a.example", NULL, false, false },
		{ "stanzas", "Types: deb deb-src\nURIs: http://m.example/debian\nSuites: bookworm bookworm-updates\nComponents: main\n"
			     "Signed-By: /x\n\n\nTypes: deb\nURIs: http://m.example/sec\nSuites: bookworm-security\nComponents: main\n", true,
		  "http://m.example/debian", "http://m.example/sec", true, false },
		{ "stanzas with continued fields", "Types: deb\n# no\nURIs:\n http://m.example/debian\nSuites:\n bookworm\n bookworm-updates\n"
						   "Components: main\nTrusted: yes", true, "http://m.example/debian", NULL, true, true },
		{ "a disabled stanza", "Types: deb\nURIs: http://m.example\nSuites: bookworm\nComponents: main\nEnabled: no\n", true, NULL, NULL, false, false },
		{ "an address that a shell could mistake", "deb http://m.example/$(id) bookworm main\n", false, NULL, NULL, false, false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct apt_mirror m = { 0 };

		hostpkg_apt_sources(cases[i].text, cases[i].deb822, "bookworm", &m);
		ok(streq(m.main, cases[i].main) && streq(m.security, cases[i].security) && m.updates == cases[i].updates &&
		   m.trusted == cases[i].trusted, "apt: %s", cases[i].what);
		free(m.main);
		free(m.security);
	}
}

static void test_apt_config(void)
{
	auto(strv) struct strv lines = { 0 };
	autofree char *got = NULL;

	hostpkg_apt_config("APT \"\";\nAcquire::http::Proxy \"http://proxy.example:3128\";\nAcquire::https::Proxy \"http://127.0.0.1:1\";\n"
			   "Acquire::https::CAInfo \"/etc/x.pem\";\nAcquire::Check-Valid-Until \"false\";\nAcquire::http::Timeout \"\";\n", &lines);
	got = strv_join(&lines, " ");
	is_str(got, "Acquire::http::Proxy \"http://proxy.example:3128\"; Acquire::Check-Valid-Until \"false\";",
	       "of apt's configuration only what holds in a container is taken");
}

static void test_pip(void)
{
	auto(strv) struct strv env = { 0 };
	autofree char *got = NULL;

	strv_add(&env, "PIP_PROXY=kept");
	hostpkg_pip("[global]\nindex-url = https://u:p@pip.example/simple # not a comment here\n# c\nextra-index-url =\n  https://a.example/s\n"
		    "  https://b.example/s\nproxy = other\nfind-links = /opt/wheels\ncert = /x\n[freeze]\ntimeout = 10\n[install]\ntrusted-host: a.example\n",
		    &env);
	got = strv_join(&env, "|");
	is_str(got, "PIP_PROXY=kept|PIP_INDEX_URL=https://u:p@pip.example/simple # not a comment here|"
		    "UV_DEFAULT_INDEX=https://u:p@pip.example/simple # not a comment here|"
		    "PIP_EXTRA_INDEX_URL=https://a.example/s https://b.example/s|UV_EXTRA_INDEX_URL=https://a.example/s https://b.example/s|"
		    "PIP_TRUSTED_HOST=a.example|UV_INSECURE_HOST=a.example",
	       "pip.conf becomes variables, what is set already stays");
}

static void test_npm(void)
{
	autofree char *got = NULL, *none = NULL;

	setenv("TEST_NPM_TOKEN", "t0k", 1);
	got = hostpkg_npmrc("registry = https://npm.example/\n@us:registry=https://us.example\n//npm.example/:_authToken=${TEST_NPM_TOKEN}\n"
			    "//npm.example/:certfile=/home/x\ncafile=/etc/x\nfund=false\n; c\n");
	is_str(got, "registry=https://npm.example/\n@us:registry=https://us.example\n//npm.example/:_authToken=t0k\n",
	       "of .npmrc registries and tokens are taken, variables replaced");
	none = hostpkg_npmrc("fund=false\n");
	ok(!none, "and nothing when there are none");
}

static void put(const char *path, const char *text)
{
	autofree char *full = xasprintf("%s/%s", dir, path);
	autofree char *parent = path_dirname(full);

	(void)!file_mkdirs(parent, 0755, NULL);
	(void)!file_write(full, text, strlen(text), 0600, NULL);
}

static int to_buf(void *arg, const void *p, size_t n)
{
	buf_add(arg, p, n);
	return 0;
}

static void test_load(struct hostpkg *h)
{
	autofree char *home = xasprintf("%s/home", dir);

	put("etc/os-release", "ID=debian\nVERSION_CODENAME=\"bookworm\"\n");
	put("etc/apt/sources.list", "deb http://m.example/debian bookworm main\n");
	put("etc/apt/auth.conf.d/a.conf", "machine m.example login u password p\n");
	put("etc/pip.conf", "[global]\nindex-url = https://pip.example/simple\n");
	put("home/.netrc", "machine n.example login u password p\n");
	put("home/.m2/settings.xml", "<settings/>\n");
	put("home/.config/go/env", "GOPROXY=https://go.example,direct\nGOFLAGS=-modcacherw\nGOTOOLCHAIN=local\n");
	put("usr/local/share/ca-certificates/a.crt",
	    "text\n-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n-----BEGIN PRIVATE KEY-----\nS\n-----END PRIVATE KEY-----\n");
	put("usr/local/share/ca-certificates/b.crt", "-----BEGIN CERTIFICATE-----\nBBBB\n-----END CERTIFICATE-----");
	unsetenv("GOPROXY");
	unsetenv("GOFLAGS");
	unsetenv("PIP_INDEX_URL");
	setenv("https_proxy", "http://it's.example:1", 1);
	setenv("http_proxy", "http://localhost:1", 1);
	hostpkg_load(NULL, dir, home, h);
	is_str(h->distribution, "debian", "the distribution is known");
	is_str(h->mirror.main, "http://m.example/debian", "its mirror too");
	ok(strv_has(&h->env, "GOPROXY=https://go.example,direct") && strv_has(&h->env, "PIP_INDEX_URL=https://pip.example/simple"),
	   "so are indexes");
	ok(strv_has(&h->env, "https_proxy=http://it's.example:1") && !hostpkg_proxy(h), "a proxy counts, unless it is on this machine");
	is_str(h->ca_pem, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n-----BEGIN CERTIFICATE-----\nBBBB\n-----END CERTIFICATE-----\n",
	       "of CA files only certificates are taken");
}

/* Runs SHELL .host/run sh -c SCRIPT in a home of its own; exit status, output in out. */
static int host_run(struct loop *l, const char *const *shell, const char *script, struct buf *out)
{
	autofree char *run = xasprintf("%s/x/.host/run", dir), *home = xasprintf("HOME=%s/box", dir);
	const char *argv[12] = { "env", "-i", "PATH=/usr/bin:/bin:/usr/sbin:/sbin", "GOFLAGS=-trimpath", home };
	size_t n = 5;
	struct child_spec spec = { .argv = argv, .in = -1, .out = -1, .err = -1 };

	for (; *shell; shell++)
		argv[n++] = *shell;
	argv[n++] = run;
	argv[n++] = "sh";
	argv[n++] = "-c";
	argv[n++] = script;
	argv[n] = NULL;
	buf_reset(out);
	return child_run(l, &spec, out, NULL, NULL, loop_deadline(20000), NULL);
}

static void test_run(struct loop *l, const struct hostpkg *h, const char *script, const char *const *shell)
{
	auto(buf) struct buf tar = BUF_INIT(1 << 20), out = BUF_INIT(65536);
	autofree char *file = path_join(dir, "x.tar"), *to = path_join(dir, "x"), *netrc = path_join(dir, "box/.netrc"),
		      *maven = path_join(dir, "box/.m2"), *box = path_join(dir, "box");
	struct tar *t = tar_new(to_buf, &tar);
	struct err err = { 0 };

	is_int(hostpkg_fill(h, t, ".host", script, &err), 0, "it is written as a folder %s", err.msg);
	(void)!tar_end(t, NULL);
	(void)!file_write(file, tar.data, tar.len, 0600, NULL);
	is_int(tar_extract(file, to, &err), 0, "which unpacks %s", err.msg);
	(void)!file_mkdirs(box, 0755, NULL);
	put("box/.netrc", "mine\n");
	is_int(host_run(l, shell, "echo $GOPROXY $GOFLAGS \"$https_proxy\" $PIP_INDEX_URL; cat ~/.netrc ~/.m2/settings.xml; exit 7", &out), 7,
	       "%s: a command's status is passed on", shell[0]);
	is_str(buf_str(&out), "https://go.example,direct -trimpath -modcacherw http://it's.example:1 https://pip.example/simple\n"
			      "machine n.example login u password p\n<settings/>\n", "%s: the command sees the configuration", shell[0]);
	buf_reset(&out);
	(void)!file_read(netrc, &out, NULL);
	is_str(buf_str(&out), "mine\n", "%s: what lay there before is back afterwards", shell[0]);
	ok(!file_exists(maven), "%s: and nothing else is left", shell[0]);
	if (file_exists("/usr/bin/apt-config") && file_exists("/etc/debian_version")) {
		host_run(l, shell, "apt-config dump | grep -c ^Dir::Etc::netrc; test -z \"$APT_CONFIG\" || cat \"$APT_CONFIG\"", &out);
		ok(strstr(buf_str(&out), "apt-auth.conf"), "%s: apt has its credentials", shell[0]);
	}
	(void)!file_remove_tree(to, NULL);
	(void)!file_remove_tree(box, NULL);
}

int main(void)
{
	static const char *const sh[] = { "sh", NULL }, *const busybox[] = { "busybox", "sh", NULL };
	auto(buf) struct buf script = BUF_INIT(65536);
	struct loop *l = loop_new(LOOP_DEFAULT);
	struct hostpkg h;
	struct err err = { 0 };

	if (!mkdtemp(dir))
		return 1;
	test_apt();
	test_apt_config();
	test_pip();
	test_npm();
	test_load(&h);
	ok(file_read("templates/host-run.sh", &script, &err) == 0, "the script is there %s", err.msg);
	test_run(l, &h, buf_str(&script), sh);
	if (file_exists("/bin/busybox") || file_exists("/usr/bin/busybox"))
		test_run(l, &h, buf_str(&script), busybox);
	else
		ok(true, "busybox sh # SKIP not installed");
	hostpkg_done(&h);
	loop_free(l);
	(void)!file_remove_tree(dir, NULL);
	return tap_done();
}
