/* SPDX-License-Identifier: Apache-2.0 */
/* step: runs a list of steps with their dependencies, independent ones at the same time, each on a thread with its own
 * loop and engine client. A failing step cancels the others; SIGINT and SIGTERM cancel all, and so does the run's deadline.
 *
 * The step that opens the engine leaves its client in c->docker: steps after it get clones, and run.docker becomes one on
 * run.loop. */
#pragma once

#include "base/err.h"
#include "boot/run.h"

struct step {
	const char *name, *title;
	const char *needs;		/* names of earlier steps, separated by spaces; "" for none */
	int (*run)(struct step_ctx *c, struct err *err);
	uint64_t expects_ms;		/* when there is work; 0 unknown */
};

/* At most 64 steps. 0, or the code of the first that failed, its error (already shown) in err; -ECANCELED after a signal,
 * -ETIMEDOUT after the deadline. Returns when every started step has ended. */
int steps_run(struct run *r, const struct step *steps, size_t n, struct err *err) must_check;
/* Installs the handling of SIGINT, SIGTERM and (unless nohup ignores it) SIGHUP, which cancels r->loop and running steps; a second
 * signal ends the program at once. */
void steps_catch_signals(struct run *r);
/* Back to the system's ways, before r->loop is freed. */
void steps_release_signals(void);
