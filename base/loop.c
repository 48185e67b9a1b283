/* SPDX-License-Identifier: Apache-2.0 */
/* How it works: a turn waits for descriptors (until the first timer or the deadline), calls the watches of the batch, then
 * the timers that were due when the wait ended. A timer started within the turn runs in the next one at the earliest: its
 * sequence number is beyond the limit taken before, so that a timer of 0 ms cannot keep a turn from ending. */
#include "base/loop.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <time.h>
#include <unistd.h>

#include "base/loop_backend.h"
#include "base/mem.h"
#include "base/str.h"

#define NS_PER_MS	1000000u
#define FAKE_WAIT_MS	10

static uint64_t clock_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static uint64_t ns_after(uint64_t now, uint64_t ms)
{
	return ms > (UINT64_MAX - now) / NS_PER_MS ? UINT64_MAX : now + ms * NS_PER_MS;
}

uint64_t loop_now(const struct loop *l)
{
	return l->running || l->fake ? l->now_ns : clock_ns();
}

uint64_t loop_deadline(uint64_t ms)
{
	return ns_after(clock_ns(), ms);
}

/* ---- timers: a binary heap ---- */

static bool timer_before(const struct timer *a, const struct timer *b)
{
	return a->at_ns != b->at_ns ? a->at_ns < b->at_ns : a->seq < b->seq;
}

static void heap_put(struct loop *l, size_t i, struct timer *t)
{
	l->heap[i] = t;
	t->slot = (unsigned)i;
}

static void heap_up(struct loop *l, size_t i)
{
	struct timer *t = l->heap[i];

	for (; i > 0 && timer_before(t, l->heap[(i - 1) / 2]); i = (i - 1) / 2)
		heap_put(l, i, l->heap[(i - 1) / 2]);
	heap_put(l, i, t);
}

static void heap_down(struct loop *l, size_t i)
{
	struct timer *t = l->heap[i];
	size_t child;

	while ((child = 2 * i + 1) < l->n_heap) {
		if (child + 1 < l->n_heap && timer_before(l->heap[child + 1], l->heap[child]))
			child++;
		if (!timer_before(l->heap[child], t))
			break;
		heap_put(l, i, l->heap[child]);
		i = child;
	}
	heap_put(l, i, t);
}

void timer_stop(struct timer *t)
{
	struct loop *l = t->loop;
	size_t i = t->slot;
	struct timer *last;

	if (!l)
		return;
	assert(i < l->n_heap && l->heap[i] == t);
	t->loop = NULL;
	last = l->heap[--l->n_heap];
	if (last == t)
		return;
	heap_put(l, i, last);
	heap_up(l, i);
	heap_down(l, last->slot);
}

void timer_start(struct loop *l, struct timer *t, uint64_t after_ms, timer_fn fn)
{
	timer_stop(t);
	if (l->n_heap == l->cap_heap) {
		l->cap_heap = l->cap_heap ? l->cap_heap * 2 : 16;
		l->heap = xrealloc(l->heap, l->cap_heap, sizeof(struct timer *));
	}
	t->fn = fn;
	t->loop = l;
	t->at_ns = ns_after(loop_now(l), after_ms);
	t->seq = l->seq++;
	heap_put(l, l->n_heap++, t);
	heap_up(l, l->n_heap - 1);
}

static size_t timers_run(struct loop *l)
{
	uint64_t limit = l->seq;
	size_t n = 0;

	while (l->n_heap && l->heap[0]->at_ns <= l->now_ns && l->heap[0]->seq < limit) {
		struct timer *t = l->heap[0];

		timer_stop(t);
		t->fn(t);
		n++;
	}
	return n;
}

/* ---- descriptors ---- */

void io_start(struct loop *l, struct io *io, int fd, unsigned events, io_fn fn)
{
	io_stop(io);
	assert(fd >= 0);
	if (l->n_ios == l->cap_ios) {
		l->cap_ios = l->cap_ios ? l->cap_ios * 2 : 16;
		l->ios = xrealloc(l->ios, l->cap_ios, sizeof(struct io *));
	}
	*io = (struct io){ .fn = fn, .loop = l, .fd = fd, .events = events, .slot = (unsigned)l->n_ios };
	l->ios[l->n_ios++] = io;
	l->ops->add(l->be, io);
}

void io_set(struct io *io, unsigned events)
{
	if (!io->loop || io->events == events)
		return;
	io->events = events;
	io->loop->ops->change(io->loop->be, io);
}

void io_stop(struct io *io)
{
	struct loop *l = io->loop;

	if (!l)
		return;
	assert(io->slot < l->n_ios && l->ios[io->slot] == io);
	l->ops->del(l->be, io);
	l->ios[io->slot] = l->ios[--l->n_ios];
	l->ios[io->slot]->slot = io->slot;
	io->loop = NULL;
	for (size_t i = 0; i < l->n_batch; i++)
		if (l->batch[i].io == io)
			l->batch[i].io = NULL;
}

static size_t events_run(struct loop *l)
{
	size_t n = 0;

	for (size_t i = 0; i < l->n_batch; i++) {
		struct io *io = l->batch[i].io;
		unsigned events;

		if (!io)
			continue;
		events = l->batch[i].events & (io->events | IO_ERR);
		if (!events)
			continue;
		io->fn(io, events);
		n++;
	}
	l->n_batch = 0;
	return n;
}

/* ---- the loop ---- */

static void wake_drain(struct io *io, unsigned events)
{
	char trash[64];

	while (read(io->fd, trash, sizeof(trash)) > 0)
		;
}

static void wake_open(int fd[static 2])
{
#ifdef __linux__
	int r = pipe2(fd, O_CLOEXEC | O_NONBLOCK);
#else
	int r = pipe(fd);

	for (int i = 0; r == 0 && i < 2; i++) {
		(void)fcntl(fd[i], F_SETFD, FD_CLOEXEC);
		(void)fcntl(fd[i], F_SETFL, O_NONBLOCK);
	}
#endif
	assert(r == 0);
}

static const struct loop_ops *backend_choose(enum loop_backend backend)
{
#ifdef __linux__
	const char *env = getenv("LOOP_BACKEND");

	if (backend == LOOP_EPOLL || (backend == LOOP_DEFAULT && !streq(env, "poll")))
		return &loop_epoll_ops;
#endif
	return &loop_poll_ops;
}

struct loop *loop_new(enum loop_backend backend)
{
	struct loop *l = xcalloc(1, sizeof(*l));

	l->ops = backend_choose(backend);
	l->be = l->ops->open();
	wake_open(l->wake);
	io_start(l, &l->wake_io, l->wake[0], IO_IN, wake_drain);
	return l;
}

struct loop *loop_free(struct loop *l)
{
	if (!l)
		return NULL;
	assert(!l->running);
	while (l->n_ios)
		io_stop(l->ios[l->n_ios - 1]);
	while (l->n_heap)
		timer_stop(l->heap[l->n_heap - 1]);
	l->ops->close(l->be);
	close(l->wake[0]);
	close(l->wake[1]);
	free(l->ios);
	free(l->batch);
	free(l->heap);
	free(l);
	return NULL;
}

static int wait_ms(const struct loop *l, uint64_t deadline_ns)
{
	uint64_t until = l->n_heap ? MIN(l->heap[0]->at_ns, deadline_ns) : deadline_ns;
	uint64_t ms;

	if (until <= l->now_ns)
		return 0;
	if (l->fake)
		return FAKE_WAIT_MS;
	if (until == UINT64_MAX)
		return -1;
	ms = (until - l->now_ns + NS_PER_MS - 1) / NS_PER_MS;
	return ms > INT_MAX ? INT_MAX : (int)ms;
}

static void now_update(struct loop *l)
{
	if (!l->fake)
		l->now_ns = clock_ns();
}

static size_t turn_run(struct loop *l, uint64_t deadline_ns)
{
	size_t ran;

	if (l->before)
		l->before(l->before_arg);
	if (l->cap_batch < l->n_ios) {
		l->cap_batch = l->n_ios * 2;
		l->batch = xrealloc(l->batch, l->cap_batch, sizeof(*l->batch));
	}
	now_update(l);
	l->n_batch = l->ops->wait(l, wait_ms(l, deadline_ns));
	now_update(l);
	if (loop_cancelled(l)) {
		l->n_batch = 0;
		return 0;
	}
	ran = events_run(l);
	return ran + timers_run(l);
}

int loop_turn(struct loop *l, uint64_t deadline_ns)
{
	size_t ran;

	assert(!l->running);
	if (loop_cancelled(l))
		return -ECANCELED;
	l->running = true;
	now_update(l);
	ran = turn_run(l, deadline_ns);
	l->running = false;
	if (loop_cancelled(l))
		return -ECANCELED;
	return !ran && l->now_ns >= deadline_ns ? -ETIMEDOUT : 0;
}

int loop_run(struct loop *l, const bool *done, uint64_t deadline_ns)
{
	while (!*done) {
		int r = loop_turn(l, deadline_ns);

		if (*done)
			break;
		if (r < 0)
			return r;
		if (l->now_ns >= deadline_ns)
			return -ETIMEDOUT;
	}
	return 0;
}

void loop_before_sleep(struct loop *l, void (*fn)(void *), void *arg)
{
	l->before = fn;
	l->before_arg = arg;
}

void loop_cancel(struct loop *l)
{
	int saved = errno;

	atomic_store(&l->cancelled, true);
	(void)!write(l->wake[1], "", 1);
	errno = saved;
}

bool loop_cancelled(const struct loop *l)
{
	return atomic_load(&l->cancelled);
}

void loop_uncancel(struct loop *l)
{
	atomic_store(&l->cancelled, false);
	wake_drain(&l->wake_io, IO_IN);
}

void loop_fake_clock(struct loop *l, uint64_t now_ns)
{
	l->fake = true;
	l->now_ns = now_ns;
}

void loop_advance(struct loop *l, uint64_t ns)
{
	assert(l->fake);
	l->now_ns += ns;
}
