/* SPDX-License-Identifier: Apache-2.0 */
/* supervisor: the agent's first process, root and idle, and its worker, which is the agent.
 *
 * A worker that dies is started again: at once, and with growing pauses when it keeps dying. One that has not moved for 10 s
 * is killed; only time counts in which the supervisor itself ran. What the kernel does not take back from a worker that
 * cannot end in order, or be started again, is undone here. Should the supervisor die, its worker sees the end of a pipe and
 * ends in order. The lock of the state directory is held by both. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "agent/config.h"

/* Exit codes of a worker beside those of the program. */
enum { WORKER_AGAIN = 75 };		/* start me anew, as root */

/* In memory that both see. */
struct supervision {
	_Atomic uint64_t beats;		/* counted by the worker */
	_Atomic bool served;		/* some worker has come so far */
	long pid;			/* the supervisor's */
	unsigned restarts;
	char last_exit[64];		/* of the worker before, or "" */
	int life;			/* ends when the supervisor does; the worker's */
};

typedef int (*worker_fn)(void *arg, struct supervision *s);

/* Runs workers until one ends in order or cannot be started at all. Returns the program's exit code. */
int supervise(const struct config *c, worker_fn fn, void *arg);
/* Routes and resolv.conf as they were before us, whatever state we died in. */
int supervisor_undo(const struct config *c, struct err *err) must_check;
