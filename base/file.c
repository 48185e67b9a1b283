/* SPDX-License-Identifier: Apache-2.0 */
#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#ifdef __linux__
#include <sys/xattr.h>
#endif
#include <time.h>

#include "base/mem.h"

#define LOCK_STEP_NS 20000000
#define LINKS_MAX 16
#define OVERWRITE_MAX (16 << 20)
#define DEPTH_MAX 128 /* each level of a tree holds a descriptor open */

static int fail(struct err *err, const char *what, const char *path)
{
	int code = -errno;

	err_set(err, code, "%s %s: %m", what, path);
	return code;
}

int file_read(const char *path, struct buf *b, struct err *err)
{
	autofree char *chunk = NULL;
	autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return fail(err, "cannot open", path);
	chunk = xrealloc(NULL, 64, 1024);
	for (;;) {
		n = read(fd, chunk, 64 * 1024);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return fail(err, "cannot read", path);
		if (n == 0)
			return 0;
		buf_add(b, chunk, (size_t)n);
		if (!buf_ok(b))
			return err_set(err, -EFBIG, "%s is larger than %zu bytes", path, b->max);
	}
}

static int write_all(int fd, const char *p, size_t n)
{
	while (n) {
		ssize_t done = write(fd, p, n);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return -errno;
		p += done;
		n -= (size_t)done;
	}
	return 0;
}

/* Where path leads, also when the last link's target does not exist yet. Caller owns; NULL: too many links. */
static char *link_end(const char *path)
{
	char *p = xstrdup(path);

	for (int i = 0; i < LINKS_MAX; i++) {
		autofree char *dir = NULL, *old = p;
		char to[PATH_MAX];
		ssize_t n = readlink(p, to, sizeof(to) - 1);

		if (n < 0)
			return steal(&old);
		to[n] = '\0';
		dir = path_dirname(p);
		p = path_join(dir, to);
	}
	free(p);
	errno = ELOOP;
	return NULL;
}

static void sync_dir(const char *path)
{
	autofree char *dir = path_dirname(path);
	autoclose int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd >= 0)
		(void)fsync(fd);
}

/* A file of /etc that is made anew has the label of /etc, and confined programs can read it no more. */
static void keep_label(int fd, const char *path)
{
#ifdef __linux__
	char label[256];
	ssize_t n = getxattr(path, "security.selinux", label, sizeof(label));

	if (n > 0)
		(void)!fsetxattr(fd, "security.selinux", label, (size_t)n, 0);
#endif
}

/* The new file takes over the old one's owner where we may: root writes into users' homes. */
static void keep_owner(int fd, const char *path)
{
	struct stat st;

	if (stat(path, &st) == 0 && (st.st_uid != geteuid() || st.st_gid != getegid()) &&
	    fchown(fd, st.st_uid, st.st_gid) < 0)
		errno = 0;
}

int file_write(const char *path, const void *data, size_t len, mode_t mode, struct err *err)
{
	autofree char *target = link_end(path), *dir = NULL, *temp = NULL;
	autoclose int fd = -1;
	int r;

	if (!target)
		return fail(err, "cannot write", path);
	dir = path_dirname(target);
	temp = xasprintf("%s/.%s.XXXXXX", dir, path_basename(target));
	fd = mkostemp(temp, O_CLOEXEC);
	if (fd < 0)
		return fail(err, "cannot write", path);
	r = write_all(fd, data, len);
	keep_owner(fd, target);
	keep_label(fd, target);
	if (!r && (fchmod(fd, mode) < 0 || fsync(fd) < 0 || rename(temp, target) < 0))
		r = -errno;
	if (r) {
		unlink(temp);
		errno = -r;
		return fail(err, "cannot write", path);
	}
	sync_dir(target);
	return 0;
}

static int write_at(int fd, const char *p, size_t n, size_t at)
{
	while (n) {
		ssize_t done = pwrite(fd, p, n, (off_t)at);

		if (done < 0 && errno != EINTR)
			return -errno;
		done = MAX(done, (ssize_t)0);
		p += done;
		n -= (size_t)done;
		at += (size_t)done;
	}
	return 0;
}

int file_overwrite(int fd, const void *data, size_t len, bool exact)
{
	autofree char *padded = NULL;
	struct stat st;
	size_t size, all;
	int r = 0;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (st.st_size > OVERWRITE_MAX || len > OVERWRITE_MAX)
		return -EFBIG;
	size = (size_t)st.st_size;
	all = MAX(size, len);
	padded = xrealloc(NULL, all + 1, 1);
	memset(padded, '\n', all);
	if (all > size)
		r = write_at(fd, padded, all - size, size);
	memcpy(padded, data, len);
	if (!r)
		r = write_at(fd, padded, all, 0);
	if (!r && exact && all > len && ftruncate(fd, (off_t)len) < 0)
		r = -errno;
	return r;
}

int file_mkdirs(const char *path, mode_t mode, struct err *err)
{
	autofree char *p = xstrdup(path);
	struct stat st;

	for (char *end = p;; *end = '/') {
		end += strspn(end, "/");
		end += strcspn(end, "/");
		if (end == p)
			break;
		char rest = *end;

		*end = '\0';
		if (mkdir(p, mode) < 0) {
			int code = errno;

			if (stat(p, &st) < 0 || !S_ISDIR(st.st_mode)) {
				errno = code == EEXIST ? ENOTDIR : code;
				return fail(err, "cannot make directory", p);
			}
		}
		if (!rest)
			break;
	}
	return 0;
}

int file_names(int dirfd, struct strv *ret)
{
	int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r;
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	if (!d) {
		r = -errno;
		if (fd >= 0)
			close(fd);
		return r;
	}
	while ((errno = 0, e = readdir(d)))
		if (!streq(e->d_name, ".") && !streq(e->d_name, ".."))
			strv_add(ret, e->d_name);
	r = -errno;
	closedir(d);
	strv_sort(ret);
	return r;
}

static int dir_open(int at, const char *name)
{
	int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/* Directories that their owner may not change (a Go module cache) are made writable first. */
static int remove_in(int at, const char *name, dev_t dev, unsigned depth)
{
	auto(strv) struct strv names = { 0 };
	autoclose int fd = -1;
	struct stat st;
	int r;

	if (fstatat(at, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISDIR(st.st_mode))
		return unlinkat(at, name, 0) < 0 && errno != ENOENT ? -errno : 0;
	if (st.st_dev != dev)
		return -EXDEV;
	if (depth > DEPTH_MAX)
		return -ELOOP;
	if ((st.st_mode & 0700) != 0700 && fchmodat(at, name, (st.st_mode & 07777) | 0700, 0) < 0)
		return -errno;
	fd = dir_open(at, name);
	if (fd < 0)
		return fd;
	r = file_names(fd, &names);
	for (size_t i = 0; !r && i < names.n; i++)
		r = remove_in(fd, names.v[i], dev, depth + 1);
	if (!r && unlinkat(at, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
		r = -errno;
	return r;
}

int file_remove_tree(const char *path, struct err *err)
{
	struct stat st;
	int r;

	if (lstat(path, &st) < 0)
		return errno == ENOENT || errno == ENOTDIR ? 0 : fail(err, "cannot remove", path);
	r = remove_in(AT_FDCWD, path, st.st_dev, 0);
	if (r == -EXDEV)
		return err_set(err, r, "cannot remove %s: something is mounted below it", path);
	errno = -r;
	return r ? fail(err, "cannot remove", path) : 0;
}

bool file_exists(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0;
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

/* Locks what is at path now: whoever held the lock may have removed the file. */
static int lock_try(const char *path, int *ret)
{
	autoclose int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	struct stat mine, there;

	if (fd < 0)
		return -errno;
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return -errno;
	if (fstat(fd, &mine) < 0 || stat(path, &there) < 0 || mine.st_ino != there.st_ino || mine.st_dev != there.st_dev)
		return -EWOULDBLOCK;
	*ret = steal_fd(&fd);
	return 0;
}

int file_lock(const char *path, uint64_t deadline_ns, struct err *err)
{
	for (;;) {
		int fd = -1, r = lock_try(path, &fd);

		if (!r)
			return fd;
		errno = -r;
		if (r != -EWOULDBLOCK && r != -EINTR)
			return fail(err, "cannot lock", path);
		if (!deadline_ns)
			return err_set(err, -EWOULDBLOCK, "%s is locked by another process", path);
		if (now_ns() >= deadline_ns)
			return err_set(err, -ETIMEDOUT, "%s stays locked by another process", path);
		nanosleep(&(struct timespec){ .tv_nsec = LOCK_STEP_NS }, NULL);
	}
}

static bool is_skipped(const char *name, const char *const *skip)
{
	for (; skip && *skip; skip++)
		if (streq(name, *skip))
			return true;
	return false;
}

/* fd is taken over. */
static int list_in(int fd, const char *prefix, const char *const *skip, unsigned depth, struct strv *ret)
{
	auto(strv) struct strv names = { 0 };
	autoclose int dir = fd;
	struct stat st;
	int r;

	if (depth > DEPTH_MAX)
		return -ELOOP;
	r = file_names(dir, &names);
	for (size_t i = 0; !r && i < names.n; i++) {
		autofree char *path = path_join(prefix, names.v[i]);

		if (is_skipped(names.v[i], skip))
			continue;
		if (fstatat(dir, names.v[i], &st, AT_SYMLINK_NOFOLLOW) < 0) {
			r = errno == ENOENT ? 0 : -errno;
		} else if (S_ISREG(st.st_mode) || S_ISLNK(st.st_mode)) {
			strv_take(ret, steal(&path));
		} else if (S_ISDIR(st.st_mode)) {
			r = dir_open(dir, names.v[i]);
			if (r >= 0)
				r = list_in(r, path, skip, depth + 1, ret);
		}
	}
	return r;
}

int file_list(const char *dir, const char *const *skip, struct strv *ret, struct err *err)
{
	auto(strv) struct strv found = { 0 };
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r = fd < 0 ? -errno : list_in(fd, "", skip, 0, &found);

	if (r) {
		errno = -r;
		return fail(err, "cannot list", dir);
	}
	strv_sort(&found);
	strv_copy(ret, &found);
	return 0;
}

char *path_join(const char *a, const char *b)
{
	size_t n = strlen(a);

	if (!n || *b == '/')
		return xstrdup(b);
	return xasprintf("%s%s%s", a, a[n - 1] == '/' ? "" : "/", b);
}

char *path_dirname(const char *p)
{
	size_t n = strlen(p);

	while (n > 1 && p[n - 1] == '/')
		n--;
	while (n && p[n - 1] != '/')
		n--;
	if (!n)
		return xstrdup(".");
	while (n > 1 && p[n - 1] == '/')
		n--;
	return xstrndup(p, n);
}

const char *path_basename(const char *p)
{
	const char *slash = strrchr(p, '/');

	return slash ? slash + 1 : p;
}

char *path_real(const char *p)
{
	return realpath(p, NULL);
}

char *path_absolute(const char *p)
{
	autofree char *cwd = *p == '/' ? NULL : getcwd(NULL, 0), *whole = path_join(cwd ? cwd : "/", p);
	struct str rest = str_from(whole), part;
	char *ret = xcalloc(strlen(whole) + 2, 1);
	size_t n = 0;

	while (str_split(&rest, '/', &part)) {
		if (!part.len || str_eq(part, "."))
			continue;
		if (str_eq(part, "..")) {
			while (n && ret[--n] != '/')
				;
			continue;
		}
		ret[n++] = '/';
		memcpy(ret + n, part.p, part.len);
		n += part.len;
	}
	if (!n)
		ret[n++] = '/';
	ret[n] = '\0';
	return ret;
}

/* Caller owns. */
static char *home_dir(void)
{
	const char *home = getenv("HOME");
	struct passwd pw, *found = NULL;
	char text[4096];

	if (home && *home == '/')
		return xstrdup(home);
	if (getuid() == 0)
		return xstrdup("/root");
	if (getpwuid_r(getuid(), &pw, text, sizeof(text), &found) == 0 && found && *found->pw_dir == '/')
		return xstrdup(found->pw_dir);
	return xstrdup("/tmp");
}

char *path_xdg(const char *kind)
{
	static const char *const kinds[][3] = {
		{ "state", "XDG_STATE_HOME", ".local/state" },
		{ "cache", "XDG_CACHE_HOME", ".cache" },
		{ "config", "XDG_CONFIG_HOME", ".config" },
		{ "data", "XDG_DATA_HOME", ".local/share" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		const char *dir = getenv(kinds[i][1]);
		autofree char *home = NULL;

		if (!streq(kind, kinds[i][0]))
			continue;
		if (dir && *dir == '/')
			return path_join(dir, "firestream");
		home = home_dir();
		return xasprintf("%s/%s/firestream", home, kinds[i][2]);
	}
	return path_join("/tmp", kind);
}
