/* SPDX-License-Identifier: Apache-2.0 */
/* apt: packages of the distribution for this machine, as root or by sudo. The user has agreed before anything here is
 * called. */
#pragma once

#include <stdbool.h>

#include "base/err.h"
#include "base/loop.h"
#include "base/str.h"
#include "boot/cli.h"
#include "boot/progress.h"

/* Full path of a program in PATH or the system's sbin folders; NULL when there is none. Caller owns. */
char *program_find(const char *name);
/* Becomes able to run things as root: we are, or sudo works without asking, or asks now on the terminal. -ENOPKG with a
 * sentence else. */
int root_obtain(struct loop *l, const struct options *o, struct progress *p, struct err *err) must_check;
/* Puts what is needed in front of a command that must run as root ("sudo", "-n"). */
void root_prefix(struct strv *argv);
/* Runs argv to its end, output to the step (may be NULL); a status other than 0 is -EIO with the last line of output. */
int root_run(struct loop *l, struct progress_step *s, const struct strv *argv, uint64_t deadline_ns,
	     struct err *err) must_check;
/* The same as ourselves. env: NULL-terminated, or NULL. */
int step_run(struct loop *l, struct progress_step *s, const struct strv *argv, const char *const *env, uint64_t deadline_ns,
	     struct err *err) must_check;
/* Debian and what descends from it. */
bool apt_is_here(void);
int apt_install(struct loop *l, struct progress_step *s, const struct strv *packages, uint64_t deadline_ns,
		struct err *err) must_check;
