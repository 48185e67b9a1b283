/* SPDX-License-Identifier: Apache-2.0 */
/* corefile: what the cluster's CoreDNS has beyond Services, out of its ConfigMaps. Pure.
 *
 * Read are the Corefile (server blocks, and what the directives hosts, rewrite, template, forward, file, k8s_external and
 * kubernetes say of names), the NodeHosts, and k3s's coredns-custom (*.override inside of the main block, *.server beside
 * it). Names found there are to be asked of CoreDNS. What may answer any name (a rewrite by pattern, a template without
 * zone, dns64, acl, any) makes it opaque: then nothing of the cluster's zone is ours to say. Hosts of one label (the nodes) are left out: the
 * container's own resolver has them. At most COREFILE_NAMES_MAX names. */
#pragma once

#include "base/json.h"
#include "net/dnswire.h"

#define COREFILE_NAMES_MAX 512

struct corefile_name {
	struct dns_name name;
	bool below;			/* with all names below it */
};

struct corefile {
	bool known;			/* a kubernetes block for the zone was found */
	bool opaque;
	bool fallthrough;		/* what kubernetes does not know may be known behind it */
	bool pods_insecure;		/* any address below NS.pod is a name */
	struct corefile_name *names;	/* owned */
	size_t n;
};

/* main, custom: ConfigMaps or NULL. zone: the cluster's. */
void corefile_read(const json *main, const json *custom, const struct dns_name *zone, struct corefile *ret);
void corefile_done(struct corefile *c);
/* The one of these that name is, or lies below; NULL. Borrowed. */
const struct dns_name *corefile_find(const struct corefile *c, const struct dns_name *name);
