/* SPDX-License-Identifier: Apache-2.0 */
/* answer: what we answer by ourselves. Pure; each returns the length written into out (DNS_LOCAL_MAX bytes, or max). */
#pragma once

#include "net/dnswire.h"

/* The cluster is away: NXDOMAIN with SOA, the only answer that no libc stumbles over; the zone's own name: no data. */
size_t answer_away(const struct dns_query *q, const struct dns_name *zone, uint32_t serial, uint8_t *out);
size_t answer_localhost(const struct dns_query *q, uint8_t *out);
/* q's answer out of two: `head`, the CNAMEs of an answer for q that lead outside, and a server's reply for their end: CNAMEs and
 * addresses of both, and the reply's rcode (RFC 6604). */
size_t answer_chase(const struct dns_query *q, const uint8_t *head, size_t head_len, unsigned rcode, const uint8_t *reply,
		    size_t len, uint8_t *out, size_t max);
