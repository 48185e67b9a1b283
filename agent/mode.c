/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/mode.h"

#include "agent/carry.h"
#include "agent/cluster.h"
#include "agent/desired.h"
#include "agent/rules.h"
#include "base/log.h"
#include "base/mem.h"

/* An address that is our own, too, is another machine's network with the same numbers. */
static bool is_on_link(const struct addr *node, const struct link_addr *own, size_t count)
{
	bool found = false;

	for (size_t i = 0; i < count; i++) {
		const struct prefix net = { own[i].addr, own[i].len };

		if (addr_cmp(&own[i].addr, node) == 0)
			return false;
		found |= !addr_is_loopback(&own[i].addr) && net.len && prefix_contains(&net, node);
	}
	return found;
}

bool mode_is_near(const struct config *c, const struct nodes *nodes, const struct link_addr *own, size_t count)
{
	static const int families[] = { AF_INET, AF_INET6 };

	map_foreach(&nodes->by_name, it) {
		for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
			const struct addr *a = desired_hop(c, it->value, families[i]);

			if (a && is_on_link(a, own, count))
				return true;
		}
	}
	return false;
}

static void mode_set(struct agent *a, bool forward)
{
	if (a->forward == forward)
		return;
	log_info("mode %s: %s", forward ? "forward" : "route",
		 forward ? "no node has an address in a network of this machine, connections are carried through the API server" :
			   "a node has an address in a network of this machine, routes lead through it");
	a->forward = forward;
	cluster_set_carried(a->cluster, forward);
	carry_follow(a->carry);
	rules_rebuild(a->rules);
}

void mode_begin(struct agent *a)
{
	a->forward = a->config.mode == CONFIG_FORWARD;
	cluster_set_carried(a->cluster, a->forward);
}

void mode_look(struct agent *a, struct nl *n, const struct route *routes, size_t route_count)
{
	autofree struct link_addr *own = NULL;
	struct err err = { 0 };
	size_t count;

	if (a->config.mode == CONFIG_ROUTE)
		return;
	if (link_addrs(n, &own, &count, &err) < 0) {
		trouble_note(&a->trouble, "mode", "%s", err_text(&err));
		return;
	}
	carry_set_own(a->carry, own, count, routes, route_count);
	if (a->config.mode == CONFIG_AUTO && a->nodes.synced && a->nodes.by_name.live)
		mode_set(a, !mode_is_near(&a->config, &a->nodes, own, count));
}
