/* SPDX-License-Identifier: Apache-2.0 */
/* usable: what of a service's cluster IPs can be used: the ports behind which an endpoint is, and the endpoint that answers a
 * ping. Pure.
 *
 * A port is usable when a ready endpoint of the address's family has it, or, where none is ready, one that still serves while
 * it terminates (as kube-proxy has it). The endpoint for pings stays while it is ready; else one is chosen by the address, so
 * that services spread. Only addresses inside of the configured service networks count, and, should two services claim one for a
 * moment, only for the one that the store finds by it. */
#pragma once

#include "agent/config.h"
#include "net/kube/store.h"
#include "net/linux/nft.h"

#define USABLE_PINGS 2			/* one a family */

struct usable {
	struct nft_element *ports;	/* owned; sorted */
	size_t n;
	struct nft_element ping[USABLE_PINGS];	/* sorted */
	size_t pings;
};

/* before: of the same service, or NULL. */
void usable_make(const struct config *c, const struct store *s, const char *ns, const char *name, const struct usable *before,
		 struct usable *ret);
void usable_done(struct usable *u);
int usable_cmp(const struct nft_element *a, const struct nft_element *b);	/* by key: address, protocol, port */
