/* SPDX-License-Identifier: Apache-2.0 */
/* routes: from desired and actual routes to a list of operations, and the operations to the kernel.
 *
 * Only routes of our protocol are replaced or removed, and what stands where one of ours was before (contest.h). Else a
 * destination that somebody routes, or that overlaps a network which this machine is connected to, is left alone (ours for it
 * is removed) and explained. A second plan over what the first one made is empty. */
#pragma once

#include "agent/contest.h"
#include "agent/desired.h"

struct route_op {
	bool add;		/* put or replace; else remove */
	struct route route;
	int code;		/* once applied: 0 or -errno */
};

struct route_plan {
	struct route_op *ops;	/* owned; additions before removals */
	size_t n;
	struct strv conflicts;
};

/* actual: every protocol's. contests may be NULL. */
void routes_plan(const struct desired *d, const struct route *actual, size_t actual_count, const struct contests *contests,
		 struct route_plan *ret);
void route_plan_done(struct route_plan *p);
/* Does all it can; the first failure is returned, with how many failed. */
int routes_apply(struct nl *nl, struct route_plan *p, struct err *err) must_check;
/* Removes every route of our protocol; returns the count or -errno. */
int routes_undo(struct nl *nl, struct err *err) must_check;
