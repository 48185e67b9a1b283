/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/exchange.h"

#include <errno.h>
#include <string.h>

#include "agent/answer.h"
#include "agent/cache.h"
#include "agent/cluster.h"
#include "agent/upstreams.h"
#include "base/mem.h"

#define NEXT_MS 1400
#define DOUBT_MS 1000
#define STALE_MS 1800
#define EXTERNAL_MS 4400
#define CLUSTER_MS 3000

static void asker_count(struct dns *d, const struct asker *a, int n)
{
	uint16_t *waiting = dns_source(d, &a->peer);

	d->in_flight += (unsigned)n;
	if (waiting)
		*waiting = (uint16_t)(*waiting + n);
}

static void asker_add(struct exchange *x, struct asker *who)
{
	struct asker *a = xmemdup(who, sizeof(*who));

	who->head = NULL;
	a->next = x->askers;
	x->askers = a;
	asker_count(x->dns, a, 1);
}

static void asker_drop(struct exchange *x, struct asker **at)
{
	struct asker *a = *at;

	*at = a->next;
	asker_count(x->dns, a, -1);
	free(a->head);
	free(a);
}

static struct exchange **asking(struct dns *d, uint64_t hash)
{
	return &d->asking[hash & (DNS_EXCHANGE_BUCKETS - 1)];
}

void exchange_free(struct exchange *x)
{
	struct exchange **at = asking(x->dns, x->hash);

	for (size_t i = 0; i < x->asked; i++)
		upstream_cancel(&x->ask[i]);
	timer_stop(&x->timer);
	while (*at != x)
		at = &(*at)->chain;
	*at = x->chain;
	*x->prev = x->next;
	if (x->next)
		x->next->prev = x->prev;
	while (x->askers)
		asker_drop(x, &x->askers);
	free(x->held);
	free(x->raw);
	free(x);
}

void exchange_conn_gone(struct exchange *x, const struct dnstcp_conn *conn)
{
	bool dropped = false;

	for (struct asker **at = &x->askers; *at;) {
		if ((*at)->peer.conn != conn) {
			at = &(*at)->next;
			continue;
		}
		asker_drop(x, at);
		dropped = true;
	}
	if (dropped && !x->askers)
		exchange_free(x);
}

static uint64_t now_ns(const struct exchange *x)
{
	return loop_now(x->dns->agent->loop);
}

/* What is signed is passed on but for the id. What is too long has to be fetched over TCP. */
static size_t signed_build(const struct asker *a, const uint8_t *reply, size_t len, uint8_t *out, size_t limit)
{
	if (len > limit)
		return dns_error_build(&a->query, DNS_NOERROR, DNS_RA | DNS_TC, out);
	memcpy(out, reply, len);
	dns_id_set(out, a->query.id);
	return len;
}

static size_t answer_build(const struct exchange *x, const struct asker *a, unsigned rcode, const uint8_t *reply, size_t len)
{
	size_t limit = dns_peer_limit(&a->peer, &a->query);
	uint8_t *out = x->dns->out;

	if (x->raw)
		return signed_build(a, reply, len, out, limit);
	if (a->head)
		return answer_chase(&a->query, a->head, a->head_len, rcode, reply, len, out, limit);
	return dns_reply_build(&a->query, rcode, reply, len, out, limit);
}

static void exchange_answer(struct exchange *x, unsigned rcode, const uint8_t *reply, size_t len)
{
	for (struct asker *a = x->askers; a; a = a->next)
		dns_send(x->dns, &a->peer, x->dns->out, answer_build(x, a, rcode, reply, len));
	exchange_free(x);
}

/* Without an answer: the cluster is away, or a name outside fails. */
static void exchange_fail(struct exchange *x)
{
	uint8_t *out = x->dns->out;

	for (struct asker *a = x->askers; a; a = a->next)
		dns_send(x->dns, &a->peer, out,
			 x->cluster ? answer_away(&a->query, &x->zone, x->dns->agent->cluster->serial, out)
				    : dns_error_build(&a->query, DNS_SERVFAIL, DNS_RA, out));
	exchange_free(x);
}

/* Is what comes of it for the cache? */
static bool is_kept(const struct exchange *x)
{
	return !x->cluster && !x->raw;
}

/* In dns->out; 0: nothing is known. */
static size_t stale_build(struct exchange *x, const struct asker *a)
{
	size_t limit = dns_peer_limit(&a->peer, &a->query), n;
	autofree uint8_t *reply = NULL;

	if (!a->head)
		return cache_serve_stale(x->dns->cache, &a->query, now_ns(x), x->dns->out, limit);
	reply = xcalloc(1, DNS_MSG_MAX);
	n = cache_serve_stale(x->dns->cache, &x->query, now_ns(x), reply, DNS_MSG_MAX);
	return n ? answer_chase(&a->query, a->head, a->head_len, DNS_NOERROR, reply, n, x->dns->out, limit) : 0;
}

/* Says what was known until not long ago to those who wait, who then wait no more; the question stays under way. */
static void stale_say(struct exchange *x)
{
	size_t n;

	while (x->askers && (n = stale_build(x, x->askers)) > 0) {
		dns_send(x->dns, &x->askers->peer, x->dns->out, n);
		asker_drop(x, &x->askers);
	}
}

void exchange_give_up(struct exchange *x)
{
	if (is_kept(x) && x->failing)
		cache_put_failure(x->dns->cache, &x->query, x->held ? x->held_rcode : DNS_SERVFAIL, now_ns(x));
	if (is_kept(x))
		stale_say(x);
	if (!x->askers) {
		exchange_free(x);
		return;
	}
	if (!x->cluster && x->held) {
		exchange_answer(x, x->held_rcode, x->held, x->held_len);
		return;
	}
	x->dns->stats.failures += !x->cluster;
	exchange_fail(x);
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
		if (!x->cluster) {
			upstreams_answered(x->dns->agent->upstreams, x->servers[q - x->ask]);
			if (is_kept(x))
				(void)cache_put(x->dns->cache, &x->query, rcode, reply, len, now_ns(x));
		}
		exchange_answer(x, rcode, reply, len);
		return;
	}
	x->failing = true;
	if (!code)
		hold(x, rcode, reply, len);
	else if (x->cluster)
		cluster_doubt(x->dns->agent->cluster);
	else if (code != -EBADMSG)
		upstreams_failed(x->dns->agent->upstreams, x->servers[q - x->ask]);
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

/* Those that were asked have had their time. */
static void silence_note(struct exchange *x)
{
	if (x->cluster)
		cluster_doubt(x->dns->agent->cluster);
	for (size_t i = 0; !x->cluster && i < x->asked; i++)
		if (x->ask[i].flight)
			upstreams_failed(x->dns->agent->upstreams, x->servers[i]);
}

/* Is there something to do before the end, when the turn comes? */
static bool has_turn(const struct exchange *x)
{
	return x->cluster || x->asked < x->server_count;
}

static void on_timer(struct timer *t);

/* Wakes at what comes first: the next server's turn, the time for stale data, or the end. */
static void timer_set(struct exchange *x)
{
	uint64_t now = now_ns(x), at = x->deadline_ns;

	if (has_turn(x))
		at = MIN(at, x->turn_ns);
	if (x->stale_ns)
		at = MIN(at, x->stale_ns);
	timer_start(x->dns->agent->loop, &x->timer, at > now ? (at - now + 999999) / 1000000 : 0, on_timer);
}

static void on_timer(struct timer *t)
{
	struct exchange *x = container_of(t, struct exchange, timer);
	uint64_t now = now_ns(x);

	if (now >= x->deadline_ns) {
		silence_note(x);
		x->failing |= x->failed < x->asked;
		exchange_give_up(x);
		return;
	}
	if (x->stale_ns && now >= x->stale_ns) {
		x->stale_ns = 0;
		stale_say(x);
	}
	if (has_turn(x) && now >= x->turn_ns) {
		silence_note(x);
		ask_next(x);
	} else {
		timer_set(x);
	}
}

/* Asks the next server that takes the question; without one, waits for those asked. */
static void ask_next(struct exchange *x)
{
	while (x->asked < x->server_count) {
		size_t i = x->asked++;

		x->ask[i].owner = x;
		x->ask[i].raw = x->raw;
		x->ask[i].raw_len = x->raw_len;
		if (upstream_ask(x->servers[i], &x->ask[i], &x->query, on_reply) == 0)
			break;
		x->failed++;
	}
	x->turn_ns = now_ns(x) + (x->cluster ? DOUBT_MS : NEXT_MS) * 1000000ull;
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
	x->failing = false;
	x->server_count = MIN(n, (size_t)EXCHANGE_SERVERS);
	for (size_t i = 0; i < x->server_count; i++)
		x->servers[i] = servers[i];
	ask_next(x);
}

/* The same question on its way to the same place: there is one answer for all. */
static bool exchange_join(struct dns *d, struct asker *who, const struct dns_query *q, bool cluster, uint64_t hash)
{
	struct exchange *x = *asking(d, hash);

	while (x && (x->hash != hash || x->cluster != cluster || x->raw || !cache_is_same(&x->query, q)))
		x = x->chain;
	if (!x)
		return false;
	asker_add(x, who);
	d->stats.coalesced++;
	if (!x->cluster && !x->stale_ns)
		stale_say(x);
	return true;
}

static struct exchange *exchange_make(struct dns *d, struct asker *who, const struct dns_query *ask, uint64_t hash, unsigned ms)
{
	struct exchange *x = xcalloc(1, sizeof(*x));

	x->dns = d;
	x->query = *ask;
	x->hash = hash;
	x->chain = *asking(d, hash);
	*asking(d, hash) = x;
	asker_add(x, who);
	x->deadline_ns = now_ns(x) + ms * 1000000ull;
	x->next = d->exchanges;
	x->prev = &d->exchanges;
	if (x->next)
		x->next->prev = &x->next;
	d->exchanges = x;
	return x;
}

void exchange_new(struct dns *d, struct asker *who, const struct dns_query *ask, const struct dns_name *cluster_zone,
		  struct upstream *const *servers, size_t n)
{
	uint64_t hash = cache_hash(d->cache, ask);
	struct exchange *x;

	if (exchange_join(d, who, ask, cluster_zone != NULL, hash))
		return;
	x = exchange_make(d, who, ask, hash, cluster_zone ? CLUSTER_MS : EXTERNAL_MS);
	x->cluster = cluster_zone != NULL;
	if (cluster_zone)
		x->zone = *cluster_zone;
	else
		x->stale_ns = now_ns(x) + STALE_MS * 1000000ull;
	exchange_retarget(x, servers, n);
}

void exchange_new_signed(struct dns *d, struct asker *who, const void *msg, size_t n, struct upstream *const *servers,
			 size_t count)
{
	struct exchange *x = exchange_make(d, who, &who->query, cache_hash(d->cache, &who->query), EXTERNAL_MS);

	x->raw = xmemdup(msg, n);
	x->raw_len = n;
	exchange_retarget(x, servers, count);
}
