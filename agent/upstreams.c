/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/upstreams.h"

#include "agent/dns.h"
#include "base/log.h"
#include "base/mem.h"

int upstreams_start(struct agent *a, struct err *err)
{
	a->upstreams = xcalloc(1, sizeof(*a->upstreams));
	return 0;
}

static void upstreams_clear(struct upstreams *u)
{
	for (size_t i = 0; i < u->n; i++)
		upstream_free(u->v[i]);
	u->n = u->preferred = 0;
}

void upstreams_stop(struct agent *a)
{
	if (a->upstreams)
		upstreams_clear(a->upstreams);
	free(steal(&a->upstreams));
}

static bool is_same(const struct upstreams *u, const struct hostport *servers, size_t n)
{
	if (u->n != n)
		return false;
	for (size_t i = 0; i < n; i++)
		if (!hostport_eq(upstream_server(u->v[i]), &servers[i]))
			return false;
	return true;
}

void upstreams_set(struct agent *a, const struct hostport *servers, size_t n)
{
	struct upstreams *u = a->upstreams, old = *u;
	char text[HOSTPORT_STRLEN];
	struct err err = { 0 };

	if (is_same(u, servers, n))
		return;
	u->n = u->preferred = 0;
	for (size_t i = 0; i < n && u->n < UPSTREAMS_MAX; i++) {
		u->v[u->n] = upstream_new(a->loop, &servers[i], UPSTREAM_TRY_MS, &err);
		if (!u->v[u->n]) {
			trouble_note(&a->trouble, "upstreams", "%s", err_text(&err));
			continue;
		}
		log_info("upstream DNS server %s", hostport_format(&servers[i], text));
		u->n++;
	}
	dns_upstreams_changed(a->dns);
	upstreams_clear(&old);
}

size_t upstreams_order(const struct upstreams *u, struct upstream *ret[static UPSTREAMS_MAX])
{
	for (size_t i = 0; i < u->n; i++)
		ret[i] = u->v[(u->preferred + i) % u->n];
	return u->n;
}

void upstreams_answered(struct upstreams *u, const struct upstream *by)
{
	for (size_t i = 0; i < u->n; i++)
		if (u->v[i] == by)
			u->preferred = i;
}

json *upstream_json(const struct upstream *u)
{
	const struct upstream_stats *s = upstream_stats(u);
	char text[HOSTPORT_STRLEN];
	json *o = json_object();

	json_set_str(o, "server", hostport_format(upstream_server(u), text));
	json_set_bool(o, "healthy", s->failures < 2);
	json_set_int(o, "latency_us", s->latency_us);
	json_set_int(o, "asked", (int64_t)s->asked);
	json_set_int(o, "answered", (int64_t)s->answered);
	json_set_int(o, "timeouts", (int64_t)s->timeouts);
	json_set_int(o, "refused", (int64_t)s->refused);
	json_set_int(o, "bad", (int64_t)s->bad);
	json_set_int(o, "in_flight", s->in_flight);
	json_set_bool(o, "edns", !s->no_edns);
	return o;
}

void upstreams_status(struct agent *a, json *o)
{
	json *list = json_set(o, "upstreams", json_array());

	for (size_t i = 0; a->upstreams && i < a->upstreams->n; i++)
		json_add(list, upstream_json(a->upstreams->v[i]));
}
