/* SPDX-License-Identifier: Apache-2.0 */
/* How it works: the calling thread starts every step whose needs are done, then waits on a pipe. A step that ends and the
 * signal handler write a byte into it. The caller never touches another thread's loop but by loop_cancel(). */
#include "boot/step.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

#include "base/loop.h"
#include "base/mem.h"
#include "base/str.h"

enum { STEPS_MAX = 64, GRACE_MS = 2000 };
enum state { STEP_WAITING, STEP_RUNNING, STEP_ENDED };

struct sched;

struct task {
	struct sched *s;		/* borrowed */
	const struct step *step;
	enum state state;
	uint64_t needs;			/* bits of the tasks before it */
	pthread_t thread;
	struct loop *loop;		/* owned by the scheduler, used by the thread */
	int code;
	struct err err;
};

struct sched {
	struct run *r;
	struct task tasks[STEPS_MAX];
	size_t n, running;
	uint64_t done;			/* bits of tasks that ended well */
	int cause;			/* why the rest is not run: code of the first failure, or 0 */
	bool late;			/* the cause is the run's deadline, of which no step has told yet */
	struct err cause_err;
	struct docker *docker;		/* what steps clone; borrowed from the run */
	int wake[2];
	pthread_mutex_t mutex;
};

/* What the signal handler can reach. */
static _Atomic(struct loop *) signal_loop;
static atomic_int signal_fd = -1;
static atomic_int signals_seen;

static void on_signal(int sig)
{
	int saved = errno, fd = atomic_load(&signal_fd);
	struct loop *loop = atomic_load(&signal_loop);

	if (atomic_fetch_add(&signals_seen, 1) > 0)
		_exit(EXIT_INTERRUPTED);
	if (loop)
		loop_cancel(loop);
	if (fd >= 0 && write(fd, "s", 1) < 0)
		_exit(EXIT_INTERRUPTED);
	errno = saved;
}

void steps_catch_signals(struct run *r)
{
	struct sigaction action = { .sa_handler = on_signal }, was;

	atomic_store(&signals_seen, 0);
	atomic_store(&signal_loop, r->loop);
	sigemptyset(&action.sa_mask);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	if (sigaction(SIGHUP, NULL, &was) == 0 && was.sa_handler != SIG_IGN)	/* which nohup wants */
		sigaction(SIGHUP, &action, NULL);
	action.sa_handler = SIG_IGN;
	sigaction(SIGPIPE, &action, NULL);
}

void steps_release_signals(void)
{
	struct sigaction was;

	signal(SIGINT, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
	if (sigaction(SIGHUP, NULL, &was) == 0 && was.sa_handler == on_signal)
		signal(SIGHUP, SIG_DFL);
	atomic_store(&signal_loop, NULL);
}

static uint64_t needs_bits(const struct step *steps, size_t self)
{
	struct str rest = str_from(steps[self].needs), name;
	uint64_t bits = 0;

	while (str_split(&rest, ' ', &name)) {
		size_t i = 0;

		if (name.len == 0)
			continue;
		while (i < self && !str_eq(name, steps[i].name))
			i++;
		if (i == self) {
			fprintf(stderr, "step %s needs %.*s, which is not before it\n", steps[self].name, STR_ARG(name));
			abort();
		}
		bits |= UINT64_C(1) << i;
	}
	return bits;
}

/* With the mutex held. The first cause counts; everything that runs is cancelled. */
static void sched_stop(struct sched *s, int code, const struct err *err)
{
	if (!s->cause) {
		s->cause = code;
		s->cause_err = *err;
	}
	for (size_t i = 0; i < s->n; i++)
		if (s->tasks[i].state == STEP_RUNNING)
			loop_cancel(s->tasks[i].loop);
}

static enum progress_end how_it_ended(const struct sched *s, const struct step_ctx *c, int code)
{
	if (code >= 0)
		return c->changed ? PROGRESS_DONE : PROGRESS_UNCHANGED;
	if (s->late)
		return PROGRESS_FAILED;
	return s->cause || code == -ECANCELED ? PROGRESS_CANCELLED : PROGRESS_FAILED;
}

/* With the mutex held. */
static void task_end(struct task *t, struct step_ctx *c, bool opened)
{
	struct sched *s = t->s;

	progress_finish(c->progress, how_it_ended(s, c, t->code), c->summary, s->late ? &s->cause_err : &t->err);
	if (t->code < 0) {
		sched_stop(s, t->code, &t->err);
	} else {
		s->done |= UINT64_C(1) << (t - s->tasks);
		if (opened && !s->r->docker)
			s->r->docker = docker_clone(c->docker, s->r->loop);
		s->docker = s->r->docker;
	}
	t->state = STEP_ENDED;
}

static void *task_main(void *arg)
{
	struct task *t = arg;
	struct sched *s = t->s;
	struct step_ctx c = { .run = s->r, .loop = t->loop };
	bool had_docker;

	c.deadline_ns = s->r->deadline_ns ? s->r->deadline_ns : UINT64_MAX;
	pthread_mutex_lock(&s->mutex);
	if (s->docker)
		c.docker = docker_clone(s->docker, c.loop);
	pthread_mutex_unlock(&s->mutex);
	had_docker = c.docker != NULL;
	c.progress = progress_start(s->r->progress, t->step->name, t->step->title, t->step->expects_ms);
	t->code = t->step->run(&c, &t->err);
	if (t->code < 0)
		t->err.code = t->code;

	pthread_mutex_lock(&s->mutex);
	task_end(t, &c, !had_docker && c.docker);
	pthread_mutex_unlock(&s->mutex);
	docker_free(c.docker);
	free(c.summary);
	while (write(s->wake[1], "e", 1) < 0 && errno == EINTR)
		;
	return NULL;
}

/* With the mutex held. Signals stay with the calling thread. */
static void task_start(struct task *t)
{
	sigset_t all, before;
	int r;

	t->loop = loop_new(LOOP_DEFAULT);
	t->state = STEP_RUNNING;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	r = pthread_create(&t->thread, NULL, task_main, t);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (r == 0) {
		t->s->running++;
		return;
	}
	t->loop = loop_free(t->loop);
	t->state = STEP_ENDED;
	t->code = err_set(&t->err, -r, "no thread for step %s", t->step->name);
	sched_stop(t->s, t->code, &t->err);
}

static bool is_over(const struct run *r)
{
	return r->deadline_ns && loop_deadline(0) >= r->deadline_ns;
}

/* With the mutex held. */
static void stop_late(struct sched *s)
{
	struct err err = { 0 };

	s->late = !s->cause;
	sched_stop(s, err_set(&err, -ETIMEDOUT, "the time for this command is over"), &err);
}

/* What runs at the deadline has a moment to tell what it waited for; nothing new begins. */
static void start_ready(struct sched *s)
{
	pthread_mutex_lock(&s->mutex);
	for (size_t i = 0; i < s->n && !s->cause; i++) {
		if (s->tasks[i].state != STEP_WAITING || (s->tasks[i].needs & ~s->done))
			continue;
		if (is_over(s->r))
			stop_late(s);
		else
			task_start(&s->tasks[i]);
	}
	pthread_mutex_unlock(&s->mutex);
}

static void join_ended(struct sched *s)
{
	for (size_t i = 0; i < s->n; i++) {
		struct task *t = &s->tasks[i];
		bool ended;

		pthread_mutex_lock(&s->mutex);
		ended = t->state == STEP_ENDED && t->loop;
		pthread_mutex_unlock(&s->mutex);
		if (!ended)
			continue;
		pthread_join(t->thread, NULL);
		t->loop = loop_free(t->loop);
		s->running--;
	}
}

static void stop_for(struct sched *s, int code, const char *why)
{
	struct err err = { 0 };

	pthread_mutex_lock(&s->mutex);
	(void)err_set(&err, code, "%s", why);
	sched_stop(s, code, &err);
	pthread_mutex_unlock(&s->mutex);
}

/* Milliseconds for poll until the run's deadline and the grace in which steps tell better what timed out. */
static int wait_ms(struct sched *s)
{
	uint64_t now = loop_deadline(0), at = s->r->deadline_ns;
	bool stopping;

	pthread_mutex_lock(&s->mutex);
	stopping = s->cause != 0;
	pthread_mutex_unlock(&s->mutex);
	if (!at || at == UINT64_MAX || stopping)
		return -1;
	at += GRACE_MS * UINT64_C(1000000);
	return at <= now ? 0 : (int)MIN((at - now) / 1000000 + 1, 3600 * 1000);
}

static void wait_for_event(struct sched *s)
{
	struct pollfd p = { .fd = s->wake[0], .events = POLLIN };
	char bytes[64];
	int r = poll(&p, 1, wait_ms(s));

	if (r > 0 && read(s->wake[0], bytes, sizeof(bytes)) < 0 && errno != EINTR)
		abort();
	if (loop_cancelled(s->r->loop))
		stop_for(s, -ECANCELED, "interrupted");
	else if (r == 0 && wait_ms(s) == 0) {
		pthread_mutex_lock(&s->mutex);
		stop_late(s);
		pthread_mutex_unlock(&s->mutex);
	}
}

static void sched_loop(struct sched *s)
{
	atomic_store(&signal_fd, s->wake[1]);
	if (loop_cancelled(s->r->loop))
		stop_for(s, -ECANCELED, "interrupted");
	for (start_ready(s); s->running > 0; start_ready(s)) {
		wait_for_event(s);
		join_ended(s);
	}
	atomic_store(&signal_fd, -1);
}

int steps_run(struct run *r, const struct step *steps, size_t n, struct err *err)
{
	autofree struct sched *s = xcalloc(1, sizeof(*s));
	int code;

	if (n > STEPS_MAX)
		abort();
	if (pipe(s->wake) < 0)
		return err_set(err, -errno, "no pipe: %m");
	fcntl(s->wake[0], F_SETFD, FD_CLOEXEC);
	fcntl(s->wake[1], F_SETFD, FD_CLOEXEC);
	s->r = r;
	s->n = n;
	s->docker = r->docker;
	pthread_mutex_init(&s->mutex, NULL);
	for (size_t i = 0; i < n; i++)
		s->tasks[i] = (struct task){ .s = s, .step = &steps[i], .needs = needs_bits(steps, i) };
	sched_loop(s);
	code = s->cause;
	if (code < 0)
		(void)err_set(err, code, "%s", err_text(&s->cause_err));
	pthread_mutex_destroy(&s->mutex);
	close(s->wake[0]);
	close(s->wake[1]);
	return code;
}
