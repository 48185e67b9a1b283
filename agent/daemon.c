/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/file.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/str.h"
#include "net/ctlmsg.h"
#include "version.h"

#define LOOK_MS 20
#define CALL_MS 2000
#define LOCK_MS 300
#define BIRTH_MS 1000		/* from launch until the lock is held, at most */
#define TERM_MS 3000		/* what each way of stopping gets */
#define LOCK_TEXT 512
#define LOG_MAX (1 << 20)	/* a longer log moves to LOG.1 at start */

static void pause_ms(int ms)
{
	(void)poll(NULL, 0, ms);
}

static bool time_is_up(uint64_t deadline_ns)
{
	return loop_deadline(0) >= deadline_ns;
}

int daemon_lock(const struct config *c, const char *identity, struct err *err)
{
	autofree char *path = path_join(c->state_dir, "agent.lock"), *text = NULL;
	autoclose int fd = -1;
	int r = file_mkdirs(c->state_dir, 0755, err);

	if (r)
		return r;
	fd = file_lock(path, loop_deadline(LOCK_MS), err);	/* daemon_pid() of another process may hold it for a moment */
	if (fd < 0)
		return fd;
	text = xasprintf("%ld\n%s\n", (long)getpid(), identity);
	if (ftruncate(fd, 0) < 0 || pwrite(fd, text, strlen(text), 0) < 0)
		return err_set(err, -errno, "%s: %m", path);
	return steal_fd(&fd);
}

/* What the lock file says while the lock is held; "" when it is not. */
static void lock_read(const struct config *c, char ret[static LOCK_TEXT])
{
	autofree char *path = path_join(c->state_dir, "agent.lock");
	autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 || flock(fd, LOCK_SH | LOCK_NB) == 0 ? 0 : read(fd, ret, LOCK_TEXT - 1);

	ret[MAX(n, (ssize_t)0)] = '\0';
}

long daemon_pid(const struct config *c)
{
	char text[LOCK_TEXT];
	uint64_t pid;

	lock_read(c, text);
	text[strcspn(text, "\n")] = '\0';
	return num_u64(text, INT32_MAX, &pid) ? 0 : (long)pid;
}

/* The program's own file: its inode changes when bootstrap brings a new bundle. Under an explicit loader /proc/self/exe is
 * the loader, and the program's path is in argv[0]. */
char *daemon_identity(const struct config *c)
{
	const char *path = strchr(program_invocation_name, '/') ? program_invocation_name : "/proc/self/exe";
	struct stat st = { 0 };

	(void)stat(path, &st);
	return xasprintf("%s/%llx-%llx/%.16s", FIRESTREAM_VERSION, (unsigned long long)st.st_ino, (unsigned long long)st.st_size,
			 c->digest);
}

bool daemon_is_outdated(const struct config *c)
{
	autofree char *identity = daemon_identity(c);
	struct str rest, pid, line;
	char text[LOCK_TEXT];

	lock_read(c, text);
	rest = str_from(text);
	return str_split(&rest, '\n', &pid) && pid.len && !(str_split(&rest, '\n', &line) && str_eq(line, identity));
}

/* ---- start ------------------------------------------------------------------------------------------------------- */

static int log_open(const struct config *c, struct err *err)
{
	autofree char *dir = path_dirname(c->log), *old = xasprintf("%s.1", c->log);
	struct stat st;
	int fd, r = file_mkdirs(dir, 0755, err);

	if (r)
		return r;
	if (stat(c->log, &st) == 0 && st.st_size > LOG_MAX)
		(void)rename(c->log, old);
	fd = open(c->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	return fd >= 0 ? fd : err_set(err, -errno, "%s: %m", c->log);
}

static void stdio_redirect(int log)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	dup2(null, STDIN_FILENO);
	dup2(log, STDOUT_FILENO);
	dup2(log, STDERR_FILENO);
	(void)close_range(STDERR_FILENO + 1, ~0u, 0);	/* start.lock is the starter's, not the daemon's */
}

int daemon_spawn(const struct config *c, int (*body)(void *arg), void *arg, struct err *err)
{
	int log = log_open(c, err), status = 0;
	pid_t pid;

	if (log < 0)
		return log;
	pid = fork();
	if (pid == 0) {
		setsid();
		if (fork() != 0)
			_exit(0);
		if (chdir("/") < 0)
			_exit(1);
		umask(022);
		stdio_redirect(log);
		_exit(body(arg));
	}
	close(log);
	if (pid < 0)
		return err_set(err, -errno, "cannot fork: %m");
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return 0;
}

/* Why the agent that runs is not ready; "" when it is. */
static void unready_reason(const json *s, bool only_serving, char *ret, size_t n)
{
	const char *state = json_str(s, "state", "?");

	ret[0] = '\0';
	if (streq(state, "ready") || (only_serving && streq(state, "serving")))
		return;
	if (!streq(json_str(s, "cluster.state", "up"), "up"))
		snprintf(ret, n, "the cluster is %s: %s", json_str(s, "cluster.state", "?"), json_str(s, "cluster.error", "?"));
	else if (json_is(s, "reconcile.problems[0]"))
		snprintf(ret, n, "%s", json_str(s, "reconcile.problems[0]", "?"));
	else
		snprintf(ret, n, "it is %s: %s", state, json_str(s, "errors[0].text", "nodes and routes are not in place yet"));
}

/* The agent ended before it was ready: its last words are in the log. */
static int died(const struct config *c, struct err *err)
{
	auto(buf) struct buf log = BUF_INIT(4 * LOG_MAX);
	const char *last = "";
	struct str rest, line;

	if (file_read(c->log, &log, NULL) == 0) {
		rest = str_trim((struct str){ log.data, log.len });
		while (str_split(&rest, '\n', &line))
			if (memmem(line.p, line.len, " error", 6) || !*last)
				last = line.p;
	}
	return err_set(err, -ECHILD, "the agent has ended: %.*s; see %s", (int)strcspn(last, "\n"), last, c->log);
}

int daemon_wait_ready(const struct config *c, bool only_serving, uint64_t deadline_ns, struct err *err)
{
	char reason[512] = "it does not answer on its socket";
	uint64_t launched_ns = loop_deadline(0);

	for (;;) {
		autojson json *reply = NULL;
		int r = ctl_call(c->socket, CTL_STATUS, MIN(deadline_ns, loop_deadline(CALL_MS)), &reply, NULL);

		if (!r)
			unready_reason(json_get(reply, "status"), only_serving, reason, sizeof(reason));
		if (!*reason)
			return 0;
		if (r && loop_deadline(0) - launched_ns > BIRTH_MS * 1000000ull && !daemon_pid(c))
			return died(c, err);
		if (time_is_up(deadline_ns))
			return err_set(err, -ETIMEDOUT, "the agent runs, but is not ready: %s", reason);
		pause_ms(LOOK_MS);
	}
}

/* ---- stop -------------------------------------------------------------------------------------------------------- */

static bool wait_gone(const struct config *c, uint64_t deadline_ns)
{
	while (daemon_pid(c) && !time_is_up(deadline_ns))
		pause_ms(LOOK_MS);
	return !daemon_pid(c);
}

int daemon_stop(const struct config *c, uint64_t deadline_ns, struct err *err)
{
	static const int signals[] = { 0, SIGTERM, SIGKILL };
	autojson json *reply = NULL;
	struct err why = { 0 };
	long pid = daemon_pid(c);
	int r;

	if (!pid)
		return 0;
	r = ctl_call(c->socket, CTL_STOP, MIN(deadline_ns, loop_deadline(CALL_MS)), &reply, &why);
	if (r == -EREMOTEIO || r == -EACCES)
		return err_set(err, -EPERM, "%s", err_text(&why));
	for (size_t i = r ? 1 : 0; i < ARRAY_SIZE(signals); i++) {
		if (signals[i] && kill((pid_t)pid, signals[i]) < 0 && errno != ESRCH)
			return err_set(err, -errno, "cannot end the agent, pid %ld: %m", pid);
		if (wait_gone(c, MIN(deadline_ns, loop_deadline(TERM_MS))))
			return 1;
	}
	return err_set(err, -ETIMEDOUT, "the agent, pid %ld, does not end", pid);
}
