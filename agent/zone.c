/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/zone.h"

#include "agent/cluster.h"
#include "base/mem.h"
#include "base/str.h"

#define SHORT_LABELS 5

/* ---- what is known ----------------------------------------------------------------------------------------------- */

void zone_set_live(struct zone *z, bool live, bool refused)
{
	if (!z)
		return;
	if (z->live && !live)
		z->lost_ns = loop_now(z->agent->loop);
	z->live = live;
	z->refused = refused;
}

void zone_set_config(struct zone *z, bool custom, const json *map)
{
	json **at = custom ? &z->config_custom : &z->config_main;

	json_free(*at);
	*at = map ? json_copy(map) : NULL;
	corefile_done(&z->corefile);
	corefile_read(z->config_main, z->config_custom, &z->names.zone, &z->corefile);
}

bool zone_is_settled(const struct zone *z)
{
	return z && (z->refused || (z->live && store_synced(z->store)));
}

static bool is_recent(const struct zone *z, uint64_t lost_ns)
{
	return loop_now(z->agent->loop) - lost_ns < z->agent->config.stale_ms * UINT64_C(1000000);
}

bool zone_is_current(const struct zone *z)
{
	return z && store_synced(z->store) && (z->live || is_recent(z, z->lost_ns));
}

/* May what is known be said? */
static bool is_valid(const struct zone *z)
{
	const struct cluster *c = z->agent->cluster;

	return store_synced(z->store) && (z->live || cluster_is_up(c) || is_recent(z, MAX(z->lost_ns, c->lost_ns)));
}

/* ---- questions --------------------------------------------------------------------------------------------------- */

/* Labels in lower case, the last one first; false when there are too many, or none. */
static bool labels_read(const struct dns_name *name, char ret[static SHORT_LABELS][NAMES_LABEL], unsigned *ret_n)
{
	unsigned n = dns_name_labels(name);
	const uint8_t *p = name->b;

	if (!n || n > SHORT_LABELS)
		return false;
	for (unsigned i = n; i-- > 0; p += 1u + p[0])
		names_label(p, ret[i]);
	*ret_n = n;
	return true;
}

static bool name_append(const struct dns_name *a, const char *text, const struct dns_name *zone, struct dns_name *ret)
{
	struct dns_name middle;

	if (dns_name_parse(text, &middle) || a->len - 1 + middle.len - 1 + zone->len > DNS_NAME_MAX)
		return false;
	*ret = *a;
	memcpy(ret->b + a->len - 1, middle.b, middle.len);
	memcpy(ret->b + a->len + middle.len - 2, zone->b, zone->len);
	ret->len = (uint8_t)(a->len + middle.len - 2 + zone->len);
	return true;
}

bool zone_short(const struct zone *z, const struct dns_name *name, struct dns_name *ret_full)
{
	char label[SHORT_LABELS][NAMES_LABEL];
	unsigned n;

	if (!z || !is_valid(z) || !labels_read(name, label, &n))
		return false;
	if (n == 1) {
		autofree char *middle = xasprintf("%s.svc", z->agent->config.namespace);

		return store_service(z->store, z->agent->config.namespace, label[0]) &&
		       name_append(name, middle, &z->names.zone, ret_full);
	}
	if (n == 2)
		return store_namespace(z->store, label[0]) && store_service(z->store, label[0], label[1]) &&
		       name_append(name, "svc", &z->names.zone, ret_full);
	return (streq(label[0], "svc") || (n == 3 && streq(label[0], "pod"))) && store_namespace(z->store, label[1]) &&
	       name_append(name, "", &z->names.zone, ret_full);
}

bool zone_foreign(const struct zone *z, const struct dns_name *name, struct dns_name *ret_zone)
{
	const struct dns_name *own = z ? corefile_find(&z->corefile, name) : NULL;

	if (own)
		*ret_zone = dns_name_parent(own, dns_name_eq(own, name));
	return own;
}

size_t zone_answer(struct zone *z, const struct dns_query *q, const struct dns_name *name, struct dns_name *ret_outside,
		   uint8_t *out, size_t max)
{
	bool ask = z && cluster_is_up(z->agent->cluster) && name == &q->name;

	ret_outside->len = 0;
	if (!z || !is_valid(z) || (ask && (z->corefile.opaque || !zone_is_current(z) || corefile_find(&z->corefile, name))))
		return 0;
	z->names.custom = ask && (!z->live || !z->corefile.known || z->corefile.fallthrough);
	z->names.pods = !ask || z->corefile.pods_insecure;
	z->names.serial = z->agent->cluster->serial;
	z->names.turn++;
	return names_answer(&z->names, q, name, ask ? NULL : ret_outside, out, max);
}

/* ---- module ------------------------------------------------------------------------------------------------------ */

int zone_start(struct agent *a, struct err *err)
{
	struct zone *z = a->zone = xcalloc(1, sizeof(*z));

	z->agent = a;
	z->store = store_new();
	z->names = (struct names){ .store = z->store, .zone = a->config.domain };
	if (a->config.dns_count)
		z->names.dns = a->config.dns[0].addr;
	return 0;
}

void zone_stop(struct agent *a)
{
	struct zone *z = a->zone;

	if (!z)
		return;
	store_free(z->store);
	corefile_done(&z->corefile);
	json_free(z->config_main);
	json_free(z->config_custom);
	free(steal(&a->zone));
}

void zone_status(struct agent *a, json *o)
{
	const struct zone *z = a->zone;
	json *j = json_set(o, "names", json_object());

	if (!z)
		return;
	json_set_bool(j, "synced", store_synced(z->store));
	json_set_bool(j, "live", z->live);
	if (z->refused)
		json_set_str(j, "error", "the API server does not let the agent see them: names are asked of CoreDNS");
	json_set_int(j, "services", store_count(z->store, STORE_SERVICES));
	json_set_int(j, "endpoint_slices", store_count(z->store, STORE_SLICES));
	json_set_int(j, "namespaces", store_count(z->store, STORE_NAMESPACES));
	json_set_str(j, "coredns", !z->corefile.known ? "unknown" : z->corefile.opaque ? "asked for every name" : "read");
	json_set_int(j, "coredns_names", (int64_t)z->corefile.n);
}
