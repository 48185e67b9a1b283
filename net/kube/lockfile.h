/* SPDX-License-Identifier: Apache-2.0 */
/* lockfile: the lock that kubectl and client-go put beside a file they change: FILE.lock, made with O_EXCL, removed after.
 *
 * Ours also holds a flock and a line that says so; one that a killed Firestream left is therefore known to be stale and
 * taken over. Another program's is waited for and never removed. */
#pragma once

#include <stdint.h>

#include "base/err.h"

struct lockfile {
	char *path;	/* owned; NULL: not held */
	int fd;
};

/* Waits until deadline_ns; -EBUSY then, with a hint. Blocks the thread. */
int lockfile_take(const char *file, uint64_t deadline_ns, struct lockfile *ret, struct err *err) must_check;
void lockfile_done(struct lockfile *l);
