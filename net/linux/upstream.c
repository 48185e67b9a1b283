/* SPDX-License-Identifier: Apache-2.0 */
/* How it works: a "flight" is one question handed to c-ares, which has no cancel of its own: the flight outlives a
 * cancelled query and is freed when c-ares lets go. Results that arrive inside of ares_send() (a send error) wait for a
 * zero timer. Time is a fixed tick while something is in flight: ares_timeout() walks all queries on each call.
 *
 * c-ares 1.18, on FORMERR without OPT, cuts the last 11 bytes of the query (our OPT), asks again and switches EDNS off for
 * the whole channel, which then repeats every answer above 512 bytes over TCP; so an answer without OPT makes us look at
 * the flag, and a channel that lost it asks plainly until it is made anew. */
#include "net/linux/upstream.h"

#include <ares.h>
#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"
#include "net/sock.h"

#define TICK_MS 50
#define PLAIN_MS 60000		/* how long a server without EDNS is asked plainly */
#define SOCKETS_MAX 16		/* of one channel: one UDP, one TCP, and those just closed */

struct watch {
	struct io io;
	struct upstream *u;
};

struct upstream_flight {
	struct upstream *u;		/* NULL: the upstream is gone */
	struct upstream_query *q;	/* NULL: cancelled */
	struct upstream_flight *next, **prev;
	uint64_t since_ns;
	uint16_t id;
	bool edns, sending;
	int code;			/* result that came while sending */
	struct timer deferred;
};

struct upstream {
	struct loop *loop;
	struct hostport server;
	unsigned timeout_ms;
	ares_channel channel;
	struct watch sock[SOCKETS_MAX];
	struct timer tick;
	unsigned inside;		/* depth of calls into c-ares: the channel must stay */
	struct upstream_flight *flights;
	uint8_t ids[65536 / 8];		/* in use */
	uint64_t plain_until_ns;
	struct upstream_stats stats;
};

static bool library_ready;		/* set once, before any thread is made */

__attribute__((constructor)) static void library_init(void)
{
	library_ready = ares_library_init(ARES_LIB_INIT_ALL) == ARES_SUCCESS;
}

static int ares_errno(int status)
{
	switch (status) {
	case ARES_SUCCESS: return 0;
	case ARES_ETIMEOUT: return -ETIMEDOUT;
	case ARES_ECONNREFUSED: return -ECONNREFUSED;
	case ARES_ECANCELLED: case ARES_EDESTRUCTION: return -ECANCELED;
	case ARES_EBADRESP: case ARES_EBADQUERY: case ARES_EFORMERR: return -EBADMSG;
	default: return -EIO;
	}
}

/* ---- channel ----------------------------------------------------------------------------------------------------- */

static void channel_process(struct upstream *u, ares_socket_t in, ares_socket_t out)
{
	u->inside++;
	ares_process_fd(u->channel, in, out);
	u->inside--;
}

static void on_socket(struct io *io, unsigned events)
{
	struct watch *w = container_of(io, struct watch, io);

	channel_process(w->u, events & (IO_IN | IO_ERR) ? io->fd : ARES_SOCKET_BAD, events & IO_OUT ? io->fd : ARES_SOCKET_BAD);
}

static void on_socket_state(void *arg, ares_socket_t fd, int readable, int writable)
{
	struct upstream *u = arg;
	unsigned events = (readable ? IO_IN : 0u) | (writable ? IO_OUT : 0u);
	struct watch *free_watch = NULL;

	for (int i = 0; i < SOCKETS_MAX; i++) {
		struct watch *w = &u->sock[i];

		if (w->io.loop && w->io.fd == fd) {
			if (events)
				io_set(&w->io, events);
			else
				io_stop(&w->io);
			return;
		}
		if (!w->io.loop)
			free_watch = w;
	}
	if (events && free_watch)
		io_start(u->loop, &free_watch->io, fd, events, on_socket);
}

static void options_set(struct upstream *u, struct ares_options *o, int *mask)
{
	*o = (struct ares_options){
		.flags = ARES_FLAG_STAYOPEN | ARES_FLAG_NOCHECKRESP | ARES_FLAG_EDNS | ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES,
		.timeout = (int)u->timeout_ms,
		.tries = 2,
		.lookups = (char *)"b",
		.socket_receive_buffer_size = 1 << 20,
		.sock_state_cb = on_socket_state,
		.sock_state_cb_data = u,
		.ednspsz = 4096,
		.resolvconf_path = (char *)"/dev/null",
	};
	*mask = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_LOOKUPS | ARES_OPT_SOCK_RCVBUF |
		ARES_OPT_SOCK_STATE_CB | ARES_OPT_EDNSPSZ | ARES_OPT_RESOLVCONF;
#ifdef ARES_OPT_QUERY_CACHE
	o->qcache_max_ttl = 0;
	*mask |= ARES_OPT_QUERY_CACHE;
#endif
}

static int socket_made(ares_socket_t fd, int type, void *arg)
{
	sock_mark(fd);
	return 0;
}

static int channel_open(struct upstream *u, struct err *err)
{
	struct ares_options options;
	char server[HOSTPORT_STRLEN];
	int mask, r;

	options_set(u, &options, &mask);
	r = library_ready ? ares_init_options(&u->channel, &options, mask) : ARES_ENOTINITIALIZED;
	if (r == ARES_SUCCESS) {
		ares_set_socket_configure_callback(u->channel, socket_made, NULL);
		r = ares_set_servers_ports_csv(u->channel, hostport_format(&u->server, server));
	}
	return r == ARES_SUCCESS ? 0 : err_set(err, ares_errno(r), "DNS server %s: %s", server, ares_strerror(r));
}

static void channel_close(struct upstream *u)
{
	if (u->channel)
		ares_destroy(u->channel);
	u->channel = NULL;
	for (int i = 0; i < SOCKETS_MAX; i++)
		io_stop(&u->sock[i].io);
}

/* Did c-ares switch EDNS off (see above)? */
static bool channel_lost_edns(struct upstream *u)
{
	struct ares_options o = { 0 };
	int mask = 0;
	bool lost = ares_save_options(u->channel, &o, &mask) == ARES_SUCCESS && !(o.flags & ARES_FLAG_EDNS);

	ares_destroy_options(&o);
	return lost;
}

/* Time to try EDNS again? The channel can only be exchanged while nothing is in flight. */
static void channel_renew(struct upstream *u)
{
	if (!u->plain_until_ns || u->flights || u->inside || loop_now(u->loop) < u->plain_until_ns)
		return;
	u->plain_until_ns = 0;
	u->stats.no_edns = false;
	channel_close(u);
	(void)channel_open(u, NULL);
}

/* ---- flights ----------------------------------------------------------------------------------------------------- */

static void on_tick(struct timer *t)
{
	struct upstream *u = container_of(t, struct upstream, tick);

	timer_start(u->loop, t, TICK_MS, on_tick);
	channel_process(u, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
	if (!u->flights)
		timer_stop(t);
}

static int id_take(struct upstream *u, uint16_t *ret)
{
	if (u->stats.in_flight >= UPSTREAM_IN_FLIGHT_MAX)
		return -EBUSY;
	do
		random_bytes(ret, sizeof(*ret));
	while (u->ids[*ret / 8] & 1 << *ret % 8);
	u->ids[*ret / 8] |= (uint8_t)(1 << *ret % 8);
	return 0;
}

static void flight_free(struct upstream_flight *f)
{
	if (f->u) {
		f->u->ids[f->id / 8] &= (uint8_t)~(1 << f->id % 8);
		f->u->stats.in_flight--;
		*f->prev = f->next;
		if (f->next)
			f->next->prev = f->prev;
	}
	if (f->q)
		f->q->flight = NULL;
	timer_stop(&f->deferred);
	free(f);
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
	if (q)
		q->fn(q, code, rcode, reply, len);
}

static void on_deferred(struct timer *t)
{
	struct upstream_flight *f = container_of(t, struct upstream_flight, deferred);

	flight_end(f, f->code, 0, NULL, 0);
}

static int flight_launch(struct upstream *u, struct upstream_query *q, bool edns);

/* The server knows no EDNS: the same question again, plainly. True when f is gone. */
static bool retry_plainly(struct upstream_flight *f, unsigned rcode, const struct dns_edns *edns)
{
	struct upstream *u = f->u;
	struct upstream_query *q = f->q;
	bool formerr = (rcode == DNS_FORMERR || rcode == DNS_NOTIMP) && !(q && q->raw);

	if (!f->edns || edns->present || (!formerr && !channel_lost_edns(u)))
		return false;
	u->plain_until_ns = loop_now(u->loop) + PLAIN_MS * 1000000ull;
	u->stats.no_edns = true;
	if (!formerr)
		return false;	/* c-ares has asked again already: this is the answer */
	flight_free(f);
	if (q && flight_launch(u, q, false))
		q->fn(q, -EBUSY, 0, NULL, 0);
	return true;
}

static void on_answer(void *arg, int status, int timeouts, unsigned char *reply, int len)
{
	struct upstream_flight *f = arg;
	struct dns_edns edns = { 0 };
	unsigned rcode = 0;
	int code = ares_errno(status);

	if (f->sending && f->u) {
		f->code = code ? code : -EBADMSG;
		timer_start(f->u->loop, &f->deferred, 0, on_deferred);
		return;
	}
	if (!f->u || code == -ECANCELED)
		return flight_free(f);
	if (!f->q)
		return flight_end(f, code, 0, NULL, 0);
	if (!code)
		code = dns_reply_check(f->q->query, f->id, reply, (size_t)len, &rcode, &edns);
	if (!code && retry_plainly(f, rcode, &edns))
		return;
	flight_end(f, code, rcode, reply, (size_t)len);
}

static int flight_launch(struct upstream *u, struct upstream_query *q, bool edns)
{
	autofree uint8_t *raw = q->raw ? xmemdup(q->raw, q->raw_len) : NULL;
	uint8_t built[DNS_QUERY_MAX], *msg = raw ? raw : built;
	struct upstream_flight *f;
	size_t len = q->raw_len;
	uint16_t id;

	if (id_take(u, &id))
		return -EBUSY;
	if (raw)
		dns_id_set(raw, id);
	else
		len = dns_query_build(q->query, id, edns, built);
	f = xcalloc(1, sizeof(*f));
	*f = (struct upstream_flight){ .u = u, .q = q, .id = id, .edns = edns, .next = u->flights, .prev = &u->flights };
	f->since_ns = loop_deadline(0);
	if (f->next)
		f->next->prev = &f->next;
	u->flights = f;
	u->stats.in_flight++;
	u->stats.asked++;
	q->flight = f;
	if (!u->tick.loop)
		timer_start(u->loop, &u->tick, TICK_MS, on_tick);
	f->sending = true;
	u->inside++;
	ares_send(u->channel, msg, (int)len, on_answer, f);
	u->inside--;
	f->sending = false;
	return 0;
}

/* ---- public ------------------------------------------------------------------------------------------------------ */

struct upstream *upstream_new(struct loop *l, const struct hostport *server, unsigned timeout_ms, struct err *err)
{
	struct upstream *u = xcalloc(1, sizeof(*u));

	u->loop = l;
	u->server = *server;
	u->timeout_ms = timeout_ms;
	for (int i = 0; i < SOCKETS_MAX; i++)
		u->sock[i].u = u;
	return channel_open(u, err) ? upstream_free(u) : u;
}

struct upstream *upstream_free(struct upstream *u)
{
	if (!u)
		return NULL;
	assert(!u->inside);
	timer_stop(&u->tick);
	for (struct upstream_flight *f = u->flights, *next; f; f = next) {
		next = f->next;
		upstream_cancel(f->q);
		if (f->deferred.loop)
			flight_free(f);
	}
	channel_close(u);
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
	channel_renew(u);
	if (!u->channel)
		return -EIO;
	q->query = query;
	q->fn = fn;
	return flight_launch(u, q, !u->plain_until_ns);
}

void upstream_cancel(struct upstream_query *q)
{
	if (q && q->flight) {
		q->flight->q = NULL;
		q->flight = NULL;
	}
}
