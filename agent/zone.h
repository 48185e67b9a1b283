/* SPDX-License-Identifier: Apache-2.0 */
/* zone: the cluster's names, as far as they are known here: what the watches fed, what is said from it, and when.
 *
 * Once all was listed, names that exist are answered from memory. That a name does not exist is said here while the
 * watches stand (`live`) and CoreDNS is known to have nothing of its own behind it; else CoreDNS is asked while it is up, and for
 * every name once the watches are away for `stale` seconds.
 * Without watches and CoreDNS, what was known is said for `stale` seconds more. Names that the Corefile says are
 * CoreDNS's own are asked of it. */
#pragma once

#include "agent/agent.h"
#include "agent/corefile.h"
#include "agent/names.h"

struct zone {
	struct agent *agent;
	struct store *store;		/* owned; fed by the watch */
	struct corefile corefile;
	json *config_main, *config_custom;	/* owned; CoreDNS's ConfigMaps, or NULL */
	struct names names;
	bool live;			/* the watches behind the store stand */
	bool refused;			/* they do not, and the API server says why */
	uint64_t lost_ns;		/* since when live is false */
};

int zone_start(struct agent *a, struct err *err);
void zone_stop(struct agent *a);
void zone_status(struct agent *a, json *o);

/* For the watch. A ConfigMap that is gone: NULL; else it is copied. */
void zone_set_live(struct zone *z, bool live, bool refused);
void zone_set_config(struct zone *z, bool custom, const json *map);
/* Is all known, and followed until at most `stale` seconds ago? */
bool zone_is_current(const struct zone *z);
/* Is as much known as can be? */
bool zone_is_settled(const struct zone *z);

/* The full name that a short one stands for: `svc` of our namespace, `svc.ns`, where that service exists; `….ns.svc` and `IP.ns.pod`,
 * where the namespace exists. */
bool zone_short(const struct zone *z, const struct dns_name *name, struct dns_name *ret_full);
/* Is this a name that CoreDNS has of its own? *ret_zone: for negative answers, the zone that it lies in (what CoreDNS has, or
 * above it, as without CoreDNS the name does not exist, rather than have no data). */
bool zone_foreign(const struct zone *z, const struct dns_name *name, struct dns_name *ret_zone);
/* The answer from memory, as names_answer(); 0: CoreDNS is to be asked, or there is no cluster. It is not asked for what a
 * short name stands for, nor while it is away: then ret_outside may say where the answer goes on. */
size_t zone_answer(struct zone *z, const struct dns_query *q, const struct dns_name *name, struct dns_name *ret_outside,
		   uint8_t *out, size_t max);
