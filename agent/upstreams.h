/* SPDX-License-Identifier: Apache-2.0 */
/* upstreams: the original DNS servers, as resolv.conf named them before us. One channel each (net/linux/upstream).
 *
 * The one that answered last is asked first. Changing the set asks the questions under way again of the new
 * servers. */
#pragma once

#include "agent/agent.h"
#include "net/linux/upstream.h"

#define UPSTREAMS_MAX 3
/* One try waits this long, the second twice: together below the 5 s after which glibc and Go give up. */
#define UPSTREAM_TRY_MS 1450

struct upstreams {
	struct upstream *v[UPSTREAMS_MAX];	/* owned */
	size_t n, preferred;
};

int upstreams_start(struct agent *a, struct err *err);
void upstreams_stop(struct agent *a);
void upstreams_status(struct agent *a, json *o);

void upstreams_set(struct agent *a, const struct hostport *servers, size_t n);
/* In the order to ask them; returns the count. */
size_t upstreams_order(const struct upstreams *u, struct upstream *ret[static UPSTREAMS_MAX]);
void upstreams_answered(struct upstreams *u, const struct upstream *by);
json *upstream_json(const struct upstream *u);
