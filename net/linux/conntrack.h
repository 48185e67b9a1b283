/* SPDX-License-Identifier: Apache-2.0 */
/* conntrack: forgets flows, so that their next packet is looked at as a new one's. Needs CAP_NET_ADMIN. */
#pragma once

#include <stdbool.h>

#include "base/err.h"
#include "net/addr.h"

/* Of one entry. */
struct conntrack_entry {
	struct addr dst;		/* original destination */
	struct addr to;			/* who answers: dst, or where it was translated to */
	uint8_t protocol;
	const uint8_t *tuple;		/* CTA_TUPLE_ORIG's payload, in the message */
	size_t tuple_len;
};

/* Is a ping to dst, which `to` answers, bound to what it should not be any more? */
typedef bool (*conntrack_stale_fn)(void *arg, const struct addr *dst, const struct addr *to);
/* Deletes the entries of ICMP and ICMPv6 that are stale. Returns how many, or -errno. Walks the kernel's whole table, all
 * namespaces' buckets: some milliseconds. */
int conntrack_forget_pings(conntrack_stale_fn is_stale, void *arg, struct err *err) must_check;

/* Reads one message of a dump (behind its netlink head). Pure. -EBADMSG when it is none. */
int conntrack_parse(const void *p, size_t n, struct conntrack_entry *ret) must_check;
