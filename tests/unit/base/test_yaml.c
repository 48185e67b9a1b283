/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/yaml.h"
#include "tests/tap.h"

/* The document as compact JSON, or the error; caller owns. */
static char *read_text(const char *text, size_t n, unsigned flags)
{
	auto(yaml_doc) struct yaml_doc doc = { 0 };
	struct err err = { 0 };
	autojson json *j = NULL;
	int r = yaml_parse("f", text, n, flags, &doc, &err);

	if (r)
		return xasprintf("%s%s", r == -EINVAL ? "" : "wrong code: ", err.msg);
	j = yaml_to_json(doc.root);
	return json_text(j);
}

struct c {
	const char *what, *text, *want;
};

static void check(const struct c *c, size_t n, unsigned flags)
{
	for (size_t i = 0; i < n; i++) {
		autofree char *got = read_text(c[i].text, strlen(c[i].text), flags);

		is_str(got, c[i].want, "%s", c[i].what);
	}
}

static const struct c yaml_cases[] = {
	{ "an empty document is null", "", "null" },
	{ "only comments are null", "# nothing\n", "null" },
	{ "block style", "a: 1\nb:\n  - x\n  - y: 2\n", "{\"a\":1,\"b\":[\"x\",{\"y\":2}]}" },
	{ "flow style with trailing commas", "{a: [1, 2,], b: {c: d,},}", "{\"a\":[1,2],\"b\":{\"c\":\"d\"}}" },
	{ "booleans are YAML 1.2's", "[true, False, yes, no, on, off, y, n]", "[true,false,\"yes\",\"no\",\"on\",\"off\",\"y\",\"n\"]" },
	{ "nulls", "[null, ~, Null, '', \"~\"]", "[null,null,null,\"\",\"~\"]" },
	{ "an empty value is null", "a:\nb: 1\n", "{\"a\":null,\"b\":1}" },
	{ "whole numbers", "[0, -5, +7, 010, 0x1F, 0o17]", "[0,-5,7,10,31,15]" },
	{ "fractions", "[1.5, -2e3, .5, 1., .inf, 1.2.3, 1e, .]", "[1.5,-2000,0.5,1,\".inf\",\"1.2.3\",\"1e\",\".\"]" },
	{ "quoted numbers are strings", "['1', \"2\", !!str 3]", "[\"1\",\"2\",\"3\"]" },
	{ "aliases are copied", "a: &x {k: [1]}\nb: *x\n", "{\"a\":{\"k\":[1]},\"b\":{\"k\":[1]}}" },
	{ "a scalar's alias", "a: &x web\nb: [*x, *x]\n", "{\"a\":\"web\",\"b\":[\"web\",\"web\"]}" },
	{ "an alias as a key", "a: &x web\n*x : 1\n", "{\"a\":\"web\",\"web\":1}" },
	{ "block scalars", "a: |\n  x\n  y\nb: >\n  x\n  y\n", "{\"a\":\"x\\ny\\n\",\"b\":\"x y\\n\"}" },
	{ "an explicit document", "---\na: 1\n...\n", "{\"a\":1}" },
	{ "an unknown alias", "a: *x\n", "f:1:4: this alias names no anchor" },
	{ "a recursive alias", "a: &x\n  b: *x\n", "f:2:6: this alias names what it is part of" },
	{ "a second document", "a: 1\n---\nb: 1\n", "f:2:1: a second document begins here" },
	{ "a duplicate key", "a: 1\nb: 2\na: 3\n", "f:3:1: the key \"a\" is there twice, first on line 1" },
	{ "a key that is a list", "? [a]\n: 1\n", "f:1:3: a key has to be a word or string" },
	{ "an own tag", "a: !vault x\n", "f:1:4: tags are not understood here" },
	{ "wrong indentation", "a: 1\n b: 2\n", "f:2:3: mapping values are not allowed in this context" },
	{ "an open list", "a: [1, 2\nb: 3\n", "f:2:2: did not find expected ',' or ']', while parsing a flow sequence that begins at 1:4" },
	{ "a tab", "a:\n\tb: 1\n", "f:2:1: found character that cannot start any token" },
	{ "broken UTF-8", "a: 1\nb: \xff\n", "f:2:4: invalid leading UTF-8 octet" },
	{ "a control character", "a: \x01\n", "f:1:4: control characters are not allowed" },
	{ "columns are characters", "\xc3\xa4: {b: *x}", "f:1:8: this alias names no anchor" },
	{ "an escaped NUL", "a: \"\\0\"", "f:1:4: a NUL character is not allowed" },
};

static const struct c jsonc_cases[] = {
	{ "an empty document is null", " \n", "null" },
	{ "JSON", "{\"a\":[1,-2.5e3,true,null,\"x\"],\"b\":{}}", "{\"a\":[1,-2500,true,null,\"x\"],\"b\":{}}" },
	{ "comments", "// one\n{ /* two\n three */ \"a\": \"//no /*comment*/\" // four\n}\n// five", "{\"a\":\"//no /*comment*/\"}" },
	{ "trailing commas", "{\"a\":[1,2,],\"b\":1,}", "{\"a\":[1,2],\"b\":1}" },
	{ "tabs", "\t{\n\t\t\"a\":\t1\n\t}\n\t", "{\"a\":1}" },
	{ "escapes", "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\ud83d\\ude00\\ud83d\"",
	  "\"\\\"\\\\/\\b\\f\\n\\r\\t\xc3\xa9\xf0\x9f\x98\x80\xef\xbf\xbd\"" },
	{ "Windows' line ends", "{\r\n// c\r\n\"a\": 1\r\n}\r\n", "{\"a\":1}" },
	{ "a byte order mark", "\xef\xbb\xbf{\"a\":1}", "{\"a\":1}" },
	{ "a deep path of keys without spaces", "{\"a\":{\"b\":{\"c\":[[[{}]]]}}}", "{\"a\":{\"b\":{\"c\":[[[{}]]]}}}" },
	{ "single quotes", "{'a': 1}", "f:1:2: strings are in double quotes in JSON" },
	{ "a key without quotes", "{a: 1}", "f:1:2: this is no JSON value (strings are in double quotes)" },
	{ "a number as key", "{1: 1}", "f:1:2: keys are in double quotes in JSON" },
	{ "a word", "{\"a\": yes}", "f:1:7: this is no JSON value (strings are in double quotes)" },
	{ "an octal number", "{\"a\": 010}", "f:1:7: this is no JSON value (strings are in double quotes)" },
	{ "a missing value", "{\"a\": , \"b\": 1}", "f:1:7: a value is missing" },
	{ "a missing comma", "{\"a\": 1\n \"b\": 2}",
	  "f:1:7: a comma is missing behind this value" },
	{ "an open object", "{\"a\": 1", "f:2:1: did not find expected ',' or '}', while parsing a flow mapping that begins at 1:1" },
	{ "an open string", "{\"a\": \"x\n}", "f:1:7: this string is not closed on its line" },
	{ "an open comment", "{}\n /* x", "f:2:2: this comment never ends" },
	{ "a slash", "{} /", "f:1:4: did not find expected <document start>" },
	{ "YAML's comments", "{} # x", "f:1:4: comments begin with \"//\" in JSON" },
	{ "block style", "\"a\": 1\n", "f:1:1: this is YAML, not JSON" },
	{ "an anchor", "{\"a\": &x 1}", "f:1:7: this is YAML, not JSON" },
	{ "columns behind a comment", "{/* \xc3\xa4\xc3\xb6 */ \"a\": x}", "f:1:16: this is no JSON value (strings are in double quotes)" },
};

static const struct c dup_cases[] = {
	{ "the last of duplicates counts, in the first one's place", "{\"a\":1,\"b\":2,\"a\":3,\"a\":[4]}", "{\"a\":[4],\"b\":2}" },
	{ "a replaced object is gone", "{\"a\":{\"x\":1},\"a\":{\"y\":2}}", "{\"a\":{\"y\":2}}" },
};

static void test_caps(void)
{
	auto(buf) struct buf b = BUF_INIT(4 << 20);
	autofree char *deep = NULL, *fine = NULL, *bomb = NULL, *large = NULL, *long_bomb = NULL, *dup_anchor = NULL;

	for (int i = 0; i < 65; i++)
		buf_addc(&b, '[');
	deep = read_text(b.data, b.len, 0);
	is_str(deep, "f:1:65: nested too deeply", "a depth of 65 is refused");
	buf_reset(&b);
	for (int i = 0; i < 64; i++)
		buf_addc(&b, '[');
	for (int i = 0; i < 64; i++)
		buf_addc(&b, ']');
	fine = read_text(b.data, b.len, 0);
	is_str(fine, buf_str(&b), "a depth of 64 is not");
	buf_reset(&b);
	buf_adds(&b, "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
	for (int i = 1; i < 9; i++)
		buf_addf(&b, "a%d: &a%d [*a%d, *a%d, *a%d, *a%d, *a%d, *a%d, *a%d, *a%d, *a%d, *a%d]\n", i, i, i - 1, i - 1, i - 1,
			 i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1);
	bomb = read_text(b.data, b.len, 0);
	ok(strstr(bomb, "the document has too many values") != NULL, "a billion laughs: %s", bomb);
	buf_reset(&b);
	buf_adds(&b, "a: &a ");
	for (int i = 0; i < 100000; i++)
		buf_addc(&b, 'x');
	buf_adds(&b, "\nb: [");
	for (int i = 0; i < 1000; i++)
		buf_adds(&b, "*a, ");
	buf_adds(&b, "]\n");
	long_bomb = read_text(b.data, b.len, 0);
	ok(strstr(long_bomb, "aliases make the document too large") != NULL, "long laughs: %s", long_bomb);
	buf_reset(&b);
	for (int i = 0; i < (1 << 20) + 1; i++)
		buf_addc(&b, '#');
	large = read_text(b.data, b.len, 0);
	is_str(large, "f: larger than 1048576 bytes", "more than a MiB is refused");
	dup_anchor = read_text("a: {x: &x [1]}\na: 2\nb: *x\n", 26, YAML_DUP_OK);
	is_str(dup_anchor, "{\"a\":2,\"b\":[1]}", "an anchor in a replaced value lives on");
}

static void test_positions(void)
{
	static const char text[] = "# c\nservices:\n  - name: web\n    port:   80\n";
	auto(yaml_doc) struct yaml_doc doc = { 0 };
	const struct yaml *service, *port;

	ok(yaml_parse("f", text, sizeof(text) - 1, 0, &doc, NULL) == 0, "a document is read");
	service = yaml_get(doc.root, "services")->child;
	port = yaml_get(service, "port");
	ok(service->line == 3 && service->column == 5, "a map knows its place (%u:%u)", service->line, service->column);
	ok(port->line == 4 && port->column == 13, "a value too (%u:%u)", port->line, port->column);
	ok(port->key_line == 4 && port->key_column == 5, "and its key (%u:%u)", port->key_line, port->key_column);
	is_str(port->text, "80", "numbers are kept as written");
	is_str(yaml_str(service, "name", NULL), "web", "a string");
	is_str(yaml_str(service, "port", "none"), "none", "a number is no string");
	ok(yaml_get(port, "x") == NULL && yaml_get(NULL, "x") == NULL, "what is no map has no members");
	is_int((long long)service->n, 2, "children are counted");
	yaml_doc_done(&doc);
}

static void test_emit(void)
{
	static const char text[] =
		"{\"a\":\"web\",\"b\":\"yes\",\"c\":\"1\",\"d\":1.5,\"e\":null,\"f\":[],\"g\":{},\"list\":[1,[\"x\",[2]],{\"k\":\"a: b\",\"l\":[true]}],"
		"\"m\":{\"n o\":\"x\\ny\",\"~\":\"\"},\"u\":\"\\u2028\\u0085\\u007f\xc3\xa9\xf0\x9f\x98\x80\",\"v\":\"- x\",\"w\":\"#\"}";
	autojson json *j = json_parse(text, sizeof(text) - 1, NULL);
	auto(buf) struct buf b = BUF_INIT(10000);
	autofree char *again = NULL, *want = json_text(j);

	yaml_emit(&b, j);
	again = read_text(b.data, b.len, 0);
	is_str(again, want, "what is written reads back the same");
	is_str(strtok_r(b.data, "\n", &(char *){ NULL }), "a: web", "a plain word stays plain");
	buf_reset(&b);
	json_free(j);
	j = json_parse("{\"l\":[{\"a\":1,\"b\":[2]},[3,4],[]],\"t\":\"True\",\"p\":\"/a/b.c\"}", 56, NULL);
	yaml_emit(&b, j);
	is_str(buf_str(&b), "l:\n  - a: 1\n    b:\n      - 2\n  - - 3\n    - 4\n  - []\nt: \"True\"\np: /a/b.c\n", "block style");
}

static void test_file(void)
{
	char dir[] = "/tmp/test_yaml.XXXXXX";
	auto(yaml_doc) struct yaml_doc doc = { 0 };
	autofree char *path = NULL, *missing = NULL;
	struct err err = { 0 };

	if (!mkdtemp(dir))
		return;
	path = path_join(dir, "x.json");
	missing = path_join(dir, "y.yaml");
	(void)!file_write(path, "{\"a\": b}", 8, 0600, NULL);
	ok(yaml_parse_file(path, 0, &doc, &err) == -EINVAL && str_starts(err.msg, path), "a .json file must be JSON: %s", err.msg);
	(void)!file_write(path, "{\"a\": 1, }//", 12, 0600, NULL);
	ok(yaml_parse_file(path, 0, &doc, &err) == 0 && streq(doc.file, path), "with comments");
	is_int(yaml_parse_file(missing, 0, &doc, &err), -ENOENT, "a missing file: %s", err.msg);
	(void)!file_remove_tree(dir, NULL);
}

int main(void)
{
	check(yaml_cases, ARRAY_SIZE(yaml_cases), 0);
	check(jsonc_cases, ARRAY_SIZE(jsonc_cases), YAML_JSONC);
	check(dup_cases, ARRAY_SIZE(dup_cases), YAML_JSONC | YAML_DUP_OK);
	test_caps();
	test_positions();
	test_emit();
	test_file();
	return tap_done();
}
