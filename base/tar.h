/* SPDX-License-Identifier: Apache-2.0 */
/* tar: archives in memory-bounded streams (libarchive).
 *
 * Writer: entries are added one by one, bytes come out through a sink; uid, gid (unless set) and mtime are 0, so that equal
 * content gives equal bytes. Names are relative (leading slashes are dropped). The first failure of the sink ends the archive.
 * Reader: entries come out through a callback; none that leads out of the archive is ever seen. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"

/* Returns 0 or -errno (ends the archive). */
typedef int (*tar_sink)(void *arg, const void *p, size_t n);

struct tar;

struct tar *tar_new(tar_sink sink, void *arg);
struct tar *tar_new_gzip(tar_sink sink, void *arg);	/* the same, compressed, without a time stamp */
void tar_set_owner(struct tar *t, unsigned id);		/* user and group of the entries to come */
int tar_file(struct tar *t, const char *path, mode_t mode, const void *data, size_t n, struct err *err) must_check;
int tar_dir(struct tar *t, const char *path, mode_t mode, struct err *err) must_check;
int tar_link(struct tar *t, const char *path, const char *target, struct err *err) must_check;
/* One file from disk, streamed; mode 0: the file's own. */
int tar_disk_file(struct tar *t, const char *path, mode_t mode, const char *disk, struct err *err) must_check;
/* A tree from disk below prefix ("" for none), sorted, symbolic and hard links kept as links; skip as in file_list.
 * keep_owner, for whole root file systems: also owners, times, devices and file capabilities. */
int tar_disk_tree(struct tar *t, const char *prefix, const char *dir, const char *const *skip, bool keep_owner,
		  struct err *err) must_check;
/* All entries of the archive file `path`, owners and times as there. */
int tar_archive(struct tar *t, const char *path, struct err *err) must_check;
int tar_end(struct tar *t, struct err *err) must_check;	/* trailer; frees t, also on failure */
void tar_abort(struct tar *t);				/* frees without a trailer; NULL is fine */

struct tar_entry {
	const char *path;	/* no leading "/", no ".." (such entries are an error) */
	const char *link;	/* target of a symlink (S_IFLNK) or hard link (S_IFREG); NULL */
	mode_t mode;		/* with type bits */
	uint64_t size;
};

/* Called per entry with data == NULL, then per chunk of a regular file with data. Non-zero ends: tar_parse returns it when
 * negative, 0 when positive. */
typedef int (*tar_entry_fn)(void *arg, const struct tar_entry *e, const void *data, size_t n);
/* Parses a whole archive in memory (plain, gzip, zstd, xz), of at most 1 GiB unpacked. */
int tar_parse(const void *p, size_t n, tar_entry_fn fn, void *arg, struct err *err) must_check;
/* Extracts the archive file `path` below dir (created), refusing to leave it; owned by us, without set-id bits and devices. */
int tar_extract(const char *path, const char *dir, struct err *err) must_check;
