/* SPDX-License-Identifier: Apache-2.0 */
/* json: wire data (cJSON) behind paths; nobody else walks it by hand.
 *
 * A path is "metadata.labels" or "items[0].name"; a key with dots is quoted: "metadata.labels['a.b/c']"; "" or NULL is the
 * value itself. Missing or of another type gives the default. Keys are compared case-sensitively; of duplicate keys the last counts. */
#pragma once

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

typedef cJSON json;			/* the one typedef of a foreign struct */

/* Depth ≤ 200 and n ≤ 64 MiB, -EBADMSG otherwise; trailing white space only. Caller frees with json_free. */
json *json_parse(const void *p, size_t n, struct err *err);
void json_free(json *j);
static inline void json_done(json **j)
{
	json_free(*j);
}
#define autojson __attribute__((cleanup(json_done)))

json *json_get(const json *j, const char *path);			/* borrowed; NULL */
const char *json_str(const json *j, const char *path, const char *def);	/* borrowed */
/* Fractions are cut, what is too large is the nearest int64. Exact up to 2^53. */
int64_t json_int(const json *j, const char *path, int64_t def);
bool json_bool(const json *j, const char *path, bool def);
bool json_is(const json *j, const char *path);				/* present and not null */

/* Builders. Objects and arrays passed in are taken over. */
json *json_object(void);
json *json_array(void);
json *json_string(const char *s);
json *json_number(double v);
json *json_boolean(bool v);
json *json_null(void);
void json_set_str(json *o, const char *key, const char *value);		/* NULL value: nothing is set */
void json_set_int(json *o, const char *key, int64_t value);
void json_set_bool(json *o, const char *key, bool value);
json *json_set(json *o, const char *key, json *value);			/* replaces; returns value (borrowed) */
void json_add_str(json *array, const char *value);
json *json_add(json *array, json *value);
json *json_copy(const json *j);
/* Compact text; caller owns. */
char *json_text(const json *j);
/* Indented by two spaces; caller owns. */
char *json_pretty(const json *j);
/* The string as a JSON literal with quotes, which is valid in YAML too; broken UTF-8 becomes U+FFFD. */
void json_quote(struct buf *b, const char *s);

#define json_each(e, array) \
	for (json *e = (array) ? (array)->child : NULL; e; e = e->next)
