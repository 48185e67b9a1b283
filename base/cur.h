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

struct cur cur_init(const void *p, size_t len);
uint8_t cur_u8(struct cur *c);
uint16_t cur_u16(struct cur *c);
uint32_t cur_u32(struct cur *c);
const uint8_t *cur_take(struct cur *c, size_t n);	/* NULL when fewer are left */
void cur_seek(struct cur *c, size_t pos);		/* pos ≤ len, otherwise bad */

static inline size_t cur_left(const struct cur *c)
{
	return c->bad ? 0 : c->len - c->pos;
}

static inline bool cur_ok(const struct cur *c)
{
	return !c->bad;
}
