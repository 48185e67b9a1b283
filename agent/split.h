/* SPDX-License-Identifier: Apache-2.0 */
/* split: whose name is it? Pure.
 *
 * The cluster's: everything below the cluster domain, and reverse names of its pod and service networks. Ours: localhost
 * and invalid (RFC 6761). Everybody else's: the original upstreams. No name of one kind ever goes the other way. */
#pragma once

#include "agent/config.h"
#include "net/dnswire.h"

enum split_kind { SPLIT_EXTERNAL, SPLIT_CLUSTER, SPLIT_LOCALHOST, SPLIT_INVALID };

/* ret_zone: for negative answers, the zone that n lies in (cluster domain, reverse zone, "invalid"); else untouched. */
enum split_kind split_name(const struct config *c, const struct dns_name *n, struct dns_name *ret_zone);
/* The prefix that a name below in-addr.arpa or ip6.arpa stands for ("43.10.in-addr.arpa" → 10.43.0.0/16); -EINVAL. */
int split_reverse(const struct dns_name *n, struct prefix *ret) must_check;
