/* SPDX-License-Identifier: Apache-2.0 */
/* fnv: FNV-1a of 64 bits, for tables in memory. Who chooses the keys can make them meet: cache.c has SipHash for strangers. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define FNV_START UINT64_C(0xcbf29ce484222325)

/* h: FNV_START, or the hash of what comes before. */
static inline uint64_t fnv_add(uint64_t h, const void *p, size_t n)
{
	const uint8_t *b = p;

	for (size_t i = 0; i < n; i++)
		h = (h ^ b[i]) * UINT64_C(0x100000001b3);
	return h;
}

/* With all bits in the low ones, where tables look. */
static inline size_t fnv_fold(uint64_t h)
{
	return (size_t)(h ^ h >> 32);
}
