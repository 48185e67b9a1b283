/* SPDX-License-Identifier: Apache-2.0 */
/* How it works: a "flight" is one question under way, in one of four stages. In the first two it has been sent by UDP once
 * and twice; a truncated answer moves it to TCP; in the last it has failed at a moment when nobody may be told, and waits
 * for a zero timer. Within a stage all have the same patience, so that each list is in order of time, and a coarse tick
 * looks at the heads alone. A datagram belongs to a flight by its socket, id and question; another one is nobody's. */
#include "net/linux/upstream.h"

#include <errno.h>
#include <sys/queue.h>

#include "base/hash.h"
#include "base/mem.h"
#include "net/linux/upstream_tcp.h"
#include "net/linux/upstream_udp.h"

#define TICK_MS 50
#define PLAIN_MS 60000		/* how long a server without EDNS is asked plainly */
#define BUCKETS 1024		/* of flights by id; a power of two */
#define RANDOMS 64		/* drawn at once */
#define MS 1000000ull

enum stage { FIRST_TRY, SECOND_TRY, OVER_TCP, ENDING, STAGES };

static const unsigned patience[STAGES] = { [FIRST_TRY] = 1, [SECOND_TRY] = 2, [OVER_TCP] = 2 };	/* in timeout_ms */

TAILQ_HEAD(flights, upstream_flight);

struct upstream_flight {
	struct upstream *u;
	struct upstream_query *q;
	TAILQ_ENTRY(upstream_flight) of_stage;
	struct upstream_flight *chain;		/* the next in its bucket */
	struct upstream_slot *slot;
	struct upstream_tcp_ask *tcp;		/* NULL: none */
	uint64_t since_ns, due_ns;
	enum stage stage;
	uint16_t id;
	bool edns;
	int code;				/* ENDING: how */
};

struct upstream {
	struct loop *loop;
	unsigned timeout_ms;
	struct upstream_udp udp;
	struct upstream_tcp *tcp[2];	/* or NULL; those that are marked, those that are carried */
	struct timer tick, ending;
	struct flights stage[STAGES];
	struct upstream_flight *by_id[BUCKETS];
	uint32_t random[RANDOMS];
	unsigned random_left;
	uint64_t plain_until_ns;
	bool carried;
	struct upstream_stats stats;
};

/* ---- flights by id ----------------------------------------------------------------------------------------------- */

static struct upstream_flight **bucket(struct upstream *u, uint16_t id)
{
	return &u->by_id[id % BUCKETS];
}

static struct upstream_flight *flight_find(struct upstream *u, uint16_t id)
{
	struct upstream_flight *f = *bucket(u, id);

	while (f && f->id != id)
		f = f->chain;
	return f;
}

static uint32_t random_draw(struct upstream *u)
{
	if (!u->random_left) {
		random_bytes(u->random, sizeof(u->random));
		u->random_left = RANDOMS;
	}
	return u->random[--u->random_left];
}

/* Its socket and its id, unique among all of this upstream. */
static void flight_identify(struct upstream_flight *f)
{
	uint32_t r;

	do
		r = random_draw(f->u);
	while (flight_find(f->u, (uint16_t)r));
	f->id = (uint16_t)r;
	f->slot = upstream_udp_pick(&f->u->udp, r >> 16);
	f->slot->in_flight++;
	f->chain = *bucket(f->u, f->id);
	*bucket(f->u, f->id) = f;
}

static void flight_forget(struct upstream_flight *f)
{
	struct upstream_flight **at = bucket(f->u, f->id);

	while (*at != f)
		at = &(*at)->chain;
	*at = f->chain;
	f->slot->in_flight--;
}

/* ---- life of a flight -------------------------------------------------------------------------------------------- */

static void flight_free(struct upstream_flight *f)
{
	flight_forget(f);
	TAILQ_REMOVE(&f->u->stage[f->stage], f, of_stage);
	f->u->stats.in_flight--;
	upstream_tcp_cancel(f->tcp);
	f->q->flight = NULL;
	free(f);
}

static void flight_stage(struct upstream_flight *f, enum stage next)
{
	struct upstream *u = f->u;

	TAILQ_REMOVE(&u->stage[f->stage], f, of_stage);
	f->stage = next;
	f->due_ns = loop_now(u->loop) + patience[next] * u->timeout_ms * MS;
	TAILQ_INSERT_TAIL(&u->stage[next], f, of_stage);
}

static void stats_count(struct upstream *u, const struct upstream_flight *f, int code)
{
	struct upstream_stats *s = &u->stats;
	uint64_t us;

	s->answered += code == 0;
	s->timeouts += code == -ETIMEDOUT;
	s->refused += code == -ECONNREFUSED;
	s->bad += code == -EBADMSG;
	s->failures = code ? s->failures + 1 : 0;
	if (code)
		return;
	us = (loop_deadline(0) - f->since_ns) / 1000;
	s->latency_us = s->latency_us ? (uint32_t)((s->latency_us * 7u + us) / 8) : (uint32_t)us;
}

/* Ends f; the query's function is the last thing called. */
static void flight_end(struct upstream_flight *f, int code, unsigned rcode, const uint8_t *reply, size_t len)
{
	struct upstream_query *q = f->q;

	stats_count(f->u, f, code);
	flight_free(f);
	q->fn(q, code, rcode, reply, len);
}

/* As many as there are now: what fails anew from inside of a completion has its turn later. */
static void on_ending(struct timer *t)
{
	struct upstream *u = container_of(t, struct upstream, ending);
	struct upstream_flight *f;
	unsigned n = 0;

	TAILQ_FOREACH(f, &u->stage[ENDING], of_stage)
		n++;
	while (n-- && (f = TAILQ_FIRST(&u->stage[ENDING])))
		flight_end(f, f->code, 0, NULL, 0);
	if (!TAILQ_EMPTY(&u->stage[ENDING]))
		timer_start(u->loop, t, 0, on_ending);
}

static void flight_end_soon(struct upstream_flight *f, int code)
{
	f->code = code;
	flight_stage(f, ENDING);
	if (!f->u->ending.loop)
		timer_start(f->u->loop, &f->u->ending, 0, on_ending);
}

/* ---- UDP --------------------------------------------------------------------------------------------------------- */

static void on_refused(struct upstream_slot *s)
{
	struct upstream *u = container_of(s->udp, struct upstream, udp);

	for (enum stage i = FIRST_TRY; i <= SECOND_TRY; i++)
		for (struct upstream_flight *f = TAILQ_FIRST(&u->stage[i]), *next; f; f = next) {
			next = TAILQ_NEXT(f, of_stage);
			if (f->slot == s)
				flight_end_soon(f, -ECONNREFUSED);
		}
}

/* Its bytes: built into `built`, or the caller's own, copied into *copy (owned) for another id. */
static const uint8_t *flight_message(const struct upstream_flight *f, uint8_t built[static DNS_QUERY_MAX], uint8_t **copy, size_t *ret_len)
{
	const struct upstream_query *q = f->q;

	if (!q->raw) {
		*ret_len = dns_query_build(q->query, f->id, f->edns, built);
		return built;
	}
	*copy = xmemdup(q->raw, q->raw_len);
	*ret_len = q->raw_len;
	dns_id_set(*copy, f->id);
	return *copy;
}

static int flight_over_tcp(struct upstream_flight *f);

/* Without room, what is not sent is as good as lost; the first time it has its second try at the next tick. */
static void flight_send(struct upstream_flight *f)
{
	uint8_t built[DNS_QUERY_MAX];
	autofree uint8_t *copy = NULL;
	size_t len;
	const uint8_t *msg = flight_message(f, built, &copy, &len);
	int r;

	if (f->u->carried) {
		r = flight_over_tcp(f);
		if (r)
			flight_end_soon(f, r);
		return;
	}
	r = upstream_udp_send(f->slot, msg, len);
	if (r == -EAGAIN && f->stage == FIRST_TRY) {
		TAILQ_REMOVE(&f->u->stage[FIRST_TRY], f, of_stage);
		f->due_ns = 0;
		TAILQ_INSERT_HEAD(&f->u->stage[FIRST_TRY], f, of_stage);
	} else if (r == -ECONNREFUSED) {
		on_refused(f->slot);
	} else if (r && r != -EAGAIN) {
		flight_end_soon(f, -EIO);
	}
}

static void on_tick(struct timer *t)
{
	struct upstream *u = container_of(t, struct upstream, tick);
	uint64_t now = loop_now(u->loop);
	struct upstream_flight *f;

	while ((f = TAILQ_FIRST(&u->stage[FIRST_TRY])) && f->due_ns <= now) {
		flight_stage(f, SECOND_TRY);
		flight_send(f);
	}
	for (enum stage i = SECOND_TRY; i <= OVER_TCP; i++)
		while ((f = TAILQ_FIRST(&u->stage[i])) && f->due_ns <= now)
			flight_end(f, -ETIMEDOUT, 0, NULL, 0);
	if (u->stats.in_flight)
		timer_start(u->loop, t, TICK_MS, on_tick);
}

static int flight_launch(struct upstream *u, struct upstream_query *q, bool edns)
{
	struct upstream_flight *f;

	if (u->stats.in_flight >= UPSTREAM_IN_FLIGHT_MAX)
		return -EBUSY;
	f = xcalloc(1, sizeof(*f));
	*f = (struct upstream_flight){ .u = u, .q = q, .edns = edns, .since_ns = loop_deadline(0) };
	flight_identify(f);
	f->due_ns = loop_now(u->loop) + patience[FIRST_TRY] * u->timeout_ms * MS;
	TAILQ_INSERT_TAIL(&u->stage[FIRST_TRY], f, of_stage);
	u->stats.in_flight++;
	u->stats.asked++;
	q->flight = f;
	if (!u->tick.loop)
		timer_start(u->loop, &u->tick, TICK_MS, on_tick);
	flight_send(f);
	return 0;
}

/* ---- answers ----------------------------------------------------------------------------------------------------- */

/* The server knows no EDNS: the same question again, plainly. True when f is gone. */
static bool retry_plainly(struct upstream_flight *f, unsigned rcode, const struct dns_edns *edns)
{
	struct upstream *u = f->u;
	struct upstream_query *q = f->q;

	if (!f->edns || q->raw || edns->present || (rcode != DNS_FORMERR && rcode != DNS_NOTIMP))
		return false;
	u->plain_until_ns = loop_now(u->loop) + PLAIN_MS * MS;
	u->stats.no_edns = true;
	flight_free(f);
	if (flight_launch(u, q, false))
		q->fn(q, -EBUSY, 0, NULL, 0);
	return true;
}

/* Old servers refuse with nothing but a header. */
static bool is_bare_error(const uint8_t *p, size_t n)
{
	static const uint8_t no_records[8];

	return n == DNS_HEADER && p[3] & 15 && !memcmp(p + 4, no_records, sizeof(no_records));
}

/* p has a header. Its id was seen to by the transport. */
static void flight_answered(struct upstream_flight *f, const uint8_t *p, size_t n)
{
	const struct dns_query *q = f->q->query;
	uint16_t id = (uint16_t)(p[0] << 8 | p[1]);
	uint8_t whole[DNS_QUERY_MAX];
	struct dns_edns edns;
	unsigned rcode;
	int code;

	if (is_bare_error(p, n)) {
		n = dns_query_build(q, id, false, whole);
		memcpy(whole + 2, p + 2, 2);
		p = whole;
	}
	code = dns_reply_check(q, id, p, n, &rcode, &edns);
	if (code || !retry_plainly(f, rcode, &edns))
		flight_end(f, code, rcode, p, n);
}

static bool is_truncated(const uint8_t *p)
{
	return p[2] & DNS_TC >> 8;
}

static void on_tcp(void *owner, int code, const uint8_t *reply, size_t len)
{
	struct upstream_flight *f = owner;

	f->tcp = NULL;
	if (!code && is_truncated(reply))
		code = -EBADMSG;
	if (code)
		flight_end(f, code, 0, NULL, 0);
	else
		flight_answered(f, reply, len);
}

/* -EIO, or 0: on_tcp will be called. */
static int flight_over_tcp(struct upstream_flight *f)
{
	struct upstream *u = f->u;
	struct upstream_tcp **tcp = &u->tcp[u->carried];
	uint8_t built[DNS_QUERY_MAX];
	autofree uint8_t *copy = NULL;
	size_t len;
	const uint8_t *msg = flight_message(f, built, &copy, &len);
	int r = -EIO;

	flight_stage(f, OVER_TCP);
	if (!*tcp)
		*tcp = upstream_tcp_new(u->loop, upstream_server(u), u->timeout_ms, !u->carried, NULL);
	if (*tcp)
		r = upstream_tcp_send(*tcp, msg, len, on_tcp, f, &f->tcp);
	return r;
}

static void on_message(struct upstream_slot *s, const uint8_t *p, size_t n, bool cut)
{
	struct upstream *u = container_of(s->udp, struct upstream, udp);
	struct upstream_flight *f = n >= DNS_HEADER ? flight_find(u, (uint16_t)(p[0] << 8 | p[1])) : NULL;

	if (!f || f->slot != s || f->stage > SECOND_TRY || !dns_reply_is_to(f->q->query, p, n))
		return;
	if (p[2] & DNS_QR >> 8 && (cut || is_truncated(p))) {
		int r = flight_over_tcp(f);

		if (r)
			flight_end(f, r, 0, NULL, 0);
	} else {
		flight_answered(f, p, n);
	}
}

/* ---- public ------------------------------------------------------------------------------------------------------ */

struct upstream *upstream_new(struct loop *l, const struct hostport *server, unsigned timeout_ms, struct err *err)
{
	struct upstream *u;

	if (!addr_bits(&server->addr)) {
		(void)err_set(err, -EAFNOSUPPORT, "a DNS server needs an IP address");
		return NULL;
	}
	u = xcalloc(1, sizeof(*u));
	u->loop = l;
	u->timeout_ms = timeout_ms;
	upstream_udp_init(&u->udp, l, server);
	u->udp.on_message = on_message;
	u->udp.on_refused = on_refused;
	for (int i = 0; i < STAGES; i++)
		TAILQ_INIT(&u->stage[i]);
	return u;
}

void upstream_set_carried(struct upstream *u, bool carried)
{
	u->carried = carried;
}

struct upstream *upstream_free(struct upstream *u)
{
	struct upstream_flight *f;

	if (!u)
		return NULL;
	for (int i = 0; i < STAGES; i++)
		while ((f = TAILQ_FIRST(&u->stage[i])))
			flight_free(f);
	timer_stop(&u->tick);
	timer_stop(&u->ending);
	for (size_t i = 0; i < ARRAY_SIZE(u->tcp); i++)
		upstream_tcp_free(u->tcp[i]);
	upstream_udp_done(&u->udp);
	free(u);
	return NULL;
}

const struct hostport *upstream_server(const struct upstream *u)
{
	return &u->udp.server;
}

const struct upstream_stats *upstream_stats(const struct upstream *u)
{
	return &u->stats;
}

int upstream_ask(struct upstream *u, struct upstream_query *q, const struct dns_query *query, upstream_fn fn)
{
	if (u->plain_until_ns && loop_now(u->loop) >= u->plain_until_ns) {
		u->plain_until_ns = 0;
		u->stats.no_edns = false;
	}
	q->query = query;
	q->fn = fn;
	return flight_launch(u, q, !u->plain_until_ns);
}

void upstream_cancel(struct upstream_query *q)
{
	if (q && q->flight)
		flight_free(q->flight);
}
