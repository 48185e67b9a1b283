/* SPDX-License-Identifier: Apache-2.0 */
/* rules: what packets to the service networks may find: a ping an endpoint, everything else a port that is served.
 *
 * An echo request to a cluster IP goes to an endpoint of its service (kube-proxy answers none). A new flow to an address,
 * protocol and port that no service has, or that nobody serves, is refused at once, which the cluster leaves to time-outs. Both by
 * sets in a table that ends with this process. Nothing is refused before all is known, nor when what is known may be old: then a
 * condition in the table is not renewed, and expires (also when we hang). A change costs what it changes. */
#pragma once

#include "agent/agent.h"

struct rules;

int rules_start(struct agent *a, struct err *err);
void rules_stop(struct agent *a);
void rules_status(struct agent *a, json *o);

/* Puts what has changed in place, now: before a name is answered from what has changed. Cheap without changes; NULL is fine. */
void rules_flush(struct rules *r);
