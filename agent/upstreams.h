/* SPDX-License-Identifier: Apache-2.0 */
/* upstreams: the original DNS servers, as resolv.conf named them before us. One channel each (net/linux/upstream).
 *
 * They are asked in the order of resolv.conf, as the first may know names that others do not. One that lets a question wait,
 * or whose port is closed, moves behind the others, and is probed: at once, then after 1 to 30 s. An answer, to a probe or to
 * a client, puts it back. SERVFAIL and REFUSED for a client are about a name, not about the server. Changing the set asks the
 * questions under way again of the new servers. */
#pragma once

#include "agent/agent.h"
#include "base/backoff.h"
#include "net/linux/upstream.h"

#define UPSTREAMS_MAX 3
/* One try waits this long, the second twice: together below the 5 s after which glibc and Go give up. */
#define UPSTREAM_TRY_MS 1450

struct upstreams_server {
	struct upstream *channel;	/* owned */
	bool down;
	struct timer timer;		/* until the next probe */
	struct upstream_query probe;
	struct backoff wait;
};

struct upstreams {
	struct loop *loop;
	struct upstreams_server *v[UPSTREAMS_MAX];	/* owned */
	size_t n;
};

int upstreams_start(struct agent *a, struct err *err);
void upstreams_stop(struct agent *a);
void upstreams_status(struct agent *a, json *o);

void upstreams_set(struct agent *a, const struct hostport *servers, size_t n);
/* In the order to ask them; returns the count. */
size_t upstreams_order(const struct upstreams *u, struct upstream *ret[static UPSTREAMS_MAX]);
void upstreams_answered(struct upstreams *u, const struct upstream *by);
void upstreams_failed(struct upstreams *u, const struct upstream *by);	/* no answer for long, or nobody there */
json *upstream_json(const struct upstream *u);
