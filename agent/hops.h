/* SPDX-License-Identifier: Apache-2.0 */
/* hops: probes the nodes that our routes lead through, or could, and tells reconcile when one dies or returns.
 *
 * At most HOPS_MAX addresses, spread over the second. Without a socket for a family nothing is known of its hops, and what
 * the API says of the nodes has to do. Probes that were under way while the machine or the agent slept are forgotten. */
#pragma once

#include "agent/agent.h"
#include "agent/hop.h"

struct hops;

int hops_start(struct agent *a, struct err *err);
void hops_stop(struct agent *a);
void hops_status(struct agent *a, json *o);

/* The nodes have changed, or the mode: where connections are carried, none is probed. NULL is fine, here and below. */
void hops_follow(struct hops *h);
const struct hop_table *hops_table(const struct hops *h);
