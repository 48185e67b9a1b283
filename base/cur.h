/* SPDX-License-Identifier: Apache-2.0 */
/* cur: reads a peer's bytes and never beyond them.
 *
 * Every read checks what is left; the first short one sets `bad`, which sticks, and yields zeros from then on:
 * parse a whole header, then test cur_ok() once. Big endian. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cur {
	const uint8_t *base;
	size_t len, pos;
	bool bad;
};

static inline struct cur cur_init(const void *p, size_t len)
{
	return (struct cur){ .base = p, .len = len };
}

/* NULL when fewer are left */
static inline const uint8_t *cur_take(struct cur *c, size_t n)
{
	const uint8_t *p;

	if (c->bad || n > c->len - c->pos) {
		c->bad = true;
		return NULL;
	}
	if (!c->base)
		return (const uint8_t *)"";
	p = c->base + c->pos;
	c->pos += n;
	return p;
}

static inline uint8_t cur_u8(struct cur *c)
{
	const uint8_t *p = cur_take(c, 1);

	return p ? p[0] : 0;
}

static inline uint16_t cur_u16(struct cur *c)
{
	const uint8_t *p = cur_take(c, 2);

	return p ? (uint16_t)(p[0] * 256u + p[1]) : 0;
}

static inline uint32_t cur_u32(struct cur *c)
{
	const uint8_t *p = cur_take(c, 4);

	return p ? (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3] : 0;
}

/* pos ≤ len, otherwise bad */
static inline void cur_seek(struct cur *c, size_t pos)
{
	if (c->bad || pos > c->len)
		c->bad = true;
	else
		c->pos = pos;
}

static inline size_t cur_left(const struct cur *c)
{
	return c->bad ? 0 : c->len - c->pos;
}

static inline bool cur_ok(const struct cur *c)
{
	return !c->bad;
}
