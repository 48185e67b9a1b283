/* SPDX-License-Identifier: Apache-2.0 */
/* buf: a growable byte buffer that cannot be made without its maximum.
 *
 * data[len] is always '\0' (len does not count it); data is never NULL after the first append, and buf_str() never.
 * An append beyond max sets `overflow` and is dropped, and so are all later ones: append many, test once with buf_ok().
 * buf_reset(), buf_steal() and buf_done() clear the flag; max stays. */
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"

struct buf {
	char *data;
	size_t len, cap, max;
	bool overflow;
};

#define BUF_INIT(maximum) { .max = (maximum) }

void buf_init(struct buf *b, size_t max);
void buf_done(struct buf *b);
void buf_reset(struct buf *b);				/* keeps the memory */
void buf_add(struct buf *b, const void *p, size_t n);
void buf_adds(struct buf *b, const char *s);
void buf_addc(struct buf *b, char c);
void buf_addf(struct buf *b, const char *fmt, ...) printf_like(2, 3);
void buf_addv(struct buf *b, const char *fmt, va_list ap) printf_like(2, 0);
void buf_consume(struct buf *b, size_t n);		/* drops n bytes at the front */
const char *buf_str(const struct buf *b);		/* "" when empty; borrowed until the next change */
char *buf_steal(struct buf *b);				/* caller owns the result; b is empty afterwards */

static inline bool buf_ok(const struct buf *b)
{
	return !b->overflow;
}
