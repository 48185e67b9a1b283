/* SPDX-License-Identifier: Apache-2.0 */
/* ping: ICMP and ICMPv6 echo on the loop, one socket per family.
 *
 * Sockets are opened at once, so that the right to do so may be given up afterwards. A ping socket (by ping_group_range) is
 * preferred, as the kernel then wakes us for our own replies only; a raw one (CAP_NET_RAW) is the fall-back. A reply counts
 * when identifier and 16 random bytes are ours; whose it is and what was asked, the owner knows by address and sequence. */
#pragma once

#include "base/loop.h"
#include "net/addr.h"

#define PING_SECRET 16
#define PING_MSG (8 + PING_SECRET)

struct ping;
typedef void (*ping_fn)(void *owner, const struct addr *from, uint16_t seq);

/* What a reply must have. */
struct ping_mark {
	uint16_t id;		/* of raw sockets; a ping socket's is the kernel's */
	uint8_t secret[PING_SECRET];
};

enum ping_kind { PING_NONE, PING_DGRAM, PING_RAW, PING_KINDS };

/* Never NULL, but maybe without a socket. */
struct ping *ping_new(struct loop *l, ping_fn fn, void *owner);
struct ping *ping_free(struct ping *p);					/* returns NULL */
/* How a family is probed; PING_NONE: not, and *ret_code is why (-errno). */
enum ping_kind ping_kind(const struct ping *p, int family, int *ret_code);
const char *ping_kind_name(enum ping_kind kind);
/* -EAFNOSUPPORT without a socket; the kernel's refusal (no route) is only a probe that nobody will answer. */
int ping_send(struct ping *p, const struct addr *to, uint16_t seq) must_check;

/* Pure. The message with checksum (IPv6: the kernel puts it); a reply's sequence, or -EBADMSG when it is not for us. */
void ping_build(const struct ping_mark *m, int family, uint16_t seq, uint8_t ret[static PING_MSG]);
int ping_parse(const struct ping_mark *m, int family, enum ping_kind kind, const void *p, size_t n, uint16_t *ret) must_check;
