/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/desired.h"

#include "base/mem.h"

static void route_add(struct desired *d, const struct prefix *dst, const struct addr *via)
{
	for (size_t i = 0; i < d->route_count; i++) {
		if (prefix_cmp(&d->routes[i].dst, dst) == 0) {
			char text[PREFIX_STRLEN];

			strv_addf(&d->problems, "two nodes say that they have %s", prefix_format(dst, text));
			return;
		}
	}
	d->routes = xrealloc(d->routes, d->route_count + 1, sizeof(*d->routes));
	d->routes[d->route_count++] = (struct route){ .dst = *dst, .via = *via, .proto = ROUTE_PROTO };
}

const struct addr *desired_hop(const struct config *c, const struct node *n, int family)
{
	for (size_t i = 0; i < n->addr_count; i++) {
		const struct addr *a = &n->addrs[i];

		if (a->family == family && !addr_is_loopback(a) && !addr_is_unspecified(a) &&
		    !prefixes_contain(&c->pods, a) && !prefixes_contain(&c->services, a))
			return a;
	}
	return NULL;
}

static void node_routes(const struct config *c, const struct node *n, struct desired *d)
{
	char text[PREFIX_STRLEN];

	for (size_t i = 0; i < n->cidr_count; i++) {
		const struct addr *via = desired_hop(c, n, n->cidrs[i].addr.family);

		if (!prefixes_cover(&c->pods, &n->cidrs[i]))
			strv_addf(&d->problems, "node %s: its pod network %s is outside of pod_cidr", n->name,
				  prefix_format(&n->cidrs[i], text));
		else if (!via)
			strv_addf(&d->problems, "node %s: no usable address for its pod network %s", n->name,
				  prefix_format(&n->cidrs[i], text));
		else
			route_add(d, &n->cidrs[i], via);
	}
}

static const struct addr *service_current(const struct prefix *service, const struct route *actual, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (actual[i].proto == ROUTE_PROTO && prefix_cmp(&actual[i].dst, service) == 0)
			return &actual[i].via;
	return NULL;
}

/* How well a node can carry the services. What a probe saw a moment ago is worth more than an old "not ready" of the API;
 * a dead carrier stays as long as there is nothing better. */
enum merit { MERIT_NONE, MERIT_SILENT, MERIT_KEPT, MERIT_HOPED, MERIT_ANSWERS, MERIT_READY };

struct carrier {
	const struct addr *addr;
	const char *name;
	enum merit merit;
	bool is_current;
};

static enum merit carrier_merit(bool ready, const struct hop *hop, bool is_current)
{
	if (hop && hop->state == HOP_ALIVE)
		return ready ? MERIT_READY : MERIT_ANSWERS;
	if (ready && (!hop || (is_current && hop->state == HOP_UNKNOWN)))
		return MERIT_READY;
	if (is_current && hop)
		return MERIT_KEPT;
	if (ready)
		return hop->state == HOP_UNKNOWN ? MERIT_HOPED : MERIT_SILENT;
	return MERIT_NONE;
}

static bool is_better(const struct carrier *a, const struct carrier *b)
{
	if (!a->merit || a->merit != b->merit)
		return a->merit > b->merit;
	if (a->is_current != b->is_current)
		return a->is_current;
	return strcmp(a->name, b->name) < 0;
}

static const struct addr *service_via(const struct config *c, const struct nodes *nodes, const struct hop_table *hops, int family,
				      const struct addr *current)
{
	struct carrier best = { 0 };

	map_foreach(&nodes->by_name, it) {
		const struct node *n = it->value;
		struct carrier k = { .addr = desired_hop(c, n, family), .name = n->name };

		if (!k.addr)
			continue;
		k.is_current = current && addr_cmp(k.addr, current) == 0;
		k.merit = carrier_merit(n->ready, hop_find(hops, k.addr), k.is_current);
		if (is_better(&k, &best))
			best = k;
	}
	return best.addr;
}

void desired_make(const struct config *c, const struct nodes *nodes, const struct hop_table *hops, const struct route *actual,
		  size_t actual_count, struct desired *ret)
{
	*ret = (struct desired){ 0 };
	map_foreach(&nodes->by_name, it)
		node_routes(c, it->value, ret);
	for (size_t i = 0; i < c->services.n; i++) {
		const struct prefix *p = &c->services.v[i];
		const struct addr *current = service_current(p, actual, actual_count);
		const struct addr *via = service_via(c, nodes, hops, p->addr.family, current);
		char text[PREFIX_STRLEN];

		if (via)
			route_add(ret, p, via);
		else
			strv_addf(&ret->problems, "no ready node can carry the service network %s", prefix_format(p, text));
	}
}

void desired_done(struct desired *d)
{
	free(d->routes);
	strv_done(&d->problems);
	*d = (struct desired){ 0 };
}
