/* SPDX-License-Identifier: Apache-2.0 */
#include "base/str.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/mem.h"

#define LABEL_MAX 63
#define SUBDOMAIN_MAX 253
#define NEAREST_MAX 64 /* longer words are not compared */

struct str str_from(const char *s)
{
	return (struct str){ s, s ? strlen(s) : 0 };
}

bool str_eq(struct str a, const char *b)
{
	return b && strlen(b) == a.len && (a.len == 0 || memcmp(a.p, b, a.len) == 0);
}

static bool is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

struct str str_trim(struct str s)
{
	while (s.len && is_space(s.p[0]))
		s.p++, s.len--;
	while (s.len && is_space(s.p[s.len - 1]))
		s.len--;
	return s;
}

bool str_split(struct str *rest, char sep, struct str *ret_field)
{
	const char *end;

	if (!rest->len)
		return false;
	end = memchr(rest->p, sep, rest->len);
	ret_field->p = rest->p;
	ret_field->len = end ? (size_t)(end - rest->p) : rest->len;
	rest->p += ret_field->len + (end ? 1 : 0);
	rest->len -= ret_field->len + (end ? 1 : 0);
	return true;
}

bool str_starts(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

bool str_ends(const char *s, const char *suffix)
{
	size_t n = strlen(s), m = strlen(suffix);

	return n >= m && memcmp(s + n - m, suffix, m) == 0;
}

/* The array has room for the next power of two above n + 1, at least 4. */
void strv_take(struct strv *l, char *s)
{
	size_t used = l->n + 1;

	if (!l->v || l->n == 0)
		l->v = xrealloc(l->v, 4, sizeof(*l->v));
	else if (used >= 4 && (used & (used - 1)) == 0)
		l->v = xrealloc(l->v, used * 2, sizeof(*l->v));
	l->v[l->n++] = s;
	l->v[l->n] = NULL;
}

void strv_add(struct strv *l, const char *s)
{
	strv_take(l, xstrdup(s));
}

void strv_addf(struct strv *l, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	strv_take(l, xvasprintf(fmt, ap));
	va_end(ap);
}

bool strv_has(const struct strv *l, const char *s)
{
	for (size_t i = 0; i < l->n; i++)
		if (streq(l->v[i], s))
			return true;
	return false;
}

static int strv_compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

void strv_sort(struct strv *l)
{
	if (l->n > 1)
		qsort(l->v, l->n, sizeof(*l->v), strv_compare);
}

char *strv_join(const struct strv *l, const char *sep)
{
	size_t total = 1, gap = strlen(sep);
	char *s, *p;

	for (size_t i = 0; i < l->n; i++)
		total += strlen(l->v[i]) + gap;
	p = s = xcalloc(total, 1);
	for (size_t i = 0; i < l->n; i++) {
		size_t len = strlen(l->v[i]);

		if (i) {
			memcpy(p, sep, gap);
			p += gap;
		}
		memcpy(p, l->v[i], len);
		p += len;
	}
	return s;
}

void strv_copy(struct strv *to, const struct strv *from)
{
	for (size_t i = 0, n = from->n; i < n; i++)
		strv_add(to, from->v[i]);
}

void strv_done(struct strv *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->v[i]);
	free(l->v);
	*l = (struct strv){ 0 };
}

static bool same_letter(char a, char b)
{
	return tolower((unsigned char)a) == tolower((unsigned char)b);
}

/* Insertions, deletions, replacements and swapped neighbours, without regard to case. */
static size_t edit_distance(const char *a, size_t n, const char *b, size_t m)
{
	size_t row[3][NEAREST_MAX + 1];
	size_t *before = row[0], *prev = row[1], *cur = row[2];

	for (size_t j = 0; j <= m; j++)
		before[j] = prev[j] = j;
	for (size_t i = 1; i <= n; i++) {
		size_t *oldest = before;

		cur[0] = i;
		for (size_t j = 1; j <= m; j++) {
			bool same = same_letter(a[i - 1], b[j - 1]);

			cur[j] = MIN(MIN(prev[j] + 1, cur[j - 1] + 1), prev[j - 1] + (same ? 0 : 1));
			if (i > 1 && j > 1 && same_letter(a[i - 1], b[j - 2]) && same_letter(a[i - 2], b[j - 1]))
				cur[j] = MIN(cur[j], before[j - 2] + 1);
		}
		before = prev;
		prev = cur;
		cur = oldest;
	}
	return prev[m];
}

const char *str_nearest(const char *s, const char *const *candidates, size_t n)
{
	size_t len = strlen(s), best = len / 3 + 2;
	const char *ret = NULL;

	if (len > NEAREST_MAX)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		size_t m = strlen(candidates[i]), d;

		if (m > NEAREST_MAX)
			continue;
		d = edit_distance(s, len, candidates[i], m);
		if (d < best && d < MAX(len, m)) {
			best = d;
			ret = candidates[i];
		}
	}
	return ret;
}

static bool is_alnum_lower(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool slice_is_label(struct str s)
{
	if (!s.len || s.len > LABEL_MAX || !is_alnum_lower(s.p[0]) || !is_alnum_lower(s.p[s.len - 1]))
		return false;
	for (size_t i = 0; i < s.len; i++)
		if (!is_alnum_lower(s.p[i]) && s.p[i] != '-')
			return false;
	return true;
}

bool str_is_label(const char *s)
{
	return s && slice_is_label(str_from(s));
}

bool str_is_subdomain(const char *s)
{
	struct str rest = str_from(s), label;

	if (!rest.len || rest.len > SUBDOMAIN_MAX || s[rest.len - 1] == '.')
		return false;
	while (str_split(&rest, '.', &label))
		if (!slice_is_label(label))
			return false;
	return true;
}

size_t str_utf8(const char *s, uint32_t *ret)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	unsigned char lead = (unsigned char)s[0];
	size_t n = lead < 0x80 ? 1 : lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
	uint32_t c = n == 1 ? lead : lead & (0x7fu >> n);

	if ((lead >= 0x80 && lead < 0xc0) || lead >= 0xf8)
		return 0;
	for (size_t i = 1; i < n; i++) {
		if (((unsigned char)s[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | ((unsigned char)s[i] & 0x3f);
	}
	if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
		return 0;
	*ret = c;
	return n;
}

void str_printable(char *s)
{
	while (*s) {
		uint32_t c = 0;
		size_t n = str_utf8(s, &c);

		if (!n)
			*s = '?';
		else if (c < ' ' || (c >= 0x7f && c < 0xa0))
			memset(s, ' ', n);
		s += n ? n : 1;
	}
}
