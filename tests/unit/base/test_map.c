/* SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>

#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"
#include "tests/tap.h"

static int freed;

static void count_free(void *p)
{
	freed++;
	free(p);
}

static void test_values(void)
{
	struct map m = MAP_INIT(count_free);

	freed = 0;
	map_set(&m, "a", xstrdup("1"));
	map_set(&m, "a", xstrdup("2"));
	is_int(freed, 1, "a replaced value is freed");
	is_str(map_get(&m, "a"), "2", "and the new one is there");
	map_set(&m, "a", map_get(&m, "a"));
	is_int(freed, 1, "a value set again is not freed");
	map_set(&m, "none", NULL);
	ok(map_get(&m, "none") == NULL && m.live == 2, "NULL can be a value");
	ok(map_del(&m, "a") && !map_del(&m, "a") && freed == 2, "a removed value is freed, once");
	map_set(&m, "b", xstrdup("3"));
	map_done(&m);
	ok(freed == 3 && m.live == 0 && map_get(&m, "b") == NULL, "the rest is freed at the end");
	map_done(&m);
}

/* Against a plain array, with many removals. */
static void test_random(void)
{
	enum { KEYS = 300 };
	struct map m = MAP_INIT(NULL);
	static char there[KEYS];
	uint32_t seed = 1;
	char key[16];
	bool good = true;
	size_t live = 0;

	for (int i = 0; i < 50000; i++) {
		unsigned k;

		seed = seed * 1103515245 + 12345;
		k = (seed >> 16) % KEYS;
		snprintf(key, sizeof(key), "key-%u", k);
		if (seed & 0x8000) {
			map_set(&m, key, &there[k]);
			live += !there[k];
			there[k] = 1;
		} else {
			good &= map_del(&m, key) == (there[k] == 1);
			live -= there[k];
			there[k] = 0;
		}
		good &= map_get(&m, key) == (there[k] ? &there[k] : NULL) && m.live == live;
	}
	for (unsigned k = 0; k < KEYS; k++) {
		snprintf(key, sizeof(key), "key-%u", k);
		good &= map_get(&m, key) == (there[k] ? &there[k] : NULL);
	}
	ok(good, "50,000 random changes agree with a plain array");
	ok(m.cap <= 1024, "removed entries are used again (room for %zu)", m.cap);
	map_done(&m);
}

int main(void)
{
	struct map m = MAP_INIT(NULL);
	char order[8] = "";
	size_t n = 0;

	ok(map_get(&m, "x") == NULL && !map_del(&m, "x"), "an empty map has nothing");
	map_set(&m, "z", "z");
	map_set(&m, "a", "a");
	map_set(&m, "m", "m");
	map_set(&m, "z", "z");
	map_foreach(&m, it)
		order[n++] = it->key[0];
	is_str(order, "zam", "entries come in the order of insertion");
	map_foreach(&m, it)
		if (streq(it->key, "a"))
			map_del(&m, it->key);
	n = 0;
	memset(order, 0, sizeof(order));
	map_foreach(&m, it)
		order[n++] = it->key[0];
	is_str(order, "zm", "the current entry may be removed");
	map_done(&m);
	test_values();
	test_random();
	return tap_done();
}
