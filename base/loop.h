/* SPDX-License-Identifier: Apache-2.0 */
/* loop: one thread's event loop, level-triggered, behind one interface with an epoll and a poll back end.
 *
 * Watches (struct io, struct timer) are embedded in their owner; container_of() gets it back; the loop owns none of
 * their memory. io_stop() and timer_stop() may be called from any callback, also on watches whose event is already
 * fetched: the batch in flight is scrubbed, so the owner may be freed at once. Both are no-ops on a stopped or zeroed
 * watch. Callbacks never block and never run the loop (nested loop_run asserts). loop_now() is constant within a turn.
 * A loop belongs to one thread; only loop_cancel() may be called from others or from a signal handler. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"

struct loop;
struct io;
struct timer;

enum { IO_IN = 1, IO_OUT = 2, IO_ERR = 4 };	/* IO_ERR (error or hang-up) is always reported */

typedef void (*io_fn)(struct io *io, unsigned events);
typedef void (*timer_fn)(struct timer *t);

struct io {
	io_fn fn;
	struct loop *loop;	/* NULL while stopped */
	int fd;			/* the owner's; io_stop() before close() */
	unsigned events;
	unsigned slot;
};

struct timer {
	timer_fn fn;
	struct loop *loop;	/* NULL while stopped */
	uint64_t at_ns;
	uint64_t seq;		/* order among equals */
	unsigned slot;
};

enum loop_backend { LOOP_DEFAULT, LOOP_EPOLL, LOOP_POLL };

/* Never NULL. LOOP_DEFAULT: epoll on Linux, poll elsewhere; environment LOOP_BACKEND=poll overrides (tests). */
struct loop *loop_new(enum loop_backend backend);
struct loop *loop_free(struct loop *l);			/* returns NULL; stops what is still watched */

void io_start(struct loop *l, struct io *io, int fd, unsigned events, io_fn fn);
void io_set(struct io *io, unsigned events);		/* change interest; 0 keeps only IO_ERR */
void io_stop(struct io *io);

void timer_start(struct loop *l, struct timer *t, uint64_t after_ms, timer_fn fn);	/* restarts a running one */
void timer_stop(struct timer *t);

uint64_t loop_now(const struct loop *l);		/* CLOCK_MONOTONIC, ns, as of this turn */
/* A deadline that is `ms` from the real now (not the turn's); UINT64_MAX ms = never. */
uint64_t loop_deadline(uint64_t ms);

/* One turn: waits for events (at most until deadline_ns), runs callbacks. 0, -ETIMEDOUT when the deadline passed
 * with nothing to do, -ECANCELED after loop_cancel(). */
int loop_turn(struct loop *l, uint64_t deadline_ns) must_check;
/* Turns until *done, the deadline or a cancel. */
int loop_run(struct loop *l, const bool *done, uint64_t deadline_ns) must_check;
/* Called once per turn before the wait; NULL to remove. */
void loop_before_sleep(struct loop *l, void (*fn)(void *), void *arg);

/* Sticky, async-signal-safe, from any thread: every present and later turn of l returns -ECANCELED. */
void loop_cancel(struct loop *l);
bool loop_cancelled(const struct loop *l);
/* Makes l usable again for clean-up after a cancel. */
void loop_uncancel(struct loop *l);

/* Tests: time stands still and moves only by this. */
void loop_fake_clock(struct loop *l, uint64_t now_ns);
void loop_advance(struct loop *l, uint64_t ns);
