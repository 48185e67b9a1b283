/* SPDX-License-Identifier: Apache-2.0 */
/* tar_impl: what the three tar files share; nobody else includes it. */
#pragma once

#include <locale.h>

#include "base/map.h"
#include "base/tar.h"

#define TAR_CHUNK (64 * 1024)

struct archive;
struct archive_entry;

struct tar {
	struct archive *a;
	tar_sink sink;
	void *arg;
	unsigned owner;		/* of the entries that are not read with theirs; user and group */
	int code;		/* what the sink returned; libarchive, which leaks when it is failed, does not hear of it */
	struct map inodes;	/* "dev:ino" of files with several names → first name */
};

/* libarchive converts names through the thread's locale; without this, "ő" in a name is an error. */
locale_t tar_locale_enter(void);
void tar_locale_leave(const locale_t *before);
#define with_utf8 maybe_unused __attribute__((cleanup(tar_locale_leave))) locale_t locale_before = tar_locale_enter()

/* Owner root, time 0. */
struct archive_entry *tar_entry_new(const char *path, mode_t mode);
void tar_entry_done(struct archive_entry **e);
#define autoentry __attribute__((cleanup(tar_entry_done)))

int tar_header_write(struct tar *t, struct archive_entry *e, const char *path, struct err *err) must_check;
int tar_data_write(struct tar *t, const void *p, size_t n, const char *path, struct err *err) must_check;
/* size bytes of fd; a file that shrank meanwhile is an error, for its header is out already. */
int tar_content_write(struct tar *t, const char *path, int fd, uint64_t size, struct err *err) must_check;
