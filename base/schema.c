/* SPDX-License-Identifier: Apache-2.0 */
#include "base/schema.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/num.h"

#define SHOWN_MAX 40	/* bytes of a wrong value in a message */
#define LISTED_MAX 12	/* keys that a message lists when none is near */

struct reader {
	const struct yaml_doc *doc;
	struct strv *problems;
	bool top;		/* "$schema" and the like are allowed */
};

void schema_problem(const struct yaml_doc *doc, unsigned line, unsigned column, struct strv *problems, const char *fmt, ...)
{
	struct buf b = BUF_INIT(4096);
	va_list ap;

	if (doc && doc->file)
		buf_addf(&b, "%s:", doc->file);
	if (line)
		buf_addf(&b, "%u:", line);
	if (line && column)
		buf_addf(&b, "%u:", column);
	if (b.len)
		buf_addc(&b, ' ');
	va_start(ap, fmt);
	buf_addv(&b, fmt, ap);
	va_end(ap);
	strv_take(problems, buf_steal(&b));
}

/* The value as a message shows it; caller owns. */
static char *shown(const struct yaml *v)
{
	struct buf b = BUF_INIT(SHOWN_MAX * 6 + 10);
	autofree char *cut = NULL;
	size_t n;

	if (v->type == YAML_NULL || v->type == YAML_SEQ || v->type == YAML_MAP)
		return xstrdup(yaml_type_name(v->type));
	n = strlen(v->text);
	if (n > SHOWN_MAX) {
		for (n = SHOWN_MAX; n && ((unsigned char)v->text[n] & 0xc0) == 0x80; n--)
			;
		cut = xasprintf("%.*s...", (int)n, v->text);
	}
	if (v->type == YAML_STRING)
		json_quote(&b, cut ? cut : v->text);
	else
		buf_adds(&b, cut ? cut : v->text);
	return buf_steal(&b);
}

static void wrong(struct reader *r, const struct schema_key *k, const struct yaml *v, const char *expected)
{
	autofree char *is = shown(v);

	schema_problem(r->doc, v->line, v->column, r->problems, "\"%s\" must be %s, not %s", k->name, expected, is);
}

/* ---- scalars -------------------------------------------------------------------------------------------------- */

static bool is_number(const struct yaml *v)
{
	return v->type == YAML_INT || v->type == YAML_FLOAT;
}

static bool is_scalar(const struct yaml *v)
{
	return is_number(v) || v->type == YAML_STRING || v->type == YAML_BOOL;
}

/* Checks text against the row's grammar, if it has one. */
static bool grammar_check(struct reader *r, const struct schema_key *k, const struct yaml *v, const char *text)
{
	const char *expected = "valid";
	struct yaml as_text = { .type = YAML_STRING, .text = (char *)text, .line = v->line, .column = v->column };

	if (!k->valid || k->valid(text, &expected))
		return true;
	if (text == v->key) {
		as_text.line = v->key_line;
		as_text.column = v->key_column;
	}
	wrong(r, k, &as_text, expected);
	return false;
}

/* A number that fits the row's grammar is a string as well ("cpu: 2"). */
static void read_string(struct reader *r, const struct schema_key *k, const struct yaml *v, char **ret)
{
	if (v->type != YAML_STRING && !(is_number(v) && k->valid))
		wrong(r, k, v, is_number(v) ? "a string, in quotes" : "a string");
	else if (grammar_check(r, k, v, v->text))
		*ret = xstrdup(v->text);
}

static int int_parse(const char *text, int64_t *ret)
{
	bool negative = *text == '-', hex = strchr(text, 'x') || strchr(text, 'o');
	uint64_t v;

	if (hex)
		return -EINVAL;
	if (num_u64(text + (*text == '-' || *text == '+'), INT64_MAX, &v))
		return -ERANGE;
	*ret = negative ? -(int64_t)v : (int64_t)v;
	return 0;
}

static void read_int(struct reader *r, const struct schema_key *k, const struct yaml *v, int64_t *ret)
{
	char expected[80] = "a whole number";
	int64_t n;

	if (k->max > 0)
		snprintf(expected, sizeof(expected), k->min == k->max ? "%lld" : "a number between %lld and %lld", (long long)k->min,
			 (long long)k->max);
	if (v->type != YAML_INT || int_parse(v->text, &n) || (k->max > 0 && (n < k->min || n > k->max)))
		wrong(r, k, v, expected);
	else
		*ret = n;
}

static void read_bool(struct reader *r, const struct schema_key *k, const struct yaml *v, bool *ret)
{
	if (v->type != YAML_BOOL)
		wrong(r, k, v, "true or false");
	else
		*ret = v->text[0] == 't' || v->text[0] == 'T';
}

static void read_amount(struct reader *r, const struct schema_key *k, const struct yaml *v, uint64_t *ret)
{
	bool duration = k->type == SCHEMA_DURATION;
	uint64_t n;

	if ((v->type != YAML_STRING && !is_number(v)) || (duration ? num_duration_ms(v->text, &n) : num_bytes(v->text, &n)))
		wrong(r, k, v, duration ? "a duration such as \"90s\" or \"5m\"" : "a size such as \"512Mi\" or \"2G\"");
	else
		*ret = n;
}

static size_t names_count(const char *const *names)
{
	size_t n = 0;

	while (names[n])
		n++;
	return n;
}

static void names_list(struct buf *b, const char *const *names, size_t n, const char *last)
{
	for (size_t i = 0; i < n; i++)
		buf_addf(b, "%s\"%s\"", i == 0 ? "" : i + 1 == n ? last : ", ", names[i]);
}

static void read_enum(struct reader *r, const struct schema_key *k, const struct yaml *v, int *ret)
{
	size_t n = names_count(k->names);
	auto(buf) struct buf list = BUF_INIT(1000);
	autofree char *is = NULL;
	const char *near;

	for (size_t i = 0; is_scalar(v) && i < n; i++) {
		if (streq(v->text, k->names[i])) {
			*ret = (int)i;
			return;
		}
	}
	is = shown(v);
	near = v->type == YAML_STRING ? str_nearest(v->text, k->names, n) : NULL;
	names_list(&list, k->names, n, " or ");
	schema_problem(r->doc, v->line, v->column, r->problems, "\"%s\" must be %s%s, not %s%s%s%s", k->name, n > 1 ? "one of " : "",
		       buf_str(&list), is, near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
}

static bool count_check(struct reader *r, const struct schema_key *k, const struct yaml *v)
{
	if (k->max <= 0 || v->n <= (size_t)k->max)
		return true;
	schema_problem(r->doc, v->line, v->column, r->problems, "\"%s\" may have %lld entries at most, not %zu", k->name,
		       (long long)k->max, v->n);
	return false;
}

static void read_strings(struct reader *r, const struct schema_key *k, const struct yaml *v, struct strv *ret)
{
	if (v->type == YAML_STRING || is_number(v)) {
		if (grammar_check(r, k, v, v->text))
			strv_add(ret, v->text);
		return;
	}
	if (v->type != YAML_SEQ) {
		wrong(r, k, v, "a list of strings");
		return;
	}
	if (!count_check(r, k, v))
		return;
	yaml_each(e, v) {
		if (e->type != YAML_STRING && !is_number(e))
			wrong(r, k, e, "a list of strings");
		else if (grammar_check(r, k, e, e->text))
			strv_add(ret, e->text);
	}
}

static void read_string_map(struct reader *r, const struct schema_key *k, const struct yaml *v, struct strv *ret)
{
	if (v->type != YAML_MAP) {
		wrong(r, k, v, "a map of strings");
		return;
	}
	yaml_each(e, v) {
		if (!*e->key || strchr(e->key, '='))
			schema_problem(r->doc, e->key_line, e->key_column, r->problems,
				       "a key of \"%s\" must be a name without \"=\", not \"%s\"", k->name, e->key);
		else if (is_scalar(e) || e->type == YAML_NULL)
			strv_addf(ret, "%s=%s", e->key, e->type == YAML_NULL ? "" : e->text);
		else
			wrong(r, k, e, "a map of strings");
	}
}

/* ---- maps ----------------------------------------------------------------------------------------------------- */

static size_t keys_count(const struct schema_key *keys)
{
	size_t n = 0;

	while (keys[n].name)
		n++;
	return n;
}

static void unknown_key(struct reader *r, const struct schema_key *keys, const struct yaml *v)
{
	size_t n = keys_count(keys);
	autofree const char **names = xcalloc(n, sizeof(*names));
	auto(buf) struct buf list = BUF_INIT(2000);
	const char *near;

	for (size_t i = 0; i < n; i++)
		names[i] = keys[i].name;
	near = str_nearest(v->key, names, n);
	if (near)
		buf_addf(&list, "; did you mean \"%s\"?", near);
	else if (n && n <= LISTED_MAX) {
		buf_adds(&list, "; known here: ");
		names_list(&list, names, n, " and ");
	}
	schema_problem(r->doc, v->key_line, v->key_column, r->problems, "unknown key \"%s\"%s", v->key, buf_str(&list));
}

static const struct schema_key *key_find(const struct schema_key *keys, const char *name)
{
	for (; keys->name; keys++)
		if (streq(keys->name, name))
			return keys;
	return NULL;
}

/* A default as the value it stands for: a list of one and strings are read from a string. */
static enum yaml_type def_type(enum schema_type type)
{
	return type == SCHEMA_INT ? YAML_INT : type == SCHEMA_BOOL ? YAML_BOOL : YAML_STRING;
}

/* What a row reads into its member depends on other maps: the reader of maps is passed along. */
typedef void (*map_fn)(struct reader *r, const struct yaml *map, const struct schema_key *keys, void *target);

static void *element_add(struct schema_list *l, size_t size)
{
	char *v = xrealloc(l->v, l->n + 1, size);

	l->v = v;
	v += l->n++ * size;
	memset(v, 0, size);
	return v;
}

static void read_objects(struct reader *r, const struct schema_key *k, const struct yaml *v, struct schema_list *ret, map_fn fn)
{
	bool named = k->type == SCHEMA_OBJECT_MAP;

	if (v->type != (named ? YAML_MAP : YAML_SEQ)) {
		wrong(r, k, v, named ? "a map of maps" : "a list of maps");
		return;
	}
	if (!count_check(r, k, v))
		return;
	yaml_each(e, v) {
		bool empty = named && e->type == YAML_NULL;
		char *element;

		if (e->type != YAML_MAP && !empty) {
			wrong(r, k, e, named ? "a map of maps" : "a list of maps");
			continue;
		}
		if (named && !grammar_check(r, k, e, e->key))
			continue;
		element = element_add(ret, k->size);
		if (named)
			*(char **)(void *)(element + k->name_offset) = xstrdup(e->key);
		fn(r, e, k->keys, element);
	}
}

static void read_value(struct reader *r, const struct schema_key *k, const struct yaml *v, void *member, map_fn fn)
{
	switch (k->type) {
	case SCHEMA_STRING:
		read_string(r, k, v, member);
		break;
	case SCHEMA_INT:
		read_int(r, k, v, member);
		break;
	case SCHEMA_BOOL:
		read_bool(r, k, v, member);
		break;
	case SCHEMA_DURATION:
	case SCHEMA_BYTES:
		read_amount(r, k, v, member);
		break;
	case SCHEMA_ENUM:
		read_enum(r, k, v, member);
		break;
	case SCHEMA_STRINGS:
		read_strings(r, k, v, member);
		break;
	case SCHEMA_STRING_MAP:
		read_string_map(r, k, v, member);
		break;
	case SCHEMA_OBJECT:
		if (v->type == YAML_MAP)
			fn(r, v, k->keys, member);
		else
			wrong(r, k, v, "a map");
		break;
	case SCHEMA_OBJECTS:
	case SCHEMA_OBJECT_MAP:
		read_objects(r, k, v, member, fn);
		break;
	case SCHEMA_ANY:
		*(json **)member = yaml_to_json(v);
		break;
	}
}

static void read_absent(struct reader *r, const struct yaml *map, const struct schema_key *k, void *member, map_fn fn)
{
	struct yaml def = { .type = def_type(k->type), .text = (char *)k->def };
	size_t before;

	if (k->required && map)
		schema_problem(r->doc, map->line, map->column, r->problems, "\"%s\" is missing", k->name);
	if (k->type == SCHEMA_OBJECT)
		fn(r, NULL, k->keys, member);
	if (!k->def)
		return;
	before = r->problems->n;
	read_value(r, k, &def, member, fn);
	assert(r->problems->n == before); /* a default that its own row refuses */
}

static void read_present(struct reader *r, const struct yaml *v, const struct schema_key *k, char *target, map_fn fn)
{
	if (k->set_offset)
		*(bool *)(target + k->set_offset) = true;
	if (k->line_offset)
		*(unsigned *)(void *)(target + k->line_offset) = v->key_line;
	read_value(r, k, v, target + k->offset, fn);
}

/* map NULL: defaults only, and nothing is required. A key without value is absent. */
static void read_map(struct reader *r, const struct yaml *map, const struct schema_key *keys, void *target)
{
	bool top = r->top;

	r->top = false;
	yaml_each(v, map) {
		const struct schema_key *k = key_find(keys, v->key);

		if (k && v->type != YAML_NULL)
			read_present(r, v, k, target, read_map);
		else if (!k && !(top && v->key[0] == '$'))
			unknown_key(r, keys, v);
	}
	for (const struct schema_key *k = keys; k->name; k++) {
		const struct yaml *v = yaml_get(map, k->name);

		if (!v || v->type == YAML_NULL)
			read_absent(r, map, k, (char *)target + k->offset, read_map);
	}
}

int schema_read(const struct yaml_doc *doc, const struct yaml *map, const struct schema_key *keys, void *target,
		struct strv *problems)
{
	struct reader r = { .doc = doc, .problems = problems, .top = true };
	size_t before = problems->n;

	if (map && map->type != YAML_MAP) {
		if (map->type != YAML_NULL)
			schema_problem(doc, map->line, map->column, problems, "this must be a map of keys, not %s",
				       yaml_type_name(map->type));
		map = NULL;
	}
	read_map(&r, map, keys, target);
	return problems->n == before ? 0 : -EINVAL;
}

static void list_done(const struct schema_key *k, struct schema_list *l)
{
	for (size_t i = 0; i < l->n; i++) {
		char *element = (char *)l->v + i * k->size;

		if (k->type == SCHEMA_OBJECT_MAP)
			free(*(char **)(void *)(element + k->name_offset));
		schema_done(k->keys, element);
	}
	free(l->v);
	*l = (struct schema_list){ 0 };
}

void schema_done(const struct schema_key *keys, void *target)
{
	for (const struct schema_key *k = keys; k->name; k++) {
		void *member = (char *)target + k->offset;

		switch (k->type) {
		case SCHEMA_STRING:
			free(*(char **)member);
			*(char **)member = NULL;
			break;
		case SCHEMA_STRINGS:
		case SCHEMA_STRING_MAP:
			strv_done(member);
			break;
		case SCHEMA_OBJECT:
			schema_done(k->keys, member);
			break;
		case SCHEMA_OBJECTS:
		case SCHEMA_OBJECT_MAP:
			list_done(k, member);
			break;
		case SCHEMA_ANY:
			json_free(*(json **)member);
			*(json **)member = NULL;
			break;
		case SCHEMA_INT:
		case SCHEMA_BOOL:
		case SCHEMA_DURATION:
		case SCHEMA_BYTES:
		case SCHEMA_ENUM:
			break;
		}
	}
}
