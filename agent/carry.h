/* SPDX-License-Identifier: Apache-2.0 */
/* carry: connections to the cluster's addresses, where no route leads there (agent/mode.h).
 *
 * The rules (agent/rules.h) turn TCP connections to ports that are served, and to pods, to a listener of ours on loopback; where they
 * wanted to go, conntrack knows. They are carried to an endpoint through the API server's port-forward (net/forward/forwarder.h).
 * What leads to nobody is reset. In route mode the module is there, and does nothing; with "auto" its
 * listener waits. */
#pragma once

#include "agent/agent.h"
#include "agent/spare.h"
#include "net/linux/route.h"

struct carry;
struct kube;

int carry_start(struct agent *a, struct err *err);
void carry_stop(struct agent *a);
void carry_status(struct agent *a, json *o);

/* The listener's port for a family; 0: none. NULL is fine, here and below. */
uint16_t carry_port(const struct carry *c, int family);
/* What is never caught; empty without a carry. */
const struct spare *carry_spare(const struct carry *c);
/* Our own addresses and gateways, when they have been looked at. */
void carry_set_own(struct carry *c, const struct link_addr *own, size_t count, const struct route *routes, size_t route_count);
/* For the watch: another client (NULL: none any more), and whether its server is there. */
void carry_set_client(struct carry *c, struct kube *k);
void carry_set_connected(struct carry *c, bool connected);
/* The mode has changed: what connections are under way go on. */
void carry_follow(struct carry *c);
/* Services or endpoints have changed: soon, connections that wait look again. */
void carry_changed(struct carry *c);
