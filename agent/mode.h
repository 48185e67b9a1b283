/* SPDX-License-Identifier: Apache-2.0 */
/* mode: do routes lead to the cluster, or is each connection carried through the API server?
 *
 * With "auto", routes are taken where a node has an address in a network that this machine is attached to: only such a node can be a
 * gateway. Looked at with the nodes and with each change of our own addresses; while no node is known, all stays. What it decides is
 * in agent.forward, and the modules that it concerns are told. */
#pragma once

#include "agent/agent.h"
#include "net/linux/link.h"
#include "net/linux/route.h"

/* Before anything is known: routes, unless the configuration says otherwise. */
void mode_begin(struct agent *a);
/* Decides anew, and says to the carry what is our own. routes are those in place. */
void mode_look(struct agent *a, struct nl *n, const struct route *routes, size_t route_count);

/* Is a node in one of our networks? Pure. */
bool mode_is_near(const struct config *c, const struct nodes *nodes, const struct link_addr *own, size_t count);
