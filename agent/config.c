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
} texts[] = {
	{ "kubeconfig", NULL, offsetof(struct config, kubeconfig) },
	{ "cluster_domain", "cluster.local", offsetof(struct config, cluster_domain) },
	{ "namespace", "default", offsetof(struct config, namespace) },
	{ "state_dir", "/var/lib/firestream/agent", offsetof(struct config, state_dir) },
	{ "socket", "/run/firestream/agent.sock", offsetof(struct config, socket) },
	{ "log", "/var/log/firestream-agent.log", offsetof(struct config, log) },
	{ "resolv_conf", "/etc/resolv.conf", offsetof(struct config, resolv_conf) },
};

static int texts_read(const json *j, struct config *c, struct err *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		const char *v = json_str(j, texts[i].key, texts[i].def);

		if (!v || !*v)
			return err_set(err, -EINVAL, "\"%s\" is missing", texts[i].key);
		*(char **)(void *)((char *)c + texts[i].offset) = xstrdup(v);
	}
	if (!str_is_subdomain(c->cluster_domain) || dns_name_parse(c->cluster_domain, &c->domain))
		return err_set(err, -EINVAL, "cluster_domain: \"%s\" is no DNS name", c->cluster_domain);
	if (!str_is_label(c->namespace))
		return err_set(err, -EINVAL, "namespace: \"%s\" is no DNS label", c->namespace);
	return 0;
}

/* A comma list or an array of strings → strings, trimmed. */
static void list_read(const json *j, const char *key, struct strv *ret)
{
	const json *array = json_get(j, key);
	struct str rest = str_from(json_str(j, key, "")), field;

	while (str_split(&rest, ',', &field)) {
		field = str_trim(field);
		if (field.len)
			strv_addf(ret, "%.*s", STR_ARG(field));
	}
	if (cJSON_IsArray(array))
		json_each(e, array)
			if (cJSON_IsString(e))
				strv_add(ret, e->valuestring);
}

static int list_check(const struct strv *l, const char *key, struct err *err)
{
	if (!l->n)
		return err_set(err, -EINVAL, "\"%s\" is missing", key);
	if (l->n > CONFIG_LIST_MAX)
		return err_set(err, -EINVAL, "\"%s\": at most %d entries", key, CONFIG_LIST_MAX);
	return 0;
}

static int prefixes_read(const json *j, const char *key, struct prefixes *ret, struct err *err)
{
	auto(strv) struct strv l = { 0 };
	int r;

	list_read(j, key, &l);
	r = list_check(&l, key, err);
	for (size_t i = 0; !r && i < l.n; i++, ret->n++)
		if (prefix_parse(l.v[i], &ret->v[i]) || !ret->v[i].len)
			r = err_set(err, -EINVAL, "\"%s\": \"%s\" is no network like 10.42.0.0/16", key, l.v[i]);
	return r;
}

static int addresses_read(const json *j, struct config *c, struct err *err)
{
	auto(strv) struct strv l = { 0 };
	int r;

	list_read(j, "dns", &l);
	r = list_check(&l, "dns", err);
	for (size_t i = 0; !r && i < l.n; i++, c->dns_count++)
		if (hostport_parse(l.v[i], 53, &c->dns[i]))
			r = err_set(err, -EINVAL, "\"dns\": \"%s\" is no address", l.v[i]);
	if (r)
		return r;
	if (hostport_parse(json_str(j, "listen", LISTEN_DEFAULT), 53, &c->listen) || !addr_is_loopback(&c->listen.addr))
		return err_set(err, -EINVAL, "\"listen\": \"%s\" is no loopback address", json_str(j, "listen", ""));
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

static int metrics_read(const json *j, struct config *c, struct err *err)
{
	const char *text = json_str(j, "metrics", "");

	if (!json_is(j, "metrics"))
		return 0;
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
	int r = j ? texts_read(j, &c, err) : -EINVAL;

	if (!r)
		r = prefixes_read(j, "pod_cidr", &c.pods, err);
	if (!r)
		r = prefixes_read(j, "service_cidr", &c.services, err);
	if (!r)
		r = addresses_read(j, &c, err);
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
