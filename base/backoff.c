/* SPDX-License-Identifier: Apache-2.0 */
#include "base/backoff.h"

#include <time.h>

#include "base/compiler.h"

static uint32_t seed_new(const struct backoff *b)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ((uint32_t)ts.tv_nsec ^ (uint32_t)(uintptr_t)b) | 1;
}

/* xorshift32 */
static uint32_t random_next(uint32_t *seed)
{
	uint32_t x = *seed;

	x ^= x << 13;
	x ^= x >> 17;
	x ^= x << 5;
	return *seed = x;
}

uint32_t backoff_next(struct backoff *b)
{
	uint64_t now = b->next_ms ? b->next_ms : MAX(b->min_ms, 1u);
	uint64_t fifth;

	if (!b->seed)
		b->seed = seed_new(b);
	if (b->max_ms)
		now = MIN(now, b->max_ms);
	b->next_ms = (uint32_t)MIN(now * 2, b->max_ms ? b->max_ms : UINT32_MAX);
	fifth = now / 5;
	return (uint32_t)MIN(now - fifth + random_next(&b->seed) % (2 * fifth + 1), UINT32_MAX);
}

void backoff_reset(struct backoff *b)
{
	b->next_ms = 0;
}
