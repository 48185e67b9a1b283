/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"
#include "base/str.h"
#include "tests/tap.h"

static void test_slices(void)
{
	struct str rest = str_from("a,,bc,"), field;

	ok(str_split(&rest, ',', &field) && str_eq(field, "a"), "the first field");
	ok(str_split(&rest, ',', &field) && str_eq(field, ""), "an empty field");
	ok(str_split(&rest, ',', &field) && str_eq(field, "bc"), "the last field");
	ok(!str_split(&rest, ',', &field), "nothing after the last separator");
	ok(str_eq(str_trim(STR(" \t x y\r\n")), "x y"), "white space is trimmed at both ends");
	ok(str_eq(str_trim(STR("  ")), ""), "only white space trims to nothing");
	ok(!str_eq(STR("ab"), "abc") && !str_eq(STR("ab"), NULL), "slices of other length or NULL differ");
	ok(str_starts("kubernetes", "kube") && !str_starts("ku", "kube"), "prefixes");
	ok(str_ends("a.yaml", ".yaml") && !str_ends("yaml", ".yaml"), "suffixes");
	ok(streq(NULL, NULL) && !streq("", NULL) && streq("a", "a"), "streq takes NULL");
}

static void test_list(void)
{
	auto(strv) struct strv l = { 0 }, copy = { 0 };
	autofree char *joined = NULL, *empty = strv_join(&copy, ",");
	bool good = true;

	is_str(empty, "", "an empty list joins to nothing");
	for (int i = 0; i < 100; i++) {
		strv_addf(&l, "%02d", 99 - i);
		good &= l.v[l.n] == NULL;
	}
	ok(good && l.n == 100, "a growing list is always terminated");
	strv_sort(&l);
	is_str(l.v[0], "00", "sorted");
	ok(strv_has(&l, "57") && !strv_has(&l, "100"), "members are found");
	strv_copy(&copy, &l);
	strv_copy(&copy, &copy);
	is_int((long long)copy.n, 200, "a list can be appended to itself");
	strv_done(&l);
	strv_add(&l, "a");
	strv_take(&l, xstrdup("b"));
	joined = strv_join(&l, ", ");
	is_str(joined, "a, b", "joined with a separator");
}

static void test_nearest(void)
{
	static const char *const keys[] = { "services", "image", "replicaCount", "resources", "ingress", "cluster" };
	static const struct {
		const char *word, *want;
	} cases[] = {
		{ "servces", "services" }, { "sevrices", "services" }, { "Image", "image" }, { "replicacount", "replicaCount" },
		{ "resource", "resources" }, { "clutser", "cluster" }, { "volumes", NULL }, { "x", NULL }, { "", NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		is_str(str_nearest(cases[i].word, keys, ARRAY_SIZE(keys)), cases[i].want, "the word nearest to \"%s\"",
		       cases[i].word);
}

static void test_names(void)
{
	static const struct {
		const char *name;
		bool label, subdomain;
	} cases[] = {
		{ "web", true, true }, { "web-1", true, true }, { "1", true, true }, { "a.b", false, true }, { "", false, false },
		{ "-a", false, false }, { "a-", false, false }, { "Web", false, false }, { "a_b", false, false },
		{ "a..b", false, false }, { ".a", false, false }, { "a.", false, false }, { "a b", false, false },
		{ "a\xc3\xa9", false, false },
		{ "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", true, true },
		{ "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false, false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		ok(str_is_label(cases[i].name) == cases[i].label, "\"%s\" is%s a label", cases[i].name,
		   cases[i].label ? "" : " not");
		ok(str_is_subdomain(cases[i].name) == cases[i].subdomain, "\"%s\" is%s a subdomain", cases[i].name,
		   cases[i].subdomain ? "" : " not");
	}
	ok(!str_is_label(NULL) && !str_is_subdomain(NULL), "NULL is no name");
}

static void test_printable(void)
{
	static const struct { const char *text, *want; } rows[] = {
		{ "plain", "plain" },
		{ "", "" },
		{ "\x1b[31mred\x07", " [31mred " },
		{ "two\r\nlines\t", "two  lines " },
		{ "na\xc3\xafve \xe2\x82\xac \xf0\x9f\x98\x80", "na\xc3\xafve \xe2\x82\xac \xf0\x9f\x98\x80" },
		{ "C1 \xc2\x9b""31m", "C1   31m" },
		{ "cut \xe2\x82", "cut ??" },
		{ "stray \x80\xff", "stray ??" },
		{ "overlong \xc0\xaf", "overlong ??" },
		{ "surrogate \xed\xa0\x80", "surrogate ???" },
		{ "\x7f", " " },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char text[64];

		snprintf(text, sizeof(text), "%s", rows[i].text);
		str_printable(text);
		is_str(text, rows[i].want, "made printable: row %zu", i);
	}
}

int main(void)
{
	test_printable();
	test_slices();
	test_list();
	test_nearest();
	test_names();
	return tap_done();
}
