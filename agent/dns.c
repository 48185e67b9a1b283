/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/dns.h"

#include <errno.h>

#include "agent/answer.h"
#include "agent/cache.h"
#include "agent/cluster.h"
#include "agent/dnstcp.h"
#include "agent/exchange.h"
#include "agent/rules.h"
#include "agent/sendq.h"
#include "agent/split.h"
#include "agent/upstreams.h"
#include "agent/zone.h"
#include "base/fnv.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/sock.h"

#define UDP_QUERY_MAX 4096

struct dns_batch {
	struct mmsghdr msg[DNS_BATCH];
	struct iovec iov[DNS_BATCH];
	struct dns_peer peer[DNS_BATCH];
	uint8_t data[DNS_BATCH][UDP_QUERY_MAX];
};

size_t dns_peer_limit(const struct dns_peer *peer, const struct dns_query *q)
{
	return peer->conn ? DNS_MSG_MAX : dns_client_size(q);
}

uint16_t *dns_source(struct dns *d, const struct dns_peer *peer)
{
	return peer->conn ? NULL : &d->waiting[fnv_fold(fnv_add(FNV_START, &peer->sa, peer->len)) % DNS_SOURCES];
}

void dns_send(struct dns *d, const struct dns_peer *peer, const void *msg, size_t n)
{
	if (peer->conn)
		dnstcp_send(peer->conn, msg, n);
	else
		sendq_add(d->sendq, peer->udp, &peer->sa, peer->len, msg, n);
}

/* ---- what becomes of a question ---------------------------------------------------------------------------------- */

static void answer_local(struct dns *d, const struct dns_peer *peer, size_t n)
{
	d->stats.local++;
	dns_send(d, peer, d->out, n);
}

/* What the upstreams said not long ago. */
static bool answer_cached(struct dns *d, const struct dns_peer *peer, const struct dns_query *q)
{
	size_t n = cache_serve(d->cache, q, loop_now(d->agent->loop), d->out, dns_peer_limit(peer, q));

	if (n)
		dns_send(d, peer, d->out, n);
	return n > 0;
}

/* Too much is under way: SERVFAIL, at once. */
static bool is_overload(struct dns *d, struct asker *who)
{
	const uint16_t *waiting = dns_source(d, &who->peer);

	if (d->in_flight < DNS_IN_FLIGHT_MAX && (!waiting || *waiting < DNS_SOURCE_MAX))
		return false;
	d->stats.overload++;
	dns_send(d, &who->peer, d->out, dns_error_build(&who->query, DNS_SERVFAIL, DNS_RA, d->out));
	free(steal(&who->head));
	return true;
}

/* Asks `ask` for who, whose head is taken over. */
static void forward(struct dns *d, struct asker *who, const struct dns_query *ask, const struct dns_name *cluster_zone)
{
	struct upstream *order[UPSTREAMS_MAX], *const *servers = order;
	size_t n;

	if (is_overload(d, who))
		return;
	if (cluster_zone) {
		d->stats.cluster++;
		servers = d->agent->cluster->dns;
		n = d->agent->cluster->dns_count;
	} else {
		d->stats.external++;
		n = upstreams_order(d->agent->upstreams, order);
	}
	exchange_new(d, who, ask, cluster_zone, servers, n);
}

/* The answer to the end of a chain where it is known here; 0: it is to be asked for, of the cluster's DNS if *ret_zone is one. */
static size_t end_find(struct dns *d, const struct dns_query *ask, struct dns_name *ret_zone, uint8_t *out)
{
	enum split_kind kind = split_name(&d->agent->config, &ask->name, ret_zone);
	const struct cluster *c = d->agent->cluster;

	if (zone_foreign(d->agent->zone, &ask->name, ret_zone))
		kind = SPLIT_CLUSTER;
	switch (kind) {
	case SPLIT_CLUSTER: return cluster_is_up(c) ? 0 : answer_away(ask, ret_zone, c->serial, out);
	case SPLIT_LOCALHOST: return answer_localhost(ask, out);
	case SPLIT_INVALID: return answer_away(ask, ret_zone, 1, out);
	case SPLIT_EXTERNAL: break;
	}
	ret_zone->len = 0;
	return cache_serve(d->cache, ask, loop_now(d->agent->loop), out, DNS_MSG_MAX);
}

/* The answer begun in d->out, n bytes, goes on with a name outside. */
static void chase(struct dns *d, const struct dns_peer *peer, const struct dns_query *q, size_t n, const struct dns_name *outside)
{
	struct asker who = { .peer = *peer, .query = *q, .head = xmemdup(d->out, n), .head_len = n };
	autofree uint8_t *reply = xcalloc(1, DNS_MSG_MAX);
	struct dns_query ask = *q;
	struct dns_name zone;
	size_t len;

	ask.name = *outside;
	len = end_find(d, &ask, &zone, reply);
	if (!len) {
		forward(d, &who, &ask, zone.len ? &zone : NULL);
		return;
	}
	n = answer_chase(q, who.head, who.head_len, reply[3] & 15, reply, len, d->out, dns_peer_limit(peer, q));
	free(who.head);
	dns_send(d, peer, d->out, n);
}

/* A name of the cluster's zone: `name` is the question's, or what that is short for. */
static void answer_cluster(struct dns *d, const struct dns_peer *peer, const struct dns_query *q, const struct dns_name *name,
			   const struct dns_name *zone)
{
	struct dns_name outside;
	size_t n;

	rules_flush(d->agent->rules);
	n = zone_answer(d->agent->zone, q, name, &outside, d->out, dns_peer_limit(peer, q));

	d->stats.memory += n > 0;
	if (n && outside.len)
		chase(d, peer, q, n, &outside);
	else if (n)
		dns_send(d, peer, d->out, n);
	else if (cluster_is_up(d->agent->cluster) && name == &q->name)
		forward(d, &(struct asker){ .peer = *peer, .query = *q }, q, zone);
	else
		answer_local(d, peer, answer_away(q, zone, d->agent->cluster->serial, d->out));
}

/* A name that is not of the cluster's zone may be short for one that is, or be CoreDNS's own. */
static void answer_outside(struct dns *d, const struct dns_peer *peer, const struct dns_query *q)
{
	struct dns_name zone, full;

	if (zone_foreign(d->agent->zone, &q->name, &zone))
		answer_cluster(d, peer, q, &q->name, &zone);
	else if (zone_short(d->agent->zone, &q->name, &full))
		answer_cluster(d, peer, q, &full, &d->agent->config.domain);
	else if (!answer_cached(d, peer, q))
		forward(d, &(struct asker){ .peer = *peer, .query = *q }, q, NULL);
}

static void dispatch(struct dns *d, const struct dns_peer *peer, const struct dns_query *q)
{
	struct dns_name zone;

	switch (split_name(&d->agent->config, &q->name, &zone)) {
	case SPLIT_CLUSTER:
		answer_cluster(d, peer, q, &q->name, &zone);
		break;
	case SPLIT_EXTERNAL:
		answer_outside(d, peer, q);
		break;
	case SPLIT_LOCALHOST:
		answer_local(d, peer, answer_localhost(q, d->out));
		break;
	case SPLIT_INVALID:
		answer_local(d, peer, answer_away(q, &zone, 1, d->out));
		break;
	}
}

/* Its key is between the client and a server outside: names of ours are none of its. */
static void dispatch_signed(struct dns *d, const struct dns_peer *peer, const struct dns_query *q, const void *msg, size_t n)
{
	struct asker who = { .peer = *peer, .query = *q };
	struct upstream *order[UPSTREAMS_MAX];
	struct dns_name zone;

	if (split_name(&d->agent->config, &q->name, &zone) != SPLIT_EXTERNAL || zone_foreign(d->agent->zone, &q->name, &zone) ||
	    zone_short(d->agent->zone, &q->name, &zone)) {
		answer_local(d, peer, dns_error_build(q, DNS_REFUSED, DNS_RA, d->out));
	} else if (!is_overload(d, &who)) {
		d->stats.external++;
		exchange_new_signed(d, &who, msg, n, order, upstreams_order(d->agent->upstreams, order));
	}
}

void dns_receive(struct dns *d, const struct dns_peer *peer, const void *msg, size_t n)
{
	struct dns_query q;
	int r = dns_query_read(msg, n, &q);

	d->stats.queries++;
	d->stats.tcp += peer->conn != NULL;
	if (r < 0)
		d->stats.dropped++;
	else if (r > 0)
		answer_local(d, peer, dns_error_build(&q, (unsigned)r, DNS_RA, d->out));
	else if (q.is_signed)
		dispatch_signed(d, peer, &q, msg, n);
	else
		dispatch(d, peer, &q);
}

static void on_udp(struct io *io, unsigned events)
{
	struct dns *d = container_of(io, struct dns_listener, io)->dns;
	struct dns_batch *b = d->batch;
	int n;

	for (int i = 0; i < DNS_BATCH; i++) {
		b->iov[i] = (struct iovec){ b->data[i], UDP_QUERY_MAX };
		b->msg[i].msg_hdr = (struct msghdr){ .msg_name = &b->peer[i].sa, .msg_namelen = sizeof(b->peer[i].in6),
						     .msg_iov = &b->iov[i], .msg_iovlen = 1 };
	}
	n = recvmmsg(io->fd, b->msg, DNS_BATCH, MSG_DONTWAIT, NULL);
	for (int i = 0; i < n; i++) {
		b->peer[i].len = b->msg[i].msg_hdr.msg_namelen;
		b->peer[i].udp = io->fd;
		if (b->msg[i].msg_hdr.msg_flags & MSG_TRUNC)
			d->stats.dropped++;
		else
			dns_receive(d, &b->peer[i], b->data[i], b->msg[i].msg_len);
	}
}

/* ---- neighbours -------------------------------------------------------------------------------------------------- */

void dns_cluster_lost(struct dns *d)
{
	for (struct exchange *x = d ? d->exchanges : NULL, *next; x; x = next) {
		next = x->next;
		if (x->cluster)
			exchange_give_up(x);
	}
}

void dns_upstreams_changed(struct dns *d)
{
	struct upstream *order[UPSTREAMS_MAX];

	if (d)
		cache_flush(d->cache);
	for (struct exchange *x = d ? d->exchanges : NULL, *next; x; x = next) {
		next = x->next;
		if (!x->cluster)
			exchange_retarget(x, order, upstreams_order(d->agent->upstreams, order));
	}
}

void dns_conn_gone(struct dns *d, const struct dnstcp_conn *conn)
{
	for (struct exchange *x = d->exchanges, *next; x; x = next) {
		next = x->next;
		exchange_conn_gone(x, conn);
	}
}

/* ---- module ------------------------------------------------------------------------------------------------------ */

static void listener_close(struct dns_listener *l)
{
	io_stop(&l->io);
	dnstcp_free(l->tcp);
	if (l->udp >= 0)
		close(l->udp);
}

int dns_listen(struct dns *d, const struct hostport *at, struct err *err)
{
	struct dns_listener *l = &d->listener[d->listeners];
	char text[HOSTPORT_STRLEN];
	int size = 1 << 20, r;

	for (size_t i = 0; i < d->listeners; i++)
		if (hostport_eq(&d->listener[i].at, at))
			return 0;
	if (d->listeners == DNS_LISTENERS)
		return err_set(err, -ENOSPC, "DNS is answered at %d addresses already", DNS_LISTENERS);
	*l = (struct dns_listener){ .dns = d, .at = *at, .udp = sock_udp_bind(at, err) };
	r = l->udp < 0 ? l->udp : dnstcp_new(d, at, &l->tcp, err);
	if (r) {
		listener_close(l);
		return r;
	}
	(void)setsockopt(l->udp, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	(void)setsockopt(l->udp, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	io_start(d->agent->loop, &l->io, l->udp, IO_IN, on_udp);
	d->listeners++;
	log_info("DNS on %s", hostport_format(at, text));
	return 0;
}

int dns_start(struct agent *a, struct err *err)
{
	struct dns *d = a->dns = xcalloc(1, sizeof(*d));
	uint8_t seed[CACHE_SEED];

	d->agent = a;
	random_bytes(seed, sizeof(seed));
	d->cache = cache_new(DNS_CACHE_BYTES, DNS_CACHE_ENTRIES, seed);
	d->batch = xcalloc(1, sizeof(*d->batch));
	d->sendq = sendq_new(a->loop, &d->stats.dropped);
	return dns_listen(d, &a->config.listen, err);
}

void dns_stop(struct agent *a)
{
	struct dns *d = a->dns;

	if (!d)
		return;
	while (d->exchanges)
		exchange_free(d->exchanges);
	sendq_free(d->sendq);
	for (size_t i = 0; i < d->listeners; i++)
		listener_close(&d->listener[i]);
	free(d->batch);
	cache_free(d->cache);
	free(steal(&a->dns));
}

static json *cache_json(const struct cache_stats *s)
{
	json *o = json_object();

	json_set_int(o, "hits", (int64_t)s->hits);
	json_set_int(o, "negative_hits", (int64_t)s->negative_hits);
	json_set_int(o, "failure_hits", (int64_t)s->failure_hits);
	json_set_int(o, "stale_hits", (int64_t)s->stale_hits);
	json_set_int(o, "misses", (int64_t)s->misses);
	json_set_int(o, "entries", (int64_t)s->entries);
	json_set_int(o, "bytes", (int64_t)s->bytes);
	json_set_int(o, "evictions", (int64_t)s->evictions);
	return o;
}

void dns_status(struct agent *a, json *o)
{
	const struct dns *d = a->dns;
	json *j = json_set(o, "dns", json_object());
	char text[HOSTPORT_STRLEN];

	if (!d)
		return;
	json_set_str(j, "listen", hostport_format(&a->config.listen, text));
	json_set_int(j, "queries", (int64_t)d->stats.queries);
	json_set_int(j, "tcp", (int64_t)d->stats.tcp);
	json_set_int(j, "local", (int64_t)d->stats.local);
	json_set_int(j, "memory", (int64_t)d->stats.memory);
	json_set_int(j, "cluster", (int64_t)d->stats.cluster);
	json_set_int(j, "external", (int64_t)d->stats.external);
	json_set_int(j, "coalesced", (int64_t)d->stats.coalesced);
	json_set_int(j, "failures", (int64_t)d->stats.failures);
	json_set_int(j, "overload", (int64_t)d->stats.overload);
	json_set_int(j, "dropped", (int64_t)d->stats.dropped);
	json_set_int(j, "in_flight", d->in_flight);
	json_set(j, "cache", cache_json(cache_stats(d->cache)));
}
