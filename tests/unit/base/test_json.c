/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "base/json.h"
#include "base/mem.h"
#include "tests/tap.h"

static const char sample[] =
	"{\"metadata\":{\"name\":\"web\",\"labels\":{\"a.b/c\":\"x\",\"Name\":\"big\"},\"n\":3.7,\"big\":1e300},"
	"\"items\":[{\"name\":\"one\"},{\"name\":\"two\",\"on\":true}],\"twice\":1,\"twice\":2,\"nil\":null,\"list\":[1,[2,3]]}";

static void test_get(void)
{
	autojson json *j = json_parse(sample, sizeof(sample) - 1, NULL);

	is_str(json_str(j, "metadata.name", NULL), "web", "a member of a member");
	is_str(json_str(j, "items[1].name", NULL), "two", "a member of an element");
	is_str(json_str(j, "metadata.labels['a.b/c']", NULL), "x", "a quoted key");
	is_str(json_str(j, "metadata.labels.name", "none"), "none", "keys are compared with case");
	is_str(json_str(j, "items[2].name", "none"), "none", "beyond the last element");
	is_str(json_str(j, "items[x].name", "none"), "none", "an index that is no number");
	is_str(json_str(j, "items[", "none"), "none", "a bracket that is never closed");
	is_str(json_str(j, "metadata.n", "none"), "none", "a number is no string");
	is_str(json_str(j, "metadata.name.x", "none"), "none", "a string has no members");
	is_str(json_str(NULL, "x", "none"), "none", "no value has no members");
	is_int(json_int(j, "metadata.n", 0), 3, "a fraction is cut");
	is_int(json_int(j, "metadata.big", 0), INT64_MAX, "what is too large is the largest");
	is_int(json_int(j, "twice", 0), 2, "of duplicate keys the last counts");
	is_int(json_int(j, "list[1][0]", 0), 2, "an element of an element");
	ok(json_bool(j, "items[1].on", false) && json_bool(j, "nil", true), "booleans and their default");
	ok(!json_is(j, "nil") && json_is(j, "metadata") && !json_is(j, "gone"), "null and missing are not there");
	is_str(json_str(json_get(j, "items[0].name"), "", NULL), "one", "an empty path is the value itself");
}

static void test_bad(void)
{
	static const struct {
		const char *what, *text;
	} cases[] = {
		{ "an empty text", "" }, { "white space", "  " }, { "an open object", "{\"a\":1" }, { "a bare word", "yes" },
		{ "something after it", "{} x" }, { "a second value", "{}{}" }, { "a NUL byte after it", NULL },
	};
	struct err err;
	char deep[500];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		err = (struct err){ 0 };
		ok(!json_parse(cases[i].text ? cases[i].text : "{}\0", cases[i].text ? strlen(cases[i].text) : 3, &err) &&
			   err.code == -EBADMSG && err.msg[0],
		   "%s is refused: %s", cases[i].what, err.msg);
	}
	memset(deep, '[', 201);
	memset(deep + 201, ']', 201);
	ok(!json_parse(deep, 402, &err) && err.code == -EBADMSG, "a depth of 201 is refused: %s", err.msg);
	json_free(json_parse(deep + 1, 400, &err));
	ok(strstr(err.msg, "201") == NULL, "a depth of 200 is not");
	memset(deep, '[', sizeof(deep));
	deep[0] = '"';
	deep[sizeof(deep) - 1] = '"';
	autojson json *j = json_parse(deep, sizeof(deep), NULL);
	ok(j != NULL, "brackets in strings do not count");
}

static void test_build(void)
{
	autojson json *o = json_object(), *copy = NULL;
	autofree char *text = NULL, *pretty = NULL, *empty = NULL;
	json *list;

	json_set_str(o, "s", "a\"b\\c\n\x01\xc3\xa9");
	json_set_str(o, "none", NULL);
	json_set_int(o, "i", 1000000000000000);
	json_set_int(o, "neg", -5);
	json_set_bool(o, "b", true);
	list = json_set(o, "l", json_array());
	json_add_str(list, "x");
	json_add(list, json_object());
	json_set(o, "i", json_copy(json_get(o, "neg")));
	json_set_int(o, "neg", 9007199254740991);
	text = json_text(o);
	is_str(text, "{\"s\":\"a\\\"b\\\\c\\n\\u0001\xc3\xa9\",\"i\":-5,\"neg\":9007199254740991,\"b\":true,\"l\":[\"x\",{}]}",
	       "compact text; replacing keeps the place");
	copy = json_parse(text, strlen(text), NULL);
	pretty = json_pretty(copy);
	is_str(pretty,
	       "{\n  \"s\": \"a\\\"b\\\\c\\n\\u0001\xc3\xa9\",\n  \"i\": -5,\n  \"neg\": 9007199254740991,\n  \"b\": true,\n"
	       "  \"l\": [\n    \"x\",\n    {}\n  ]\n}",
	       "it reads back, and is indented by two");
	empty = json_text(NULL);
	is_str(empty, "null", "no value is null");
	json_set_str(o, "only", "1");
	json_set_int(o, "only", 2);
	is_int(json_int(o, "only", 0), 2, "the last member can be replaced");
	json_add_str(list, "more");
	is_str(json_str(o, "l[2]", NULL), "more", "and lists still grow");
}

static void test_numbers(void)
{
	static const char *const same[] = { "0", "-1", "1000000000000000", "0.1", "1.5", "1e+300", "123456.789", "-2.5e-07" };

	for (size_t i = 0; i < ARRAY_SIZE(same); i++) {
		autojson json *j = json_parse(same[i], strlen(same[i]), NULL);
		autofree char *text = json_text(j);

		is_str(text, same[i], "%s comes out as it went in", same[i]);
	}
}

int main(void)
{
	test_get();
	test_bad();
	test_build();
	test_numbers();
	return tap_done();
}
