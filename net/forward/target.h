/* SPDX-License-Identifier: Apache-2.0 */
/* target: which pod, and which of its ports, a connection goes to. Pure, over the store; a choice allocates nothing.
 *
 * A service's port is found by its number; its ready endpoints that are pods take turns, with ClientIP affinity the client's
 * address decides (rendezvous hashing: only those of an endpoint that goes away move). Where none is left those that still serve
 * while they terminate are taken, as kube-proxy has it. Ports have the number of the EndpointSlice: named ones are resolved there;
 * where it says none, and for a headless service without ports, it is the wanted one. An endpoint that is no pod itself but has the
 * address of one is that pod. publishNotReadyAddresses makes all ready. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "net/kube/store.h"

#define TARGET_NS_MAX 64	/* with their NUL */
#define TARGET_POD_MAX 254

struct target {
	char ns[TARGET_NS_MAX], pod[TARGET_POD_MAX];
	uint16_t port;
};

/* Where a connection wants to go. pod NULL: to a ready endpoint of ns/service at this port of the service; else to this pod
 * of ns, whose port it is, ready or not; it is waited for while it is not among the endpoints of service, which may be NULL. */
struct target_want {
	const char *ns, *service, *pod;
	uint16_t port;
	uint8_t protocol;		/* IPPROTO_TCP or IPPROTO_UDP */
};

/* What was tried in vain for this connection. */
#define TARGET_TRIED_MAX 4
struct target_tried {
	struct target v[TARGET_TRIED_MAX];
	unsigned n;
};

/* The turn is the caller's counter of connections to that service. client may be NULL. tried may be NULL. 0; -EAGAIN: no
 * endpoint is ready now (or all were tried); -ENOENT: no such service, or it has no such port; -EOPNOTSUPP: a port-forward cannot
 * reach it (ExternalName, endpoints that are no pods, UDP); err says it in a sentence that names the service. */
int target_choose(const struct store *s, const struct target_want *want, const struct addr *client, uint64_t turn,
		  const struct target_tried *tried, struct target *ret, struct err *err) must_check;
/* What a cluster IP or a pod's address stands for: a service, or the pod of an endpoint (of several pods on their node's network
 * the one whose port it is). Strings are the store's. -ENOENT. */
int target_of_addr(const struct store *s, const struct addr *a, uint16_t port, uint8_t protocol,
		   struct target_want *ret) must_check;
bool target_eq(const struct target *a, const struct target *b);
