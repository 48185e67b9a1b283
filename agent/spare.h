/* SPDX-License-Identifier: Apache-2.0 */
/* spare: what forward mode never catches, though it lies in the cluster's networks by its number. Pure.
 *
 * The API server's own addresses: what is carried goes there. Our own addresses, our gateways and DNS servers; and the networks that we
 * are attached to, where they are inside of the cluster's (a wider one would leave nothing to catch). */
#pragma once

#include "agent/config.h"
#include "net/kube/store.h"
#include "net/linux/link.h"

#define SPARE_MAX 64u

struct spare {
	struct prefix v[SPARE_MAX];	/* sorted, none twice */
	size_t n;
};

/* Only what is in the cluster's networks is taken; what is too much is left out. a may be none. */
void spare_addr(struct spare *s, const struct config *c, const struct addr *a);
void spare_own(struct spare *s, const struct config *c, const struct link_addr *own);
/* The endpoints of default/kubernetes, which are API servers. */
void spare_servers(struct spare *s, const struct config *c, const struct store *store);
bool spare_equal(const struct spare *a, const struct spare *b);
