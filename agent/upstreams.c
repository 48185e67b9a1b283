/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/upstreams.h"

#include "agent/dns.h"
#include "base/log.h"
#include "base/mem.h"

#define WAIT_MIN_MS 1000
#define WAIT_MAX_MS 30000

/* ---- health ------------------------------------------------------------------------------------------------------ */

static void server_up(struct upstreams_server *s)
{
	s->down = false;
	timer_stop(&s->timer);
	upstream_cancel(&s->probe);
	backoff_reset(&s->wait);
}

static void on_timer(struct timer *t);

static void on_probe(struct upstream_query *q, int code, unsigned rcode, const uint8_t *reply, size_t len)
{
	struct upstreams_server *s = container_of(q, struct upstreams_server, probe);
	struct upstreams *u = q->owner;

	if (code || rcode == DNS_SERVFAIL)
		timer_start(u->loop, &s->timer, backoff_next(&s->wait), on_timer);
	else
		server_up(s);
}

/* A question that every resolver can answer. */
static void server_probe(struct upstreams *u, struct upstreams_server *s)
{
	static const struct dns_query root = { .flags = DNS_RD, .name = { .len = 1 }, .type = DNS_NS, .class = DNS_IN };

	s->probe.owner = u;
	if (upstream_ask(s->channel, &s->probe, &root, on_probe))
		timer_start(u->loop, &s->timer, backoff_next(&s->wait), on_timer);
}

static void on_timer(struct timer *t)
{
	struct upstreams_server *s = container_of(t, struct upstreams_server, timer);

	server_probe(s->probe.owner, s);
}

static struct upstreams_server *server_find(const struct upstreams *u, const struct upstream *channel)
{
	for (size_t i = 0; i < u->n; i++)
		if (u->v[i]->channel == channel)
			return u->v[i];
	return NULL;
}

void upstreams_answered(struct upstreams *u, const struct upstream *by)
{
	struct upstreams_server *s = server_find(u, by);

	if (s && s->down)
		server_up(s);
}

void upstreams_failed(struct upstreams *u, const struct upstream *by)
{
	struct upstreams_server *s = server_find(u, by);

	if (!s || s->down)
		return;
	s->down = true;
	if (u->n > 1)
		server_probe(u, s);
}

size_t upstreams_order(const struct upstreams *u, struct upstream *ret[static UPSTREAMS_MAX])
{
	size_t n = 0;

	for (int down = 0; down < 2; down++)
		for (size_t i = 0; i < u->n; i++)
			if (u->v[i]->down == down)
				ret[n++] = u->v[i]->channel;
	return n;
}

/* ---- the set ----------------------------------------------------------------------------------------------------- */

int upstreams_start(struct agent *a, struct err *err)
{
	a->upstreams = xcalloc(1, sizeof(*a->upstreams));
	a->upstreams->loop = a->loop;
	return 0;
}

static void upstreams_clear(struct upstreams *u)
{
	for (size_t i = 0; i < u->n; i++) {
		server_up(u->v[i]);
		upstream_free(u->v[i]->channel);
		free(u->v[i]);
	}
	u->n = 0;
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
		if (!hostport_eq(upstream_server(u->v[i]->channel), &servers[i]))
			return false;
	return true;
}

static struct upstreams_server *server_new(struct agent *a, const struct hostport *at)
{
	struct err err = { 0 };
	struct upstream *channel = upstream_new(a->loop, at, UPSTREAM_TRY_MS, &err);
	struct upstreams_server *s;

	if (!channel) {
		trouble_note(&a->trouble, "upstreams", "%s", err_text(&err));
		return NULL;
	}
	s = xcalloc(1, sizeof(*s));
	s->channel = channel;
	s->wait = (struct backoff){ .min_ms = WAIT_MIN_MS, .max_ms = WAIT_MAX_MS };
	return s;
}

/* Each once: a server that is named twice is not asked twice. */
static size_t servers_once(const struct hostport *servers, size_t n, struct hostport ret[static UPSTREAMS_MAX])
{
	size_t kept = 0;

	for (size_t i = 0; i < n && kept < UPSTREAMS_MAX; i++) {
		bool again = false;

		for (size_t k = 0; k < kept; k++)
			again |= hostport_eq(&ret[k], &servers[i]);
		if (!again)
			ret[kept++] = servers[i];
	}
	return kept;
}

void upstreams_set(struct agent *a, const struct hostport *given, size_t given_count)
{
	struct upstreams *u = a->upstreams, old = *u;
	struct hostport servers[UPSTREAMS_MAX];
	size_t n = servers_once(given, given_count, servers);
	char text[HOSTPORT_STRLEN];

	if (is_same(u, servers, n))
		return;
	u->n = 0;
	for (size_t i = 0; i < n; i++) {
		u->v[u->n] = server_new(a, &servers[i]);
		if (!u->v[u->n])
			continue;
		log_info("upstream DNS server %s", hostport_format(&servers[i], text));
		u->n++;
	}
	dns_upstreams_changed(a->dns);
	upstreams_clear(&old);
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

	for (size_t i = 0; a->upstreams && i < a->upstreams->n; i++) {
		json *server = json_add(list, upstream_json(a->upstreams->v[i]->channel));

		json_set_bool(server, "healthy", !a->upstreams->v[i]->down);
	}
}
