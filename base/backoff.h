/* SPDX-License-Identifier: Apache-2.0 */
/* backoff: the one retry policy: doubling from min to max, with ±20 % jitter. */
#pragma once

#include <stdint.h>

struct backoff {
	uint32_t min_ms, max_ms;
	uint32_t next_ms;	/* 0: start at min */
	uint32_t seed;		/* jitter; 0: seeded from the clock */
};

uint32_t backoff_next(struct backoff *b);	/* milliseconds to wait now */
void backoff_reset(struct backoff *b);
