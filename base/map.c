/* SPDX-License-Identifier: Apache-2.0 */
/* How it works: entries stand in one array in order of insertion; a power-of-two table of slots, at most half full,
 * holds their indexes, found by linear probing. A removed entry keeps its slot (key NULL) until the array is full and
 * both are built anew. */
#include "base/map.h"

#include <stdint.h>
#include <string.h>

#include "base/fnv.h"
#include "base/mem.h"

#define CAP_MIN 8

/* The slot of key, or the free one where it would go. */
static size_t slot_find(const struct map *m, const char *key)
{
	size_t i = fnv_fold(fnv_add(FNV_START, key, strlen(key))) & (m->slots - 1);

	for (; m->slot[i]; i = (i + 1) & (m->slots - 1)) {
		const struct map_entry *e = &m->e[m->slot[i] - 1];

		if (e->key && strcmp(e->key, key) == 0)
			break;
	}
	return i;
}

static struct map_entry *entry_find(const struct map *m, const char *key)
{
	size_t i;

	if (!m->slots || !key)
		return NULL;
	i = slot_find(m, key);
	return m->slot[i] ? &m->e[m->slot[i] - 1] : NULL;
}

/* Drops removed entries, makes room for more, and builds the slots anew. */
static void map_rebuild(struct map *m)
{
	size_t n = 0;

	for (size_t i = 0; i < m->n; i++)
		if (m->e[i].key)
			m->e[n++] = m->e[i];
	m->n = n;
	if (n >= m->cap / 2) {
		m->cap = m->cap ? m->cap * 2 : CAP_MIN;
		m->e = xrealloc(m->e, m->cap, sizeof(*m->e));
	}
	free(m->slot);
	m->slots = m->cap * 2;
	m->slot = xcalloc(m->slots, sizeof(*m->slot));
	for (size_t i = 0; i < n; i++)
		m->slot[slot_find(m, m->e[i].key)] = (unsigned)(i + 1);
}

static void value_free(const struct map *m, void *value)
{
	if (m->free_value && value)
		m->free_value(value);
}

void *map_get(const struct map *m, const char *key)
{
	const struct map_entry *e = entry_find(m, key);

	return e ? e->value : NULL;
}

void map_set(struct map *m, const char *key, void *value)
{
	struct map_entry *e = entry_find(m, key);

	if (e) {
		void *old = e->value;

		e->value = value;
		if (old != value)
			value_free(m, old);
		return;
	}
	if (m->n == m->cap)
		map_rebuild(m);
	m->e[m->n] = (struct map_entry){ .key = xstrdup(key), .value = value };
	m->slot[slot_find(m, key)] = (unsigned)++m->n;
	m->live++;
}

bool map_del(struct map *m, const char *key)
{
	struct map_entry *e = entry_find(m, key);
	void *value;

	if (!e)
		return false;
	value = e->value;
	free(e->key);
	*e = (struct map_entry){ 0 };
	m->live--;
	value_free(m, value);
	return true;
}

void map_done(struct map *m)
{
	for (size_t i = 0; i < m->n; i++) {
		if (!m->e[i].key)
			continue;
		free(m->e[i].key);
		value_free(m, m->e[i].value);
	}
	free(m->e);
	free(m->slot);
	*m = (struct map)MAP_INIT(m->free_value);
}
