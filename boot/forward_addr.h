/* SPDX-License-Identifier: Apache-2.0 */
/* forward_addr: which loopback address a service has. Pure.
 *
 * The same name has the same one in every run, as far as possible: its place comes from its hash, and where that is taken the next
 * free one is. Places are numbers below a size; addresses are 127.1.0.1 … 127.250.255.254 without .0 and .255, which some
 * programs refuse. Where the machine has only 127.0.0.1 (macOS), ports are given out in the same way. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/map.h"
#include "net/addr.h"

#define FORWARD_ADDRESSES (250u * 256u * 254u)
#define FORWARD_PORT_FIRST 20000u	/* below the ports that systems give out themselves */
#define FORWARD_PORTS 12000u

struct places {
	uint32_t size;
	struct map held;	/* key → struct place, owned */
	struct map taken;	/* place as text → the same, or what places_reserve() put there; borrowed */
};

void places_init(struct places *p, uint32_t size);
void places_done(struct places *p);
/* Nobody is given that place any more; its holder keeps it. */
void places_reserve(struct places *p, uint32_t place);
/* Is somebody else there? */
typedef bool (*place_busy_fn)(void *arg, uint32_t place);
/* The place of that key, the one it has already if it has one. Where PLACES_TRIED places are all busy, the first of them: whoever
 * uses it will see what hinders. busy may be NULL. -ENOSPC: none is free. */
#define PLACES_TRIED 16u
int64_t places_take(struct places *p, const char *key, place_busy_fn busy, void *arg);
void places_release(struct places *p, const char *key);

struct addr forward_addr_at(uint32_t place);
/* False: not among those that are given out. */
bool forward_addr_place(const struct addr *a, uint32_t *ret);
/* Where a service's low port listens when low ports are root's: 80 at 8080, 443 at 8443. attempt: 0, then others. 0: no more. */
uint16_t forward_port_high(uint16_t port, unsigned attempt);
