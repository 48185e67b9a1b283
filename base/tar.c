/* SPDX-License-Identifier: Apache-2.0 */
#include "base/tar.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "base/tar_impl.h"

locale_t tar_locale_enter(void)
{
	locale_t utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);

	return utf8 ? uselocale(utf8) : (locale_t)0;
}

void tar_locale_leave(const locale_t *before)
{
	locale_t utf8;

	if (!*before)
		return;
	utf8 = uselocale(*before);
	freelocale(utf8);
}

static la_ssize_t on_write(struct archive *a, void *arg, const void *p, size_t n)
{
	struct tar *t = arg;

	if (!t->code)
		t->code = t->sink(t->arg, p, n);
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
	archive_write_set_bytes_per_block(t->a, TAR_CHUNK);
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

	if (t->code)
		return err_set(err, t->code, "cannot pack %s: %s", path, err_text(&(struct err){ .code = t->code }));
	return err_set(err, -EIO, "cannot pack %s: %s", path, text ? text : "unknown error");
}

void tar_entry_done(struct archive_entry **e)
{
	archive_entry_free(*e);
}

struct archive_entry *tar_entry_new(const char *path, mode_t mode)
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

void tar_set_owner(struct tar *t, unsigned id)
{
	t->owner = id;
}

int tar_header_write(struct tar *t, struct archive_entry *e, const char *path, struct err *err)
{
	if (t->owner) {
		archive_entry_set_uid(e, t->owner);
		archive_entry_set_gid(e, t->owner);
	}
	with_utf8;

	return archive_write_header(t->a, e) < ARCHIVE_WARN || t->code ? writer_failed(t, path, err) : 0;
}

int tar_data_write(struct tar *t, const void *p, size_t n, const char *path, struct err *err)
{
	return archive_write_data(t->a, p, n) < 0 || t->code ? writer_failed(t, path, err) : 0;
}

int tar_file(struct tar *t, const char *path, mode_t mode, const void *data, size_t n, struct err *err)
{
	autoentry struct archive_entry *e = tar_entry_new(path, S_IFREG | (mode & 07777));
	int r;

	archive_entry_set_size(e, (la_int64_t)n);
	r = tar_header_write(t, e, path, err);
	return r || !n ? r : tar_data_write(t, data, n, path, err);
}

int tar_dir(struct tar *t, const char *path, mode_t mode, struct err *err)
{
	autoentry struct archive_entry *e = tar_entry_new(path, S_IFDIR | (mode & 07777));

	return tar_header_write(t, e, path, err);
}

int tar_link(struct tar *t, const char *path, const char *target, struct err *err)
{
	autoentry struct archive_entry *e = tar_entry_new(path, S_IFLNK | 0777);

	archive_entry_copy_symlink(e, target);
	return tar_header_write(t, e, path, err);
}

int tar_content_write(struct tar *t, const char *path, int fd, uint64_t size, struct err *err)
{
	autofree char *chunk = xrealloc(NULL, TAR_CHUNK, 1);
	int r = 0;

	while (!r && size) {
		ssize_t n = read(fd, chunk, MIN(size, TAR_CHUNK));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			int code = -errno;

			return err_set(err, code, "cannot read %s: %m", path);
		}
		if (n == 0)
			return err_set(err, -EIO, "%s was cut short while it was read", path);
		r = tar_data_write(t, chunk, (size_t)n, path, err);
		size -= (uint64_t)n;
	}
	return r;
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
	e = tar_entry_new(path, S_IFREG | ((mode ? mode : st.st_mode) & 07777));
	archive_entry_set_size(e, st.st_size);
	r = tar_header_write(t, e, path, err);
	return r ? r : tar_content_write(t, disk, fd, (uint64_t)st.st_size, err);
}

static void tar_free(struct tar *t)
{
	archive_write_free(t->a);
	map_done(&t->inodes);
	free(t);
}

int tar_end(struct tar *t, struct err *err)
{
	int r = archive_write_close(t->a) < ARCHIVE_WARN || t->code ? writer_failed(t, "the archive", err) : 0;

	tar_free(t);
	return r;
}

void tar_abort(struct tar *t)
{
	if (!t)
		return;
	t->code = -ECANCELED;
	tar_free(t);
}
