/* SPDX-License-Identifier: Apache-2.0 */
/* desired: what should be, as plain data, out of config, what the cluster says and what the probes saw. Pure.
 *
 * Routes: each node's pod CIDRs through its address of the same family, each service CIDR through one node that is ready and
 * answers: the one that carries it now while it does, else the first by name. With nothing better, one that answers though
 * the API says "not ready"; when all are dead, nothing is replaced. A node's CIDR outside of the configured pod networks,
 * or an address that lies inside of them, is never routed: it is a problem with a sentence. */
#pragma once

#include "agent/config.h"
#include "agent/hop.h"
#include "agent/nodes.h"
#include "base/str.h"
#include "net/linux/route.h"

struct desired {
	struct route *routes;	/* owned */
	size_t route_count;
	struct strv problems;
};

/* actual: routes in place, of any protocol; for what should stay. hops may be NULL: only the API tells who can be reached. */
void desired_make(const struct config *c, const struct nodes *nodes, const struct hop_table *hops, const struct route *actual,
		  size_t actual_count, struct desired *ret);
void desired_done(struct desired *d);
/* The node's address of a family, or NULL; one that no route may lead through is as good as none. */
const struct addr *desired_hop(const struct config *c, const struct node *n, int family);
