/* SPDX-License-Identifier: Apache-2.0 */
/* addr: IPv4 and IPv6 addresses, prefixes and address:port as plain values.
 *
 * family is AF_INET, AF_INET6, or 0 for "none"; unused bytes are zero, so that memcmp order is address order within a
 * family. Parsing takes the whole string; a prefix with host bits set is refused. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/compiler.h"

#define ADDR_STRLEN 46
#define PREFIX_STRLEN (ADDR_STRLEN + 4)
#define HOSTPORT_STRLEN (ADDR_STRLEN + 8)

struct addr {
	uint8_t family;
	uint8_t b[16];
};

struct prefix {
	struct addr addr;
	uint8_t len;
};

struct hostport {
	struct addr addr;
	uint16_t port;
};

int addr_parse(const char *s, struct addr *ret) must_check;			/* -EINVAL */
const char *addr_format(const struct addr *a, char ret[static ADDR_STRLEN]);	/* returns ret; "-" for none */
int addr_cmp(const struct addr *a, const struct addr *b);
bool addr_is_loopback(const struct addr *a);
bool addr_is_unspecified(const struct addr *a);
unsigned addr_bits(const struct addr *a);					/* 32, 128, 0 for none */
struct addr addr_from_bytes(int family, const void *bytes);

int prefix_parse(const char *s, struct prefix *ret) must_check;			/* "10.42.0.0/16"; -EINVAL */
const char *prefix_format(const struct prefix *p, char ret[static PREFIX_STRLEN]);
int prefix_cmp(const struct prefix *a, const struct prefix *b);			/* by family, address, then length */
bool prefix_contains(const struct prefix *p, const struct addr *a);
bool prefix_overlaps(const struct prefix *a, const struct prefix *b);

/* "1.2.3.4", "1.2.3.4:53", "::1", "[::1]:53"; without a port: def. */
int hostport_parse(const char *s, uint16_t def, struct hostport *ret) must_check;
bool hostport_eq(const struct hostport *a, const struct hostport *b);
const char *hostport_format(const struct hostport *h, char ret[static HOSTPORT_STRLEN]);
socklen_t hostport_to_sockaddr(const struct hostport *h, struct sockaddr_storage *ret);
/* -EAFNOSUPPORT for others than IP. */
int hostport_from_sockaddr(const struct sockaddr *sa, struct hostport *ret) must_check;
