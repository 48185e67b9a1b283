/* SPDX-License-Identifier: Apache-2.0 */
#include "boot/recipe.h"

#include <errno.h>

#include "base/file.h"
#include "base/mem.h"
#include "tests/tap.h"

static char dir[] = "/tmp/test_recipe.XXXXXX";

static void put(const char *path, const char *text)
{
	autofree char *full = xasprintf("%s/images/%s", dir, path);
	autofree char *parent = path_dirname(full);

	(void)!file_mkdirs(parent, 0755, NULL);
	(void)!file_write(full, text, strlen(text), 0644, NULL);
}

static void test_full(void)
{
	autofree char *from = NULL, *command = NULL, *caches = NULL;
	struct recipe r = { 0 };
	struct err err = { 0 };

	put("full/image.yaml", "description: a thing\nkind: dockerfile\npublished: x.example/full:1\nfrom: { BASE: base, OTHER: go }\nexpects: 90s\n"
			       "compile:\n  image: go\n  command: [sh, build.sh]\n  caches: { go-build: /root/.cache/go-build, go-mod: /go/pkg/mod }\n"
			       "  expects: 280s\n");
	is_int(recipe_load(dir, "full", &r, &err), 0, "a full recipe is read %s", err.msg);
	from = strv_join(&r.from, " ");
	command = strv_join(&r.compile.command, " ");
	caches = strv_join(&r.compile.caches, " ");
	is_str(r.published, "x.example/full:1", "with its published reference");
	is_str(from, "BASE=base OTHER=go", "what it is made from");
	is_str(r.compile.image, "go", "what it is compiled in");
	is_str(command, "sh build.sh", "how");
	is_str(caches, "go-build=/root/.cache/go-build go-mod=/go/pkg/mod", "with which caches");
	ok(r.expects_ms == 90000 && r.compile.expects_ms == 280000, "and how long that takes");
	recipe_done(&r);
}

static void test_short(void)
{
	struct recipe r = { 0 };
	struct err err = { 0 };

	put("root/image.yaml", "description: Debian\nkind: debootstrap\n");
	is_int(recipe_load(dir, "root", &r, &err), 0, "a short one is read %s", err.msg);
	ok(r.kind == RECIPE_DEBOOTSTRAP && streq(r.suite, "bookworm") && !r.compile.image && !r.published && r.expects_ms == 60000,
	   "with its defaults");
	recipe_done(&r);
}

static void test_wrong(void)
{
	static const struct {
		const char *what, *text, *want;
	} cases[] = {
		{ "an unknown key", "description: x\nkinds: dockerfile\n", "kind" },
		{ "an unknown kind", "description: x\nkind: buildpack\n", "kind" },
		{ "no description", "kind: dockerfile\n", "description" },
		{ "a base that is no name", "description: x\nfrom: { BASE: ../x }\n", "../x" },
		{ "a cache that is no path", "description: x\ncompile: { image: go, command: [a], caches: { c: rel } }\n", "rel" },
		{ "compile without a command", "description: x\ncompile: { image: go }\n", "command" },
		{ "broken YAML", "description: [x\n", "image.yaml:" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct recipe r = { 0 };
		struct err err = { 0 };

		put("wrong/image.yaml", cases[i].text);
		ok(recipe_load(dir, "wrong", &r, &err) == -EINVAL && strstr(err.msg, cases[i].want), "%s is refused: %s", cases[i].what, err.msg);
	}
}

static void key(const char *name, char ret[static HASH_HEX_LEN + 1])
{
	struct hash *h = hash_new();
	struct recipe r = { 0 };

	if (recipe_load(dir, name, &r, NULL) == 0)
		(void)!recipe_hash(&r, h, NULL);
	hash_hex(h, ret);
	recipe_done(&r);
}

static void test_key(void)
{
	char a[HASH_HEX_LEN + 1], b[HASH_HEX_LEN + 1];
	struct recipe r = { 0 };
	struct err err = { 0 };

	key("full", a);
	put("full/out/prog", "x");
	put("full/.host/env", "x");
	key("full", b);
	is_str(b, a, "results and the host's configuration do not enter the key");
	put("full/main.go", "package main\n");
	key("full", b);
	ok(!streq(a, b), "a source does");
	is_int(recipe_load(dir, "nothing", &r, &err), -ENOENT, "a recipe that is not there: %s", err.msg);
	is_int(recipe_load(dir, "../full", &r, &err), -EINVAL, "a name that is a path: %s", err.msg);
}

int main(void)
{
	if (!mkdtemp(dir))
		return 1;
	test_full();
	test_short();
	test_wrong();
	test_key();
	(void)!file_remove_tree(dir, NULL);
	return tap_done();
}
