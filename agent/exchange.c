/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/exchange.h"

#include "agent/answer.h"
#include "agent/cluster.h"
#include "agent/upstreams.h"
#include "base/mem.h"

#define NEXT_MS 1400
#define DOUBT_MS 1000
#define EXTERNAL_MS 4400
#define CLUSTER_MS 3000

void exchange_free(struct exchange *x)
{
	for (size_t i = 0; i < x->asked; i++)
		upstream_cancel(&x->ask[i]);
	timer_stop(&x->timer);
	*x->prev = x->next;
	if (x->next)
		x->next->prev = x->prev;
	x->dns->in_flight--;
	free(x->held);
	free(x);
}

static void exchange_answer(struct exchange *x, unsigned rcode, const uint8_t *reply, size_t len)
{
	uint8_t *out = x->dns->out;

	len = dns_reply_build(&x->query, rcode, reply, len, out, dns_peer_limit(&x->peer, &x->query));
	dns_send(x->dns, &x->peer, out, len);
	exchange_free(x);
}

void exchange_give_up(struct exchange *x)
{
	uint8_t *out = x->dns->out;
	size_t len;

	if (x->cluster) {
		len = answer_away(&x->query, &x->zone, x->dns->agent->cluster->serial, out);
	} else if (x->held) {
		exchange_answer(x, x->held_rcode, x->held, x->held_len);
		return;
	} else {
		x->dns->stats.failures++;
		len = dns_error_build(&x->query, DNS_SERVFAIL, DNS_RA, out);
	}
	dns_send(x->dns, &x->peer, out, len);
	exchange_free(x);
}

static void hold(struct exchange *x, unsigned rcode, const uint8_t *reply, size_t len)
{
	if (x->held)
		return;
	x->held = xmemdup(reply, len);
	x->held_len = len;
	x->held_rcode = rcode;
}

static void ask_next(struct exchange *x);

static void on_reply(struct upstream_query *q, int code, unsigned rcode, const uint8_t *reply, size_t len)
{
	struct exchange *x = q->owner;
	bool failed = code || rcode == DNS_SERVFAIL || rcode == DNS_REFUSED || rcode == DNS_NOTIMP;

	if (!failed) {
		if (!x->cluster)
			upstreams_answered(x->dns->agent->upstreams, x->servers[q - x->ask]);
		exchange_answer(x, rcode, reply, len);
		return;
	}
	if (!code)
		hold(x, rcode, reply, len);
	else if (x->cluster)
		cluster_doubt(x->dns->agent->cluster);
	x->failed++;
	if (x->asked < x->server_count)
		ask_next(x);
	else if (x->failed < x->asked)
		return;
	else if (x->cluster && x->held)		/* the cluster's own failure is its answer */
		exchange_answer(x, x->held_rcode, x->held, x->held_len);
	else
		exchange_give_up(x);
}

static void on_timer(struct timer *t)
{
	struct exchange *x = container_of(t, struct exchange, timer);

	if (x->cluster)
		cluster_doubt(x->dns->agent->cluster);
	if (loop_now(x->dns->agent->loop) >= x->deadline_ns)
		exchange_give_up(x);
	else
		ask_next(x);
}

/* Wakes at what comes first: the next server's turn, or the end. */
static void timer_set(struct exchange *x)
{
	uint64_t now = loop_now(x->dns->agent->loop), left = x->deadline_ns > now ? (x->deadline_ns - now) / 1000000 + 1 : 0;
	uint64_t turn = x->cluster ? DOUBT_MS : NEXT_MS;

	if (x->asked < x->server_count || x->cluster)
		left = MIN(left, turn);
	timer_start(x->dns->agent->loop, &x->timer, left, on_timer);
}

/* Asks the next server that takes the question; without one, waits for those asked. */
static void ask_next(struct exchange *x)
{
	while (x->asked < x->server_count) {
		size_t i = x->asked++;

		x->ask[i].owner = x;
		if (upstream_ask(x->servers[i], &x->ask[i], &x->query, on_reply) == 0)
			break;
		x->failed++;
	}
	if (x->failed == x->asked)
		exchange_give_up(x);
	else
		timer_set(x);
}

void exchange_retarget(struct exchange *x, struct upstream *const *servers, size_t n)
{
	for (size_t i = 0; i < x->asked; i++)
		upstream_cancel(&x->ask[i]);
	x->asked = x->failed = 0;
	x->server_count = MIN(n, (size_t)EXCHANGE_SERVERS);
	for (size_t i = 0; i < x->server_count; i++)
		x->servers[i] = servers[i];
	ask_next(x);
}

void exchange_new(struct dns *d, const struct dns_peer *peer, const struct dns_query *q, const struct dns_name *cluster_zone,
		  struct upstream *const *servers, size_t n)
{
	struct exchange *x = xcalloc(1, sizeof(*x));

	x->dns = d;
	x->peer = *peer;
	x->query = *q;
	x->cluster = cluster_zone != NULL;
	if (cluster_zone)
		x->zone = *cluster_zone;
	x->deadline_ns = loop_now(d->agent->loop) + (cluster_zone ? CLUSTER_MS : EXTERNAL_MS) * 1000000ull;
	x->next = d->exchanges;
	x->prev = &d->exchanges;
	if (x->next)
		x->next->prev = &x->next;
	d->exchanges = x;
	d->in_flight++;
	exchange_retarget(x, servers, n);
}
