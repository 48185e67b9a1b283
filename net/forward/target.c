/* SPDX-License-Identifier: Apache-2.0 */
/* How it works: the endpoints that count are walked twice, to count them and to take the one whose turn it is; nothing is kept.
 * In a dual-stack service each pod is in slices of both families. As a port-forward goes to a pod by its name, only the family
 * that has more of them counts, so that each pod has one turn. */
#include "net/forward/target.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "base/fnv.h"
#include "base/str.h"

enum tier { TIER_READY, TIER_SERVING, TIER_ANY };

/* What is looked for. */
struct search {
	const struct store *store;
	const struct target_want *want;
	const struct store_service *service;
	const struct store_port *port;	/* of the service; NULL: it lists none, all are open */
	const struct target_tried *tried;
	enum tier tier;
};

/* An endpoint that counts, and where the walk goes on. */
struct spot {
	const struct store_slice *slice;
	unsigned at;			/* in the slice, of the next one */
	uint16_t port;
	const struct store_endpoint *endpoint;
	const char *ns, *pod;
};

static const char *protocol_name(uint8_t protocol)
{
	return protocol == IPPROTO_TCP ? "TCP" : protocol == IPPROTO_UDP ? "UDP" : "SCTP";
}

bool target_eq(const struct target *a, const struct target *b)
{
	return a->port == b->port && streq(a->pod, b->pod) && streq(a->ns, b->ns);
}

/* ---- the pod of an address --------------------------------------------------------------------------------------- */

static bool slice_has_number(const struct store_slice *s, uint16_t port, uint8_t protocol)
{
	for (unsigned i = 0; i < s->port_count; i++)
		if (s->ports[i].number == port && (!s->ports[i].protocol || s->ports[i].protocol == protocol))
			return true;
	return false;
}

/* Pods on the network of their node share its address: the one that is known to have the port is meant, if any. */
static const struct store_endpoint *addr_pod(const struct store *s, const struct addr *a, uint16_t port, uint8_t protocol)
{
	const struct store_endpoint *best = NULL;
	int best_rank = -1;

	for (const struct store_endpoint *e = store_endpoint_of(s, a, NULL); e; e = store_endpoint_of(s, a, e)) {
		int rank = 2 * slice_has_number(e->ip.owner, port, protocol) + e->ready;

		if (!e->pod || rank <= best_rank)
			continue;
		best = e;
		best_rank = rank;
	}
	return best;
}

int target_of_addr(const struct store *s, const struct addr *a, uint16_t port, uint8_t protocol, struct target_want *ret)
{
	const struct store_service *v = store_service_of(s, a);
	const struct store_endpoint *e = v ? NULL : addr_pod(s, a, port, protocol);
	const struct store_slice *slice = e ? e->ip.owner : NULL;

	if (!v && !slice)
		return -ENOENT;
	*ret = (struct target_want){ .ns = v ? v->ns : slice->ns, .service = v ? v->name : *slice->service ? slice->service : NULL,
				     .pod = e ? e->pod : NULL, .port = port, .protocol = protocol };
	return 0;
}

/* ---- walking through a service's endpoints ----------------------------------------------------------------------- */

/* A port without a number, or a slice without ports, leaves all of them open. */
static bool slice_port(const struct search *q, const struct store_slice *s, uint16_t *ret)
{
	const struct store_port *p = q->port ? store_slice_port(s, q->port) : NULL;

	if (q->port && !p)
		return false;
	*ret = p && p->number > 0 ? (uint16_t)p->number : q->want->port;
	return true;
}

static bool endpoint_counts(const struct search *q, const struct store_endpoint *e)
{
	bool ready = e->ready || q->service->publish_not_ready;

	switch (q->tier) {
	case TIER_READY:
		return ready;
	case TIER_SERVING:
		return !ready && e->serving && e->terminating;
	case TIER_ANY:
		break;
	}
	return true;
}

/* One that is no pod itself may have the address of one. */
static bool spot_find_pod(const struct search *q, struct spot *p)
{
	const struct store_endpoint *e = p->endpoint;

	if (!e->pod)
		e = addr_pod(q->store, &e->ip.addr, p->port, q->want->protocol);
	if (!e)
		return false;
	p->ns = ((const struct store_slice *)e->ip.owner)->ns;
	p->pod = e->pod;
	return true;
}

static bool spot_was_tried(const struct search *q, const struct spot *p)
{
	for (unsigned i = 0; q->tried && i < q->tried->n; i++) {
		const struct target *t = &q->tried->v[i];

		if (t->port == p->port && streq(t->pod, p->pod) && streq(t->ns, p->ns))
			return true;
	}
	return false;
}

static bool spot_next(const struct search *q, struct spot *p)
{
	for (; p->slice; p->slice = p->slice->next, p->at = 0) {
		if (p->at == 0 && !slice_port(q, p->slice, &p->port))
			continue;
		while (p->at < p->slice->endpoint_count) {
			p->endpoint = &p->slice->endpoints[p->at++];
			if (endpoint_counts(q, p->endpoint) && spot_find_pod(q, p) && !spot_was_tried(q, p))
				return true;
		}
	}
	return false;
}

static struct spot spot_first(const struct search *q)
{
	return (struct spot){ .slice = store_slices(q->store, q->want->ns, q->want->service) };
}

/* The larger of the families, and how many of it there are. */
static size_t search_count(const struct search *q, int *ret_family)
{
	size_t v4 = 0, v6 = 0;

	for (struct spot p = spot_first(q); spot_next(q, &p);) {
		if (p.endpoint->ip.addr.family == AF_INET6)
			v6++;
		else
			v4++;
	}
	*ret_family = v6 > v4 ? AF_INET6 : AF_INET;
	return v6 > v4 ? v6 : v4;
}

static bool search_rank(const struct search *q, int family, size_t rank, struct spot *ret)
{
	for (*ret = spot_first(q); spot_next(q, ret);)
		if (ret->endpoint->ip.addr.family == family && rank-- == 0)
			return true;
	return false;
}

/* ---- affinity ---------------------------------------------------------------------------------------------------- */

/* The finalizer of MurmurHash3: each bit of x changes every bit of the result. */
static uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 33) * UINT64_C(0xff51afd7ed558ccd);
	x = (x ^ x >> 33) * UINT64_C(0xc4ceb9fe1a85ec53);
	return x ^ x >> 33;
}

static uint64_t score(uint64_t client, const struct addr *a)
{
	uint64_t half[2];

	memcpy(half, a->b, sizeof(half));
	return mix(mix(client ^ half[0]) ^ half[1]);
}

/* Rendezvous: each endpoint has a score with each client, and the highest one has it. Of either family: a pod in both has two. */
static bool search_highest(const struct search *q, const struct addr *client, struct spot *ret)
{
	uint64_t who = mix(fnv_add(FNV_START, client->b, sizeof(client->b))), highest = 0;
	bool found = false;

	for (struct spot p = spot_first(q); spot_next(q, &p);) {
		uint64_t n = score(who, &p.endpoint->ip.addr);

		if (found && n <= highest)
			continue;
		highest = n;
		*ret = p;
		found = true;
	}
	return found;
}

/* ---- choosing ---------------------------------------------------------------------------------------------------- */

static void target_set(struct target *t, const char *ns, const char *pod, uint16_t port)
{
	snprintf(t->ns, sizeof(t->ns), "%s", ns);
	snprintf(t->pod, sizeof(t->pod), "%s", pod);
	t->port = port;
}

/* Of all the service's endpoints, how many have the port? */
static size_t endpoints_with_port(const struct search *q, struct spot *ret_last, size_t *ret_all)
{
	size_t n = 0;

	*ret_all = 0;
	for (struct spot p = spot_first(q); p.slice; p.slice = p.slice->next) {
		*ret_all += p.slice->endpoint_count;
		if (!p.slice->endpoint_count || !slice_port(q, p.slice, &p.port))
			continue;
		p.endpoint = p.slice->endpoints;
		*ret_last = p;
		n += p.slice->endpoint_count;
	}
	return n;
}

/* None counts: why? */
static int search_fail(struct search *q, struct err *err)
{
	const char *ns = q->want->ns, *service = q->want->service;
	bool tried = q->tried && q->tried->n;
	char text[ADDR_STRLEN];
	struct spot last = { 0 };
	size_t all, n = endpoints_with_port(q, &last, &all);
	int family;

	if (!all)
		return err_set(err, -EAGAIN, "service %s/%s has no endpoints%s", ns, service,
			       q->service->has_selector ? "" : ", and no selector that would find some");
	if (!n)
		return err_set(err, -EAGAIN, "no endpoint of service %s/%s has its port %u", ns, service, q->want->port);
	q->tried = NULL;
	q->tier = TIER_ANY;
	n = search_count(q, &family);
	if (!n)
		return err_set(err, -EOPNOTSUPP, "the endpoints of service %s/%s (%s%s) are no pods: a port-forward cannot reach them",
			       ns, service, addr_format(&last.endpoint->ip.addr, text), all > 1 ? ", …" : "");
	if (tried)
		return err_set(err, -EAGAIN, "all ready endpoints of service %s/%s were tried in vain", ns, service);
	return err_set(err, -EAGAIN, "no endpoint of service %s/%s is ready (it has %zu)", ns, service, n);
}

static int search_choose(struct search *q, const struct addr *client, uint64_t turn, struct target *ret, struct err *err)
{
	for (q->tier = TIER_READY; q->tier < TIER_ANY; q->tier++) {
		struct spot p;
		int family;
		size_t n = search_count(q, &family);
		bool found = n && (q->service->by_client && client ? search_highest(q, client, &p)
								   : search_rank(q, family, (size_t)(turn % n), &p));

		if (found) {
			target_set(ret, p.ns, p.pod, p.port);
			return 0;
		}
	}
	return search_fail(q, err);
}

/* The protocol that a port does not name is TCP, says the API. */
static const struct store_port *service_port(const struct store_service *v, uint16_t number, uint8_t protocol)
{
	for (unsigned i = 0; i < v->port_count; i++)
		if (v->ports[i].number == number && (v->ports[i].protocol ? v->ports[i].protocol : IPPROTO_TCP) == protocol)
			return &v->ports[i];
	return NULL;
}

static int service_choose(const struct store *s, const struct target_want *want, const struct addr *client, uint64_t turn,
			  const struct target_tried *tried, struct target *ret, struct err *err)
{
	const struct store_service *v = store_service(s, want->ns, want->service);
	const char *protocol = protocol_name(want->protocol);
	struct search q = { .store = s, .want = want, .service = v, .tried = tried };

	if (!v)
		return err_set(err, -ENOENT, "there is no service %s/%s", want->ns, want->service);
	if (v->external_name)
		return err_set(err, -EOPNOTSUPP, "service %s/%s is only a name for %s: a port-forward cannot reach it", want->ns,
			       want->service, v->external_name);
	q.port = service_port(v, want->port, want->protocol);
	if (!q.port && v->port_count)
		return err_set(err, -ENOENT, "service %s/%s has no %s port %u", want->ns, want->service, protocol, want->port);
	if (want->protocol != IPPROTO_TCP)
		return err_set(err, -EOPNOTSUPP, "port %u of service %s/%s is %s: a port-forward carries TCP only", want->port, want->ns,
			       want->service, protocol);
	return search_choose(&q, client, turn, ret, err);
}

/* ---- one pod ----------------------------------------------------------------------------------------------------- */

/* Ready or not. */
static bool service_has_pod(const struct store *s, const struct target_want *want)
{
	for (const struct store_slice *v = store_slices(s, want->ns, want->service); v; v = v->next)
		for (unsigned i = 0; i < v->endpoint_count; i++)
			if (streq(v->endpoints[i].pod, want->pod))
				return true;
	return false;
}

static int pod_choose(const struct store *s, const struct target_want *want, const struct target_tried *tried, struct target *ret,
		      struct err *err)
{
	struct target t;

	if (!str_is_label(want->ns) || !str_is_subdomain(want->pod))
		return err_set(err, -ENOENT, "there can be no pod %s/%s", want->ns, want->pod);
	if (want->protocol != IPPROTO_TCP)
		return err_set(err, -EOPNOTSUPP, "port %u of pod %s/%s is %s: a port-forward carries TCP only", want->port, want->ns,
			       want->pod, protocol_name(want->protocol));
	if (want->service && !service_has_pod(s, want)) {	/* a StatefulSet's that is being replaced? */
		if (!store_service(s, want->ns, want->service))
			return err_set(err, -ENOENT, "there is no service %s/%s", want->ns, want->service);
		return err_set(err, -EAGAIN, "service %s/%s has no pod %s now", want->ns, want->service, want->pod);
	}
	target_set(&t, want->ns, want->pod, want->port);
	for (unsigned i = 0; tried && i < tried->n; i++)
		if (target_eq(&tried->v[i], &t))
			return err_set(err, -EAGAIN, "pod %s/%s was tried in vain", want->ns, want->pod);
	*ret = t;
	return 0;
}

int target_choose(const struct store *s, const struct target_want *want, const struct addr *client, uint64_t turn,
		  const struct target_tried *tried, struct target *ret, struct err *err)
{
	return want->pod ? pod_choose(s, want, tried, ret, err) : service_choose(s, want, client, turn, tried, ret, err);
}
