/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "base/file.h"
#include "base/mem.h"
#include "tests/tap.h"

static char dir[] = "/tmp/test_file.XXXXXX";

/* A path in the test's directory; caller owns. */
static char *in_dir(const char *name)
{
	return path_join(dir, name);
}

static void test_write(void)
{
	autofree char *path = in_dir("a"), *link = in_dir("link"), *dangling = in_dir("dangling"), *made = in_dir("made");
	autofree char *nowhere = in_dir("no/file");
	auto(buf) struct buf b = BUF_INIT(100), small = BUF_INIT(3);
	struct err err = { 0 };
	struct stat st;

	is_int(file_write(path, "one", 3, 0600, &err), 0, "a file is written");
	is_int(file_write(path, "three", 5, 0644, &err), 0, "and replaced");
	ok(stat(path, &st) == 0 && (st.st_mode & 07777) == 0644, "with the new mode");
	ok(file_read(path, &b, &err) == 0 && streq(buf_str(&b), "three"), "it reads back");
	is_int(file_read(path, &small, &err), -EFBIG, "a buffer that is too small: %s", err.msg);
	ok(symlink("a", link) == 0 && file_write(link, "via", 3, 0600, &err) == 0, "a link is followed");
	ok(lstat(link, &st) == 0 && S_ISLNK(st.st_mode), "and stays a link");
	buf_reset(&b);
	ok(file_read(path, &b, &err) == 0 && streq(buf_str(&b), "via"), "its target has the text");
	ok(symlink("made", dangling) == 0 && file_write(dangling, "x", 1, 0600, &err) == 0 && file_exists(made),
	   "a dangling link's target is made");
	is_int(file_write(nowhere, "x", 1, 0600, &err), -ENOENT, "a missing directory: %s", err.msg);
	ok(strstr(err.msg, nowhere) != NULL, "the message names the path");
	is_int(file_read(nowhere, &b, &err), -ENOENT, "a missing file: %s", err.msg);
	is_int(file_read(dir, &b, &err), -EISDIR, "a directory is not read: %s", err.msg);
	unlink(link);
	ok(symlink("link", link) == 0 && file_write(link, "x", 1, 0600, &err) == -ELOOP, "a link to itself: %s", err.msg);
}

static void test_tree(void)
{
	autofree char *root = in_dir("tree"), *deep = in_dir("tree/x/y/z/"), *file = in_dir("tree/x/y/f"), *locked = in_dir("tree/x/y");
	autofree char *link = in_dir("tree/link"), *hidden = in_dir("tree/.git"), *config = in_dir("tree/.git/config");
	auto(strv) struct strv found = { 0 };
	autofree char *names = NULL;
	struct err err = { 0 };
	static const char *const skip[] = { ".git", NULL };

	is_int(file_mkdirs(deep, 0755, &err), 0, "directories are made");
	is_int(file_mkdirs(deep, 0755, &err), 0, "and made again");
	(void)!file_write(file, "x", 1, 0600, &err);
	is_int(file_mkdirs(file, 0755, &err), -ENOTDIR, "a file is in the way: %s", err.msg);
	(void)!file_mkdirs(hidden, 0755, &err);
	(void)!file_write(config, "x", 1, 0600, &err);
	ok(symlink("/etc", link) == 0, "a link out of the tree is made");
	is_int(file_list(root, skip, &found, &err), 0, "the tree is listed");
	names = strv_join(&found, " ");
	is_str(names, "link x/y/f", "files and links in order, without what is skipped");
	ok(file_list(file, NULL, &found, &err) == -ENOTDIR, "a file is no tree: %s", err.msg);
	chmod(locked, 0555);
	is_int(file_remove_tree(root, &err), 0, "the tree is removed, though a directory was read-only");
	ok(!file_exists(root) && file_exists("/etc/passwd"), "with its link, not the link's target");
	is_int(file_remove_tree(root, &err), 0, "what is absent is removed");
}

static void test_lock(void)
{
	autofree char *path = in_dir("lock");
	struct timespec ts;
	struct err err = { 0 };
	int fd = file_lock(path, 0, &err), status;
	uint64_t now;
	pid_t pid;

	ok(fd >= 0, "a free lock is taken");
	is_int(file_lock(path, 0, &err), -EWOULDBLOCK, "a held one is not: %s", err.msg);
	clock_gettime(CLOCK_MONOTONIC, &ts);
	now = (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
	is_int(file_lock(path, now + 30000000, &err), -ETIMEDOUT, "nor before the deadline: %s", err.msg);
	pid = fork();
	if (pid == 0)
		_exit(file_lock(path, now + 10000000000, &err) >= 0 ? 0 : 1);
	nanosleep(&(struct timespec){ .tv_nsec = 50000000 }, NULL);
	unlink(path);
	close(fd);
	waitpid(pid, &status, 0);
	ok(WIFEXITED(status) && WEXITSTATUS(status) == 0, "who waits gets it when it is let go, also when the file is gone");
	ok(file_exists(path), "and then the file is there again");
}

static void test_paths(void)
{
	static const struct {
		const char *path, *dir, *base, *absolute;
	} cases[] = {
		{ "/a/b", "/a", "b", "/a/b" }, { "/a", "/", "a", "/a" }, { "/", "/", "", "/" }, { "/a//b/", "/a", "", "/a/b" },
		{ "/a/./b/../c", "/a/./b/..", "c", "/a/c" }, { "/../x", "/..", "x", "/x" }, { "/a/../..", "/a/..", "..", "/" },
	};
	autofree char *here = getcwd(NULL, 0), *relative = path_absolute("x/../y"), *want = path_join(here, "y");
	autofree char *joined = path_join("a/", "b"), *alone = path_join("", "b"), *rooted = path_join("a", "/b"),
		      *bare = path_dirname("file"), *gone = path_real("/no/such/file");

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		autofree char *d = path_dirname(cases[i].path), *a = path_absolute(cases[i].path);

		is_str(d, cases[i].dir, "the directory of %s", cases[i].path);
		is_str(path_basename(cases[i].path), cases[i].base, "the last part of %s", cases[i].path);
		is_str(a, cases[i].absolute, "%s without dots", cases[i].path);
	}
	is_str(relative, want, "a relative path starts here");
	is_str(joined, "a/b", "one slash between");
	is_str(alone, "b", "nothing in front");
	is_str(rooted, "/b", "an absolute path wins");
	is_str(bare, ".", "a bare name is here");
	ok(gone == NULL, "what does not exist has no real path");
}

static void test_xdg(void)
{
	autofree char *a = NULL, *b = NULL, *c = NULL;

	setenv("HOME", "/home/u", 1);
	unsetenv("XDG_STATE_HOME");
	a = path_xdg("state");
	is_str(a, "/home/u/.local/state/firestream", "the default below the home");
	setenv("XDG_CACHE_HOME", "/c", 1);
	b = path_xdg("cache");
	is_str(b, "/c/firestream", "the environment's directory");
	setenv("XDG_CACHE_HOME", "relative", 1);
	c = path_xdg("cache");
	is_str(c, "/home/u/.cache/firestream", "a relative one does not count");
}

static bool content_is(const char *path, const char *want)
{
	auto(buf) struct buf b = BUF_INIT(100);

	return file_read(path, &b, NULL) == 0 && streq(buf_str(&b), want);
}

static void test_overwrite(void)
{
	static const struct {
		const char *what, *was, *text, *want;
		bool exact;
	} rows[] = {
		{ "a longer text", "ab", "abcdef", "abcdef", true },
		{ "a shorter one", "abcdef", "x", "x", true },
		{ "which may stay padded", "abcdef", "x", "x\n\n\n\n\n", false },
		{ "none", "abc", "", "", true },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		autofree char *path = in_dir("over");
		autoclose int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

		ok(write(fd, rows[i].was, strlen(rows[i].was)) > 0 && file_overwrite(fd, rows[i].text, strlen(rows[i].text), rows[i].exact) == 0 &&
		   content_is(path, rows[i].want), "in place: %s", rows[i].what);
	}
}

int main(void)
{
	struct err err = { 0 };

	if (!mkdtemp(dir))
		return 1;
	test_write();
	test_overwrite();
	test_tree();
	test_lock();
	test_paths();
	test_xdg();
	ok(file_remove_tree(dir, &err) == 0, "cleaned up %s", err.msg);
	return tap_done();
}
