/* SPDX-License-Identifier: Apache-2.0 */
/* rules: what packets to the service networks may find: a ping an endpoint, everything else a port that is served.
 *
 * An echo request to a cluster IP goes to an endpoint of its service (kube-proxy answers none). A new flow to an address,
 * protocol and port that no service has, or that nobody serves, is refused at once, which the cluster leaves to time-outs. Both by
 * sets in a table that ends with this process. Nothing is refused before all is known, nor when what is known may be old: then a
 * condition in the table is not renewed, and expires (also when we hang). A change costs what it changes.
 *
 * In forward mode TCP connections to ports that are served, and to pods, are turned to agent/carry's listener; pings of a service
 * with endpoints are answered by loopback; and all of UDP is refused. */
#pragma once

#include "agent/agent.h"

struct rules;

int rules_start(struct agent *a, struct err *err);
void rules_stop(struct agent *a);
void rules_status(struct agent *a, json *o);

/* All is known now, for the first time or again: what nobody serves is refused from this moment. NULL is fine. */
void rules_current(struct rules *r);
/* Is it refused, as far as it can be? */
bool rules_are_done(const struct rules *r);
/* All of it anew, soon: what is never caught has changed. NULL is fine. */
void rules_rebuild(struct rules *r);
/* Puts what has changed in place, now: before a name is answered from what has changed. Cheap without changes; NULL is fine. */
void rules_flush(struct rules *r);
