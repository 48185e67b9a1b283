/* SPDX-License-Identifier: Apache-2.0 */
/* conntrack: forgets flows, so that their next packet is looked at as a new one's. Needs CAP_NET_ADMIN. */
#pragma once

#include "base/err.h"
#include "net/addr.h"

/* Of one entry: what it was made by. */
struct conntrack_entry {
	struct addr dst;		/* original destination */
	uint8_t protocol;
	const uint8_t *tuple;		/* CTA_TUPLE_ORIG's payload, in the message */
	size_t tuple_len;
};

/* Deletes the entries of ICMP and ICMPv6 whose original destination is one of the n addresses. Returns how many, or -errno. Walks
 * the kernel's whole table, all namespaces' buckets: some milliseconds. */
int conntrack_forget_pings(const struct addr *dst, size_t n, struct err *err) must_check;

/* Reads one message of a dump (behind its netlink head). Pure. -EBADMSG when it is none. */
int conntrack_parse(const void *p, size_t n, struct conntrack_entry *ret) must_check;
