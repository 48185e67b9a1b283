/* SPDX-License-Identifier: Apache-2.0 */
#include "boot/forward_addr.h"

#include <errno.h>
#include <string.h>

#include "base/fnv.h"
#include "base/mem.h"

#define PLACE_TEXT 12

struct place {
	uint32_t at;
};

static const char *place_text(uint32_t at, char ret[static PLACE_TEXT])
{
	snprintf(ret, PLACE_TEXT, "%u", at);
	return ret;
}

void places_init(struct places *p, uint32_t size)
{
	*p = (struct places){ .size = size, .held = MAP_INIT(free) };
}

void places_done(struct places *p)
{
	map_done(&p->held);
	map_done(&p->taken);
}

void places_reserve(struct places *p, uint32_t place)
{
	char text[PLACE_TEXT];

	if (!map_get(&p->taken, place_text(place, text)))
		map_set(&p->taken, text, p);
}

static uint32_t place_first(const struct places *p, const char *key)
{
	return (uint32_t)(fnv_fold(fnv_add(FNV_START, key, strlen(key))) % p->size);
}

/* The first free place that is not busy; *ret_free: one is free at all. */
static uint32_t place_find(const struct places *p, const char *key, place_busy_fn busy, void *arg, bool *ret_free)
{
	uint32_t first = place_first(p, key), fallback = 0;
	unsigned tried = 0;
	char text[PLACE_TEXT];

	*ret_free = false;
	for (uint32_t i = 0; i < p->size && tried < PLACES_TRIED; i++) {
		uint32_t at = (uint32_t)(((uint64_t)first + i) % p->size);

		if (map_get(&p->taken, place_text(at, text)))
			continue;
		if (!tried++)
			fallback = at;
		*ret_free = true;
		if (!busy || !busy(arg, at))
			return at;
	}
	return fallback;
}

int64_t places_take(struct places *p, const char *key, place_busy_fn busy, void *arg)
{
	struct place *place = map_get(&p->held, key);
	char text[PLACE_TEXT];
	bool is_free;
	uint32_t at;

	if (place)
		return place->at;
	at = place_find(p, key, busy, arg, &is_free);
	if (!is_free)
		return -ENOSPC;
	place = xcalloc(1, sizeof(*place));
	place->at = at;
	map_set(&p->held, key, place);
	map_set(&p->taken, place_text(at, text), place);
	return at;
}

void places_release(struct places *p, const char *key)
{
	struct place *place = map_get(&p->held, key);
	char text[PLACE_TEXT];

	if (!place)
		return;
	map_del(&p->taken, place_text(place->at, text));
	map_del(&p->held, key);
}

/* ---- addresses and ports ----------------------------------------------------------------------------------------- */

struct addr forward_addr_at(uint32_t place)
{
	uint32_t net = place / 254u;
	const uint8_t b[4] = { 127, (uint8_t)(net / 256u + 1), (uint8_t)(net % 256u), (uint8_t)(place % 254u + 1) };

	return addr_from_bytes(AF_INET, b);
}

bool forward_addr_place(const struct addr *a, uint32_t *ret)
{
	if (a->family != AF_INET || a->b[0] != 127 || a->b[1] < 1 || a->b[1] > 250 || a->b[3] == 0 || a->b[3] == 255)
		return false;
	*ret = ((uint32_t)(a->b[1] - 1) * 256u + a->b[2]) * 254u + a->b[3] - 1;
	return true;
}

uint16_t forward_port_high(uint16_t port, unsigned attempt)
{
	static const uint16_t above[] = { 8000, 18000, 28000, 38000, 48000 };

	return attempt < ARRAY_SIZE(above) ? (uint16_t)(above[attempt] + port) : 0;
}
