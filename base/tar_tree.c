/* SPDX-License-Identifier: Apache-2.0 */
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#ifdef __linux__
#include <sys/xattr.h>
#endif

#include "base/file.h"
#include "base/mem.h"
#include "base/tar_impl.h"

#define DEPTH_MAX 128
#define CAPABILITY_MAX 256

struct tree {
	struct tar *t;
	const char *const *skip;
	bool keep_owner;
	struct err *err;
};

static int tree_fail(struct tree *w, const char *path)
{
	int code = -errno;

	return err_set(w->err, code, "cannot read %s: %m", path);
}

/* File capabilities (ping's, for one) are all that is kept of extended attributes. */
static void add_capability(struct archive_entry *e, int fd)
{
#ifdef __linux__
	char value[CAPABILITY_MAX];
	ssize_t n = fgetxattr(fd, "security.capability", value, sizeof(value));

	if (n > 0)
		archive_entry_xattr_add_entry(e, "security.capability", value, (size_t)n);
#endif
}

/* Turns e into a hard link when another name of the file is in the archive already. */
static bool is_known_inode(struct tree *w, struct archive_entry *e, const char *path, const struct stat *st)
{
	autofree char *key = NULL;
	const char *first;

	if (st->st_nlink < 2)
		return false;
	key = xasprintf("%llu:%llu", (unsigned long long)st->st_dev, (unsigned long long)st->st_ino);
	first = map_get(&w->t->inodes, key);
	if (!first) {
		map_set(&w->t->inodes, key, xstrdup(path));
		return false;
	}
	archive_entry_copy_hardlink(e, first);
	archive_entry_set_size(e, 0);
	return true;
}

static int tree_file(struct tree *w, int at, const char *name, struct archive_entry *e, const char *path)
{
	autoclose int fd = openat(at, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0)
		return tree_fail(w, path);
	if (is_known_inode(w, e, path, &st))
		return tar_header_write(w->t, e, path, w->err);
	archive_entry_set_size(e, st.st_size);
	if (w->keep_owner)
		add_capability(e, fd);
	r = tar_header_write(w->t, e, path, w->err);
	return r ? r : tar_content_write(w->t, path, fd, (uint64_t)st.st_size, w->err);
}

static int tree_link(struct tree *w, int at, const char *name, struct archive_entry *e, const char *path)
{
	char to[PATH_MAX];
	ssize_t n = readlinkat(at, name, to, sizeof(to) - 1);

	if (n < 0)
		return tree_fail(w, path);
	to[n] = '\0';
	archive_entry_copy_symlink(e, to);
	return tar_header_write(w->t, e, path, w->err);
}

static struct archive_entry *tree_entry(const struct tree *w, const char *path, const struct stat *st)
{
	struct archive_entry *e = tar_entry_new(path, st->st_mode);

	if (w->keep_owner) {
		archive_entry_set_uid(e, st->st_uid);
		archive_entry_set_gid(e, st->st_gid);
		archive_entry_set_mtime(e, st->st_mtime, 0);
	}
	return e;
}

static bool tree_skips(const struct tree *w, const char *name)
{
	for (const char *const *s = w->skip; s && *s; s++)
		if (streq(name, *s))
			return true;
	return false;
}

/* What is below the open directory fd. */
static int tree_walk(struct tree *w, int fd, const char *prefix, unsigned depth)
{
	auto(strv) struct strv names = { 0 };
	int r;

	errno = ELOOP;
	if (depth > DEPTH_MAX)
		return tree_fail(w, prefix);
	r = file_names(fd, &names);
	errno = -r;
	if (r)
		return tree_fail(w, prefix);
	for (size_t i = 0; !r && i < names.n; i++) {
		autofree char *path = path_join(prefix, names.v[i]);
		autoentry struct archive_entry *e = NULL;
		const char *name = names.v[i];
		struct stat st;

		if (tree_skips(w, name))
			continue;
		if (fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			return tree_fail(w, path);
		e = tree_entry(w, path, &st);
		if (S_ISREG(st.st_mode)) {
			r = tree_file(w, fd, name, e, path);
		} else if (S_ISLNK(st.st_mode)) {
			r = tree_link(w, fd, name, e, path);
		} else if (S_ISDIR(st.st_mode)) {
			autoclose int below = openat(fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

			if (below < 0)
				return tree_fail(w, path);
			r = tar_header_write(w->t, e, path, w->err);
			if (!r)
				r = tree_walk(w, below, path, depth + 1);
		} else if (w->keep_owner && !S_ISSOCK(st.st_mode)) {
			archive_entry_set_rdev(e, st.st_rdev);
			r = tar_header_write(w->t, e, path, w->err);
		}
	}
	return r;
}

int tar_disk_tree(struct tar *t, const char *prefix, const char *dir, const char *const *skip, bool keep_owner,
		  struct err *err)
{
	struct tree w = { .t = t, .skip = skip, .keep_owner = keep_owner, .err = err };
	autoclose int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return tree_fail(&w, dir);
	return tree_walk(&w, fd, prefix + strspn(prefix, "/"), 0);
}
