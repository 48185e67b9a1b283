/* SPDX-License-Identifier: Apache-2.0 */
/* answer: what we answer by ourselves. Pure; each returns the length written into out (DNS_LOCAL_MAX bytes). */
#pragma once

#include "net/dnswire.h"

/* The cluster is away: NXDOMAIN with SOA, the only answer that no libc stumbles over; the zone's own name: no data. */
size_t answer_away(const struct dns_query *q, const struct dns_name *zone, uint32_t serial, uint8_t *out);
size_t answer_localhost(const struct dns_query *q, uint8_t *out);
