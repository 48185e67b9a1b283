/* SPDX-License-Identifier: Apache-2.0 */
/* jsonc: makes JSON with comments readable for a YAML parser, without moving anything.
 *
 * Comments become spaces, tabs one space, pairs of \u surrogates \U escapes (only what follows these on their line moves
 * left). Strings have to end on their line. Trailing commas stay: YAML has them too. */
#pragma once

#include "base/buf.h"

/* Appends to out. -EINVAL: *ret_what is wrong at byte *ret_at. */
int jsonc_strip(const char *p, size_t n, struct buf *out, size_t *ret_at, const char **ret_what);
