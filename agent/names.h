/* SPDX-License-Identifier: Apache-2.0 */
/* names: the cluster's names answered from memory as its CoreDNS would (kubernetes plugin of CoreDNS 1.14 with k3s's
 * Corefile: pods insecure, reverse names fall through, cache 30). Pure.
 *
 * Equal in code, AA, record sets and SOA but for its serial; checked against recorded answers of a real one. Not ours,
 * and to be asked of CoreDNS: a store that is not synced, other classes, reverse names without an object, and what an
 * ExternalName outside of the zone leads to. */
#pragma once

#include "net/dnswire.h"
#include "net/kube/store.h"

struct names {
	const struct store *store;	/* borrowed */
	struct dns_name zone;		/* "cluster.local" */
	struct addr dns;		/* cluster IP of its DNS, for ns.dns.ZONE */
	uint32_t serial;
	unsigned turn;			/* address sets begin at another one with each turn */
	bool custom;			/* CoreDNS may have names of its own: NXDOMAIN is its to say */
	bool pods;			/* every address below NS.pod is a name (`pods insecure`); else CoreDNS is asked */
};

#define NAMES_LABEL 64
/* A label of the wire in lower case; bytes that no name of an object has become one that none has. */
void names_label(const uint8_t *p, char ret[static NAMES_LABEL]);

/* Answers q with what is known of `name`: the question's own, or the full form of a short one. The length of the answer, at
 * most max (≥ DNS_QUERY_MAX); TC is set when records had to go. 0: not ours. An ExternalName that leads out of the zone is not
 * ours either, or, with ret_outside, the answer ends with its CNAME, and *ret_outside is where it leads (else its len is 0). */
size_t names_answer(const struct names *n, const struct dns_query *q, const struct dns_name *name, struct dns_name *ret_outside,
		    uint8_t *out, size_t max);
