/* SPDX-License-Identifier: Apache-2.0 */
/* resolvtext: resolv.conf as text: what it says, and what ours says in its place. Pure.
 *
 * Ours has our nameserver first and at most two of the original ones behind it (should the agent be killed, glibc and Go
 * go on with the next line at once); none behind it where musl is in use, which asks all at the same time, unless the
 * redirect has them all. The cluster's search domains come before the original ones (at most 6 domains and 256 characters:
 * old libcs' limits), ndots is 5,
 * `rotate` is dropped, every other option and unknown line is kept. The second line is a comment that marks it as ours (a
 * server comes first, for readers that see half of a write). */
#pragma once

#include "agent/config.h"
#include "base/buf.h"
#include "base/str.h"

#define RESOLV_MAX 65536
#define RESOLV_NAMESERVERS 3

struct resolv {
	struct strv nameservers, search, options;
	struct strv other;		/* sortlist and what we do not know */
};

void resolv_parse(const char *text, size_t n, struct resolv *ret);
void resolv_done(struct resolv *r);
/* The usable servers: at most 3, without `self`; 127.0.0.1 when none is named (resolv.conf(5)). Returns the count. */
size_t resolv_servers(const struct resolv *r, const struct addr *self, struct hostport ret[static RESOLV_NAMESERVERS]);
void resolv_compose(const struct resolv *original, const struct config *c, bool only_ours, struct buf *out);
bool resolv_is_ours(const char *text, size_t n);
/* What the original may have been, out of ours: for when the saved one is lost. */
void resolv_strip(const char *text, size_t n, const struct config *c, struct buf *out);
