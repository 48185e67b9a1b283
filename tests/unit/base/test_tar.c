/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/tar.h"
#include "tests/tap.h"

static char dir[] = "/tmp/test_tar.XXXXXX";

static int to_buf(void *arg, const void *p, size_t n)
{
	buf_add(arg, p, n);
	return buf_ok(arg) ? 0 : -ENOSPC;
}

/* One line per entry, contents in angle brackets. */
static int describe(void *arg, const struct tar_entry *e, const void *data, size_t n)
{
	struct buf *b = arg;

	if (data) {
		buf_addf(b, "<%.*s>", (int)MIN(n, 20), (const char *)data);
		return 0;
	}
	buf_addf(b, "\n%c%04o %s %llu", S_ISDIR(e->mode) ? 'd' : S_ISLNK(e->mode) ? 'l' : S_ISREG(e->mode) ? 'f' : '?',
		 (unsigned)e->mode & 07777, e->path, (unsigned long long)e->size);
	if (e->link)
		buf_addf(b, " -> %s", e->link);
	return 0;
}

static void is_archive(const struct buf *tar, const char *want, const char *what)
{
	auto(buf) struct buf b = BUF_INIT(10000);
	struct err err = { 0 };
	int r = tar_parse(tar->data, tar->len, describe, &b, &err);

	is_str(r ? err.msg : buf_str(&b), want, "%s", what);
}

/* ustar: user and group at 108 and 116, eight bytes each, octal. */
static void test_owner(void)
{
	auto(buf) struct buf a = BUF_INIT(1 << 20);
	struct tar *t = tar_new(to_buf, &a);
	bool good = tar_file(t, "a", 0644, "a", 1, NULL) == 0;

	tar_set_owner(t, 0147475);
	good = good && tar_file(t, "b", 0644, "b", 1, NULL) == 0 && tar_end(t, NULL) == 0 && a.len > 2048;
	ok(good && !memmem(a.data + 108, 16, "147475", 6) && memmem(a.data + 1024 + 108, 8, "147475", 6) &&
	   memmem(a.data + 1024 + 116, 8, "147475", 6), "an owner is that of the entries behind");
}

static void test_entries(void)
{
	auto(buf) struct buf a = BUF_INIT(1 << 20), again = BUF_INIT(1 << 20);
	char name[300];

	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	for (int i = 0; i < 2; i++) {
		struct tar *t = tar_new(to_buf, i ? &again : &a);
		bool good = tar_dir(t, "etc", 0755, NULL) == 0 && tar_file(t, "/etc/x", 0600, "hello", 5, NULL) == 0 &&
			    tar_file(t, "etc/empty", 04755, NULL, 0, NULL) == 0 && tar_link(t, "etc/l", "../x", NULL) == 0 &&
			    tar_file(t, "F\xc5\x91.crt", 0644, "u", 1, NULL) == 0 &&
			    tar_file(t, "latin\xe9", 0644, "l", 1, NULL) == 0 && tar_file(t, name, 0644, "n", 1, NULL) == 0;

		ok(good && tar_end(t, NULL) == 0, "an archive is made");
	}
	ok(a.len == again.len && memcmp(a.data, again.data, a.len) == 0, "twice the same bytes");
	ok(memmem(a.data, a.len, "latin\xe9", 6) != NULL, "a name that is no UTF-8 is written as it is");
}

static void test_names(void)
{
	auto(buf) struct buf a = BUF_INIT(1 << 20);
	struct tar *t = tar_new(to_buf, &a);
	autofree char *want = NULL;
	char name[200];

	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	(void)!tar_dir(t, "etc", 0755, NULL);
	(void)!tar_file(t, "/etc/x", 0600, "hello", 5, NULL);
	(void)!tar_file(t, "etc/empty", 04755, NULL, 0, NULL);
	(void)!tar_link(t, "etc/l", "../x", NULL);
	(void)!tar_file(t, "F\xc5\x91.crt", 0644, "u", 1, NULL);
	(void)!tar_file(t, name, 0644, "n", 1, NULL);
	is_int(tar_end(t, NULL), 0, "an archive is closed");
	want = xasprintf("\nd0755 etc 0\nf0600 etc/x 5<hello>\nf4755 etc/empty 0\nl0777 etc/l 0 -> ../x\nf0644 F\xc5\x91.crt 1<u>\n"
			 "f0644 %s 1<n>", name);
	is_archive(&a, want, "it reads back, with long names and UTF-8");
}

static void test_tree(void)
{
	autofree char *root = path_join(dir, "root"), *a = path_join(root, "a"),
		      *hard = path_join(root, "sub/hard"), *link = path_join(root, "link"), *fifo = path_join(root, "p"),
		      *skipped = path_join(root, "sub/.git");
	static const char *const skip[] = { ".git", NULL };
	auto(buf) struct buf plain = BUF_INIT(1 << 20), own = BUF_INIT(1 << 20);
	struct err err = { 0 };
	struct tar *t;

	(void)!file_mkdirs(skipped, 0755, NULL);
	(void)!file_write(a, "content", 7, 0644, NULL);
	chmod(a, 04755);
	ok(linkat(AT_FDCWD, a, AT_FDCWD, hard, 0) == 0 && symlink("/etc/passwd", link) == 0 && mkfifo(fifo, 0600) == 0, "a tree");
	t = tar_new(to_buf, &plain);
	is_int(tar_disk_tree(t, "p", root, skip, false, &err), 0, "is packed %s", err.msg);
	is_int(tar_disk_file(t, "one", 0600, a, &err), 0, "and a file, with another mode");
	is_int(tar_end(t, &err), 0, "closed");
	is_archive(&plain, "\nf4755 p/a 7<content>\nl0777 p/link 0 -> /etc/passwd\nd0755 p/sub 0\nf4755 p/sub/hard 0 -> p/a\n"
			   "f0600 one 7<content>", "links stay links, special files are left out");
	t = tar_new(to_buf, &own);
	is_int(tar_disk_tree(t, "", root, skip, true, &err), 0, "with owners");
	is_int(tar_end(t, &err), 0, "closed");
	is_archive(&own, "\nf4755 a 7<content>\nl0777 link 0 -> /etc/passwd\n?0600 p 0\nd0755 sub 0\nf4755 sub/hard 0 -> a",
		   "a whole root has special files too");
	t = tar_new(to_buf, &own);
	is_int(tar_disk_tree(t, "", "/no/such/dir", NULL, false, &err), -ENOENT, "a missing tree: %s", err.msg);
	is_int(tar_disk_file(t, "x", 0, root, &err), -EINVAL, "a directory is no file: %s", err.msg);
	tar_abort(t);
	tar_abort(NULL);
}

static void test_sink(void)
{
	auto(buf) struct buf small = BUF_INIT(1000);
	struct tar *t = tar_new(to_buf, &small);
	autofree char *big = xcalloc(1, 1 << 20);
	struct err err = { 0 };

	is_int(tar_file(t, "big", 0644, big, 1 << 20, &err), -ENOSPC, "the sink's failure comes back: %s", err.msg);
	ok(tar_file(t, "more", 0644, "x", 1, &err) < 0, "and more cannot be added");
	ok(tar_end(t, &err) < 0, "nor the archive be closed");
	t = tar_new(to_buf, &small);
	tar_abort(t);
	is_int((long long)small.len, 0, "an aborted archive has no trailer");
}

static void save(const char *path, const struct buf *b)
{
	if (file_write(path, b->data, b->len, 0644, NULL))
		printf("# cannot write %s\n", path);
}

static void test_extract(void)
{
	autofree char *file = path_join(dir, "x.tar"), *to = path_join(dir, "out"), *got = path_join(dir, "out/d/f"),
		      *hard = path_join(dir, "out/l");
	auto(buf) struct buf a = BUF_INIT(1 << 20), b = BUF_INIT(100);
	struct tar *t = tar_new(to_buf, &a);
	struct err err = { 0 };
	struct stat st;

	(void)!tar_file(t, "d/f", 04755, "hello", 5, NULL);
	(void)!tar_link(t, "l", "d/f", NULL);
	(void)!tar_end(t, NULL);
	save(file, &a);
	is_int(tar_extract(file, to, &err), 0, "an archive is unpacked %s", err.msg);
	is_int(tar_extract(file, to, &err), 0, "and again over it");
	ok(file_read(got, &b, &err) == 0 && strcmp(buf_str(&b), "hello") == 0, "with its files");
	ok(stat(got, &st) == 0 && (st.st_mode & 07000) == 0 && (st.st_mode & 0100), "programs, but none set-uid");
	ok(lstat(hard, &st) == 0 && S_ISLNK(st.st_mode), "and its links");
	is_int(tar_extract("/no/such.tar", to, &err), -ENOENT, "a missing archive: %s", err.msg);
	(void)!file_write(file, "garbage garbage", 15, 0644, NULL);
	is_int(tar_extract(file, to, &err), -EBADMSG, "garbage: %s", err.msg);
}

static void test_escape(void)
{
	static const struct {
		const char *what, *path, *link, *then;
	} cases[] = {
		{ "a path with ..", "a/../../escaped", NULL, NULL },
		{ "a link out and a file through it", "l", "..", "l/escaped" },
		{ "a link to the root and a file through it", "l", "/tmp", "l/escaped" },
	};
	autofree char *file = path_join(dir, "e.tar"), *to = path_join(dir, "in"), *escaped = path_join(dir, "escaped");

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		auto(buf) struct buf a = BUF_INIT(1 << 20);
		struct tar *t = tar_new(to_buf, &a);
		struct err err = { 0 };

		if (cases[i].link)
			(void)!tar_link(t, cases[i].path, cases[i].link, NULL);
		else
			(void)!tar_file(t, cases[i].path, 0644, "x", 1, NULL);
		if (cases[i].then)
			(void)!tar_file(t, cases[i].then, 0644, "x", 1, NULL);
		(void)!tar_end(t, NULL);
		save(file, &a);
		ok((tar_extract(file, to, &err) < 0 || cases[i].link) && !file_exists(escaped) && !file_exists("/tmp/escaped"),
		   "%s does not get out %s", cases[i].what, err.msg);
		(void)!file_remove_tree(to, NULL);
	}
}

static int stop(void *arg, const struct tar_entry *e, const void *data, size_t n)
{
	return *(int *)arg;
}

static void test_parse(void)
{
	auto(buf) struct buf a = BUF_INIT(1 << 20), none = BUF_INIT(100);
	struct tar *t = tar_new(to_buf, &a);
	struct err err = { 0 };
	int code = -EFBIG;

	(void)!tar_file(t, "f", 0644, "hello", 5, NULL);
	(void)!tar_end(t, NULL);
	is_int(tar_parse(a.data, a.len, stop, &code, &err), -EFBIG, "the callback's failure comes back");
	code = 1;
	is_int(tar_parse(a.data, a.len, stop, &code, &err), 0, "it can end the reading");
	is_int(tar_parse(a.data, 514, describe, &none, &err), -EBADMSG, "a cut archive: %s", err.msg);
	is_int(tar_parse("", 0, describe, &none, &err), -EBADMSG, "an empty one: %s", err.msg);
	is_int(tar_parse("<html>", 6, describe, &none, &err), -EBADMSG, "another format: %s", err.msg);
}

static void test_archive(void)
{
	auto(buf) struct buf a = BUF_INIT(1 << 20), b = BUF_INIT(1 << 20), list = BUF_INIT(10000);
	autofree char *file = path_join(dir, "copy.tar");
	struct tar *t = tar_new(to_buf, &a);
	struct err err = { 0 };

	(void)!tar_dir(t, "out", 0755, NULL);
	(void)!tar_file(t, "out/prog", 0755, "hello", 5, NULL);
	(void)!tar_link(t, "out/link", "prog", NULL);
	(void)!tar_end(t, NULL);
	save(file, &a);
	t = tar_new(to_buf, &b);
	(void)!tar_file(t, "first", 0644, "x", 1, NULL);
	is_int(tar_archive(t, file, &err), 0, "an archive is added to another %s", err.msg);
	(void)!tar_end(t, NULL);
	is_int(tar_parse(b.data, b.len, describe, &list, &err), 0, "which can be read %s", err.msg);
	ok(strstr(buf_str(&list), "first") && strstr(buf_str(&list), "out/prog") && strstr(buf_str(&list), "out/link"),
	   "and holds the entries of both");
	t = tar_new(to_buf, &b);
	is_int(tar_archive(t, "/nonexistent", &err), -ENOENT, "a missing one: %s", err.msg);
	tar_abort(t);
}

int main(void)
{
	struct err err = { 0 };

	umask(022);
	if (!mkdtemp(dir))
		return 1;
	test_entries();
	test_owner();
	test_names();
	test_tree();
	test_sink();
	test_extract();
	test_escape();
	test_parse();
	test_archive();
	ok(file_remove_tree(dir, &err) == 0, "cleaned up %s", err.msg);
	return tap_done();
}
