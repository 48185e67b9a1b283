/* SPDX-License-Identifier: Apache-2.0 */
/* loop backend: what loop.c and its back ends share; nobody else includes this.
 *
 * loop.c keeps the list of watches (io->slot is the index), the timers and the batch in flight. A back end only turns
 * `ios` into events; the poll one needs nothing but the list, the epoll one mirrors it in the kernel. */
#pragma once

#include <stdatomic.h>

#include "base/loop.h"

struct loop_event {
	struct io *io;		/* NULL: scrubbed */
	unsigned events;
};

struct loop_ops {
	void *(*open)(void);
	void (*close)(void *be);
	void (*add)(void *be, struct io *io);
	void (*change)(void *be, struct io *io);
	void (*del)(void *be, struct io *io);
	/* Waits at most timeout_ms (-1: for ever) and fills l->batch (room for l->n_ios); the count, 0 when interrupted. */
	size_t (*wait)(struct loop *l, int timeout_ms);
};

struct loop {
	const struct loop_ops *ops;
	void *be;			/* the back end's, owned */
	struct io **ios;
	size_t n_ios, cap_ios;
	struct loop_event *batch;
	size_t n_batch, cap_batch;
	struct timer **heap;		/* smallest (at_ns, seq) first */
	size_t n_heap, cap_heap;
	uint64_t now_ns, seq;
	bool fake, running;
	void (*before)(void *);
	void *before_arg;
	int wake[2];
	struct io wake_io;
	atomic_bool cancelled;
};

extern const struct loop_ops loop_poll_ops;
#ifdef __linux__
extern const struct loop_ops loop_epoll_ops;
#endif

/* Events to report for what the system reported: an error or hang-up wakes readers and writers alike. */
static inline unsigned loop_events(const struct io *io, bool in, bool out, bool bad)
{
	unsigned e = (in ? IO_IN : 0) | (out ? IO_OUT : 0);

	if (bad)
		e |= IO_ERR | (io->events & (IO_IN | IO_OUT));
	return e;
}
