/* SPDX-License-Identifier: Apache-2.0 */
/* schema: a table that says which keys a document may have; it parses into a struct, checks, and fills defaults.
 *
 * A schema is an array of `struct schema_key` ended by {0}. Each row writes one member of the target struct at
 * `offset`. All errors of a document are collected, not only the first: one sentence each with file:line:column, the
 * key, what was expected, and the nearest valid key. A key without value counts as absent; keys that begin with "$" at the
 * top ("$schema") are ignored. Numbers are taken for strings, as written, in lists and where a grammar checks them. The
 * table also gives the JSON Schema; `help` lines are for programs to print. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "base/yaml.h"

enum schema_type {
	SCHEMA_STRING,		/* char *, owned by the target */
	SCHEMA_INT,		/* int64_t */
	SCHEMA_BOOL,		/* bool */
	SCHEMA_DURATION,	/* uint64_t milliseconds */
	SCHEMA_BYTES,		/* uint64_t bytes */
	SCHEMA_ENUM,		/* int, index into names */
	SCHEMA_STRINGS,		/* struct strv; a single string is a list of one */
	SCHEMA_STRING_MAP,	/* struct strv of "key=value" (docker's env form), in order */
	SCHEMA_OBJECT,		/* embedded struct, with `keys` */
	SCHEMA_OBJECTS,		/* struct schema_list of elements of `size` bytes, with `keys` */
	SCHEMA_OBJECT_MAP,	/* the same, elements from a map; the key goes to the element's `name_offset` member (char *) */
	SCHEMA_ANY,		/* json *, owned by the target: kept as it is */
};

struct schema_list {
	void *v;		/* owned array */
	size_t n;
};

struct schema_key {
	const char *name;
	enum schema_type type;
	size_t offset;
	const struct schema_key *keys;		/* OBJECT* */
	size_t size, name_offset;		/* OBJECTS, OBJECT_MAP */
	const char *const *names;		/* ENUM, ended by NULL */
	int64_t min, max;			/* INT: range when max > 0; STRINGS, OBJECTS, OBJECT_MAP: most elements */
	/* Grammar of a STRING, of each of STRINGS, and of OBJECT_MAP keys; *expected gets e.g. "a DNS label". */
	bool (*valid)(const char *text, const char **expected);
	const char *def;			/* default as text, or NULL */
	bool required;				/* unless the OBJECT that holds it is absent */
	size_t set_offset;			/* bool member set when the key was present; 0: none (so no target starts with one) */
	size_t line_offset;			/* unsigned member that gets the line; 0: none */
	const char *help;			/* one line */
};

/* Fills `target` (zeroed by the caller) from map (NULL: defaults only). Every problem found is added to `problems` as a full
 * sentence; returns 0 when none was, -EINVAL else. schema_done() in both cases. */
int schema_read(const struct yaml_doc *doc, const struct yaml *map, const struct schema_key *keys, void *target,
		struct strv *problems) must_check;
/* Adds "FILE:LINE:COLUMN: message" to problems (0: left out): for checks that a table cannot make. */
void schema_problem(const struct yaml_doc *doc, unsigned line, unsigned column, struct strv *problems, const char *fmt, ...)
	printf_like(5, 6);
/* Frees what schema_read put into target (not target itself). */
void schema_done(const struct schema_key *keys, void *target);
/* JSON Schema (draft 2020-12) of the table; caller owns. */
json *schema_to_json(const struct schema_key *keys, const char *title);
