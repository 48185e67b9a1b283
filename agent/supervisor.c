/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/resolvconf.h"
#include "agent/routes.h"
#include "base/backoff.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"

#define TICK_MS 2000
#define HANG_MS 10000
#define TERM_MS 2500			/* less than what `agent stop` gives us */
#define SHORT_LIFE_NS UINT64_C(10000000000)
#define SHORT_LIVES 5			/* in a row: undo, and go on trying */

struct supervisor {
	const struct config *config;
	struct supervision *shared;
	int signals;			/* signalfd */
	int life;			/* our end of the worker's pipe */
	pid_t worker;
	bool stopping;			/* by a signal */
	uint64_t born_ns, kill_ns;	/* kill_ns: when a worker that was told to end is killed; 0: not told */
	uint64_t beats, silent_ms;
	unsigned short_lives;
	struct backoff backoff;
};

int supervisor_undo(const struct config *c, struct err *err)
{
	struct nl *nl;
	int r = resolvconf_undo(c, err), code;

	nl = nl_new(r ? NULL : err);
	code = nl ? routes_undo(nl, r ? NULL : err) : -EIO;
	nl_free(nl);
	return r < 0 ? r : code < 0 ? code : 0;
}

static void undo(struct supervisor *s)
{
	struct err err = { 0 };

	if (supervisor_undo(s->config, &err) < 0)
		log_error("%s", err_text(&err));
}

/* ---- one worker -------------------------------------------------------------------------------------------------- */

static int worker_launch(struct supervisor *s, worker_fn fn, void *arg)
{
	int fds[2], r;
	pid_t pid;

	s->born_ns = loop_deadline(0);
	s->kill_ns = s->silent_ms = 0;
	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	s->shared->life = fds[0];
	pid = fork();
	r = pid < 0 ? -errno : 0;
	if (pid == 0) {
		close(fds[1]);
		close(s->signals);
		_exit(fn(arg, s->shared));
	}
	close(fds[0]);
	if (r) {
		close(fds[1]);
		return r;
	}
	s->life = fds[1];
	s->worker = pid;
	return 0;
}

static void worker_stop(struct supervisor *s)
{
	if (s->worker <= 0 || s->kill_ns)
		return;
	kill(s->worker, SIGTERM);
	s->kill_ns = loop_deadline(TERM_MS);
}

static void signals_read(struct supervisor *s)
{
	struct signalfd_siginfo info;

	while (read(s->signals, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGCHLD)
			continue;
		s->stopping = true;
		worker_stop(s);
	}
}

/* A tick of ours has passed: has the worker moved? */
static void beat_check(struct supervisor *s)
{
	uint64_t beats = s->shared->beats;

	s->silent_ms = beats == s->beats ? s->silent_ms + TICK_MS : 0;
	s->beats = beats;
	if (s->silent_ms < HANG_MS)
		return;
	log_error("the agent, pid %d, has not moved for %d s: killed", (int)s->worker, HANG_MS / 1000);
	s->silent_ms = 0;
	kill(s->worker, SIGKILL);
}

/* Waits for the worker's end; its status as of waitpid(). */
static int worker_wait(struct supervisor *s)
{
	struct pollfd p = { .fd = s->signals, .events = POLLIN };
	int status;

	while (waitpid(s->worker, &status, WNOHANG) != s->worker) {
		uint64_t now = loop_deadline(0);

		if (s->kill_ns && now >= s->kill_ns)
			kill(s->worker, SIGKILL);
		else if (poll(&p, 1, s->kill_ns ? (int)((s->kill_ns - now) / 1000000 + 1) : TICK_MS) == 0 && !s->kill_ns)
			beat_check(s);
		signals_read(s);
	}
	s->worker = 0;
	close(s->life);
	return status;
}

/* ---- the next one ------------------------------------------------------------------------------------------------ */

static void exit_note(struct supervisor *s, int status)
{
	struct supervision *shared = s->shared;

	if (WIFSIGNALED(status))
		snprintf(shared->last_exit, sizeof(shared->last_exit), "killed by signal %d", WTERMSIG(status));
	else
		snprintf(shared->last_exit, sizeof(shared->last_exit), "exit code %d", WEXITSTATUS(status));
	shared->restarts++;
	log_warn("the agent has ended (%s): started again", shared->last_exit);
}

/* How long to wait before the next worker. One that lived for a while, or asked for it, is started at once. */
static uint64_t pause_before(struct supervisor *s, int status)
{
	bool asked = WIFEXITED(status) && WEXITSTATUS(status) == WORKER_AGAIN;

	if (loop_deadline(0) - s->born_ns >= SHORT_LIFE_NS) {
		s->short_lives = 0;
		backoff_reset(&s->backoff);
	}
	s->short_lives++;
	if (s->short_lives == SHORT_LIVES && !asked) {
		log_error("the agent keeps ending: routes and resolv.conf are restored until it stays");
		undo(s);
	}
	return s->short_lives <= 1 ? 0 : backoff_next(&s->backoff);
}

/* Is this the end? Then *ret is the exit code. */
static bool is_over(struct supervisor *s, int status, int *ret)
{
	bool ended = WIFEXITED(status) && WEXITSTATUS(status) == 0;

	*ret = 0;
	if (ended)
		return true;
	if (s->stopping) {
		undo(s);
		return true;
	}
	*ret = 1;
	return !s->shared->served && WIFEXITED(status) && WEXITSTATUS(status) != WORKER_AGAIN;
}

/* The end of a child, which is a signal too, does not end it. */
static void pause_for(struct supervisor *s, uint64_t ms)
{
	struct pollfd p = { .fd = s->signals, .events = POLLIN };
	uint64_t end = loop_deadline(ms), now;

	signals_read(s);
	while (!s->stopping && (now = loop_deadline(0)) < end) {
		(void)poll(&p, 1, (int)((end - now) / 1000000 + 1));
		signals_read(s);
	}
}

static int signals_open(void)
{
	sigset_t set;

	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

int supervise(const struct config *c, worker_fn fn, void *arg)
{
	struct supervisor s = { .config = c, .backoff = { .min_ms = 200, .max_ms = 30000 } };
	int code = 1;

	s.shared = mmap(NULL, sizeof(*s.shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (s.shared == MAP_FAILED)
		return 1;
	s.shared->pid = getpid();
	s.signals = signals_open();
	for (;;) {
		int status, r = worker_launch(&s, fn, arg);

		if (r) {
			errno = -r;
			log_error("cannot start a worker: %m");
		}
		status = r ? W_EXITCODE(1, 0) : worker_wait(&s);
		if (is_over(&s, status, &code))
			break;
		exit_note(&s, status);
		pause_for(&s, pause_before(&s, status));
		if (s.stopping) {
			undo(&s);
			code = 0;
			break;
		}
	}
	close(s.signals);
	munmap(s.shared, sizeof(*s.shared));
	return code;
}
