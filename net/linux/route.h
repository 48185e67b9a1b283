/* SPDX-License-Identifier: Apache-2.0 */
/* route: the main table's routes, IPv4 and IPv6 alike.
 *
 * Ours carry ROUTE_PROTO ("firestream" in iproute2's rt_protos, if one cares to add it), which is how they are found
 * and removed. Replacing is atomic (NLM_F_REPLACE) but matches prefix and metric whatever the protocol: look at
 * route_list() first, so that nobody else's route is taken over. */
#pragma once

#include <stdbool.h>

#include "net/addr.h"
#include "net/linux/nl.h"

#define ROUTE_PROTO 98
#define ROUTE_PROTO_NAME "firestream"

struct route {
	struct prefix dst;
	struct addr via;	/* none: on-link */
	unsigned ifindex;	/* 0 in a request: the kernel's choice */
	uint32_t metric;	/* IPv6 lists 1024 for "none given" */
	uint8_t proto;
	bool refuses;		/* unreachable, prohibit or blackhole: somebody's; ours never are */
};

/* Do both want the kernel's one place for a destination and metric? Then one replaces the other. */
bool route_same_slot(const struct route *a, const struct route *b);
/* Same destination, and the kernel takes a rather than b. */
bool route_precedes(const struct route *a, const struct route *b);
/* Routes of the main table, default routes included, of every protocol when proto is 0; caller frees *ret. */
int route_list(struct nl *n, uint8_t proto, struct route **ret, size_t *ret_count, struct err *err) must_check;
int route_replace(struct nl *n, const struct route *r, struct err *err) must_check;
/* Only that route: destination, gateway, metric, protocol. 0 when absent. */
int route_delete(struct nl *n, const struct route *r, struct err *err) must_check;
const char *route_format(const struct route *r, char *ret, size_t n);	/* "10.42.0.0/24 via 172.18.0.3"; returns ret */
