/* SPDX-License-Identifier: Apache-2.0 */
/* child: other programs, by argv and never through a shell.
 *
 * posix_spawn, descriptors CLOEXEC but for the three given, exit noticed through the loop (pidfd on Linux, a polling
 * timer elsewhere). child_stop() detaches; child_kill() ends the whole process group (children get their own). */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "base/loop.h"

struct child;
/* status: exit code, or 128 + signal */
typedef void (*child_fn)(struct child *c, int status);

struct child {
	child_fn fn;
	struct loop *loop;
	long pid;		/* 0: none */
	struct io io;
	struct timer poll;
};

struct child_spec {
	const char *const *argv;	/* argv[0] is looked up in PATH */
	const char *const *env;		/* NULL: ours */
	const char *cwd;		/* NULL: ours */
	int in, out, err;		/* -1: /dev/null */
	bool foreground;		/* stays in our process group and terminal */
};

int child_start(struct loop *l, struct child *c, const struct child_spec *spec, child_fn fn, struct err *err) must_check;
void child_stop(struct child *c);
void child_kill(struct child *c, int sig);

/* Runs to the end. With out or line_fn, stdout and stderr both go there (a full buffer drops what is beyond; line_fn is
 * called per line); with neither, they go where spec says. Returns the exit status ≥ 0, -ETIMEDOUT or -ECANCELED (group
 * ended, by force after 2 s), or -errno. */
typedef void (*child_line_fn)(void *arg, const char *line);
int child_run(struct loop *l, const struct child_spec *spec, struct buf *out, child_line_fn line_fn, void *arg,
	      uint64_t deadline_ns, struct err *err) must_check;
