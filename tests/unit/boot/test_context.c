/* SPDX-License-Identifier: Apache-2.0 */
#include "boot/context.h"

#include <errno.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/mem.h"
#include "tests/tap.h"

static char dir[] = "/tmp/test_context.XXXXXX";

static void test_ignore(void)
{
	static const struct {
		const char *what, *patterns, *path;
		bool out;
	} cases[] = {
		{ "a name is left out", "a.txt", "a.txt", true },
		{ "only at the top", "a.txt", "b/a.txt", false },
		{ "a folder takes its files with it", "build", "build/x/y.o", true },
		{ "a trailing slash does not matter", "build/", "build/x", true },
		{ "nor does a leading one", "/build", "build/x", true },
		{ "nor do dots", "./a/../build//x", "build/x", true },
		{ "a star stays in its folder", "*.txt", "b/a.txt", false },
		{ "two stars do not", "**/*.txt", "b/c/a.txt", true },
		{ "and match no folder too", "**/*.txt", "a.txt", true },
		{ "two stars at the end", "b/**", "b/c/d", true },
		{ "which is not the folder itself", "b/**", "bc/d", false },
		{ "two stars in the middle", "a/**/z", "a/b/c/z", true },
		{ "a question mark is one character", "?.c", "ab.c", false },
		{ "be it of several bytes", "?.c", "ő.c", true },
		{ "a class", "[a-c]x", "bx", true },
		{ "a negated class", "[^a-c]x", "bx", false },
		{ "a class that never closes matches nothing", "[a-c", "a", false },
		{ "an escaped star", "\\*", "*", true },
		{ "is no star", "\\*", "a", false },
		{ "comments count only at the start", "#a\n a", "a", true },
		{ "an exception", "*\n!keep", "keep", false },
		{ "brings a file below back", "*\n!keep", "keep/x", false },
		{ "the last match wins", "*\n!keep\nkeep/x", "keep/x", true },
		{ "an exception may be spaced", "*\n! keep ", "keep", false },
		{ "a byte order mark is skipped", "\xef\xbb\xbf" "a", "a", true },
		{ "empty lines are nothing", "\n\n  \n", "a", false },
		{ "carriage returns are trimmed", "a\r\nb\r\n", "b", true },
		{ "many stars end", "**/**/**/**/**/**/**/**/**/**/q", "a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a", false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct ignore g;

		ok(ignore_parse(cases[i].patterns, &g, NULL) == 0 && ignore_match(&g, cases[i].path) == cases[i].out, "%s", cases[i].what);
		ignore_done(&g);
	}
}

static void put(const char *path, const char *text, mode_t mode)
{
	autofree char *full = path_join(dir, path);
	autofree char *parent = path_dirname(full);

	(void)!file_mkdirs(parent, 0755, NULL);
	(void)!file_write(full, text, strlen(text), mode, NULL);
}

static char *key(void)
{
	struct hash *h = hash_new();
	struct context x = { 0 };
	char hex[HASH_HEX_LEN + 1];

	(void)!context_open(dir, "Dockerfile", NULL, &x, NULL);
	(void)!context_hash(&x, h, NULL);
	hash_hex(h, hex);
	context_done(&x);
	return xstrdup(hex);
}

static int to_buf(void *arg, const void *p, size_t n)
{
	buf_add(arg, p, n);
	return 0;
}

static int list_entry(void *arg, const struct tar_entry *e, const void *data, size_t n)
{
	if (!data)
		buf_addf(arg, "%s%s%s %o;", e->path, e->link ? "→" : "", e->link ? e->link : "", e->mode & 07777);
	return 0;
}

static void test_folder(void)
{
	static const char *const no_out[] = { "out", NULL };
	auto(buf) struct buf tar = BUF_INIT(1 << 20), list = BUF_INIT(10000);
	autofree char *link = path_join(dir, "src/link"), *before = NULL, *after = NULL, *files = NULL;
	struct context x = { 0 };
	struct err err = { 0 };
	struct tar *t;

	put("Dockerfile", "FROM x\n", 0644);
	put(".dockerignore", "*\n!src\nsrc/*.o\n", 0644);
	put("src/main.c", "int x;\n", 0600);
	put("src/run", "#!/bin/sh\n", 0700);
	put("src/main.o", "o", 0644);
	put("out/x", "o", 0644);
	put("secret", "s", 0644);
	(void)!symlink("main.c", link);
	ok(context_open(dir, "Dockerfile", no_out, &x, &err) == 0, "a folder is a context %s", err.msg);
	files = strv_join(&x.files, " ");
	is_str(files, ".dockerignore Dockerfile src/link src/main.c src/run", "what is ignored stays away, Dockerfile and rules do not");
	t = tar_new(to_buf, &tar);
	is_int(context_fill(&x, t, "p", &err), 0, "it becomes a tar %s", err.msg);
	(void)!tar_end(t, NULL);
	(void)!tar_parse(tar.data, tar.len, list_entry, &list, NULL);
	is_str(buf_str(&list), "p/.dockerignore 644;p/Dockerfile 644;p/src/link→main.c 777;p/src/main.c 644;p/src/run 755;",
	       "with plain modes and links");
	context_done(&x);
	before = key();
	put("secret", "other", 0644);
	after = key();
	is_str(after, before, "a change of an ignored file does not change the key");
	put("src/main.c", "int y;\n", 0600);
	free(after);
	after = key();
	ok(!streq(after, before), "a change of content does");
	put("src/main.c", "int x;\n", 0755);
	free(after);
	after = key();
	ok(!streq(after, before), "so does the executable bit");
	put(".dockerignore", "!\n", 0644);
	is_int(context_open(dir, NULL, NULL, &x, &err), -EINVAL, "a wrong rule is refused: %s", err.msg);
	is_int(context_open("/nonexistent", NULL, NULL, &x, &err), -ENOENT, "so is a folder that is not there: %s", err.msg);
}

static void test_dockerfile(void)
{
	static const struct {
		const char *what, *text, *want;
	} cases[] = {
		{ "an image", "FROM debian:12\n", "debian:12" },
		{ "keywords in any case, platforms skipped", "from --platform=linux/amd64 a AS b\nFROM b\n", "a" },
		{ "scratch is none", "FROM scratch\n", "" },
		{ "an argument that was given", "ARG BASE=x\nFROM ${BASE}\n", "given" },
		{ "a default", "ARG V=\"1\"\nFROM a:$V\n", "a:1" },
		{ "a default in the variable", "FROM ${NONE:-alt}\n", "alt" },
		{ "an unknown variable is left out", "FROM $NONE\n", "" },
		{ "a copy from an image", "FROM a AS s\nCOPY --chown=1 --from=s /x /\nCOPY --from=b:1 / /\nCOPY --from=0 / /\n", "a b:1" },
		{ "an argument made of arguments", "ARG A=q\nARG B=${A}:2\nFROM $B\n", "q:2" },
		{ "each once", "FROM a\nFROM a\n", "a" },
	};
	auto(strv) struct strv args = { 0 };

	strv_add(&args, "BASE=given");
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		auto(strv) struct strv refs = { 0 };
		autofree char *got = NULL;

		dockerfile_images(cases[i].text, &args, &refs);
		got = strv_join(&refs, " ");
		is_str(got, cases[i].want, "base images: %s", cases[i].what);
	}
	ok(dockerfile_has_arg("FROM a\n arg X EXTRA=1\n", "EXTRA") && !dockerfile_has_arg("ARG EXTRA2\n# ARG EXTRA\n", "EXTRA"),
	   "an argument is found where it is declared");
}

int main(void)
{
	if (!mkdtemp(dir))
		return 1;
	test_ignore();
	test_folder();
	test_dockerfile();
	(void)!file_remove_tree(dir, NULL);
	return tap_done();
}
