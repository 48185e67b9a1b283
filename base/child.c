/* SPDX-License-Identifier: Apache-2.0 */
#include "base/child.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/syscall.h>
#endif

#include "base/mem.h"

extern char **environ;

#define POLL_MS		20
#define GRACE_MS	2000	/* between SIGTERM and SIGKILL of a run that is given up */
#define LINGER_MS	200	/* for output after the end: a daemon may have inherited the pipe */
#define LINE_LEN	(64u << 10)

/* ---- start ---- */

struct spawn {
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	int copy[3];		/* the three descriptors, above 2 so that no dup2 overwrites one still needed */
};

static void spawn_done(struct spawn *s)
{
	posix_spawn_file_actions_destroy(&s->actions);
	posix_spawnattr_destroy(&s->attr);
	for (int i = 0; i < 3; i++)
		if (s->copy[i] >= 0)
			close(s->copy[i]);
}

static int spawn_fds(struct spawn *s, const struct child_spec *spec)
{
	const int given[3] = { spec->in, spec->out, spec->err };
	int r = 0;

	for (int i = 0; i < 3 && r == 0; i++) {
		if (given[i] < 0) {
			r = posix_spawn_file_actions_addopen(&s->actions, i, "/dev/null", i ? O_WRONLY : O_RDONLY, 0);
			continue;
		}
		s->copy[i] = fcntl(given[i], F_DUPFD_CLOEXEC, 3);
		if (s->copy[i] < 0)
			return -errno;
		r = posix_spawn_file_actions_adddup2(&s->actions, s->copy[i], i);
	}
#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 34)
	if (r == 0)
		r = posix_spawn_file_actions_addclosefrom_np(&s->actions, 3);
#endif
	return -r;
}

static int spawn_init(struct spawn *s, const struct child_spec *spec)
{
	short flags = POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK;
	sigset_t all, none;
	int r;

	for (int i = 0; i < 3; i++)
		s->copy[i] = -1;
	posix_spawn_file_actions_init(&s->actions);
	posix_spawnattr_init(&s->attr);
	sigemptyset(&none);
	sigfillset(&all);
	sigdelset(&all, SIGKILL);
	sigdelset(&all, SIGSTOP);
	posix_spawnattr_setsigmask(&s->attr, &none);
	posix_spawnattr_setsigdefault(&s->attr, &all);
	if (!spec->foreground) {
		posix_spawnattr_setpgroup(&s->attr, 0);
		flags |= POSIX_SPAWN_SETPGROUP;
	}
	posix_spawnattr_setflags(&s->attr, flags);
	r = spawn_fds(s, spec);
	if (r == 0 && spec->cwd)
		r = -posix_spawn_file_actions_addchdir_np(&s->actions, spec->cwd);
	return r;
}

static int spawn_run(const struct child_spec *spec, pid_t *ret)
{
	char *const *env = spec->env ? (char *const *)spec->env : environ;
	struct spawn s;
	int r = spawn_init(&s, spec);

	if (r == 0)
		r = -posix_spawnp(ret, spec->argv[0], &s.actions, &s.attr, (char *const *)spec->argv, env);
	spawn_done(&s);
	return r;
}

/* ---- the end ---- */

static int status_code(int status)
{
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

void child_stop(struct child *c)
{
	if (c->io.loop) {
		int fd = c->io.fd;

		io_stop(&c->io);
		close(fd);
	}
	timer_stop(&c->poll);
	c->pid = 0;
}

/* True once the child is gone and c is no longer used. */
static bool child_reap(struct child *c)
{
	int status = 0;
	pid_t got = waitpid((pid_t)c->pid, &status, WNOHANG);

	if (got == 0 || (got < 0 && errno == EINTR))
		return false;
	child_stop(c);
	c->fn(c, got < 0 ? 127 : status_code(status));
	return true;
}

static void child_polled(struct timer *t)
{
	struct child *c = container_of(t, struct child, poll);

	if (!child_reap(c))
		timer_start(c->loop, &c->poll, POLL_MS, child_polled);
}

static void child_ready(struct io *io, unsigned events)
{
	(void)child_reap(container_of(io, struct child, io));
}

static void child_watch(struct child *c)
{
#if defined(__linux__) && defined(SYS_pidfd_open)
	int fd = (int)syscall(SYS_pidfd_open, (pid_t)c->pid, 0);	/* CLOEXEC by itself */

	if (fd >= 0) {
		io_start(c->loop, &c->io, fd, IO_IN, child_ready);
		return;
	}
#endif
	timer_start(c->loop, &c->poll, POLL_MS, child_polled);
}

int child_start(struct loop *l, struct child *c, const struct child_spec *spec, child_fn fn, struct err *err)
{
	pid_t pid = 0;
	int r;

	*c = (struct child){ .fn = fn, .loop = l };
	r = spawn_run(spec, &pid);
	if (r == -ENOENT)
		return err_set(err, r, "cannot run %s: no such program%s%s", spec->argv[0], spec->cwd ? " or folder " : "",
			       spec->cwd ? spec->cwd : "");
	if (r < 0)
		return err_wrap(err, err_set(err, r, "%s", ""), "cannot run %s", spec->argv[0]);
	c->pid = pid;
	child_watch(c);
	return 0;
}

void child_kill(struct child *c, int sig)
{
	if (c->pid <= 0)
		return;
	if (getpgid((pid_t)c->pid) == (pid_t)c->pid)
		(void)kill(-(pid_t)c->pid, sig);
	else
		(void)kill((pid_t)c->pid, sig);
}

/* ---- run to the end ---- */

struct run {
	struct child child;
	struct io io;
	struct timer linger;
	struct buf *out;
	struct buf line;
	child_line_fn line_fn;
	void *arg;
	int status;
	bool exited, done;
};

static void line_flush(struct run *r)
{
	if (r->line_fn)
		r->line_fn(r->arg, buf_str(&r->line));
	buf_reset(&r->line);
}

static void lines_add(struct run *r, const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (p[i] == '\n')
			line_flush(r);
		else if (p[i] != '\r' && r->line.len < LINE_LEN)
			buf_addc(&r->line, p[i]);
	}
}

static void output_end(struct run *r)
{
	int fd = r->io.fd;

	if (!r->io.loop)
		return;
	io_stop(&r->io);
	close(fd);
	if (r->line.len)
		line_flush(r);
	r->done = r->exited;
}

static void output_ready(struct io *io, unsigned events)
{
	struct run *r = container_of(io, struct run, io);
	char p[16384];
	ssize_t n = read(io->fd, p, sizeof(p));

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		output_end(r);
		return;
	}
	if (r->out)
		buf_add(r->out, p, (size_t)n);
	if (r->line_fn)
		lines_add(r, p, (size_t)n);
}

static void linger_over(struct timer *t)
{
	output_end(container_of(t, struct run, linger));
}

static void run_exited(struct child *c, int status)
{
	struct run *r = container_of(c, struct run, child);

	r->status = status;
	r->exited = true;
	r->done = !r->io.loop;
	if (!r->done)
		timer_start(c->loop, &r->linger, LINGER_MS, linger_over);
}

/* SIGTERM, a grace, SIGKILL; without the loop, which may be cancelled. */
static void run_give_up(struct run *r)
{
	pid_t pid = (pid_t)r->child.pid;

	if (pid <= 0)
		return;
	child_kill(&r->child, SIGTERM);
	for (int waited = 0; waited < GRACE_MS; waited += POLL_MS) {
		if (waitpid(pid, NULL, WNOHANG) != 0) {
			(void)kill(-pid, SIGKILL);	/* what is left of its group */
			child_stop(&r->child);
			return;
		}
		(void)poll(NULL, 0, POLL_MS);
	}
	child_kill(&r->child, SIGKILL);
	(void)waitpid(pid, NULL, 0);
	child_stop(&r->child);
}

static int run_pipe(int ret[static 2])
{
#ifdef __linux__
	if (pipe2(ret, O_CLOEXEC))
		return -errno;
#else
	if (pipe(ret))
		return -errno;
	(void)fcntl(ret[0], F_SETFD, FD_CLOEXEC);
	(void)fcntl(ret[1], F_SETFD, FD_CLOEXEC);
#endif
	(void)fcntl(ret[0], F_SETFL, O_NONBLOCK);
	return 0;
}

static int run_start(struct loop *l, struct run *r, const struct child_spec *given, struct err *err)
{
	struct child_spec spec = *given;
	bool piped = r->out || r->line_fn;
	int fd[2] = { -1, -1 };
	int code;

	if (piped) {
		code = run_pipe(fd);
		if (code < 0)
			return err_set(err, code, "cannot make a pipe: %m");
		spec.out = spec.err = fd[1];
	}
	code = child_start(l, &r->child, &spec, run_exited, err);
	if (piped)
		close(fd[1]);
	if (code == 0 && piped)
		io_start(l, &r->io, fd[0], IO_IN, output_ready);
	else if (piped)
		close(fd[0]);
	return code;
}

int child_run(struct loop *l, const struct child_spec *spec, struct buf *out, child_line_fn line_fn, void *arg,
	      uint64_t deadline_ns, struct err *err)
{
	struct run r = { .out = out, .line = BUF_INIT(LINE_LEN), .line_fn = line_fn, .arg = arg };
	int code = run_start(l, &r, spec, err);

	if (code < 0)
		return code;
	code = loop_run(l, &r.done, deadline_ns);
	if (code < 0 && !r.exited)
		run_give_up(&r);
	timer_stop(&r.linger);
	output_end(&r);
	buf_done(&r.line);
	if (code == -ETIMEDOUT)
		return err_set(err, code, "%s did not end in time", spec->argv[0]);
	if (code < 0)
		return err_set(err, code, "%s was interrupted", spec->argv[0]);
	return r.status;
}
