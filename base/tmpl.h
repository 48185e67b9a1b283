/* SPDX-License-Identifier: Apache-2.0 */
/* tmpl: text with ${name} places. Strict: an unknown name or an unclosed brace is an error (with its line).
 * "$$" is a dollar, and so is a "$" before anything but "{". Values are not looked into again. */
#pragma once

#include "base/buf.h"
#include "base/err.h"

/* Returns the value of name or NULL. */
typedef const char *(*tmpl_fn)(void *arg, const char *name);
int tmpl_render(struct buf *out, const char *text, tmpl_fn value, void *arg, struct err *err) must_check;
