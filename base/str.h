/* SPDX-License-Identifier: Apache-2.0 */
/* str: slices, string lists, and the small questions one asks of strings. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/compiler.h"

/* A slice; not terminated, owns nothing. */
struct str {
	const char *p;
	size_t len;
};

#define STR(literal) ((struct str){ (literal), sizeof(literal) - 1 })
/* For printf's "%.*s". */
#define STR_ARG(s) (int)(s).len, (s).p

struct str str_from(const char *s);
bool str_eq(struct str a, const char *b);
struct str str_trim(struct str s);
/* Cuts the next field off *rest at sep; false when nothing is left ("a,,b," has the fields "a", "", "b"). */
bool str_split(struct str *rest, char sep, struct str *ret_field);

static inline bool streq(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}
bool str_starts(const char *s, const char *prefix);
bool str_ends(const char *s, const char *suffix);

/* Owned list of owned strings, NULL-terminated once not empty; {0} is an empty one. */
struct strv {
	char **v;
	size_t n;
};

void strv_add(struct strv *l, const char *s);			/* copies */
void strv_addf(struct strv *l, const char *fmt, ...) printf_like(2, 3);
void strv_take(struct strv *l, char *s);			/* takes ownership */
bool strv_has(const struct strv *l, const char *s);
void strv_sort(struct strv *l);
char *strv_join(const struct strv *l, const char *sep);		/* caller owns; "" for an empty list */
void strv_copy(struct strv *to, const struct strv *from);	/* appends copies */
void strv_done(struct strv *l);

/* The candidate nearest to s by edit distance (case ignored, at most a third of its length + 1), or NULL. */
const char *str_nearest(const char *s, const char *const *candidates, size_t n);

/* The UTF-8 character (RFC 3629) at s: the number of its bytes, its value in *ret; 0 when there is none. */
size_t str_utf8(const char *s, uint32_t *ret);
/* Makes a peer's text fit for logs and terminals: control characters (C1 too) become blanks, what is no UTF-8 becomes '?'. In place. */
void str_printable(char *s);

/* Grammar of names in Kubernetes: RFC 1123 label (≤ 63) and subdomain (≤ 253), lower case. NULL is neither. */
bool str_is_label(const char *s);
bool str_is_subdomain(const char *s);
