/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/config.h"

#include <errno.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

/* Why 127.0.53.53: loopback, so that nobody outside can ask; 127.0.0.11 is Docker's resolver, 127.0.0.53 and .54 are
 * systemd-resolved's, 127.0.1.1 Debian's host name and NetworkManager's dnsmasq, 127.1.27.x kubefwd's. */
#define LISTEN_DEFAULT "127.0.53.53"
#define METRICS_PORT 9153
#define STALE_DEFAULT_S 30
#define STALE_MAX_S 86400

static const struct {
	const char *key, *def;		/* def NULL: required */
	size_t offset;
	bool is_path;			/* absolute: the daemon leaves the directory that it was called in */
} texts[] = {
	{ "kubeconfig", NULL, offsetof(struct config, kubeconfig), true },
	{ "cluster_domain", "cluster.local", offsetof(struct config, cluster_domain), false },
	{ "namespace", "default", offsetof(struct config, namespace), false },
	{ "state_dir", "/var/lib/firestream/agent", offsetof(struct config, state_dir), true },
	{ "socket", "/run/firestream/agent.sock", offsetof(struct config, socket), true },
	{ "log", "/var/log/firestream-agent.log", offsetof(struct config, log), true },
	{ "resolv_conf", "/etc/resolv.conf", offsetof(struct config, resolv_conf), true },
};

/* A newer bootstrap brings its own agent: what this one does not know is a mistake. */
static int keys_check(const json *j, struct err *err)
{
	static const char *const others[] = { "pod_cidr", "service_cidr", "dns", "listen", "metrics", "stale", "mode" };
	const char *known[ARRAY_SIZE(texts) + ARRAY_SIZE(others)];
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		known[n++] = texts[i].key;
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		known[n++] = others[i];
	json_each(e, j) {
		const char *near;
		bool found = !e->string;

		for (size_t i = 0; i < n && !found; i++)
			found = streq(e->string, known[i]);
		if (found)
			continue;
		near = str_nearest(e->string, known, n);
		return err_set(err, -EINVAL, "\"%s\" is no key%s%s%s", e->string, near ? "; did you mean \"" : "", near ? near : "",
			       near ? "\"?" : "");
	}
	return 0;
}

/* A key's text; the default where the key is absent; NULL with a sentence where it is something else. */
static const char *text_read(const json *j, const char *key, const char *def, struct err *err)
{
	const char *v = json_str(j, key, json_is(j, key) ? NULL : def);

	if (!v || !*v)
		(void)err_set(err, -EINVAL, json_is(j, key) ? "\"%s\": a text is expected" : "\"%s\" is missing", key);
	return v && *v ? v : NULL;
}

static int texts_read(const json *j, struct config *c, struct err *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		const char *v = text_read(j, texts[i].key, texts[i].def, err);

		if (!v)
			return -EINVAL;
		if (texts[i].is_path && *v != '/')
			return err_set(err, -EINVAL, "\"%s\": \"%s\" is no absolute path", texts[i].key, v);
		*(char **)(void *)((char *)c + texts[i].offset) = xstrdup(v);
	}
	if (!str_is_subdomain(c->cluster_domain) || dns_name_parse(c->cluster_domain, &c->domain))
		return err_set(err, -EINVAL, "cluster_domain: \"%s\" is no DNS name", c->cluster_domain);
	if (!str_is_label(c->namespace))
		return err_set(err, -EINVAL, "namespace: \"%s\" is no DNS label", c->namespace);
	return 0;
}

/* A comma list or an array of strings → strings, trimmed. -EINVAL where it is something else. */
static int list_split(const json *j, const char *key, struct strv *ret)
{
	const json *list = json_get(j, key);
	struct str rest = str_from(json_str(j, key, "")), field;

	while (str_split(&rest, ',', &field)) {
		field = str_trim(field);
		if (field.len)
			strv_addf(ret, "%.*s", STR_ARG(field));
	}
	if (!cJSON_IsArray(list))
		return !json_is(j, key) || cJSON_IsString(list) ? 0 : -EINVAL;
	json_each(e, list) {
		if (!cJSON_IsString(e))
			return -EINVAL;
		strv_add(ret, e->valuestring);
	}
	return 0;
}

static int list_read(const json *j, const char *key, struct strv *l, struct err *err)
{
	if (list_split(j, key, l))
		return err_set(err, -EINVAL, "\"%s\": a text, or a list of texts, is expected", key);
	if (!l->n)
		return err_set(err, -EINVAL, "\"%s\" is missing", key);
	if (l->n > CONFIG_LIST_MAX)
		return err_set(err, -EINVAL, "\"%s\": at most %d entries", key, CONFIG_LIST_MAX);
	return 0;
}

static int prefixes_read(const json *j, const char *key, struct prefixes *ret, struct err *err)
{
	auto(strv) struct strv l = { 0 };
	int r = list_read(j, key, &l, err);

	for (size_t i = 0; !r && i < l.n; i++, ret->n++)
		if (prefix_parse(l.v[i], &ret->v[i]) || !ret->v[i].len)
			r = err_set(err, -EINVAL, "\"%s\": \"%s\" is no network like 10.42.0.0/16", key, l.v[i]);
	return r;
}

static int addresses_read(const json *j, struct config *c, struct err *err)
{
	auto(strv) struct strv l = { 0 };
	int r = list_read(j, "dns", &l, err);
	for (size_t i = 0; !r && i < l.n; i++, c->dns_count++)
		if (hostport_parse(l.v[i], 53, &c->dns[i]))
			r = err_set(err, -EINVAL, "\"dns\": \"%s\" is no address", l.v[i]);
	return r;
}

static int listen_read(const json *j, struct config *c, struct err *err)
{
	const char *text = text_read(j, "listen", LISTEN_DEFAULT, err);

	if (!text)
		return -EINVAL;
	if (hostport_parse(text, 53, &c->listen) || !addr_is_loopback(&c->listen.addr))
		return err_set(err, -EINVAL, "\"listen\": \"%s\" is no loopback address", text);
	return 0;
}

static int numbers_read(const json *j, struct config *c, struct err *err)
{
	int64_t stale = json_int(j, "stale", STALE_DEFAULT_S);

	if (stale < 0 || stale > STALE_MAX_S || (json_is(j, "stale") && !cJSON_IsNumber(json_get(j, "stale"))))
		return err_set(err, -EINVAL, "\"stale\": seconds from 0 to %d are expected", STALE_MAX_S);
	c->stale_ms = (uint64_t)stale * 1000;
	return 0;
}

static int mode_read(const json *j, struct config *c, struct err *err)
{
	static const char *const names[] = { [CONFIG_ROUTE] = "route", [CONFIG_FORWARD] = "forward", [CONFIG_AUTO] = "auto" };
	const char *text = text_read(j, "mode", "route", err);

	if (!text)
		return -EINVAL;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (streq(text, names[i])) {
			c->mode = (enum config_mode)i;
			return 0;
		}
	}
	return err_set(err, -EINVAL, "\"mode\": \"%s\" is none of route, forward and auto", text);
}

static int metrics_read(const json *j, struct config *c, struct err *err)
{
	const char *text;

	if (!json_is(j, "metrics"))
		return 0;
	text = text_read(j, "metrics", NULL, err);
	if (!text)
		return -EINVAL;
	if (hostport_parse(text, METRICS_PORT, &c->metrics) || !addr_is_loopback(&c->metrics.addr) || !c->metrics.port)
		return err_set(err, -EINVAL, "\"metrics\": \"%s\" is no loopback address like 127.0.0.1:%d", text, METRICS_PORT);
	return 0;
}

static void digest_make(const void *p, size_t n, struct config *c)
{
	struct hash *h = hash_new();

	hash_add(h, p, n);
	hash_hex(h, c->digest);
}

int config_parse(const void *p, size_t n, struct config *ret, struct err *err)
{
	struct config c = { 0 };
	autojson json *j = json_parse(p, n, err);
	int r = j ? keys_check(j, err) : -EINVAL;

	if (!r)
		r = texts_read(j, &c, err);
	if (!r)
		r = mode_read(j, &c, err);
	if (!r && (c.mode != CONFIG_FORWARD || json_is(j, "pod_cidr")))	/* where nodes have no networks of their own, nothing says it */
		r = prefixes_read(j, "pod_cidr", &c.pods, err);
	if (!r)
		r = prefixes_read(j, "service_cidr", &c.services, err);
	if (!r)
		r = addresses_read(j, &c, err);
	if (!r)
		r = listen_read(j, &c, err);
	if (!r)
		r = metrics_read(j, &c, err);
	if (!r)
		r = numbers_read(j, &c, err);
	if (r) {
		config_done(&c);
		return r;
	}
	digest_make(p, n, &c);
	*ret = c;
	return 0;
}

int config_load(const char *path, struct config *ret, struct err *err)
{
	auto(buf) struct buf text = BUF_INIT(1 << 20);
	int r = file_read(path, &text, err);

	if (r)
		return r;
	r = config_parse(buf_str(&text), text.len, ret, err);
	return r ? err_wrap(err, r, "%s", path) : 0;
}

void config_done(struct config *c)
{
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		free(*(char **)(void *)((char *)c + texts[i].offset));
	*c = (struct config){ 0 };
}

bool prefixes_contain(const struct prefixes *l, const struct addr *a)
{
	for (size_t i = 0; i < l->n; i++)
		if (prefix_contains(&l->v[i], a))
			return true;
	return false;
}

bool prefixes_cover(const struct prefixes *l, const struct prefix *p)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->v[i].len <= p->len && prefix_contains(&l->v[i], &p->addr))
			return true;
	return false;
}
