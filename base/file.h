/* SPDX-License-Identifier: Apache-2.0 */
/* file: whole files in and out, directories, locks, paths. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

/* Appends the file to b; -EFBIG when it does not fit. Errors name the path. */
int file_read(const char *path, struct buf *b, struct err *err) must_check;
/* Replaces path as a whole: temporary file beside it, fsync, rename; a symlink is followed. Mode also when it existed. */
int file_write(const char *path, const void *data, size_t len, mode_t mode, struct err *err) must_check;
/* Overwrites an open file where it is (a bind mount cannot be replaced): one write of the text, padded with newlines over what was
 * there; exact: then cut to its length. A file that has to grow gets newlines at its end before, as a reader may see new bytes
 * with the old length, and a full disk is noticed before anything is lost. At most 16 MiB. */
int file_overwrite(int fd, const void *data, size_t len, bool exact) must_check;
int file_mkdirs(const char *path, mode_t mode, struct err *err) must_check;
/* 0 when absent; never follows links, -EXDEV at a mount point. */
int file_remove_tree(const char *path, struct err *err) must_check;
bool file_exists(const char *path);
/* Takes an exclusive flock on path (created 0600). Waits until deadline_ns (CLOCK_MONOTONIC; -ETIMEDOUT), or not at all
 * when it is 0 (-EWOULDBLOCK).
 * Returns the descriptor; closing it unlocks. */
int file_lock(const char *path, uint64_t deadline_ns, struct err *err) must_check;

char *path_join(const char *a, const char *b);		/* caller owns; b absolute → copy of b */
char *path_dirname(const char *p);			/* caller owns; "." where there is no slash */
const char *path_basename(const char *p);		/* borrowed: what follows the last slash */
char *path_real(const char *p);				/* NULL when it does not exist; caller owns */
char *path_absolute(const char *p);			/* lexical: getcwd + p, "." and ".." resolved; caller owns */
/* $XDG_x_HOME/firestream, or the default of the XDG specification below ~ (root without HOME: /root).
 * kind: "state" "cache" "config" "data". Caller owns. */
char *path_xdg(const char *kind);

/* Adds the regular files and links below dir: relative, sorted bytewise. Whatever is called like one of `skip` (NULL-ended, or
 * NULL) is left out with all below it, at every level. */
int file_list(const char *dir, const char *const *skip, struct strv *ret, struct err *err) must_check;
/* The names in an open directory (which stays open), sorted. */
int file_names(int dirfd, struct strv *ret) must_check;
