/* SPDX-License-Identifier: Apache-2.0 */
/* tar: archives in memory-bounded streams (libarchive).
 *
 * Writer: entries are added one by one, bytes come out through a sink; uid/gid 0, mtime 0 unless set, so that equal
 * content gives equal bytes. Reader: bytes are pushed or pulled from a source, entries come out through a callback. */
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
int tar_file(struct tar *t, const char *path, mode_t mode, const void *data, size_t n, struct err *err) must_check;
int tar_dir(struct tar *t, const char *path, mode_t mode, struct err *err) must_check;
int tar_link(struct tar *t, const char *path, const char *target, struct err *err) must_check;
/* One file from disk, streamed; mode 0: the file's own. */
int tar_disk_file(struct tar *t, const char *path, mode_t mode, const char *disk, struct err *err) must_check;
/* A tree from disk below prefix ("" for none), sorted, links kept as links, owners 0 unless keep_owner; skip as in
 * file_list. Special files (devices) only with keep_owner. */
int tar_disk_tree(struct tar *t, const char *prefix, const char *dir, const char *const *skip, bool keep_owner,
		  struct err *err) must_check;
int tar_end(struct tar *t, struct err *err) must_check;	/* trailer; frees t, also on failure */
void tar_abort(struct tar *t);				/* frees without a trailer; NULL is fine */

struct tar_entry {
	const char *path;	/* no leading "/", no ".." (such entries are an error) */
	const char *link;	/* symlink target or NULL */
	mode_t mode;		/* with type bits */
	uint64_t size;
};

/* Called per entry with data == NULL, then per chunk of a regular file with data; non-zero ends. */
typedef int (*tar_entry_fn)(void *arg, const struct tar_entry *e, const void *data, size_t n);
/* Parses a whole archive in memory (gzip, zstd and plain). */
int tar_parse(const void *p, size_t n, tar_entry_fn fn, void *arg, struct err *err) must_check;
/* Extracts the archive file `path` below dir (created), refusing to leave it. */
int tar_extract(const char *path, const char *dir, struct err *err) must_check;
