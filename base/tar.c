/* SPDX-License-Identifier: Apache-2.0 */
#include "base/tar.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <locale.h>
#include <string.h>
#include <sys/stat.h>
#ifdef __linux__
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#endif

#include "base/file.h"
#include "base/map.h"
#include "base/mem.h"

#define CHUNK (64 * 1024)
#define DEPTH_MAX 128
#define UNPACKED_MAX (1ULL << 30)	/* of tar_parse, for archives that were made to burst */
#define ENTRIES_MAX 1000000
#define CAPABILITY_MAX 256

struct tar {
	struct archive *a;
	tar_sink sink;
	void *arg;
	int code;		/* what the sink returned */
	struct map inodes;	/* "dev:ino" of files with several names → first name */
};

/* libarchive converts names through the thread's locale; without this, "ő" in a name is an error. */
static locale_t locale_enter(void)
{
	locale_t utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);

	return utf8 ? uselocale(utf8) : (locale_t)0;
}

static void locale_leave(const locale_t *before)
{
	locale_t utf8;

	if (!*before)
		return;
	utf8 = uselocale(*before);
	freelocale(utf8);
}

#define with_utf8 maybe_unused __attribute__((cleanup(locale_leave))) locale_t locale_before = locale_enter()

/* ---- writer --------------------------------------------------------------------------------------------------- */

static la_ssize_t on_write(struct archive *a, void *arg, const void *p, size_t n)
{
	struct tar *t = arg;

	t->code = t->sink(t->arg, p, n);
	if (t->code) {
		archive_set_error(a, EIO, "the receiver gave up");
		return -1;
	}
	return (la_ssize_t)n;
}

static struct tar *writer_new(tar_sink sink, void *arg, bool gzip)
{
	struct tar *t = xcalloc(1, sizeof(*t));

	t->sink = sink;
	t->arg = arg;
	t->inodes = (struct map)MAP_INIT(free);
	t->a = archive_write_new();
	if (!t->a)
		abort();
	archive_write_set_format_pax_restricted(t->a);
	if (gzip)
		archive_write_add_filter_gzip(t->a);
	archive_write_set_options(t->a, gzip ? "xattrheader=SCHILY,gzip:!timestamp" : "xattrheader=SCHILY");
	archive_write_set_bytes_per_block(t->a, CHUNK);
	archive_write_set_bytes_in_last_block(t->a, 1);
	archive_write_open(t->a, t, NULL, on_write, NULL);
	return t;
}

struct tar *tar_new(tar_sink sink, void *arg)
{
	return writer_new(sink, arg, false);
}

struct tar *tar_new_gzip(tar_sink sink, void *arg)
{
	return writer_new(sink, arg, true);
}

static int writer_failed(struct tar *t, const char *path, struct err *err)
{
	const char *text = archive_error_string(t->a);

	if (t->code < 0)
		return err_set(err, t->code, "cannot pack %s: %s", path, err_text(&(struct err){ .code = t->code }));
	return err_set(err, -EIO, "cannot pack %s: %s", path, text ? text : "unknown error");
}

static void entry_done(struct archive_entry **e)
{
	archive_entry_free(*e);
}

#define autoentry __attribute__((cleanup(entry_done)))

static struct archive_entry *entry_new(const char *path, mode_t mode)
{
	struct archive_entry *e = archive_entry_new();

	if (!e)
		abort();
	path += strspn(path, "/");
	archive_entry_copy_pathname(e, *path ? path : ".");
	archive_entry_set_mode(e, mode);
	archive_entry_set_uid(e, 0);
	archive_entry_set_gid(e, 0);
	archive_entry_set_mtime(e, 0, 0);
	return e;
}

static int header_write(struct tar *t, struct archive_entry *e, const char *path, struct err *err)
{
	with_utf8;

	return archive_write_header(t->a, e) < ARCHIVE_WARN ? writer_failed(t, path, err) : 0;
}

int tar_file(struct tar *t, const char *path, mode_t mode, const void *data, size_t n, struct err *err)
{
	autoentry struct archive_entry *e = entry_new(path, S_IFREG | (mode & 07777));
	int r;

	archive_entry_set_size(e, (la_int64_t)n);
	r = header_write(t, e, path, err);
	if (!r && n && archive_write_data(t->a, data, n) < 0)
		r = writer_failed(t, path, err);
	return r;
}

int tar_dir(struct tar *t, const char *path, mode_t mode, struct err *err)
{
	autoentry struct archive_entry *e = entry_new(path, S_IFDIR | (mode & 07777));

	return header_write(t, e, path, err);
}

int tar_link(struct tar *t, const char *path, const char *target, struct err *err)
{
	autoentry struct archive_entry *e = entry_new(path, S_IFLNK | 0777);

	archive_entry_copy_symlink(e, target);
	return header_write(t, e, path, err);
}

/* size bytes of fd; a file that shrank meanwhile is an error, for its header is out already. */
static int content_write(struct tar *t, const char *path, int fd, uint64_t size, struct err *err)
{
	autofree char *chunk = xrealloc(NULL, CHUNK, 1);

	while (size) {
		ssize_t n = read(fd, chunk, MIN(size, CHUNK));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			int code = -errno;

			return err_set(err, code, "cannot read %s: %m", path);
		}
		if (n == 0)
			return err_set(err, -EIO, "%s was cut short while it was read", path);
		if (archive_write_data(t->a, chunk, (size_t)n) < 0)
			return writer_failed(t, path, err);
		size -= (uint64_t)n;
	}
	return 0;
}

int tar_disk_file(struct tar *t, const char *path, mode_t mode, const char *disk, struct err *err)
{
	autoentry struct archive_entry *e = NULL;
	autoclose int fd = open(disk, O_RDONLY | O_CLOEXEC);
	struct stat st;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0) {
		r = -errno;
		return err_set(err, r, "cannot open %s: %m", disk);
	}
	if (!S_ISREG(st.st_mode))
		return err_set(err, -EINVAL, "%s is not a file", disk);
	e = entry_new(path, S_IFREG | ((mode ? mode : st.st_mode) & 07777));
	archive_entry_set_size(e, st.st_size);
	r = header_write(t, e, path, err);
	return r ? r : content_write(t, disk, fd, (uint64_t)st.st_size, err);
}

/* ---- trees ---------------------------------------------------------------------------------------------------- */

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
		return header_write(w->t, e, path, w->err);
	archive_entry_set_size(e, st.st_size);
	if (w->keep_owner)
		add_capability(e, fd);
	r = header_write(w->t, e, path, w->err);
	return r ? r : content_write(w->t, path, fd, (uint64_t)st.st_size, w->err);
}

static int tree_link(struct tree *w, int at, const char *name, struct archive_entry *e, const char *path)
{
	char to[PATH_MAX];
	ssize_t n = readlinkat(at, name, to, sizeof(to) - 1);

	if (n < 0)
		return tree_fail(w, path);
	to[n] = '\0';
	archive_entry_copy_symlink(e, to);
	return header_write(w->t, e, path, w->err);
}

static struct archive_entry *tree_entry(const struct tree *w, const char *path, const struct stat *st)
{
	struct archive_entry *e = entry_new(path, st->st_mode);

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
			r = header_write(w->t, e, path, w->err);
			if (!r)
				r = tree_walk(w, below, path, depth + 1);
		} else if (w->keep_owner && !S_ISSOCK(st.st_mode)) {
			archive_entry_set_rdev(e, st.st_rdev);
			r = header_write(w->t, e, path, w->err);
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

static void tar_free(struct tar *t)
{
	archive_write_free(t->a);
	map_done(&t->inodes);
	free(t);
}

int tar_end(struct tar *t, struct err *err)
{
	int r = archive_write_close(t->a) < ARCHIVE_WARN ? writer_failed(t, "the archive", err) : 0;

	if (r)
		archive_write_fail(t->a);
	tar_free(t);
	return r;
}

void tar_abort(struct tar *t)
{
	if (!t)
		return;
	archive_write_fail(t->a);
	tar_free(t);
}

/* ---- reader --------------------------------------------------------------------------------------------------- */

static void reader_done(struct archive **a)
{
	if (*a)
		archive_read_free(*a);
}

static void disk_done(struct archive **a)
{
	if (*a)
		archive_write_free(*a);
}

static struct archive *reader_new(void)
{
	struct archive *a = archive_read_new();

	if (!a)
		abort();
	archive_read_support_format_tar(a);
	archive_read_support_filter_gzip(a);
	archive_read_support_filter_zstd(a);
	archive_read_support_filter_xz(a);
	return a;
}

static int reader_failed(struct archive *a, struct err *err)
{
	const char *text = archive_error_string(a);

	return err_set(err, -EBADMSG, "broken archive: %s", text ? text : "unknown error");
}

/* The name without "./" in front and "/" behind; NULL when it leads elsewhere. Caller owns. */
static char *path_clean(const char *path)
{
	struct str rest = str_from(path), part;
	struct buf b = BUF_INIT(PATH_MAX);

	if (!rest.len || *path == '/')
		return NULL;
	while (str_split(&rest, '/', &part)) {
		if (str_eq(part, "..")) {
			buf_done(&b);
			return NULL;
		}
		if (!part.len || str_eq(part, "."))
			continue;
		if (b.len)
			buf_addc(&b, '/');
		buf_add(&b, part.p, part.len);
	}
	if (buf_ok(&b))
		return buf_steal(&b);
	buf_done(&b);
	return NULL;
}

/* 1 and *ret: an entry; 0: the end. */
static int entry_next(struct archive *a, struct archive_entry **ret, char **ret_path, struct err *err)
{
	int r = archive_read_next_header(a, ret);
	const char *path;

	if (r == ARCHIVE_EOF)
		return 0;
	if (r < ARCHIVE_WARN)
		return reader_failed(a, err);
	path = archive_entry_pathname(*ret);
	if (!path)
		return err_set(err, -EBADMSG, "broken archive: a name that is no UTF-8");
	*ret_path = path_clean(path);
	if (!*ret_path)
		return err_set(err, -EBADMSG, "the archive has an entry that leads out of it: %s", path);
	return 1;
}

static int parse_content(struct archive *a, const struct tar_entry *e, uint64_t *left, tar_entry_fn fn, void *arg,
			 struct err *err)
{
	autofree char *chunk = xrealloc(NULL, CHUNK, 1);
	la_ssize_t n;
	int r = 0;

	while (!r && (n = archive_read_data(a, chunk, CHUNK)) != 0) {
		if (n < 0)
			return reader_failed(a, err);
		if ((uint64_t)n > *left)
			return err_set(err, -EFBIG, "the archive has more than %llu bytes", UNPACKED_MAX);
		*left -= (uint64_t)n;
		r = fn(arg, e, chunk, (size_t)n);
	}
	return r;
}

static int parse_entry(struct archive *a, struct archive_entry *entry, const char *path, uint64_t *left, tar_entry_fn fn,
		       void *arg, struct err *err)
{
	const char *hard = archive_entry_hardlink(entry);
	struct tar_entry e = {
		.path = path,
		.link = hard ? hard : archive_entry_symlink(entry),
		.mode = hard ? S_IFREG | (archive_entry_mode(entry) & 07777) : archive_entry_mode(entry),
		.size = hard || archive_entry_size(entry) < 0 ? 0 : (uint64_t)archive_entry_size(entry),
	};
	int r = fn(arg, &e, NULL, 0);

	if (!r && !hard && S_ISREG(e.mode))
		r = parse_content(a, &e, left, fn, arg, err);
	return r;
}

int tar_parse(const void *p, size_t n, tar_entry_fn fn, void *arg, struct err *err)
{
	__attribute__((cleanup(reader_done))) struct archive *a = reader_new();
	uint64_t left = UNPACKED_MAX;
	struct archive_entry *entry;
	int r;

	with_utf8;

	if (!n)
		return err_set(err, -EBADMSG, "broken archive: empty");
	if (archive_read_open_memory(a, p, n) < ARCHIVE_WARN)
		return reader_failed(a, err);
	for (unsigned i = 0; i < ENTRIES_MAX; i++) {
		autofree char *path = NULL;

		r = entry_next(a, &entry, &path, err);
		if (r <= 0)
			return r;
		r = parse_entry(a, entry, path, &left, fn, arg, err);
		if (r)
			return MIN(r, 0);
	}
	return err_set(err, -EFBIG, "the archive has more than %d entries", ENTRIES_MAX);
}

static int extract_content(struct archive *a, struct archive *disk)
{
	const void *p;
	la_int64_t at;
	size_t n;
	int r;

	while ((r = archive_read_data_block(a, &p, &n, &at)) == ARCHIVE_OK)
		if (archive_write_data_block(disk, p, n, at) < ARCHIVE_WARN)
			return -1;
	return r == ARCHIVE_EOF ? 0 : r;
}

/* dir is real, so that libarchive's refusal of links on the way concerns only what the archive made. */
static int extract_entry(struct archive *a, struct archive *disk, struct archive_entry *e, const char *path, const char *dir,
			 struct err *err)
{
	autofree char *full = path_join(dir, path), *target = NULL, *target_full = NULL;
	const char *hard = archive_entry_hardlink(e), *text;
	mode_t type = archive_entry_filetype(e);

	if (!hard && type != AE_IFREG && type != AE_IFDIR && type != AE_IFLNK)
		return 0;
	if (hard) {
		target = path_clean(hard);
		if (!target)
			return err_set(err, -EBADMSG, "the archive has a link that leads out of it: %s", hard);
		target_full = path_join(dir, target);
		archive_entry_copy_hardlink(e, target_full);
	}
	archive_entry_copy_pathname(e, full);
	if (archive_write_header(disk, e) >= ARCHIVE_WARN && (hard || extract_content(a, disk) >= 0) &&
	    archive_write_finish_entry(disk) >= ARCHIVE_WARN)
		return 0;
	text = archive_error_string(disk);
	if (!text)
		text = archive_error_string(a);
	return err_set(err, -EIO, "cannot unpack %s: %s", path, text ? text : "unknown error");
}

static int extract_all(struct archive *a, const char *dir, struct err *err)
{
	__attribute__((cleanup(disk_done))) struct archive *disk = archive_write_disk_new();
	struct archive_entry *e;

	if (!disk)
		abort();
	archive_write_disk_set_options(disk, ARCHIVE_EXTRACT_TIME | ARCHIVE_EXTRACT_UNLINK | ARCHIVE_EXTRACT_SECURE_SYMLINKS |
						     ARCHIVE_EXTRACT_SECURE_NODOTDOT);
	for (;;) {
		autofree char *path = NULL;
		int r = entry_next(a, &e, &path, err);

		if (r <= 0)
			return r;
		r = extract_entry(a, disk, e, path, dir, err);
		if (r)
			return r;
	}
}

int tar_extract(const char *path, const char *dir, struct err *err)
{
	__attribute__((cleanup(reader_done))) struct archive *a = reader_new();
	autofree char *real = NULL;
	int r = file_mkdirs(dir, 0755, err);

	with_utf8;

	if (r)
		return r;
	real = path_real(dir);
	if (!real) {
		r = -errno;
		return err_set(err, r, "cannot open %s: %m", dir);
	}
	if (access(path, R_OK) < 0) {
		r = -errno;
		return err_set(err, r, "cannot open %s: %m", path);
	}
	r = archive_read_open_filename(a, path, CHUNK) < ARCHIVE_WARN ? reader_failed(a, err) : extract_all(a, real, err);
	return r ? err_wrap(err, r, "unpacking %s", path) : 0;
}

/* ---- from archive to archive ---------------------------------------------------------------------------------- */

static int copy_content(struct tar *t, struct archive *from, const char *path, struct err *err)
{
	autofree char *chunk = xrealloc(NULL, CHUNK, 1);
	la_ssize_t n;

	while ((n = archive_read_data(from, chunk, CHUNK)) > 0)
		if (archive_write_data(t->a, chunk, (size_t)n) < 0)
			return writer_failed(t, path, err);
	return n < 0 ? reader_failed(from, err) : 0;
}

static int copy_entry(struct tar *t, struct archive *from, struct archive_entry *e, const char *path, struct err *err)
{
	bool content = !archive_entry_hardlink(e) && archive_entry_filetype(e) == AE_IFREG;
	int r;

	archive_entry_copy_pathname(e, *path ? path : ".");
	r = header_write(t, e, path, err);
	return r || !content ? r : copy_content(t, from, path, err);
}

int tar_archive(struct tar *t, const char *path, struct err *err)
{
	__attribute__((cleanup(reader_done))) struct archive *a = reader_new();
	struct archive_entry *entry;
	int r;

	with_utf8;

	if (access(path, R_OK) < 0) {
		r = -errno;
		return err_set(err, r, "cannot open %s: %m", path);
	}
	if (archive_read_open_filename(a, path, CHUNK) < ARCHIVE_WARN)
		return err_wrap(err, reader_failed(a, err), "reading %s", path);
	do {
		autofree char *name = NULL;

		r = entry_next(a, &entry, &name, err);
		if (r > 0) {
			int e = copy_entry(t, a, entry, name, err);

			r = e ? e : 1;
		}
	} while (r > 0);
	return r;
}
