/* SPDX-License-Identifier: Apache-2.0 */
/* contest: routes of ours that another program removes or replaces. Pure; time comes as an argument.
 *
 * What it takes away is put back at once, and taken over again where it stands in our place, because it was ours before.
 * But not for ever: more than CONTEST_FREE times in a minute is a fight, and then once in 30 s has to do, until a minute
 * has passed in peace. Only what was in place, and can be put back, counts: a link that goes takes its routes along. */
#pragma once

#include "net/linux/route.h"

#define CONTEST_FREE 5
#define CONTEST_WINDOW_NS UINT64_C(60000000000)
#define CONTEST_HOLD_NS UINT64_C(30000000000)
#define CONTESTS_MAX 1024	/* routes beyond are put back without counting */

struct contest {
	struct route route;		/* as we set or found it */
	uint64_t at_ns[CONTEST_FREE];	/* the last times that it was put back, a ring; 0: none */
	unsigned next;
	bool fight;
};

struct contests {
	struct contest *v;		/* owned */
	size_t n;
	uint64_t now_ns;
};

/* Before a plan: what of ours is in place now, and what nobody wants any more. */
void contests_see(struct contests *c, const struct route *wanted, size_t wanted_count, const struct route *actual, size_t actual_count,
		  uint64_t now_ns);
/* r has been set; was it taken away before? One that could not be set, or that we removed, is forgotten. */
bool contests_set(struct contests *c, const struct route *r);
void contests_forget(struct contests *c, const struct route *r);
void contests_done(struct contests *c);

/* NULL is fine: nobody contests anything. */
bool contests_was_ours(const struct contests *c, const struct route *r);
bool contests_holds(const struct contests *c, const struct route *r);	/* not to be put back now; by another gateway, it may */
