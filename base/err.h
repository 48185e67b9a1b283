/* SPDX-License-Identifier: Apache-2.0 */
/* err: a failure with words.
 *
 * Functions return 0 (or a count) or -errno. Those whose failure needs words take `struct err *err` last; it lives on
 * the caller's stack, holds no heap, and may be NULL. err_set() and err_wrap() return the code, so that
 * `return err_set(err, -EINVAL, "…")` is one line. A message never ends with a period or newline.
 * Code -ECANCELED means: interrupted by the user; -ETIMEDOUT: a deadline passed (exit code 4). */
#pragma once

#include "base/compiler.h"

struct err {
	int code;
	char msg[760];
};

/* Sets code and message (cut to fit, on a UTF-8 boundary). Returns code, which must be negative. */
int err_set(struct err *err, int code, const char *fmt, ...) printf_like(3, 4);

/* Puts "context: " in front of the message; an empty message becomes strerror(-code). Returns code. */
int err_wrap(struct err *err, int code, const char *fmt, ...) printf_like(3, 4);

/* The message, or strerror of the code where there is none. Never NULL. */
const char *err_text(const struct err *err);
