/* SPDX-License-Identifier: Apache-2.0 */
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/tar_impl.h"

#define UNPACKED_MAX (1ULL << 30) /* of tar_parse, for archives that were made to burst */
#define ENTRIES_MAX 1000000

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
	autofree char *chunk = xrealloc(NULL, TAR_CHUNK, 1);
	la_ssize_t n;
	int r = 0;

	while (!r && (n = archive_read_data(a, chunk, TAR_CHUNK)) != 0) {
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
	r = archive_read_open_filename(a, path, TAR_CHUNK) < ARCHIVE_WARN ? reader_failed(a, err) : extract_all(a, real, err);
	return r ? err_wrap(err, r, "unpacking %s", path) : 0;
}

/* ---- from archive to archive ---------------------------------------------------------------------------------- */

static int copy_content(struct tar *t, struct archive *from, const char *path, struct err *err)
{
	autofree char *chunk = xrealloc(NULL, TAR_CHUNK, 1);
	la_ssize_t n;
	int r;

	while ((n = archive_read_data(from, chunk, TAR_CHUNK)) > 0) {
		r = tar_data_write(t, chunk, (size_t)n, path, err);
		if (r)
			return r;
	}
	return n < 0 ? reader_failed(from, err) : 0;
}

static int copy_entry(struct tar *t, struct archive *from, struct archive_entry *e, const char *path, struct err *err)
{
	bool content = !archive_entry_hardlink(e) && archive_entry_filetype(e) == AE_IFREG;
	int r;

	archive_entry_copy_pathname(e, *path ? path : ".");
	r = tar_header_write(t, e, path, err);
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
	if (archive_read_open_filename(a, path, TAR_CHUNK) < ARCHIVE_WARN)
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
