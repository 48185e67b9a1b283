/* SPDX-License-Identifier: Apache-2.0 */
/* cluster: can the cluster's DNS be asked now?
 *
 * away: no way there (its service network is not routed); silent: a way, but no answer; up: it answers. Only in `up` are
 * names sent there. What changes the state is the probe (`kubernetes.default.svc.ZONE`), once a second, and it runs only
 * while there is doubt: not up, the API server's watch is cut, or a question has waited for a second. Two failures in a
 * row take `up` away; the questions under way are then answered at once. */
#pragma once

#include "agent/agent.h"
#include "net/linux/upstream.h"

enum cluster_state { CLUSTER_AWAY, CLUSTER_SILENT, CLUSTER_UP, CLUSTER_STATES };

struct cluster {
	struct agent *agent;
	enum cluster_state state;
	uint64_t since_ns, lost_ns;	/* lost: when it was up last */
	struct upstream *dns[CONFIG_LIST_MAX];	/* owned */
	size_t dns_count;
	bool routed, api_connected, suspect;
	char api_error[300];
	struct timer timer;
	struct upstream_query probe;
	struct dns_query question;
	size_t probe_server;
	unsigned failures;
	uint32_t serial;	/* of our SOA; grows with each change */
};

int cluster_start(struct agent *a, struct err *err);
void cluster_stop(struct agent *a);
void cluster_status(struct agent *a, json *o);

bool cluster_is_up(const struct cluster *c);
void cluster_set_routed(struct cluster *c, bool routed);
void cluster_set_carried(struct cluster *c, bool carried);	/* how its DNS is reached from now on */
void cluster_set_api(struct cluster *c, bool connected, const struct err *why);
/* A question waits for its answer too long, or failed. */
void cluster_doubt(struct cluster *c);
