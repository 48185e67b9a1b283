/* SPDX-License-Identifier: Apache-2.0 */
/* How it works: each kind is a map of "namespace/name" → object. Slices of a service are also linked in a list, found
 * by "namespace/service" whether or not the service exists. Addresses stand in two chained hash tables, whose links are
 * in the objects. A full list gives its objects a new mark; what carries an older one at its end is dropped. */
#include "net/kube/store.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "base/fnv.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"

#define KEY_MAX 512
#define BUCKETS_MIN 64

struct ip_index {
	struct store_ip **bucket;	/* owned */
	size_t buckets, n;
};

struct space {
	uint64_t version;
	unsigned mark;
};

struct store {
	struct map kind[STORE_KINDS];	/* of struct store_service, store_slice, space; owned */
	struct map by_service;		/* "namespace/service" → its first slice; borrowed */
	struct ip_index services, endpoints;
	unsigned mark[STORE_KINDS];
	bool listed[STORE_KINDS];
	uint64_t generation;
	store_fn notify;
	void *notify_arg;
};

/* ---- the reverse index ------------------------------------------------------------------------------------------- */

static size_t bucket_of(const struct ip_index *x, const struct addr *a)
{
	return fnv_fold(fnv_add(FNV_START, a->b, sizeof(a->b))) & (x->buckets - 1);
}

static void index_grow(struct ip_index *x)
{
	struct ip_index old = *x;

	x->buckets = old.buckets ? old.buckets * 2 : BUCKETS_MIN;
	x->bucket = xcalloc(x->buckets, sizeof(struct store_ip *));
	for (size_t i = 0; i < old.buckets; i++) {
		for (struct store_ip *ip = old.bucket[i], *next; ip; ip = next) {
			size_t k = bucket_of(x, &ip->addr);

			next = ip->next;
			ip->next = x->bucket[k];
			x->bucket[k] = ip;
		}
	}
	free(old.bucket);
}

static void index_add(struct ip_index *x, struct store_ip *ip, void *owner)
{
	size_t k;

	if (x->n >= x->buckets)
		index_grow(x);
	k = bucket_of(x, &ip->addr);
	ip->owner = owner;
	ip->next = x->bucket[k];
	x->bucket[k] = ip;
	x->n++;
}

static void index_del(struct ip_index *x, const struct store_ip *ip)
{
	for (struct store_ip **at = &x->bucket[bucket_of(x, &ip->addr)]; *at; at = &(*at)->next) {
		if (*at == ip) {
			*at = ip->next;
			x->n--;
			return;
		}
	}
}

static const struct store_ip *index_find(const struct ip_index *x, const struct addr *a, const struct store_ip *after)
{
	const struct store_ip *ip = after ? after->next : x->buckets ? x->bucket[bucket_of(x, a)] : NULL;

	while (ip && addr_cmp(&ip->addr, a) != 0)
		ip = ip->next;
	return ip;
}

/* ---- objects out of JSON ----------------------------------------------------------------------------------------- */

static void ports_free(struct store_port *ports, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		free(ports[i].name);
	free(ports);
}

static uint8_t protocol_parse(const char *s)
{
	return streq(s, "TCP") ? IPPROTO_TCP : streq(s, "UDP") ? IPPROTO_UDP : streq(s, "SCTP") ? IPPROTO_SCTP : 0;
}

static unsigned list_length(const json *list)
{
	unsigned n = 0;

	json_each(e, list)
		n++;
	return MIN(n, STORE_LIST_MAX);
}

static struct store_port *ports_parse(const json *list, unsigned *ret_n)
{
	unsigned n = list_length(list), i = 0;
	struct store_port *ports = n ? xcalloc(n, sizeof(*ports)) : NULL;

	json_each(e, list) {
		const char *name = json_str(e, "name", "");
		int64_t number = json_int(e, "port", -1);

		if (i == n)
			break;
		ports[i].name = xstrdup(str_is_label(name) ? name : "");
		ports[i].number = number > 0 && number <= UINT16_MAX ? (int32_t)number : -1;
		ports[i++].protocol = protocol_parse(json_str(e, "protocol", NULL));
	}
	*ret_n = n;
	return ports;
}

static void changed(const struct store *s, const char *ns, const char *service)
{
	if (s->notify && *service)
		s->notify(s->notify_arg, ns, service);
}

static void service_free(struct store *s, struct store_service *v)
{
	changed(s, v->ns, v->name);
	for (unsigned i = 0; i < v->ip_count; i++)
		index_del(&s->services, &v->ips[i]);
	ports_free(v->ports, v->port_count);
	free(v->ips);
	free(v->ns);
	free(v->name);
	free(v->external_name);
	free(v);
}

static enum store_type type_parse(const char *s)
{
	return streq(s, "ExternalName") ? STORE_EXTERNAL_NAME : streq(s, "NodePort") ? STORE_NODE_PORT :
	       streq(s, "LoadBalancer") ? STORE_LOAD_BALANCER : STORE_CLUSTER_IP;
}

static void service_add_ip(struct store *s, struct store_service *v, const char *text)
{
	if (addr_parse(text, &v->ips[v->ip_count].addr) == 0) {
		index_add(&s->services, &v->ips[v->ip_count], v);
		v->ip_count++;
	}
}

static struct store_service *service_parse(struct store *s, const char *ns, const char *name, const json *o)
{
	const json *spec = json_get(o, "spec"), *ips = json_get(spec, "clusterIPs");
	const char *ip = json_str(spec, "clusterIP", ""), *external = json_str(spec, "externalName", "");
	struct store_service *v = xcalloc(1, sizeof(*v));
	unsigned n = list_length(ips), i = 0;

	v->ns = xstrdup(ns);
	v->name = xstrdup(name);
	v->type = type_parse(json_str(spec, "type", NULL));
	v->publish_not_ready = json_bool(spec, "publishNotReadyAddresses", false);
	v->has_selector = list_length(json_get(spec, "selector")) > 0;
	v->by_client = streq(json_str(spec, "sessionAffinity", NULL), "ClientIP");
	changed(s, ns, name);
	v->ports = ports_parse(json_get(spec, "ports"), &v->port_count);
	if (v->type == STORE_EXTERNAL_NAME) {
		v->external_name = xstrdup(external);
		return v;
	}
	v->headless = streq(n ? json_str(ips, "[0]", "") : ip, "None");
	v->ips = xcalloc(MAX(n, 1u), sizeof(*v->ips));
	json_each(e, ips)
		if (i++ < n)
			service_add_ip(s, v, json_str(e, NULL, ""));
	if (!n)
		service_add_ip(s, v, ip);
	return v;
}

static void slice_free(struct store *s, struct store_slice *v)
{
	char key[KEY_MAX];

	changed(s, v->ns, v->service);
	snprintf(key, sizeof(key), "%s/%s", v->ns, v->service);
	if (v->next)
		v->next->prev = v->prev;
	if (v->prev)
		v->prev->next = v->next;
	else if (v->next)
		map_set(&s->by_service, key, v->next);
	else
		map_del(&s->by_service, key);
	for (unsigned i = 0; i < v->endpoint_count; i++)
		index_del(&s->endpoints, &v->endpoints[i].ip);
	ports_free(v->ports, v->port_count);
	free(v->endpoints);
	free(v->text);
	free(v);
}

static void slice_link(struct store *s, struct store_slice *v)
{
	char key[KEY_MAX];

	changed(s, v->ns, v->service);
	snprintf(key, sizeof(key), "%s/%s", v->ns, v->service);
	v->next = map_get(&s->by_service, key);
	if (v->next)
		v->next->prev = v;
	map_set(&s->by_service, key, v);
}

/* The name that an endpoint has itself, or NULL. */
static const char *endpoint_hostname(const json *o)
{
	const char *name = json_str(o, "hostname", NULL);

	return str_is_label(name) ? name : NULL;
}

/* That of its pod, or NULL. A slice made by hand can name a pod of another namespace: that is none of its service. */
static const char *endpoint_pod(const json *o, const char *ns)
{
	const char *name = json_str(o, "targetRef.name", NULL);

	return streq(json_str(o, "targetRef.kind", NULL), "Pod") && streq(json_str(o, "targetRef.namespace", ns), ns) &&
	       str_is_subdomain(name) ? name : NULL;
}

static size_t text_size(const char *s)
{
	return s ? strlen(s) + 1 : 0;
}

/* Copies s to *at, which goes on. */
static const char *text_put(char **at, const char *s)
{
	size_t n = text_size(s);
	char *text = *at;

	if (!n)
		return NULL;
	memcpy(text, s, n);
	*at += n;
	return text;
}

static void endpoint_parse(struct store *s, struct store_slice *v, const json *o, const struct addr *a, char **text)
{
	struct store_endpoint *e = &v->endpoints[v->endpoint_count++];

	e->ip.addr = *a;
	e->hostname = text_put(text, endpoint_hostname(o));
	e->pod = text_put(text, endpoint_pod(o, v->ns));
	e->ready = json_bool(o, "conditions.ready", true);		/* unknown counts as ready, says the API */
	e->serving = json_bool(o, "conditions.serving", e->ready);
	e->terminating = json_bool(o, "conditions.terminating", false);
	index_add(&s->endpoints, &e->ip, v);
}

/* The first `max` addresses, for which there is room in endpoints and text. */
static void endpoints_parse(struct store *s, struct store_slice *v, const json *endpoints, unsigned max, char *text)
{
	json_each(e, endpoints) {
		json_each(address, json_get(e, "addresses")) {
			struct addr a;

			if (!max--)
				return;
			if (addr_parse(json_str(address, NULL, ""), &a) == 0)
				endpoint_parse(s, v, e, &a, &text);
		}
	}
}

static struct store_slice *slice_parse(struct store *s, const char *ns, const json *o)
{
	const char *service = json_str(o, "metadata.labels['kubernetes.io/service-name']", "");
	const json *endpoints = json_get(o, "endpoints");
	struct store_slice *v = xcalloc(1, sizeof(*v));
	unsigned n = 0;
	size_t size;
	char *text;

	service = str_is_label(service) ? service : "";
	size = text_size(ns) + text_size(service);
	json_each(e, endpoints) {
		unsigned addresses = MIN(list_length(json_get(e, "addresses")), STORE_LIST_MAX - n);

		n += addresses;
		size += addresses * (text_size(endpoint_hostname(e)) + text_size(endpoint_pod(e, ns)));
	}
	text = v->text = xcalloc(1, size);
	v->ns = text_put(&text, ns);
	v->service = text_put(&text, service);
	v->ports = ports_parse(json_get(o, "ports"), &v->port_count);
	v->endpoints = n ? xcalloc(n, sizeof(*v->endpoints)) : NULL;
	endpoints_parse(s, v, endpoints, n, text);
	slice_link(s, v);
	return v;
}

/* ---- the store --------------------------------------------------------------------------------------------------- */

struct store *store_new(void)
{
	return xcalloc(1, sizeof(struct store));
}

void store_notify(struct store *s, store_fn fn, void *arg)
{
	s->notify = fn;
	s->notify_arg = arg;
}

void store_each_service(const struct store *s, store_fn fn, void *arg)
{
	map_foreach(&s->kind[STORE_SERVICES], it) {
		const struct store_service *v = it->value;

		fn(arg, v->ns, v->name);
	}
}

static void object_free(struct store *s, enum store_kind kind, void *v)
{
	if (v && kind == STORE_SERVICES)
		service_free(s, v);
	else if (v && kind == STORE_SLICES)
		slice_free(s, v);
	else
		free(v);
}

struct store *store_free(struct store *s)
{
	if (!s)
		return NULL;
	s->notify = NULL;
	for (int k = 0; k < STORE_KINDS; k++) {
		map_foreach(&s->kind[k], it)
			object_free(s, (enum store_kind)k, it->value);
		map_done(&s->kind[k]);
	}
	map_done(&s->by_service);
	free(s->services.bucket);
	free(s->endpoints.bucket);
	free(s);
	return NULL;
}

/* "namespace/name" of an object; NULL when it has no proper one. */
static const char *object_key(enum store_kind kind, const json *o, char ret[static KEY_MAX])
{
	const char *ns = json_str(o, "metadata.namespace", NULL), *name = json_str(o, "metadata.name", NULL);

	if (!str_is_subdomain(name) || (kind == STORE_SERVICES && !str_is_label(name)))
		return NULL;
	if (kind == STORE_NAMESPACES) {
		snprintf(ret, KEY_MAX, "%s", name);
		return str_is_label(name) ? ret : NULL;
	}
	snprintf(ret, KEY_MAX, "%s/%s", ns ? ns : "", name);
	return str_is_label(ns) ? ret : NULL;
}

/* 0 when the object does not say. */
static uint64_t object_version(const json *o)
{
	const char *version = json_str(o, "metadata.resourceVersion", ""), *uid = json_str(o, "metadata.uid", "");

	return *version && *uid ? fnv_add(fnv_add(FNV_START, uid, strlen(uid) + 1), version, strlen(version)) : 0;
}

static uint64_t *version_of(enum store_kind kind, void *v)
{
	return kind == STORE_SERVICES ? &((struct store_service *)v)->version :
	       kind == STORE_SLICES ? &((struct store_slice *)v)->version : &((struct space *)v)->version;
}

static unsigned *mark_of(enum store_kind kind, void *v)
{
	return kind == STORE_SERVICES ? &((struct store_service *)v)->mark :
	       kind == STORE_SLICES ? &((struct store_slice *)v)->mark : &((struct space *)v)->mark;
}

static void key_delete(struct store *s, enum store_kind kind, const char *key)
{
	void *v = map_get(&s->kind[kind], key);

	if (!v)
		return;
	map_del(&s->kind[kind], key);
	object_free(s, kind, v);
	s->generation++;
}

int store_put(struct store *s, enum store_kind kind, const json *object)
{
	const char *ns = json_str(object, "metadata.namespace", ""), *name = json_str(object, "metadata.name", "");
	uint64_t version = object_version(object);
	char buf[KEY_MAX];
	const char *key = object_key(kind, object, buf);
	void *v;

	if (!key)
		return -EINVAL;
	v = map_get(&s->kind[kind], key);
	if (v && version && *version_of(kind, v) == version) {
		*mark_of(kind, v) = s->mark[kind];
		return 0;
	}
	key_delete(s, kind, key);
	if (s->kind[kind].live >= STORE_MAX)
		return -ENOSPC;
	v = kind == STORE_SERVICES ? (void *)service_parse(s, ns, name, object) :
	    kind == STORE_SLICES ? (void *)slice_parse(s, ns, object) : xcalloc(1, sizeof(struct space));
	*version_of(kind, v) = version;
	*mark_of(kind, v) = s->mark[kind];
	map_set(&s->kind[kind], key, v);
	s->generation++;
	return 0;
}

void store_delete(struct store *s, enum store_kind kind, const json *object)
{
	char buf[KEY_MAX];
	const char *key = object_key(kind, object, buf);

	if (key)
		key_delete(s, kind, key);
}

void store_begin(struct store *s, enum store_kind kind)
{
	s->mark[kind]++;
}

void store_end(struct store *s, enum store_kind kind)
{
	map_foreach(&s->kind[kind], it)
		if (*mark_of(kind, it->value) != s->mark[kind])
			key_delete(s, kind, it->key);
	if (!s->listed[kind])
		s->generation++;
	s->listed[kind] = true;
}

bool store_synced(const struct store *s)
{
	return s->listed[STORE_SERVICES] && s->listed[STORE_SLICES] && s->listed[STORE_NAMESPACES];
}

uint64_t store_generation(const struct store *s)
{
	return s->generation;
}

unsigned store_count(const struct store *s, enum store_kind kind)
{
	return (unsigned)s->kind[kind].live;
}

bool store_namespace(const struct store *s, const char *ns)
{
	return map_get(&s->kind[STORE_NAMESPACES], ns);
}

static const void *pair_get(const struct map *m, const char *ns, const char *name)
{
	char key[KEY_MAX];

	return snprintf(key, sizeof(key), "%s/%s", ns, name) < KEY_MAX ? map_get(m, key) : NULL;
}

const struct store_service *store_service(const struct store *s, const char *ns, const char *name)
{
	return pair_get(&s->kind[STORE_SERVICES], ns, name);
}

const struct store_slice *store_slices(const struct store *s, const char *ns, const char *service)
{
	return pair_get(&s->by_service, ns, service);
}

const struct store_port *store_slice_port(const struct store_slice *s, const struct store_port *p)
{
	for (unsigned i = 0; i < s->port_count; i++)
		if (streq(s->ports[i].name, p->name) && (!s->ports[i].protocol || s->ports[i].protocol == p->protocol))
			return &s->ports[i];
	return NULL;
}

const struct store_service *store_service_of(const struct store *s, const struct addr *a)
{
	const struct store_ip *ip = index_find(&s->services, a, NULL);

	return ip ? ip->owner : NULL;
}

const struct store_endpoint *store_endpoint_of(const struct store *s, const struct addr *a, const struct store_endpoint *after)
{
	const struct store_ip *ip = index_find(&s->endpoints, a, after ? &after->ip : NULL);

	return ip ? container_of(ip, struct store_endpoint, ip) : NULL;
}
