/* SPDX-License-Identifier: Apache-2.0 */
/* A schema's table as JSON Schema, for editors. It says what the reader checks, except for grammars, which are code. */
#include <stdlib.h>

#include "base/mem.h"
#include "base/num.h"
#include "base/schema.h"

static void set_types(json *o, const char *const *types, size_t n)
{
	json *list;

	if (n == 1) {
		json_set_str(o, "type", types[0]);
		return;
	}
	list = json_set(o, "type", json_array());
	for (size_t i = 0; i < n; i++)
		json_add_str(list, types[i]);
}

#define TYPES(o, ...) \
	set_types(o, (const char *const[]){ __VA_ARGS__ }, ARRAY_SIZE(((const char *const[]){ __VA_ARGS__ })))

static void set_range(json *o, const struct schema_key *k)
{
	if (k->max <= 0)
		return;
	if (k->type != SCHEMA_INT) {
		json_set_int(o, k->type == SCHEMA_OBJECT_MAP ? "maxProperties" : "maxItems", k->max);
		return;
	}
	json_set_int(o, "minimum", k->min);
	json_set_int(o, "maximum", k->max);
}

static void set_default(json *o, const struct schema_key *k)
{
	if (!k->def)
		return;
	if (k->type == SCHEMA_BOOL)
		json_set_bool(o, "default", streq(k->def, "true"));
	else if (k->type == SCHEMA_INT)
		json_set(o, "default", json_number(strtod(k->def, NULL)));
	else if (k->type == SCHEMA_STRINGS)
		json_add_str(json_set(o, "default", json_array()), k->def);
	else
		json_set_str(o, "default", k->def);
}

typedef json *(*map_fn)(const struct schema_key *keys);

static void set_kind(json *o, const struct schema_key *k, map_fn fn)
{
	json *list;

	switch (k->type) {
	case SCHEMA_STRING:
		if (k->valid)
			TYPES(o, "string", "number");
		else
			TYPES(o, "string");
		break;
	case SCHEMA_INT:
		TYPES(o, "integer");
		break;
	case SCHEMA_BOOL:
		TYPES(o, "boolean");
		break;
	case SCHEMA_DURATION:
	case SCHEMA_BYTES:
		TYPES(o, "string", "number");
		break;
	case SCHEMA_ENUM:
		list = json_set(o, "enum", json_array());
		for (size_t i = 0; k->names[i]; i++)
			json_add_str(list, k->names[i]);
		break;
	case SCHEMA_STRINGS:
		TYPES(o, "array", "string", "number");
		TYPES(json_set(o, "items", json_object()), "string", "number");
		break;
	case SCHEMA_STRING_MAP:
		TYPES(o, "object");
		TYPES(json_set(o, "additionalProperties", json_object()), "string", "number", "boolean", "null");
		break;
	case SCHEMA_OBJECT:
		break;
	case SCHEMA_OBJECTS:
		TYPES(o, "array");
		json_set(o, "items", fn(k->keys));
		break;
	case SCHEMA_OBJECT_MAP:
		TYPES(o, "object");
		json_set(o, "additionalProperties", fn(k->keys));
		break;
	case SCHEMA_ANY:
		break;
	}
}

static json *map_json(const struct schema_key *keys)
{
	json *o = json_object(), *properties, *required = json_array();

	json_set_str(o, "type", "object");
	properties = json_set(o, "properties", json_object());
	for (const struct schema_key *k = keys; k->name; k++) {
		json *p = json_set(properties, k->name, k->type == SCHEMA_OBJECT ? map_json(k->keys) : json_object());

		json_set_str(p, "description", k->help);
		set_kind(p, k, map_json);
		set_range(p, k);
		set_default(p, k);
		if (k->required)
			json_add_str(required, k->name);
	}
	json_set_bool(o, "additionalProperties", false);
	if (json_is(required, "[0]"))
		json_set(o, "required", required);
	else
		json_free(required);
	return o;
}

json *schema_to_json(const struct schema_key *keys, const char *title)
{
	json *o = json_object(), *map = map_json(keys), *any;

	json_set_str(o, "$schema", "https://json-schema.org/draft/2020-12/schema");
	json_set_str(o, "title", title);
	any = json_set(o, "patternProperties", json_object());
	json_set(any, "^\\$", json_object());
	json_each(e, map)
		json_set(o, e->string, json_copy(e));
	json_free(map);
	return o;
}
