/* SPDX-License-Identifier: Apache-2.0 */
#include "boot/source.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/child.h"
#include "base/file.h"
#include "base/mem.h"
#include "tests/tap.h"

/* libgit2 1.5 forgets the match data of its regular expressions. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
	return "leak:libpcre2\n";
}

static char dir[] = "/tmp/test-source-XXXXXX";
static struct loop *loop;

/* git ARGUMENTS (separated by spaces) in dir/where; its exit code. */
static int git(const char *where, const char *arguments)
{
	autofree char *cwd = path_join(dir, where);
	const char *argv[16] = { "git" };
	struct child_spec spec = { .argv = argv, .cwd = cwd, .in = -1, .out = -1, .err = -1 };
	struct str rest = str_from(arguments), word;
	struct strv words = { 0 };
	int r;

	while (str_split(&rest, ' ', &word))
		strv_take(&words, xstrndup(word.p, word.len));
	for (size_t i = 0; i < words.n && i + 2 < ARRAY_SIZE(argv); i++)
		argv[i + 1] = words.v[i];
	r = child_run(loop, &spec, NULL, NULL, NULL, loop_deadline(20000), NULL);
	strv_done(&words);
	return r;
}

static void put(const char *path, const char *text)
{
	autofree char *full = path_join(dir, path);

	(void)!file_write(full, text, strlen(text), 0644, NULL);
}

static int make_repos(void)
{
	static const char *const dirs[] = { "repo/sub/deep", "lib" };
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
		autofree char *path = path_join(dir, dirs[i]);

		r |= file_mkdirs(path, 0755, NULL);
	}
	put("lib/a", "a\n");
	put("repo/b", "b\n");
	r |= git("lib", "init -q") | git("lib", "add a") | git("lib", "-c user.name=x -c user.email=x@y commit -q -m one");
	r |= git("repo", "init -q") | git("repo", "config user.name Ada") | git("repo", "config user.email ada@example.org");
	r |= git("repo", "add b") | git("repo", "commit -q -m one");
	return r;
}

static void test_root(void)
{
	autofree char *deep = path_join(dir, "repo/sub/deep"), *repo = path_join(dir, "repo"), *link = path_join(dir, "link");
	autofree char *below = path_join(dir, "link/sub"), *root = source_root(deep), *out = source_root(dir);
	autofree char *linked = NULL;

	is_str(root, repo, "the root of a folder deep down is the work tree");
	is_str(out, dir, "outside git the folder is its own root");
	(void)!symlink("repo", link);
	linked = source_root(below);
	is_str(linked, link, "a link that leads to the root is kept");
}

static void test_revision(void)
{
	autofree char *repo = path_join(dir, "repo"), *clean = source_revision(repo), *none = source_revision(dir), *dirty = NULL, *other = NULL;

	ok(clean && strlen(clean) == 12, "a clean tree has twelve digits");
	is_str(none, NULL, "outside git there is no revision");
	put("repo/new", "new\n");
	other = source_revision(repo);
	is_str(other, clean, "an unknown file changes nothing");
	put("repo/b", "changed\n");
	dirty = source_revision(repo);
	ok(dirty && str_ends(dirty, "-dirty"), "a changed file makes it dirty");
	put("repo/b", "b\n");
}

static void test_submodules(void)
{
	autofree char *add = xasprintf("-c protocol.file.allow=always submodule --quiet add %s/lib inner", dir);
	autofree char *clone = path_join(dir, "clone"), *file = path_join(dir, "clone/inner/a"), *repo = path_join(dir, "repo");
	struct err e = { 0 };
	int r;

	is_int(source_submodules(dir, NULL, NULL), 0, "outside git there is nothing to do");
	is_int(source_submodules(repo, NULL, NULL), 0, "without submodules there is nothing to do");
	if (git("repo", add) | git("repo", "commit -q -m two") | git(".", "clone -q repo clone")) {
		skip("submodules are checked out", "git does not make them");
		return;
	}
	ok(!file_exists(file), "a plain clone has no submodules");
	r = source_submodules(clone, NULL, &e);
	if (!ok(r == 0 && file_exists(file), "submodules are checked out"))
		printf("# %d %s\n", r, err_text(&e));
	is_int(source_submodules(clone, NULL, NULL), 0, "a second time changes nothing");
	(void)git("clone", "config submodule.inner.url /nowhere/at/all");
	autofree char *inner = path_join(dir, "clone/inner"), *modules = path_join(dir, "clone/.git/modules");

	(void)!file_remove_tree(inner, NULL);
	(void)!file_remove_tree(modules, NULL);
	r = source_submodules(clone, NULL, &e);
	ok(r < 0 && strstr(err_text(&e), "inner"), "one that cannot be had is named");
}

static void test_identity(void)
{
	autofree char *repo = path_join(dir, "repo"), *name = NULL, *email = NULL, *no_name = NULL, *no_email = NULL;

	source_identity(repo, &name, &email);
	is_str(name, "Ada", "the user's name is git's");
	is_str(email, "ada@example.org", "the user's address is git's");
	source_identity(dir, &no_name, &no_email);
	ok(!no_name && !no_email, "without configuration there is none");
}

int main(void)
{
	if (!mkdtemp(dir))
		return 1;
	setenv("HOME", dir, 1);
	setenv("GIT_CONFIG_NOSYSTEM", "1", 1);
	unsetenv("XDG_CONFIG_HOME");
	loop = loop_new(LOOP_DEFAULT);
	if (make_repos() != 0) {
		skip("repositories are read", "git is not there");
	} else {
		test_identity();
		test_root();
		test_revision();
		test_submodules();
	}
	loop_free(loop);
	(void)!file_remove_tree(dir, NULL);
	return tap_done();
}
