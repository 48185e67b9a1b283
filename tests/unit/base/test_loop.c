/* SPDX-License-Identifier: Apache-2.0 */
#include "base/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "tests/tap.h"

#define SECOND 1000000000ull

static const char *name;	/* of the back end under test */

static void pair(int fd[static 2])
{
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fd))
		abort();
}

/* ---- owners freed from callbacks ---- */

struct owner {
	struct io io;
	struct timer timer;
	int fd[2];
	struct owner *other;
	int *calls;
};

static struct owner *owner_new(struct loop *l, io_fn fn, int *calls)
{
	struct owner *o = xcalloc(1, sizeof(*o));

	pair(o->fd);
	o->calls = calls;
	if (write(o->fd[1], "x", 1) != 1)
		abort();
	io_start(l, &o->io, o->fd[0], IO_IN, fn);
	return o;
}

static void owner_free(struct owner *o)
{
	io_stop(&o->io);
	timer_stop(&o->timer);
	close(o->fd[0]);
	close(o->fd[1]);
	free(o);
}

static void free_self(struct io *io, unsigned events)
{
	struct owner *o = container_of(io, struct owner, io);

	++*o->calls;
	owner_free(o);
}

static void free_other_and_self(struct io *io, unsigned events)
{
	struct owner *o = container_of(io, struct owner, io);

	++*o->calls;
	owner_free(o->other);
	owner_free(o);
}

static void test_free(enum loop_backend be)
{
	struct loop *l = loop_new(be);
	int calls = 0;
	struct owner *a, *b;

	owner_new(l, free_self, &calls);
	is_int(loop_turn(l, loop_deadline(1000)), 0, "%s: a turn with an event is fine", name);
	is_int(calls, 1, "%s: an owner may free itself from its callback", name);

	a = owner_new(l, free_other_and_self, &calls);
	b = owner_new(l, free_other_and_self, &calls);
	a->other = b;
	b->other = a;
	calls = 0;
	is_int(loop_turn(l, loop_deadline(1000)), 0, "%s: two ready watches, one turn", name);
	is_int(calls, 1, "%s: a watch stopped by another's callback is not called, though its event was fetched", name);
	loop_free(l);
}

static void timer_free_owner(struct timer *t)
{
	struct owner *o = container_of(t, struct owner, timer);

	++*o->calls;
	owner_free(o);
}

static void never(struct io *io, unsigned events)
{
	abort();
}

static void test_free_from_timer(enum loop_backend be)
{
	struct loop *l = loop_new(be);
	int calls = 0;
	struct owner *o = owner_new(l, never, &calls);

	io_set(&o->io, 0);
	timer_start(l, &o->timer, 0, timer_free_owner);
	ok(loop_turn(l, loop_deadline(1000)) == 0 && calls == 1, "%s: an owner may be freed from its timer", name);
	loop_free(l);
}

/* ---- interest, files, hang-up ---- */

struct seen {
	struct io io;
	unsigned events;
	int calls;
};

static void see(struct io *io, unsigned events)
{
	struct seen *s = container_of(io, struct seen, io);

	s->events |= events;
	s->calls++;
}

static void test_events(enum loop_backend be)
{
	struct loop *l = loop_new(be);
	struct seen s = { 0 }, file = { 0 };
	int fd[2], f = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

	pair(fd);
	io_start(l, &s.io, fd[0], IO_IN | IO_OUT, see);
	(void)!loop_turn(l, loop_deadline(1000));
	is_int(s.events, IO_OUT, "%s: an empty socket is writable and not readable", name);
	io_set(&s.io, IO_IN);
	s = (struct seen){ .io = s.io };
	is_int(loop_turn(l, loop_deadline(10)), -ETIMEDOUT, "%s: without interest there is nothing to do", name);
	close(fd[1]);
	is_int(loop_turn(l, loop_deadline(1000)), 0, "%s: a hang-up is noticed", name);
	ok(s.events & IO_IN, "%s: and wakes the reader", name);
	io_set(&s.io, 0);
	s.events = 0;
	(void)!loop_turn(l, loop_deadline(1000));
	is_int(s.events, IO_ERR, "%s: without interest it is still reported as an error", name);
	io_stop(&s.io);
	close(fd[0]);

	io_start(l, &file.io, f, IO_IN, see);
	is_int(loop_turn(l, loop_deadline(1000)), 0, "%s: a regular file can be watched", name);
	is_int(file.events, IO_IN, "%s: it is always readable", name);
	io_stop(&file.io);
	io_stop(&file.io);
	is_int(loop_turn(l, 0), -ETIMEDOUT, "%s: and can be stopped, twice", name);
	close(f);
	loop_free(l);
}

/* ---- timers ---- */

struct tick {
	struct timer t;
	char *log;
	char mark;
	struct loop *again;
};

static void tick(struct timer *t)
{
	struct tick *k = container_of(t, struct tick, t);
	size_t n = strlen(k->log);

	k->log[n] = k->mark;
	k->log[n + 1] = '\0';
	if (k->again)
		timer_start(k->again, t, 0, tick);
}

static void test_timers(enum loop_backend be)
{
	struct loop *l = loop_new(be);
	char log[64] = "";
	struct tick k[6];
	static const unsigned ms[6] = { 50, 10, 30, 10, 40, 20 };

	loop_fake_clock(l, 7 * SECOND);
	for (int i = 0; i < 6; i++) {
		k[i] = (struct tick){ .log = log, .mark = (char)('a' + i) };
		timer_start(l, &k[i].t, ms[i], tick);
	}
	timer_stop(&k[2].t);
	is_int(loop_turn(l, loop_now(l)), -ETIMEDOUT, "%s: no timer before its time", name);
	loop_advance(l, 9999999);
	is_int(loop_turn(l, loop_now(l)), -ETIMEDOUT, "%s: not even a nanosecond", name);
	loop_advance(l, 1);
	is_int(loop_turn(l, UINT64_MAX), 0, "%s: due ones run", name);
	is_str(log, "bd", "%s: equal times keep their order", name);
	timer_start(l, &k[0].t, 15, tick);
	loop_advance(l, SECOND);
	is_int(loop_turn(l, UINT64_MAX), 0, "%s: all the others run in one turn", name);
	is_str(log, "bdfae", "%s: by time, a restarted one by its new time, a stopped one never", name);

	log[0] = '\0';
	k[0].again = l;
	timer_start(l, &k[0].t, 0, tick);
	(void)!loop_turn(l, UINT64_MAX);
	is_str(log, "a", "%s: a timer that restarts itself at 0 ms runs once per turn", name);
	(void)!loop_turn(l, UINT64_MAX);
	is_str(log, "aa", "%s: and again in the next", name);
	loop_free(l);
	ok(!k[0].t.loop, "%s: freeing the loop stops its timers", name);
}

static void test_many_timers(enum loop_backend be)
{
	enum { N = 500 };
	struct loop *l = loop_new(be);
	struct tick *k = xcalloc(N, sizeof(*k));
	char *log = xcalloc(N + 1, 1);
	unsigned x = 1;
	bool ordered = true;

	loop_fake_clock(l, SECOND);
	for (int i = 0; i < N; i++) {
		x = x * 1103515245 + 12345;
		k[i] = (struct tick){ .log = log, .mark = (char)('0' + (x >> 16) % 64) };
		timer_start(l, &k[i].t, (x >> 16) % 64, tick);
	}
	for (int i = 0; i < N; i += 3)
		timer_stop(&k[i].t);
	loop_advance(l, SECOND);
	(void)!loop_turn(l, UINT64_MAX);
	for (size_t i = 1; i < strlen(log); i++)
		ordered &= log[i - 1] <= log[i];
	ok(ordered && strlen(log) == N - (N + 2) / 3, "%s: hundreds of timers, a third stopped, run in order", name);
	free(k);
	free(log);
	loop_free(l);
}

/* ---- run, deadline, cancel ---- */

static void set_done(struct timer *t)
{
	*((struct tick *)(void *)t)->log = 1;
}

static void *cancel_soon(void *arg)
{
	nanosleep(&(struct timespec){ .tv_nsec = 20000000 }, NULL);
	loop_cancel(arg);
	return NULL;
}

static void test_run(enum loop_backend be)
{
	struct loop *l = loop_new(be);
	bool done = false, no = false;
	struct tick k = { .log = (char *)&done, .again = NULL };
	struct tick busy = { .log = (char[65536]){ "" }, .mark = 'x', .again = l };
	uint64_t start = loop_now(l);
	pthread_t th;

	timer_start(l, &k.t, 5, set_done);
	is_int(loop_run(l, &done, loop_deadline(5000)), 0, "%s: loop_run ends when it is done", name);
	ok(loop_now(l) - start >= 5000000, "%s: not before the timer's time", name);
	is_int(loop_run(l, &no, loop_deadline(10)), -ETIMEDOUT, "%s: or at its deadline", name);
	timer_start(l, &busy.t, 0, tick);
	is_int(loop_run(l, &no, loop_deadline(5)), -ETIMEDOUT, "%s: a busy loop keeps its deadline too", name);
	timer_stop(&busy.t);

	pthread_create(&th, NULL, cancel_soon, l);
	is_int(loop_run(l, &no, UINT64_MAX), -ECANCELED, "%s: or when another thread cancels", name);
	pthread_join(th, NULL);
	is_int(loop_turn(l, 0), -ECANCELED, "%s: a cancel sticks", name);
	loop_uncancel(l);
	is_int(loop_turn(l, 0), -ETIMEDOUT, "%s: until it is taken back", name);
	loop_free(l);
}

static void count(void *arg)
{
	++*(int *)arg;
}

static void test_before_sleep(enum loop_backend be)
{
	struct loop *l = loop_new(be);
	int n = 0;

	loop_before_sleep(l, count, &n);
	(void)!loop_turn(l, 0);
	(void)!loop_turn(l, 0);
	loop_before_sleep(l, NULL, NULL);
	(void)!loop_turn(l, 0);
	is_int(n, 2, "%s: the hook runs once per turn while it is set", name);
	loop_free(l);
}

static void test_backend(enum loop_backend be, const char *what)
{
	name = what;
	test_free(be);
	test_free_from_timer(be);
	test_events(be);
	test_timers(be);
	test_many_timers(be);
	test_run(be);
	test_before_sleep(be);
}

int main(void)
{
#ifdef __linux__
	test_backend(LOOP_EPOLL, "epoll");
#endif
	test_backend(LOOP_POLL, "poll");
	ok(loop_deadline(UINT64_MAX) == UINT64_MAX, "for ever is for ever");
	ok(loop_free(NULL) == NULL, "no loop can be freed");
	return tap_done();
}
