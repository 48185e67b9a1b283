/* SPDX-License-Identifier: Apache-2.0 */
/* desired: what should be, as plain data, out of config and what the cluster says. Pure.
 *
 * Routes: each node's pod CIDRs through its address of the same family, each service CIDR through one ready node: the
 * one that carries it now while that is ready, else the first by name. A node's CIDR outside of the configured pod
 * networks, or an address that lies inside of them, is never routed: it is a problem with a sentence. */
#pragma once

#include "agent/config.h"
#include "agent/nodes.h"
#include "base/str.h"
#include "net/linux/route.h"

struct desired {
	struct route *routes;	/* owned */
	size_t route_count;
	struct strv problems;
};

/* actual: routes in place, of any protocol; for what should stay. */
void desired_make(const struct config *c, const struct nodes *nodes, const struct route *actual, size_t actual_count,
		  struct desired *ret);
void desired_done(struct desired *d);
