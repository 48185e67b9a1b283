/* SPDX-License-Identifier: Apache-2.0 */
#include "boot/hostpkg.h"

#include <ctype.h>
#include <errno.h>
#include <glob.h>
#include <strings.h>

#include "base/child.h"
#include "base/file.h"
#include "base/mem.h"

#define TEXT_MAX (1u << 20)
#define APT_CONFIG_MS 5000

/* The file's text, or NULL. Caller owns. */
static char *text_read(const char *path)
{
	struct buf b = BUF_INIT(TEXT_MAX);

	if (!file_exists(path) || file_read(path, &b, NULL) < 0 || !b.len) {
		buf_done(&b);
		return NULL;
	}
	return buf_steal(&b);
}

static char *text_read_at(const char *root, const char *rest)
{
	autofree char *path = xasprintf("%s%s", root, rest);

	return text_read(path);
}

/* Texts of all files that match, one after the other; NULL when there are none. */
static char *texts_read(const char *root, const char *pattern)
{
	autofree char *path = xasprintf("%s%s", root, pattern);
	struct buf all = BUF_INIT(TEXT_MAX);
	glob_t g = { 0 };

	if (glob(path, GLOB_BRACE, NULL, &g) == 0)
		for (size_t i = 0; i < g.gl_pathc; i++) {
			autofree char *text = text_read(g.gl_pathv[i]);

			buf_adds(&all, text ? text : "");
			if (all.len && all.data[all.len - 1] != '\n')
				buf_addc(&all, '\n');
		}
	globfree(&g);
	if (all.len && buf_ok(&all))
		return buf_steal(&all);
	buf_done(&all);
	return NULL;
}

/* ---- environment ---- */

static bool env_has(const struct strv *env, const char *name)
{
	size_t n = strlen(name);

	for (size_t i = 0; i < env->n; i++)
		if (strncmp(env->v[i], name, n) == 0 && env->v[i][n] == '=')
			return true;
	return false;
}

static void env_add(struct strv *env, const char *name, struct str value)
{
	if (value.len && !env_has(env, name) && !memchr(value.p, '\n', value.len))
		strv_addf(env, "%s=%.*s", name, STR_ARG(value));
}

/* On this machine only: means nothing in a container. */
static bool url_is_local(struct str url)
{
	static const char *const hosts[] = { "localhost", "127.", "[::1]", "::1" };
	const char *slashes = memmem(url.p, url.len, "://", 3);
	struct str rest = url;
	const char *at;

	if (slashes)
		rest = (struct str){ slashes + 3, url.len - (size_t)(slashes + 3 - url.p) };
	at = memchr(rest.p, '@', rest.len);
	if (at)
		rest = (struct str){ at + 1, rest.len - (size_t)(at + 1 - rest.p) };
	for (size_t i = 0; i < ARRAY_SIZE(hosts); i++)
		if (rest.len >= strlen(hosts[i]) && strncasecmp(rest.p, hosts[i], strlen(hosts[i])) == 0)
			return true;
	return str_starts(url.p, "file:") || (url.len && url.p[0] == '/');
}

static void env_collect(struct strv *env)
{
	static const char *const proxies[] = { "http_proxy", "https_proxy", "ftp_proxy", "all_proxy",
					       "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY" };
	static const char *const plain[] = {
		"no_proxy", "NO_PROXY", "GONOSUMDB",	    "GOPRIVATE",	"GONOPROXY",	      "GOINSECURE",
		"GOSUMDB",  "GOFLAGS",	"PIP_TRUSTED_HOST", "UV_INSECURE_HOST", "PIP_DEFAULT_TIMEOUT"
	};
	static const char *const urls[] = { "GOPROXY",	 "PIP_INDEX_URL",     "PIP_EXTRA_INDEX_URL",
					    "PIP_PROXY", "UV_DEFAULT_INDEX",  "UV_INDEX_URL",
					    "UV_INDEX",	 "UV_EXTRA_INDEX_URL" };
	const char *v;

	for (size_t i = 0; i < ARRAY_SIZE(proxies); i++)
		if ((v = getenv(proxies[i])) && !url_is_local(str_from(v)))
			env_add(env, proxies[i], str_from(v));
	for (size_t i = 0; i < ARRAY_SIZE(plain); i++)
		if ((v = getenv(plain[i])))
			env_add(env, plain[i], str_from(v));
	for (size_t i = 0; i < ARRAY_SIZE(urls); i++)
		if ((v = getenv(urls[i])) && !url_is_local(str_from(v)))
			env_add(env, urls[i], str_from(v));
}

/* `go env -w` keeps its settings in a file of NAME=value lines. */
static void env_go(const char *text, struct strv *env)
{
	static const char *const names[] = { "GOPROXY",	   "GONOSUMDB", "GOPRIVATE", "GONOPROXY",
					     "GOINSECURE", "GOSUMDB",	"GOFLAGS" };
	struct str rest = str_from(text), line;

	while (str_split(&rest, '\n', &line))
		for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
			size_t n = strlen(names[i]);

			if (line.len > n && strncmp(line.p, names[i], n) == 0 && line.p[n] == '=')
				env_add(env, names[i], str_trim((struct str){ line.p + n + 1, line.len - n - 1 }));
		}
}

/* ---- pip ---- */

static const struct pip_key {
	const char *key, *pip, *uv;
	bool url;
} pip_keys[] = {
	{ "index-url", "PIP_INDEX_URL", "UV_DEFAULT_INDEX", true },
	{ "extra-index-url", "PIP_EXTRA_INDEX_URL", "UV_EXTRA_INDEX_URL", true },
	{ "trusted-host", "PIP_TRUSTED_HOST", "UV_INSECURE_HOST", false },
	{ "proxy", "PIP_PROXY", NULL, true },
	{ "timeout", "PIP_DEFAULT_TIMEOUT", NULL, false },
	{ "retries", "PIP_RETRIES", NULL, false },
};

static void pip_set(struct str key, const struct strv *words, struct strv *env)
{
	autofree char *value = strv_join(words, " ");

	for (size_t i = 0; i < ARRAY_SIZE(pip_keys); i++) {
		const struct pip_key *k = &pip_keys[i];

		if (!str_eq(key, k->key) || (k->url && url_is_local(str_from(value))))
			continue;
		env_add(env, k->pip, str_from(value));
		if (k->uv)
			env_add(env, k->uv, str_from(value));
	}
}

static void words_add(struct strv *words, struct str s)
{
	size_t n;

	for (s = str_trim(s); s.len; s = str_trim((struct str){ s.p + n, s.len - n })) {
		for (n = 0; n < s.len && !isspace((unsigned char)s.p[n]); n++)
			;
		strv_take(words, xstrndup(s.p, n));
	}
}

void hostpkg_pip(const char *text, struct strv *env)
{
	struct str rest = str_from(text), line, key = { 0 };
	struct strv words = { 0 };
	bool wanted = false;

	while (str_split(&rest, '\n', &line)) {
		bool continued = line.len && isspace((unsigned char)line.p[0]) && key.len;
		size_t eq = 0;

		if (!line.len || line.p[0] == '#' || line.p[0] == ';')
			continue;
		if (continued) {
			words_add(&words, line);
			continue;
		}
		if (key.len)
			pip_set(key, &words, env);
		strv_done(&words);
		key = (struct str){ 0 };
		line = str_trim(line);
		if (line.len && line.p[0] == '[') {
			wanted = str_eq(line, "[global]") || str_eq(line, "[install]") || str_eq(line, "[download]");
			continue;
		}
		while (eq < line.len && line.p[eq] != '=' && line.p[eq] != ':')
			eq++;
		if (!wanted || eq == line.len)
			continue;
		key = str_trim((struct str){ line.p, eq });
		words_add(&words, (struct str){ line.p + eq + 1, line.len - eq - 1 });
	}
	if (key.len)
		pip_set(key, &words, env);
	strv_done(&words);
}

/* ---- npm ---- */

static bool npm_wants(struct str key)
{
	static const char *const keys[] = { "registry",	  "proxy",	 "https-proxy",	  "http-proxy",	  "noproxy",
					    "strict-ssl", "_auth",	 "_authToken",	  "username",	  "_password",
					    "email",	  "always-auth", "fetch-retries", "fetch-timeout" };

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (str_eq(key, keys[i]))
			return true;
	if (key.len > 2 && key.p[0] == '/' && key.p[1] == '/') /* //registry/:_authToken; certificates by file stay here */
		return !memmem(key.p, key.len, "file", 4);
	return key.len > 10 && key.p[0] == '@' && memmem(key.p, key.len, ":registry", 9);
}

static void npm_value(struct buf *out, struct str v)
{
	while (v.len) {
		const char *close = v.len > 2 && v.p[0] == '$' && v.p[1] == '{' ? memchr(v.p, '}', v.len) : NULL;

		if (close) {
			autofree char *name = xstrndup(v.p + 2, (size_t)(close - v.p) - 2);
			const char *value = getenv(name);

			buf_adds(out, value ? value : "");
			v = (struct str){ close + 1, v.len - (size_t)(close + 1 - v.p) };
			continue;
		}
		buf_addc(out, *v.p);
		v = (struct str){ v.p + 1, v.len - 1 };
	}
}

char *hostpkg_npmrc(const char *text)
{
	struct buf out = BUF_INIT(TEXT_MAX);
	struct str rest = str_from(text), line;

	while (str_split(&rest, '\n', &line)) {
		const char *eq;
		struct str key;

		line = str_trim(line);
		eq = line.len && line.p[0] != '#' && line.p[0] != ';' ? memchr(line.p, '=', line.len) : NULL;
		if (!eq)
			continue;
		key = str_trim((struct str){ line.p, (size_t)(eq - line.p) });
		if (!npm_wants(key))
			continue;
		buf_addf(&out, "%.*s=", STR_ARG(key));
		npm_value(&out, str_trim((struct str){ eq + 1, (size_t)(line.p + line.len - eq) - 1 }));
		buf_addc(&out, '\n');
	}
	if (out.len && buf_ok(&out))
		return buf_steal(&out);
	buf_done(&out);
	return NULL;
}

/* ---- apt ---- */

static bool words_have(const char *list, const char *word)
{
	struct strv words = { 0 };
	bool has;

	words_add(&words, str_from(list));
	has = strv_has(&words, word);
	strv_done(&words);
	return has;
}

/* One source: keeps the first of its kind. */
static void mirror_take(struct apt_mirror *m, const char *uri, const char *suites, const char *components,
			const char *codename, bool trusted)
{
	autofree char *security = xasprintf("%s-security", codename);
	autofree char *updates = xasprintf("%s-updates", codename);

	if ((!str_starts(uri, "http://") && !str_starts(uri, "https://")) || url_is_local(str_from(uri)) ||
	    strpbrk(uri, " \t'\"\\$`"))
		return;
	if (!words_have(components, "main"))
		return;
	if (words_have(suites, codename)) {
		if (!m->main)
			m->main = xstrdup(uri);
		m->trusted |= trusted;
	}
	if (words_have(suites, updates))
		m->updates = true;
	if (words_have(suites, security) && !m->security)
		m->security = xstrdup(uri);
}

/* "deb [options] URI SUITE COMPONENT…" */
static void apt_line(struct str line, const char *codename, struct apt_mirror *m)
{
	autofree char *text = xstrndup(line.p, line.len);
	char *hash = strchr(text, '#'), *open, *close;
	autofree char *components = NULL;
	struct strv words = { 0 };
	bool trusted = false;

	if (hash)
		*hash = '\0';
	open = strchr(text, '[');
	close = open ? strchr(open, ']') : NULL;
	if (close) {
		*close = '\0';
		trusted = strstr(open, "trusted=yes");
		memset(open, ' ', (size_t)(close - open) + 1);
	}
	words_add(&words, str_from(text));
	if (words.n > 3 && streq(words.v[0], "deb")) {
		struct strv rest = { 0 };

		for (size_t i = 3; i < words.n; i++)
			strv_add(&rest, words.v[i]);
		components = strv_join(&rest, " ");
		strv_done(&rest);
		mirror_take(m, words.v[1], words.v[2], components, codename, trusted);
	}
	strv_done(&words);
}

enum { FIELD_TYPES, FIELD_URIS, FIELD_SUITES, FIELD_COMPONENTS, FIELD_ENABLED, FIELD_TRUSTED, FIELDS };

struct stanza {
	char *field[FIELDS];
	int last; /* the field that a continuation line belongs to; -1: another */
};

static void stanza_end(struct stanza *s, const char *codename, struct apt_mirror *m)
{
	char **f = s->field;
	struct strv uris = { 0 };

	if (f[FIELD_TYPES] && f[FIELD_URIS] && f[FIELD_SUITES] && f[FIELD_COMPONENTS] && words_have(f[FIELD_TYPES], "deb") &&
	    !(f[FIELD_ENABLED] && strcasecmp(f[FIELD_ENABLED], "no") == 0)) {
		words_add(&uris, str_from(f[FIELD_URIS]));
		for (size_t i = 0; i < uris.n; i++)
			mirror_take(m, uris.v[i], f[FIELD_SUITES], f[FIELD_COMPONENTS], codename,
				    f[FIELD_TRUSTED] && strcasecmp(f[FIELD_TRUSTED], "yes") == 0);
	}
	strv_done(&uris);
	for (int i = 0; i < FIELDS; i++) {
		free(f[i]);
		f[i] = NULL;
	}
	s->last = -1;
}

static void stanza_line(struct stanza *s, struct str line)
{
	static const char *const names[FIELDS] = { "Types", "URIs", "Suites", "Components", "Enabled", "Trusted" };
	const char *colon;
	struct str value;

	if (isspace((unsigned char)line.p[0])) {
		value = str_trim(line);
		if (s->last >= 0) {
			char *more = xasprintf("%s %.*s", s->field[s->last], STR_ARG(value));

			free(s->field[s->last]);
			s->field[s->last] = more;
		}
		return;
	}
	s->last = -1;
	colon = memchr(line.p, ':', line.len);
	for (int i = 0; colon && i < FIELDS; i++) {
		size_t n = (size_t)(colon - line.p);

		if (n != strlen(names[i]) || strncasecmp(line.p, names[i], n) != 0)
			continue;
		value = str_trim((struct str){ colon + 1, line.len - n - 1 });
		free(s->field[i]);
		s->field[i] = xstrndup(value.p, value.len);
		s->last = i;
	}
}

void hostpkg_apt_sources(const char *text, bool deb822, const char *codename, struct apt_mirror *m)
{
	struct str rest = str_from(text), line;
	struct stanza s = { .last = -1 };

	while (str_split(&rest, '\n', &line)) {
		if (!deb822)
			apt_line(line, codename, m);
		else if (!str_trim(line).len)
			stanza_end(&s, codename, m);
		else if (line.p[0] != '#')
			stanza_line(&s, line);
	}
	stanza_end(&s, codename, m);
}

void hostpkg_apt_config(const char *dump, struct strv *lines)
{
	static const char *const wanted[] = { "Acquire::http::",      "Acquire::https::",
					      "Acquire::Retries ",    "Acquire::Check-Valid-Until ",
					      "Acquire::Check-Date ", "Acquire::ForceIPv4 " };
	static const char *const left_out[] = { "::CAInfo",	   "::CAPath",	   "::SslCert",		"::SslKey",
						"::CrlFile",	   "::IssuerCert", "Proxy-Auto-Detect", "ProxyAutoDetect",
						"::AllowRedirect", "::User-Agent" };
	struct str rest = str_from(dump), line;

	while (str_split(&rest, '\n', &line)) {
		autofree char *text = xstrndup(line.p, line.len);
		char *quote = strchr(text, '"');
		bool take = false;

		for (size_t i = 0; i < ARRAY_SIZE(wanted); i++)
			take |= str_starts(text, wanted[i]);
		for (size_t i = 0; i < ARRAY_SIZE(left_out); i++)
			take &= !strstr(text, left_out[i]);
		if (take && quote && quote[1] != '"' && !url_is_local(str_from(quote + 1)))
			strv_add(lines, text);
	}
}

/* VALUE of NAME= in os-release. Caller owns; "" when absent. */
static char *os_release(const char *text, const char *name)
{
	struct str rest = str_from(text ? text : ""), line;
	size_t n = strlen(name);

	while (str_split(&rest, '\n', &line))
		if (line.len > n && strncmp(line.p, name, n) == 0 && line.p[n] == '=') {
			struct str v = str_trim((struct str){ line.p + n + 1, line.len - n - 1 });

			if (v.len >= 2 && v.p[0] == '"' && v.p[v.len - 1] == '"')
				v = (struct str){ v.p + 1, v.len - 2 };
			return xstrndup(v.p, v.len);
		}
	return xstrdup("");
}

static void apt_load(struct loop *loop, const char *root, struct hostpkg *h)
{
	static const char *const argv[] = { "apt-config", "dump", NULL };
	struct child_spec spec = { .argv = argv, .in = -1, .out = -1, .err = -1 };
	autofree char *release = text_read_at(root, "/etc/os-release");
	autofree char *codename = os_release(release, "VERSION_CODENAME");
	autofree char *list = text_read_at(root, "/etc/apt/sources.list");
	autofree char *lists = texts_read(root, "/etc/apt/sources.list.d/*.list");
	autofree char *sources = texts_read(root, "/etc/apt/sources.list.d/*.sources");
	struct buf dump = BUF_INIT(TEXT_MAX);

	h->distribution = os_release(release, "ID");
	h->apt_auth = texts_read(root, "/etc/apt/auth.conf{,.d/*.conf}");
	if (*codename) {
		hostpkg_apt_sources(list ? list : "", false, codename, &h->mirror);
		hostpkg_apt_sources(lists ? lists : "", false, codename, &h->mirror);
		hostpkg_apt_sources(sources ? sources : "", true, codename, &h->mirror);
	}
	if (loop && child_run(loop, &spec, &dump, NULL, NULL, loop_deadline(APT_CONFIG_MS), NULL) == 0)
		hostpkg_apt_config(buf_str(&dump), &h->apt_conf);
	buf_done(&dump);
}

/* ---- all of it ---- */

static void pip_load(const char *root, const char *home, struct strv *env)
{
	const char *named = getenv("PIP_CONFIG_FILE");
	autofree char *own = named ? text_read(named) : NULL;
	autofree char *user = text_read_at(home, "/.config/pip/pip.conf");
	autofree char *legacy = text_read_at(home, "/.pip/pip.conf");
	autofree char *global = text_read_at(root, "/etc/pip.conf");
	const char *const texts[] = { own, user, legacy, global };

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		if (texts[i])
			hostpkg_pip(texts[i], env);
}

static char *npm_load(const char *root, const char *home)
{
	const char *registry = getenv("npm_config_registry");
	autofree char *global = text_read_at(root, "/etc/npmrc");
	autofree char *user = text_read_at(home, "/.npmrc");
	autofree char *all = NULL;

	if (!registry)
		registry = getenv("NPM_CONFIG_REGISTRY");
	all = xasprintf("%s\n%s\n%s%s\n", global ? global : "", user ? user : "", registry ? "registry=" : "",
			registry ? registry : "");
	return hostpkg_npmrc(all);
}

/* Only the certificates, without comments or keys that lie in the same file; each once, in one order: they are part of image keys, which
 * are to be the same in a dev container, whose image carries them under other names. */
static char *ca_load(const char *root)
{
	static const char begin[] = "-----BEGIN CERTIFICATE-----", end[] = "-----END CERTIFICATE-----";
	autofree char *debian = texts_read(root, "/usr/local/share/ca-certificates/*.crt");
	autofree char *deeper = texts_read(root, "/usr/local/share/ca-certificates/*/*.crt");
	autofree char *fedora = texts_read(root, "/etc/pki/ca-trust/source/anchors/*");
	const char *const texts[] = { debian, deeper, fedora };
	struct strv certs = { 0 };
	char *all;

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		for (const char *p = texts[i], *e; p && (p = strstr(p, begin)) && (e = strstr(p, end)); p = e) {
			e += sizeof(end) - 1;
			autofree char *one = xasprintf("%.*s\n", (int)(e - p), p);

			if (!strv_has(&certs, one))
				strv_add(&certs, one);
		}
	strv_sort(&certs);
	all = certs.n ? strv_join(&certs, "") : NULL;
	strv_done(&certs);
	return all;
}

void hostpkg_load(struct loop *loop, const char *root, const char *home, struct hostpkg *ret)
{
	autofree char *go = text_read_at(home, "/.config/go/env");

	*ret = (struct hostpkg){ 0 };
	env_collect(&ret->env);
	if (go)
		env_go(go, &ret->env);
	pip_load(root, home, &ret->env);
	apt_load(loop, root, ret);
	ret->npmrc = npm_load(root, home);
	ret->netrc = text_read_at(home, "/.netrc");
	ret->maven_settings = text_read_at(home, "/.m2/settings.xml");
	ret->ca_pem = ca_load(root);
}

void hostpkg_done(struct hostpkg *h)
{
	free(h->distribution);
	free(h->mirror.main);
	free(h->mirror.security);
	strv_done(&h->env);
	strv_done(&h->apt_conf);
	free_secret(h->apt_auth);
	free_secret(h->npmrc);
	free_secret(h->netrc);
	free_secret(h->maven_settings);
	free(h->ca_pem);
	*h = (struct hostpkg){ 0 };
}

const char *hostpkg_proxy(const struct hostpkg *h)
{
	static const char *const names[] = { "http_proxy=", "HTTP_PROXY=" };

	for (size_t k = 0; k < ARRAY_SIZE(names); k++)
		for (size_t i = 0; i < h->env.n; i++)
			if (str_starts(h->env.v[i], names[k]))
				return h->env.v[i] + strlen(names[k]);
	return NULL;
}
