/* SPDX-License-Identifier: Apache-2.0 */
/* dnstcp: DNS over TCP (RFC 7766): length-prefixed messages, pipelined, answered in whatever order they come.
 *
 * At most 64 connections (the next one takes the longest idle one's place), 100 questions under way per connection (then
 * it is not read), idle ones are closed after 10 s. A peer that closes its half still gets what it asked for. */
#pragma once

#include "agent/dns.h"

int dnstcp_new(struct dns *d, const struct hostport *at, struct dnstcp **ret, struct err *err) must_check;
void dnstcp_free(struct dnstcp *t);		/* NULL is fine */
/* An answer to one question of c. */
void dnstcp_send(struct dnstcp_conn *c, const void *msg, size_t n);
