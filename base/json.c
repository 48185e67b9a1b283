/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "base/num.h"
#include "base/str.h"

#define DEPTH_MAX 200
#define PARSE_MAX (64u << 20)
#define TEXT_MAX (256u << 20)
#define INT_EXACT 9007199254740992.0 /* 2^53 */

/* cJSON parses recursively: what is nested too deep has to be found before. */
static bool is_too_deep(const char *p, size_t n)
{
	bool quoted = false;
	unsigned depth = 0;

	for (size_t i = 0; i < n; i++) {
		if (quoted) {
			if (p[i] == '\\')
				i++;
			else if (p[i] == '"')
				quoted = false;
		} else if (p[i] == '"') {
			quoted = true;
		} else if (p[i] == '{' || p[i] == '[') {
			if (++depth > DEPTH_MAX)
				return true;
		} else if ((p[i] == '}' || p[i] == ']') && depth) {
			depth--;
		}
	}
	return false;
}

json *json_parse(const void *p, size_t n, struct err *err)
{
	const char *text = p, *end = NULL;
	json *j;

	if (n > PARSE_MAX) {
		err_set(err, -EBADMSG, "%zu bytes of JSON are too many", n);
		return NULL;
	}
	if (!n) {
		err_set(err, -EBADMSG, "not JSON: empty");
		return NULL;
	}
	if (is_too_deep(text, n)) {
		err_set(err, -EBADMSG, "JSON nested deeper than %d", DEPTH_MAX);
		return NULL;
	}
	j = cJSON_ParseWithLengthOpts(text, n, &end, false);
	if (!j) {
		err_set(err, -EBADMSG, "not JSON: byte %zu", end && end >= text ? (size_t)(end - text) : 0);
		return NULL;
	}
	for (; end < text + n; end++) {
		if (strchr(" \t\r\n", *end) && *end)
			continue;
		err_set(err, -EBADMSG, "not JSON: more follows at byte %zu", (size_t)(end - text));
		cJSON_Delete(j);
		return NULL;
	}
	return j;
}

void json_free(json *j)
{
	cJSON_Delete(j);
}

static json *member(const json *j, struct str key)
{
	json *found = NULL;

	if (!cJSON_IsObject(j))
		return NULL;
	json_each(e, j)
		if (str_eq(key, e->string))
			found = e;
	return found;
}

static json *element(const json *j, struct str number)
{
	char digits[12];
	uint64_t i;

	if (!cJSON_IsArray(j) || number.len >= sizeof(digits))
		return NULL;
	memcpy(digits, number.p, number.len);
	digits[number.len] = '\0';
	if (num_u64(digits, INT32_MAX, &i))
		return NULL;
	return cJSON_GetArrayItem(j, (int)i);
}

/* "[3]" or "['key']" at *path. */
static json *step_bracket(const json *j, const char **path)
{
	const char *start = *path + 1, *end;

	if (*start == '\'') {
		end = strstr(++start, "']");
		if (!end)
			return NULL;
		*path = end + 2;
		return member(j, (struct str){ start, (size_t)(end - start) });
	}
	end = strchr(start, ']');
	if (!end)
		return NULL;
	*path = end + 1;
	return element(j, (struct str){ start, (size_t)(end - start) });
}

json *json_get(const json *j, const char *path)
{
	if (!path)
		path = "";
	while (j && *path) {
		size_t n;

		if (*path == '[') {
			j = step_bracket(j, &path);
		} else {
			n = strcspn(path, ".[");
			j = member(j, (struct str){ path, n });
			path += n;
		}
		if (*path == '.')
			path++;
	}
	return (json *)j;
}

const char *json_str(const json *j, const char *path, const char *def)
{
	const json *e = json_get(j, path);

	return cJSON_IsString(e) ? e->valuestring : def;
}

int64_t json_int(const json *j, const char *path, int64_t def)
{
	const json *e = json_get(j, path);

	if (!cJSON_IsNumber(e) || isnan(e->valuedouble))
		return def;
	if (e->valuedouble >= 0x1p63)
		return INT64_MAX;
	return e->valuedouble <= -0x1p63 ? INT64_MIN : (int64_t)e->valuedouble;
}

bool json_bool(const json *j, const char *path, bool def)
{
	const json *e = json_get(j, path);

	return cJSON_IsBool(e) ? cJSON_IsTrue(e) : def;
}

bool json_is(const json *j, const char *path)
{
	const json *e = json_get(j, path);

	return e && !cJSON_IsNull(e);
}

static json *made(json *j)
{
	if (!j)
		(void)xrealloc(NULL, SIZE_MAX, 2); /* does not return */
	return j;
}

json *json_object(void)
{
	return made(cJSON_CreateObject());
}

json *json_array(void)
{
	return made(cJSON_CreateArray());
}

json *json_string(const char *s)
{
	return made(cJSON_CreateString(s));
}

json *json_number(double v)
{
	return made(cJSON_CreateNumber(v));
}

json *json_boolean(bool v)
{
	return made(cJSON_CreateBool(v));
}

json *json_null(void)
{
	return made(cJSON_CreateNull());
}

json *json_set(json *o, const char *key, json *value)
{
	json *old = member(o, str_from(key));

	if (!value)
		return NULL;
	if (!old) {
		made(cJSON_AddItemToObject(o, key, value) ? value : NULL);
		return value;
	}
	if (old == value)
		return value;
	cJSON_free(value->string);
	value->string = xstrdup(key);
	cJSON_ReplaceItemViaPointer(o, old, value);
	return value;
}

void json_set_str(json *o, const char *key, const char *value)
{
	if (value)
		json_set(o, key, json_string(value));
}

void json_set_int(json *o, const char *key, int64_t value)
{
	json_set(o, key, json_number((double)value));
}

void json_set_bool(json *o, const char *key, bool value)
{
	json_set(o, key, json_boolean(value));
}

json *json_add(json *array, json *value)
{
	if (value)
		cJSON_AddItemToArray(array, value);
	return value;
}

void json_add_str(json *array, const char *value)
{
	json_add(array, json_string(value));
}

json *json_copy(const json *j)
{
	return j ? made(cJSON_Duplicate(j, true)) : NULL;
}

/* What YAML takes for line breaks or refuses is escaped as well. */
static bool is_literal(uint32_t c)
{
	return c >= ' ' && c != '"' && c != '\\' && (c < 0x7f || c > 0x9f) && c != 0x2028 && c != 0x2029 && c != 0xfeff &&
	       (c & 0xfffe) != 0xfffe;
}

static void quote_char(struct buf *b, const char *s, size_t n, uint32_t c)
{
	static const char names[] = "\"\\\b\f\n\r\t", escapes[] = "\"\\bfnrt";
	const char *name = c < 0x80 ? strchr(names, (int)c) : NULL;

	if (is_literal(c))
		buf_add(b, s, n);
	else if (name)
		buf_addf(b, "\\%c", escapes[name - names]);
	else if (c < 0x10000)
		buf_addf(b, "\\u%04x", c);
	else
		buf_adds(b, "\\ufffd");
}

void json_quote(struct buf *b, const char *s)
{
	buf_addc(b, '"');
	while (*s) {
		uint32_t c = 0xfffd;
		size_t n = str_utf8(s, &c);

		if (n)
			quote_char(b, s, n, c);
		else
			buf_adds(b, "\\ufffd");
		s += n ? n : 1;
	}
	buf_addc(b, '"');
}

/* Whole numbers without an exponent: Go refuses "1e+15" where it wants an int64. */
static void print_number(struct buf *b, double v)
{
	char text[40];

	if (isnan(v) || isinf(v)) {
		buf_adds(b, "null");
	} else if (v == trunc(v) && fabs(v) <= INT_EXACT) {
		buf_addf(b, "%.0f", v == 0 ? 0 : v);
	} else {
		snprintf(text, sizeof(text), "%.15g", v);
		if (memcmp(&(double){ strtod(text, NULL) }, &v, sizeof(v)) != 0)
			snprintf(text, sizeof(text), "%.17g", v);
		buf_adds(b, text);
	}
}

static void print_break(struct buf *b, int indent)
{
	if (indent >= 0)
		buf_addf(b, "\n%*s", indent * 2, "");
}

/* indent < 0: compact */
static void print(struct buf *b, const json *j, int indent)
{
	bool object = cJSON_IsObject(j);
	int inner = indent < 0 ? indent : indent + 1;

	if (cJSON_IsString(j)) {
		json_quote(b, j->valuestring);
	} else if (cJSON_IsNumber(j)) {
		print_number(b, j->valuedouble);
	} else if (cJSON_IsBool(j)) {
		buf_adds(b, cJSON_IsTrue(j) ? "true" : "false");
	} else if (object || cJSON_IsArray(j)) {
		buf_addc(b, object ? '{' : '[');
		json_each(e, j) {
			if (e != j->child)
				buf_addc(b, ',');
			print_break(b, inner);
			if (object) {
				json_quote(b, e->string);
				buf_adds(b, indent < 0 ? ":" : ": ");
			}
			print(b, e, inner);
		}
		if (j->child)
			print_break(b, indent);
		buf_addc(b, object ? '}' : ']');
	} else {
		buf_adds(b, "null");
	}
}

static char *print_whole(const json *j, int indent)
{
	struct buf b = BUF_INIT(TEXT_MAX);

	print(&b, j, indent);
	return buf_steal(&b);
}

char *json_text(const json *j)
{
	return print_whole(j, -1);
}

char *json_pretty(const json *j)
{
	return print_whole(j, 0);
}
