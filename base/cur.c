/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cur.h"

struct cur cur_init(const void *p, size_t len)
{
	return (struct cur){ .base = p, .len = len };
}

const uint8_t *cur_take(struct cur *c, size_t n)
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

uint8_t cur_u8(struct cur *c)
{
	const uint8_t *p = cur_take(c, 1);

	return p ? p[0] : 0;
}

uint16_t cur_u16(struct cur *c)
{
	const uint8_t *p = cur_take(c, 2);

	return p ? (uint16_t)(p[0] * 256u + p[1]) : 0;
}

uint32_t cur_u32(struct cur *c)
{
	const uint8_t *p = cur_take(c, 4);

	return p ? (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3] : 0;
}

void cur_seek(struct cur *c, size_t pos)
{
	if (c->bad || pos > c->len)
		c->bad = true;
	else
		c->pos = pos;
}
