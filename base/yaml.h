/* SPDX-License-Identifier: Apache-2.0 */
/* yaml: a document tree in which every value knows its line and column. Reads YAML, JSON, and JSON with comments and
 * trailing commas (devcontainer.json) from libyaml's events; JSONC comments are blanked first, keeping positions.
 *
 * Caps: 1 MiB of text, depth 64, 100,000 nodes, also behind aliases, of which recursive ones are an error. So are a second
 * document, tags of one's own, and duplicate keys, unless YAML_DUP_OK (devcontainer.json): then the last counts.
 * Errors: "FILE:LINE:COLUMN: …", -EINVAL; a file that cannot be read: its -errno. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/json.h"

enum yaml_type { YAML_NULL, YAML_BOOL, YAML_INT, YAML_FLOAT, YAML_STRING, YAML_SEQ, YAML_MAP };

struct yaml {
	enum yaml_type type;
	unsigned line, column;		/* from 1 */
	char *text;			/* scalars: as written, without quotes; owned */
	char *key;			/* when inside a map; owned */
	unsigned key_line, key_column;
	struct yaml *child, *next;	/* first child; next sibling; owned */
	size_t n;			/* children */
};

struct yaml_doc {
	char *file;			/* for messages; owned */
	struct yaml *root;		/* NULL for an empty document */
};

enum { YAML_JSONC = 1, YAML_DUP_OK = 2 };

/* YAML_JSONC: text must be JSON with comments (what a .json file is); otherwise YAML 1.1 as libyaml has it, but with
 * YAML 1.2's booleans (true/false only), so that "no" and "on" stay strings. */
int yaml_parse(const char *file, const void *p, size_t n, unsigned flags, struct yaml_doc *ret, struct err *err) must_check;
/* By file name: .json and .jsonc → JSONC. */
int yaml_parse_file(const char *path, unsigned flags, struct yaml_doc *ret, struct err *err) must_check;
void yaml_doc_done(struct yaml_doc *d);
void yaml_nodes_free(struct yaml *y);			/* with its siblings and children; NULL is fine */

const struct yaml *yaml_get(const struct yaml *map, const char *key);	/* NULL when absent or no map */
const char *yaml_str(const struct yaml *map, const char *key, const char *def);	/* strings only, no numbers */
const char *yaml_type_name(enum yaml_type t);				/* "a number", "a list", … */
/* The same data as JSON; caller owns. */
json *yaml_to_json(const struct yaml *y);
/* Emits JSON data as YAML (block style, strings quoted where needed). */
void yaml_emit(struct buf *b, const json *j);

#define yaml_each(e, parent) for (const struct yaml *e = (parent) ? (parent)->child : NULL; e; e = e->next)
