/* SPDX-License-Identifier: Apache-2.0 */
#include "boot/context.h"

#include <ctype.h>
#include <strings.h>

#include "base/mem.h"

static struct str word_next(struct str *line)
{
	struct str w;

	*line = str_trim(*line);
	w = (struct str){ line->p, 0 };
	while (w.len < line->len && line->p[w.len] != ' ' && line->p[w.len] != '\t')
		w.len++;
	*line = (struct str){ line->p + w.len, line->len - w.len };
	return w;
}

static bool word_is(struct str w, const char *keyword)
{
	return w.len == strlen(keyword) && strncasecmp(w.p, keyword, w.len) == 0;
}

bool dockerfile_has_arg(const char *text, const char *name)
{
	struct str rest = str_from(text), line;
	size_t n = strlen(name);

	while (str_split(&rest, '\n', &line)) {
		struct str w;

		if (!word_is(word_next(&line), "ARG"))
			continue;
		while ((w = word_next(&line)).len)
			if (w.len >= n && strncmp(w.p, name, n) == 0 && (w.len == n || w.p[n] == '='))
				return true;
	}
	return false;
}

/* The value of "NAME=value" in the list, latest first. */
static const char *arg_value(const struct strv *list, struct str name)
{
	for (size_t i = list->n; i-- > 0;) {
		const char *s = list->v[i];

		if (strncmp(s, name.p, name.len) == 0 && s[name.len] == '=')
			return s + name.len + 1;
	}
	return NULL;
}

/* Cuts "NAME}", "NAME:-default}" or "NAME" off *rest, which stands behind the dollar. */
static bool variable_value(struct str *rest, const struct strv *args, struct str *ret)
{
	struct str name, def = { 0 };
	const char *v, *colon;
	size_t n = 0;

	if (rest->len && rest->p[0] == '{') {
		const char *close = memchr(rest->p, '}', rest->len);

		if (!close)
			return false;
		name = (struct str){ rest->p + 1, (size_t)(close - rest->p) - 1 };
		colon = name.len ? memchr(name.p, ':', name.len) : NULL;
		if (colon && colon + 1 < close && colon[1] == '-') {
			def = (struct str){ colon + 2, (size_t)(close - colon) - 2 };
			name.len = (size_t)(colon - name.p);
		}
		n = (size_t)(close - rest->p) + 1;
	} else {
		while (n < rest->len && (rest->p[n] == '_' || isalnum((unsigned char)rest->p[n])))
			n++;
		name = (struct str){ rest->p, n };
	}
	*rest = (struct str){ rest->p + n, rest->len - n };
	v = name.len ? arg_value(args, name) : NULL;
	*ret = v && *v ? str_from(v) : def;
	return ret->p != NULL;
}

/* The word with its variables replaced, or NULL when one is unknown. Caller owns. */
static char *word_expand(struct str w, const struct strv *args)
{
	struct buf out = BUF_INIT(4096);
	struct str value;
	char *s;

	while (w.len) {
		char c = *w.p;

		w = (struct str){ w.p + 1, w.len - 1 };
		if (c == '"' || c == '\'')
			continue;
		if (c != '$') {
			buf_addc(&out, c);
			continue;
		}
		if (!variable_value(&w, args, &value)) {
			buf_done(&out);
			return NULL;
		}
		buf_add(&out, value.p, value.len);
	}
	if (!out.len || !buf_ok(&out)) {
		buf_done(&out);
		return NULL;
	}
	s = buf_steal(&out);
	return s;
}

static void image_add(struct strv *ret, const struct strv *stages, char *ref)
{
	if (ref && strcasecmp(ref, "scratch") != 0 && !strv_has(stages, ref) && !strv_has(ret, ref) &&
	    strspn(ref, "0123456789") != strlen(ref))
		strv_add(ret, ref);
	free(ref);
}

/* "FROM [--platform=…] IMAGE [AS NAME]" */
static void from_read(struct str line, const struct strv *args, struct strv *stages, struct strv *ret)
{
	struct str w = word_next(&line), as;

	while (w.len > 2 && strncmp(w.p, "--", 2) == 0)
		w = word_next(&line);
	image_add(ret, stages, word_expand(w, args));
	as = word_next(&line);
	if (word_is(as, "AS")) {
		as = word_next(&line);
		strv_take(stages, xstrndup(as.p, as.len));
	}
}

/* "ARG NAME[=DEFAULT]…" before the first FROM: what was given wins. */
static void args_read(struct str line, const struct strv *given, struct strv *args)
{
	struct str w;

	while ((w = word_next(&line)).len) {
		const char *eq = memchr(w.p, '=', w.len);
		struct str name = { w.p, eq ? (size_t)(eq - w.p) : w.len };
		const char *mine = arg_value(given, name);
		autofree char *value = NULL;

		if (mine)
			value = xstrdup(mine);
		else if (eq)
			value = word_expand((struct str){ eq + 1, w.len - name.len - 1 }, args);
		if (value)
			strv_addf(args, "%.*s=%s", STR_ARG(name), value);
	}
}

static void copy_read(struct str line, const struct strv *args, const struct strv *stages, struct strv *ret)
{
	struct str w;

	while ((w = word_next(&line)).len > 2 && strncmp(w.p, "--", 2) == 0)
		if (w.len > 7 && strncmp(w.p, "--from=", 7) == 0)
			image_add(ret, stages, word_expand((struct str){ w.p + 7, w.len - 7 }, args));
}

void dockerfile_images(const char *text, const struct strv *given, struct strv *ret)
{
	struct strv args = { 0 }, stages = { 0 };
	struct str rest = str_from(text), line, w;
	bool started = false;

	while (str_split(&rest, '\n', &line)) {
		w = word_next(&line);
		if (word_is(w, "ARG") && !started) {
			args_read(line, given, &args);
		} else if (word_is(w, "FROM")) {
			started = true;
			from_read(line, &args, &stages, ret);
		} else if (word_is(w, "COPY")) {
			copy_read(line, &args, &stages, ret);
		}
	}
	strv_done(&args);
	strv_done(&stages);
}
