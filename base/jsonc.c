/* SPDX-License-Identifier: Apache-2.0 */
#include "base/jsonc.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

/* One space per character, so that columns stay. */
static void blank(struct buf *out, const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i] == '\n' || p[i] == '\r')
			buf_addc(out, p[i]);
		else if (((unsigned char)p[i] & 0xc0) != 0x80)
			buf_addc(out, ' ');
}

/* The length of the comment at p[i], 0 when there is none; n + 1 when it never ends. */
static size_t comment_length(const char *p, size_t i, size_t n)
{
	size_t end = i + 2;

	if (p[i] != '/' || i + 1 >= n || (p[i + 1] != '/' && p[i + 1] != '*'))
		return 0;
	if (p[i + 1] == '/') {
		while (end < n && p[end] != '\n' && p[end] != '\r')
			end++;
		return end - i;
	}
	while (end + 1 < n && !(p[end] == '*' && p[end + 1] == '/'))
		end++;
	return end + 1 < n ? end + 2 - i : n + 1;
}

static int hex4(const char *p, size_t left, unsigned *ret)
{
	unsigned v = 0;

	if (left < 6 || p[0] != '\\' || p[1] != 'u')
		return -EINVAL;
	for (int i = 2; i < 6; i++) {
		const char *digits = "0123456789abcdefABCDEF", *d = p[i] ? strchr(digits, p[i]) : NULL;

		if (!d)
			return -EINVAL;
		v = v << 4 | (unsigned)(d - digits < 16 ? d - digits : d - digits - 6);
	}
	*ret = v;
	return 0;
}

/* An escape in a string; libyaml knows no pairs of surrogates, which JSON has for characters beyond 16 bits. */
static size_t copy_escape(struct buf *out, const char *p, size_t left)
{
	unsigned high = 0, low = 0;
	bool lone;

	if (hex4(p, left, &high) || high < 0xd800 || high > 0xdfff) {
		buf_add(out, p, MIN(left, 2));
		return MIN(left, 2);
	}
	lone = high >= 0xdc00 || hex4(p + 6, left - 6, &low) || low < 0xdc00 || low > 0xdfff;
	if (lone)
		buf_adds(out, "\\ufffd");
	else
		buf_addf(out, "\\U%08x", 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00));
	return lone ? 6 : 12;
}

/* The string that begins at p[i]; its length, or 0 when it does not end on its line. */
static size_t copy_string(struct buf *out, const char *p, size_t i, size_t n)
{
	size_t at = i + 1;

	buf_addc(out, '"');
	while (at < n && p[at] != '\n' && p[at] != '\r') {
		if (p[at] == '\\') {
			at += copy_escape(out, p + at, n - at);
			continue;
		}
		buf_addc(out, p[at]);
		if (p[at++] == '"')
			return at - i;
	}
	return 0;
}

int jsonc_strip(const char *p, size_t n, struct buf *out, size_t *ret_at, const char **ret_what)
{
	size_t step;

	for (size_t i = 0; i < n; i += step) {
		step = comment_length(p, i, n);
		*ret_at = i;
		if (step > n) {
			*ret_what = "this comment never ends";
			return -EINVAL;
		}
		if (step) {
			blank(out, p + i, step);
		} else if (p[i] == '"') {
			step = copy_string(out, p, i, n);
			if (!step) {
				*ret_what = "this string is not closed on its line";
				return -EINVAL;
			}
		} else if (p[i] == '#') {
			*ret_what = "comments begin with \"//\" in JSON";
			return -EINVAL;
		} else {
			buf_addc(out, p[i] == '\t' ? ' ' : p[i]);
			step = 1;
		}
	}
	return 0;
}
