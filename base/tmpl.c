/* SPDX-License-Identifier: Apache-2.0 */
#include "base/tmpl.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#define NAME_MAX_LEN 128

static bool is_name(const char *p, size_t n)
{
	if (!n || n >= NAME_MAX_LEN)
		return false;
	for (size_t i = 0; i < n; i++)
		if (!isalnum((unsigned char)p[i]) && !strchr("_.-", p[i]))
			return false;
	return true;
}

static unsigned line_of(const char *text, const char *at)
{
	unsigned line = 1;

	for (; text < at; text++)
		line += *text == '\n';
	return line;
}

/* The place "${name}" at *p. */
static int place_render(struct buf *out, const char *text, const char **p, tmpl_fn value, void *arg, struct err *err)
{
	const char *start = *p + 2, *end = start + strcspn(start, "}\n"), *v;
	char name[NAME_MAX_LEN];
	size_t n = (size_t)(end - start);

	if (*end != '}')
		return err_set(err, -EINVAL, "line %u: \"${\" is never closed", line_of(text, *p));
	if (!is_name(start, n))
		return err_set(err, -EINVAL, "line %u: \"${%.*s}\" is no name", line_of(text, *p), (int)n, start);
	memcpy(name, start, n);
	name[n] = '\0';
	v = value(arg, name);
	if (!v)
		return err_set(err, -EINVAL, "line %u: nothing is called \"${%s}\"", line_of(text, *p), name);
	buf_adds(out, v);
	*p = end + 1;
	return 0;
}

int tmpl_render(struct buf *out, const char *text, tmpl_fn value, void *arg, struct err *err)
{
	for (const char *p = text; *p;) {
		size_t n = strcspn(p, "$");

		buf_add(out, p, n);
		p += n;
		if (p[0] == '$' && p[1] == '{') {
			int r = place_render(out, text, &p, value, arg, err);

			if (r)
				return r;
		} else if (p[0] == '$') {
			buf_addc(out, '$');
			p += p[1] == '$' ? 2 : 1;
		}
	}
	return buf_ok(out) ? 0 : err_set(err, -EFBIG, "the text would be larger than %zu bytes", out->max);
}
