/* SPDX-License-Identifier: Apache-2.0 */
/* What can be done with a tree once it is read; libyaml has no part in it. */
#include "base/yaml.h"

#include <stdlib.h>
#include <strings.h>

#include "base/mem.h"
#include "base/str.h"

void yaml_nodes_free(struct yaml *y)
{
	while (y) {
		struct yaml *next = y->next;

		yaml_nodes_free(y->child);
		free(y->text);
		free(y->key);
		free(y);
		y = next;
	}
}

void yaml_doc_done(struct yaml_doc *d)
{
	free(d->file);
	yaml_nodes_free(d->root);
	*d = (struct yaml_doc){ 0 };
}

const struct yaml *yaml_get(const struct yaml *map, const char *key)
{
	if (!map || map->type != YAML_MAP)
		return NULL;
	yaml_each(e, map)
		if (streq(e->key, key))
			return e;
	return NULL;
}

const char *yaml_str(const struct yaml *map, const char *key, const char *def)
{
	const struct yaml *y = yaml_get(map, key);

	return y && y->type == YAML_STRING ? y->text : def;
}

const char *yaml_type_name(enum yaml_type t)
{
	static const char *const names[] = {
		[YAML_NULL] = "nothing",  [YAML_BOOL] = "true or false", [YAML_INT] = "a whole number", [YAML_FLOAT] = "a number",
		[YAML_STRING] = "a string", [YAML_SEQ] = "a list", [YAML_MAP] = "a map",
	};

	return names[t];
}

static double int_value(const char *s)
{
	double v = 0, base = s[0] == '0' && s[1] == 'x' ? 16 : s[0] == '0' && s[1] == 'o' ? 8 : 10;

	if (base == 10)
		return strtod(s, NULL);
	for (s += 2; *s; s++)
		v = v * base + (*s <= '9' ? *s - '0' : (*s | 0x20) - 'a' + 10);
	return v;
}

json *yaml_to_json(const struct yaml *y)
{
	json *j;

	switch (y ? y->type : YAML_NULL) {
	case YAML_NULL:
		return json_null();
	case YAML_BOOL:
		return json_boolean(y->text[0] == 't' || y->text[0] == 'T');
	case YAML_INT:
		return json_number(int_value(y->text));
	case YAML_FLOAT:
		return strpbrk(y->text, "iInN") ? json_string(y->text) : json_number(strtod(y->text, NULL));
	case YAML_STRING:
		return json_string(y->text);
	case YAML_SEQ:
		j = json_array();
		yaml_each(e, y)
			json_add(j, yaml_to_json(e));
		return j;
	case YAML_MAP:
		j = json_object();
		yaml_each(e, y)
			json_set(j, e->key, yaml_to_json(e));
		return j;
	}
	return json_null();
}

/* Words that no reader of YAML takes for anything but a string. */
static bool is_plain_word(const char *s)
{
	static const char *const reserved[] = { "y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf" };
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_/";
	static const char more[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_/0123456789.-";

	for (size_t i = 0; i < ARRAY_SIZE(reserved); i++)
		if (strcasecmp(s, reserved[i]) == 0)
			return false;
	return *s && strchr(letters, *s) && !s[strspn(s, more)];
}

static void emit_string(struct buf *b, const char *s)
{
	if (is_plain_word(s))
		buf_adds(b, s);
	else
		json_quote(b, s);
}

/* A value behind "key:" or "-"; `inline_first`: its first entry goes on the same line (in a list). */
static void emit(struct buf *b, const json *j, int indent, bool inline_first)
{
	bool map = cJSON_IsObject(j), first = true;

	if (cJSON_IsString(j)) {
		emit_string(b, j->valuestring);
		buf_addc(b, '\n');
	} else if (!(map || cJSON_IsArray(j)) || !j->child) {
		autofree char *text = json_text(j);

		buf_addf(b, "%s\n", text);
	} else {
		json_each(e, j) {
			bool block = (cJSON_IsObject(e) || cJSON_IsArray(e)) && e->child;

			buf_addf(b, "%*s", first && inline_first ? 0 : indent, "");
			first = false;
			if (map)
				emit_string(b, e->string);
			buf_adds(b, map ? ":" : "-");
			buf_addc(b, block && map ? '\n' : ' ');
			emit(b, e, indent + 2, !map);
		}
	}
}

void yaml_emit(struct buf *b, const json *j)
{
	emit(b, j, 0, true);
}
