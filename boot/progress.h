/* SPDX-License-Identifier: Apache-2.0 */
/* progress: the user's view of a running command.
 *
 * Steps run on several threads and report here; everything is thread-safe. On a terminal each running step is one live
 * line with elapsed and expected time; otherwise (or --headless) plain lines with a time in front, or JSON lines with -o
 * json. Every log line also goes to the log file. A step's last lines are shown when it fails. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/err.h"

struct progress;
struct progress_step;

enum progress_mode { PROGRESS_AUTO, PROGRESS_PLAIN, PROGRESS_JSON, PROGRESS_QUIET };
enum progress_end { PROGRESS_DONE, PROGRESS_UNCHANGED, PROGRESS_FAILED, PROGRESS_CANCELLED };

/* Writes to fd (stderr as a rule); AUTO: live lines when fd is a terminal. log_path: appended, or NULL. Never NULL. */
struct progress *progress_new(enum progress_mode mode, int fd, const char *log_path);
struct progress *progress_free(struct progress *p);
/* In plain mode a step that says nothing for so long shows that it lives; a minute, unless a test wants less. */
void progress_sign_after(struct progress *p, uint64_t ms);
/* Live lines are taken off the screen while paused (a prompt, a child on the terminal). */
void progress_pause(struct progress *p, bool pause);

/* name: short, stable ("cluster"); title: "Kubernetes cluster". expects_ms: 0 unknown. */
struct progress_step *progress_start(struct progress *p, const char *name, const char *title, uint64_t expects_ms);
/* What the step does just now: "pulling 3 of 5 layers", replaces the text before it. In plain mode printed when it changed
 * and at most once a second per step. */
void progress_note(struct progress_step *s, const char *fmt, ...) printf_like(2, 3);
/* A line of foreign output: log file only (and the step's memory of last lines). */
void progress_output(struct progress_step *s, const char *line);
/* A line that the user must see also in live mode (a warning, a choice made). */
void progress_say(struct progress_step *s, const char *fmt, ...) printf_like(2, 3);
/* How much longer it is expected to take in all, once known better. */
void progress_expect(struct progress_step *s, uint64_t total_ms);
/* Ends and frees s. text: one short phrase ("k3d-demo ready") or NULL. On FAILED, err's sentence and the last lines of
 * output are shown. */
void progress_finish(struct progress_step *s, enum progress_end how, const char *text, const struct err *err);
