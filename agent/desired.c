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

/* The node's address of a family, or NULL; one that no route may lead through is as good as none. */
static const struct addr *node_addr(const struct config *c, const struct node *n, int family)
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
		const struct addr *via = node_addr(c, n, n->cidrs[i].addr.family);

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

static const struct addr *service_via(const struct config *c, const struct nodes *nodes, int family, const struct addr *current)
{
	const struct addr *best = NULL;
	const char *best_name = NULL;

	map_foreach(&nodes->by_name, it) {
		const struct node *n = it->value;
		const struct addr *a = n->ready ? node_addr(c, n, family) : NULL;

		if (a && current && addr_cmp(a, current) == 0)
			return a;
		if (a && (!best || strcmp(n->name, best_name) < 0)) {
			best = a;
			best_name = n->name;
		}
	}
	return best;
}

void desired_make(const struct config *c, const struct nodes *nodes, const struct route *actual, size_t actual_count,
		  struct desired *ret)
{
	*ret = (struct desired){ 0 };
	map_foreach(&nodes->by_name, it)
		node_routes(c, it->value, ret);
	for (size_t i = 0; i < c->services.n; i++) {
		const struct prefix *p = &c->services.v[i];
		const struct addr *via = service_via(c, nodes, p->addr.family, service_current(p, actual, actual_count));
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
