/* SPDX-License-Identifier: Apache-2.0 */
/* map: string → pointer, insertion order kept, open addressing. Keys are copied; values are the caller's, freed by
 * `free_value` (may be NULL) when replaced, removed or the map is done. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct map_entry {
	char *key;		/* owned; NULL: removed */
	void *value;
};

struct map {
	struct map_entry *e;	/* in order of insertion, n of them, `live` not removed */
	size_t n, cap, live;
	unsigned *slot;		/* hash → index + 1; owned */
	size_t slots;
	void (*free_value)(void *);
};

#define MAP_INIT(f) { .free_value = (f) }

void *map_get(const struct map *m, const char *key);
void map_set(struct map *m, const char *key, void *value);
bool map_del(struct map *m, const char *key);
void map_done(struct map *m);

/* Safe against removal of the current entry, not against insertion. */
#define map_foreach(m, it) \
	for (struct map_entry *it = (m)->e; it && it < (m)->e + (m)->n; it++) \
		if (it->key)
