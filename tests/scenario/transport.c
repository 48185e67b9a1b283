/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/scenario/transport.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/compiler.h"
#include "base/mem.h"
#include "base/str.h"
#include "tests/scenario/text.h"

#define SERVERS_MAX 16
#define ZONES_MAX 16

struct upstream {
	struct loop *loop;
	struct hostport server;
	unsigned timeout_ms;
	struct upstream_flight *flights, **last;	/* in the order of asking */
	enum transport_mode mode;
	struct strv words;				/* what TRANSPORT_SERVE answers */
	struct upstream_stats stats;
};

struct transport {
	struct upstream *servers[SERVERS_MAX];
	struct dns_name zones[ZONES_MAX];		/* the cluster's: domain, pods, services, and CoreDNS's own */
	size_t zone_count;
	struct hostport cluster_dns;
	uint16_t next_id;
	char breach[DNS_TEXT_MAX + 64];
};

static struct transport *now_playing;			/* upstream_new() knows nothing else */

/* ---- flights ----------------------------------------------------------------------------------------------------- */

static void flight_free(struct upstream_flight *f)
{
	struct upstream *u = f->server;
	struct upstream_flight **at = &u->flights;

	while (*at != f)
		at = &(*at)->next;
	*at = f->next;
	if (!f->next)
		u->last = at;
	u->stats.in_flight--;
	if (f->q)
		f->q->flight = NULL;
	timer_stop(&f->timer);
	free(f);
}

static void flight_end(struct upstream_flight *f, int code, unsigned rcode, const uint8_t *msg, size_t n)
{
	struct upstream_stats *s = &f->server->stats;
	struct upstream_query *q = f->q;

	s->answered += code == 0;
	s->timeouts += code == -ETIMEDOUT;
	s->refused += code == -ECONNREFUSED;
	s->bad += code == -EBADMSG;
	s->failures = code ? s->failures + 1 : 0;
	flight_free(f);
	if (q)
		q->fn(q, code, rcode, msg, n);
}

void flight_fail(struct upstream_flight *f, int code)
{
	flight_end(f, code, 0, NULL, 0);
}

void flight_answer(struct upstream_flight *f, const uint8_t *msg, size_t n)
{
	struct dns_edns edns = { 0 };
	unsigned rcode = 0;
	int code = dns_reply_check(&f->query, f->id, msg, n, &rcode, &edns);

	flight_end(f, code, rcode, code ? NULL : msg, n);
}

static void on_end(struct timer *t)
{
	struct upstream_flight *f = container_of(t, struct upstream_flight, timer);
	const struct upstream *u = f->server;
	static uint8_t msg[DNS_MSG_MAX];
	struct words w = { u->words.v, u->words.n, 0 };
	int n;

	if (f->mode != TRANSPORT_SERVE) {
		flight_fail(f, f->mode == TRANSPORT_DOWN ? -ECONNREFUSED : -ETIMEDOUT);
		return;
	}
	f->seen = true;
	n = text_answer(&w, &f->query, f->id, msg);
	flight_answer(f, msg, n < 0 ? 0 : (size_t)n);
}

/* ---- what may never be asked ------------------------------------------------------------------------------------- */

static void breach(const char *what, const struct dns_query *q)
{
	char name[DNS_TEXT_MAX];

	if (!*now_playing->breach)
		snprintf(now_playing->breach, sizeof(now_playing->breach), "%s %s", dns_name_text(&q->name, name), what);
}

static void flight_check(const struct upstream_flight *f)
{
	const struct hostport *server = &f->server->server, *dns = &now_playing->cluster_dns;
	bool to_cluster = !addr_cmp(&server->addr, &dns->addr) && server->port == dns->port, inside = false;

	for (size_t i = 0; i < now_playing->zone_count; i++)
		inside |= dns_name_within(&f->query.name, &now_playing->zones[i]);
	if (inside && !to_cluster)
		breach("of the cluster is asked outside", &f->query);
	if (!inside && to_cluster)
		breach("is asked of the cluster", &f->query);
	if (f->q->raw)
		return;
	if (f->msg[11] != 1 || f->msg[f->len - 1] || f->msg[f->len - 2])
		breach("leaves with more than our bare OPT", &f->query);
}

/* ---- the symbols of net/linux/upstream --------------------------------------------------------------------------- */

struct upstream *upstream_new(struct loop *l, const struct hostport *server, unsigned timeout_ms, struct err *err)
{
	struct upstream *u = xcalloc(1, sizeof(*u));
	size_t i = 0;

	while (i < SERVERS_MAX - 1 && now_playing->servers[i])
		i++;
	u->loop = l;
	u->server = *server;
	u->timeout_ms = timeout_ms;
	u->last = &u->flights;
	now_playing->servers[i] = u;
	return u;
}

void upstream_set_carried(struct upstream *u, bool carried)
{
}

struct upstream *upstream_free(struct upstream *u)
{
	if (!u)
		return NULL;
	while (u->flights)
		flight_free(u->flights);
	for (size_t i = 0; now_playing && i < SERVERS_MAX; i++)
		if (now_playing->servers[i] == u)
			now_playing->servers[i] = NULL;
	strv_done(&u->words);
	free(u);
	return NULL;
}

const struct hostport *upstream_server(const struct upstream *u)
{
	return &u->server;
}

const struct upstream_stats *upstream_stats(const struct upstream *u)
{
	return &u->stats;
}

int upstream_ask(struct upstream *u, struct upstream_query *q, const struct dns_query *query, upstream_fn fn)
{
	struct upstream_flight *f;

	if (u->stats.in_flight >= UPSTREAM_IN_FLIGHT_MAX)
		return -EBUSY;
	f = xcalloc(1, sizeof(*f));
	*f = (struct upstream_flight){ .server = u, .q = q, .query = *query, .mode = u->mode };
	f->id = now_playing->next_id++;
	f->len = q->raw ? MIN(q->raw_len, sizeof(f->msg)) : dns_query_build(query, f->id, true, f->msg);
	if (q->raw)
		memcpy(f->msg, q->raw, f->len);
	dns_id_set(f->msg, f->id);
	q->query = query;
	q->fn = fn;
	q->flight = f;
	*u->last = f;
	u->last = &f->next;
	u->stats.asked++;
	u->stats.in_flight++;
	timer_start(u->loop, &f->timer, u->mode == TRANSPORT_WAIT ? 3 * u->timeout_ms : 0, on_end);
	flight_check(f);
	return 0;
}

void upstream_cancel(struct upstream_query *q)
{
	if (q && q->flight) {
		q->flight->q = NULL;
		q->flight = NULL;
	}
}

/* ---- for the scenario -------------------------------------------------------------------------------------------- */

struct transport *transport_start(const struct dns_name *cluster_domain, const struct hostport *cluster_dns)
{
	struct transport *t = now_playing = xcalloc(1, sizeof(*t));

	t->zones[0] = *cluster_domain;
	t->cluster_dns = *cluster_dns;
	t->next_id = 0x4242;
	t->zone_count = 3;
	if (dns_name_parse("42.10.in-addr.arpa", &t->zones[1]) || dns_name_parse("43.10.in-addr.arpa", &t->zones[2]))
		abort();
	return t;
}

void transport_stop(void)
{
	free(steal(&now_playing));
}

void transport_zone(const struct dns_name *zone)
{
	if (now_playing->zone_count < ZONES_MAX)
		now_playing->zones[now_playing->zone_count++] = *zone;
}

const char *transport_breach(void)
{
	return *now_playing->breach ? now_playing->breach : NULL;
}

struct upstream *transport_find(const struct hostport *server)
{
	for (size_t i = 0; i < SERVERS_MAX; i++) {
		struct upstream *u = now_playing->servers[i];

		if (u && !addr_cmp(&u->server.addr, &server->addr) && u->server.port == server->port)
			return u;
	}
	return NULL;
}

void upstream_mode(struct upstream *u, enum transport_mode mode, char **words, size_t n)
{
	u->mode = mode;
	strv_done(&u->words);
	u->words = (struct strv){ 0 };
	for (size_t i = 0; i < n; i++)
		strv_add(&u->words, words[i]);
}

struct upstream_flight *upstream_flight_next(struct upstream *u)
{
	struct upstream_flight *f = u->flights;

	while (f && f->seen)
		f = f->next;
	return f;
}

struct upstream_flight *upstream_flight_named(struct upstream *u)
{
	struct upstream_flight *named = NULL;

	for (struct upstream_flight *f = u->flights; f; f = f->next)
		if (f->seen)
			named = f;
	return named ? named : upstream_flight_next(u);
}
