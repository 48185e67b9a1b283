/* SPDX-License-Identifier: Apache-2.0 */
#include "boot/engine_install.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#ifdef __linux__
#include <sys/mount.h>
#endif

#include "base/file.h"
#include "base/mem.h"
#include "boot/apt.h"
#include "net/docker.h"

#define SOCKET "unix:///var/run/docker.sock"
#define ROOT_LOG "/var/log/firestream-dockerd.log"
#define INSTALL_MS 900000
#define START_MS 60000
#define POLL_MS 200
#define PING_MS 2000
#define PID_FILE "/var/run/docker.pid"
#define CGROUPS "/sys/fs/cgroup"
#define LOG_LINES 6

extern char **environ;

bool engine_is_installed(void)
{
	autofree char *dockerd = program_find("dockerd");

	return dockerd;
}

int engine_may_install(struct err *err)
{
#ifdef __linux__
	if (apt_is_here())
		return 0;
	return err_set(
		err, -ENOPKG,
		"there is no container engine, and this machine has no apt to install one with: install Docker or Podman");
#else
	return err_set(err, -ENOPKG, "there is no container engine: install and start Docker Desktop, Colima or OrbStack");
#endif
}

int engine_install(struct loop *l, struct progress_step *s, struct err *err)
{
	struct strv packages = { 0 };
	autofree char *iptables = program_find("iptables");
	int r;

	strv_add(&packages, "docker.io");
	strv_add(&packages, "ca-certificates");
	if (!iptables)
		strv_add(&packages, "iptables");
	r = apt_install(l, s, &packages, loop_deadline(INSTALL_MS), err);
	strv_done(&packages);
	return r;
}

/* ---- what a plain dockerd needs ---- */

#ifdef __linux__
/* Is there a file system of cgroups at or below /sys/fs/cgroup? */
static bool cgroups_are_mounted(void)
{
	auto(buf) struct buf text = BUF_INIT(1u << 20);
	struct str rest, line;

	if (file_read("/proc/self/mounts", &text, NULL) < 0)
		return true;
	rest = str_from(buf_str(&text));
	while (str_split(&rest, '\n', &line))
		if (memmem(line.p, line.len, " " CGROUPS, strlen(" " CGROUPS)) &&
		    (memmem(line.p, line.len, " cgroup ", 8) || memmem(line.p, line.len, " cgroup2 ", 9)))
			return true;
	return false;
}

/* "name hierarchy groups enabled" per line of /proc/cgroups */
static int hierarchies_mount(const char *table)
{
	struct str rest = str_from(table), line, name;
	int mounted = 0;

	while (str_split(&rest, '\n', &line)) {
		autofree char *path = NULL, *controller = NULL;

		if (!line.len || line.p[0] == '#' || line.p[line.len - 1] != '1' || !str_split(&line, '\t', &name))
			continue;
		controller = xstrndup(name.p, name.len);
		path = path_join(CGROUPS, controller);
		if (mkdir(path, 0755) < 0 && errno != EEXIST)
			continue;
		if (mount("cgroup", path, "cgroup", MS_NOSUID | MS_NODEV | MS_NOEXEC, controller) == 0)
			mounted++;
		else
			rmdir(path);
	}
	return mounted;
}

/* As Debian's cgroupfs-mount does: a tmpfs with one hierarchy per controller; where the kernel only has version 2, that one.
 */
static int cgroups_mount(struct err *err)
{
	auto(buf) struct buf table = BUF_INIT(65536);
	int r;

	if (cgroups_are_mounted())
		return 0;
	r = file_read("/proc/cgroups", &table, err);
	if (r < 0)
		return r;
	if (mount("cgroup", CGROUPS, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0755") == 0) {
		if (hierarchies_mount(buf_str(&table)) > 0)
			return 0;
		umount(CGROUPS);
	}
	if (mount("cgroup2", CGROUPS, "cgroup2", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) == 0)
		return 0;
	r = -errno;
	return err_set(err, r, "the engine needs control groups, and they cannot be mounted at " CGROUPS ": %m");
}
#else
static int cgroups_mount(struct err *err)
{
	return 0;
}
#endif

static char *log_path(void)
{
	autofree char *state = NULL;

	if (geteuid() == 0)
		return xstrdup(ROOT_LOG);
	state = path_xdg("state");
	return xasprintf("%s/dockerd.log", state);
}

/* ---- a daemon that outlives us ---- */

static int actions_make(posix_spawn_file_actions_t *a, const char *log)
{
	int r;

	r = posix_spawn_file_actions_addopen(a, 0, "/dev/null", O_RDONLY, 0);
	if (r == 0)
		r = posix_spawn_file_actions_addopen(a, 1, log, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	if (r == 0)
		r = posix_spawn_file_actions_adddup2(a, 1, 2);
	if (r == 0)
		r = posix_spawn_file_actions_addchdir_np(a, "/");
#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 34)
	if (r == 0)
		r = posix_spawn_file_actions_addclosefrom_np(a, 3);
#endif
	return -r;
}

static int attributes_make(posix_spawnattr_t *a)
{
	sigset_t none, all;

	sigemptyset(&none);
	sigfillset(&all);
	sigdelset(&all, SIGKILL);
	sigdelset(&all, SIGSTOP);
	posix_spawnattr_setsigmask(a, &none);
	posix_spawnattr_setsigdefault(a, &all);
	return -posix_spawnattr_setflags(a, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
}

static int daemon_spawn(const struct strv *argv, const char *log, pid_t *ret, struct err *err)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	autofree char *dir = path_dirname(log);
	int r;

	r = file_mkdirs(dir, 0755, err);
	if (r < 0)
		return r;
	posix_spawn_file_actions_init(&actions);
	posix_spawnattr_init(&attributes);
	r = actions_make(&actions, log);
	if (r == 0)
		r = attributes_make(&attributes);
	if (r == 0)
		r = -posix_spawnp(ret, argv->v[0], &actions, &attributes, argv->v, environ);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attributes);
	return r < 0 ? err_set(err, r, "cannot start dockerd: %s", err_text(&(struct err){ .code = r })) : 0;
}

/* Last lines of the log, joined. Caller owns. */
static char *log_tail(const char *path)
{
	auto(buf) struct buf text = BUF_INIT(8u << 20);
	const char *s, *p;

	if (file_read(path, &text, NULL) < 0 || !text.len)
		return xstrdup("its log is empty");
	s = buf_str(&text);
	p = s + text.len - 1;
	for (int lines = 0; p > s; p--)
		if (p[-1] == '\n' && ++lines == LOG_LINES)
			break;
	return xasprintf("%.500s", strlen(p) > 500 ? p + strlen(p) - 500 : p);
}

/* ---- waiting ---- */

/* A dockerd that the package's own script or another run has just started. */
static bool dockerd_runs(void)
{
	auto(buf) struct buf pid = BUF_INIT(64), comm = BUF_INIT(64);
	autofree char *path = NULL;
	struct str text;

	if (!file_exists(PID_FILE) || file_read(PID_FILE, &pid, NULL) < 0)
		return false;
	text = str_trim(str_from(buf_str(&pid)));
	path = xasprintf("/proc/%.*s/comm", STR_ARG(text));
	return file_exists(path) && file_read(path, &comm, NULL) == 0 &&
	       str_eq(str_trim(str_from(buf_str(&comm))), "dockerd");
}

static bool engine_answers(struct loop *l)
{
	struct docker *d = docker_open(l, SOCKET, NULL, PING_MS, NULL);
	bool answers = d;

	docker_free(d);
	return answers;
}

/* pid: the daemon, whose early end is noticed; 0: not ours. log: what to quote, or NULL. */
static int engine_wait(struct loop *l, struct progress_step *s, pid_t pid, const char *log, struct err *err)
{
	uint64_t deadline_ns = loop_deadline(START_MS);
	bool ended = false;
	int status, r;

	if (s)
		progress_note(s, "waiting for the engine to answer");
	while (!engine_answers(l)) {
		autofree char *tail = NULL;

		r = loop_turn(l, loop_deadline(POLL_MS));
		if (r == -ECANCELED)
			return err_set(err, r, "interrupted while waiting for the engine");
		if (pid > 0 && waitpid(pid, &status, WNOHANG) == pid)
			pid = dockerd_runs() ? 0 : -1; /* another one was first */
		ended = pid < 0;
		if (!ended && loop_deadline(0) < deadline_ns)
			continue;
		tail = log ? log_tail(log) : NULL;
		return err_set(err, ended ? -EIO : -ETIMEDOUT, "the engine %s%s%s",
			       ended ? "ended at once" : "did not answer within 60 s", tail ? ": " : "", tail ? tail : "");
	}
	return 0;
}

/* ---- the three ways ---- */

static bool is_init(const char *name)
{
	auto(buf) struct buf text = BUF_INIT(256);

	return file_read("/proc/1/comm", &text, NULL) == 0 && str_eq(str_trim(str_from(buf_str(&text))), name);
}

static int service_start(struct loop *l, struct progress_step *s, const char *const *words, struct err *err)
{
	struct strv argv = { 0 };
	int r;

	for (; *words; words++)
		strv_add(&argv, *words);
	r = root_run(l, s, &argv, loop_deadline(START_MS), err);
	strv_done(&argv);
	return r < 0 ? r : engine_wait(l, s, 0, NULL, err);
}

static int plain_start(struct loop *l, struct progress_step *s, struct err *err)
{
	autofree char *log = log_path();
	struct strv argv = { 0 };
	pid_t pid = 0;
	int r = 0;

	if (geteuid() == 0)
		r = cgroups_mount(err);
	if (r < 0)
		return r;
	root_prefix(&argv);
	strv_add(&argv, "dockerd");
	if (geteuid() != 0) { /* its socket is for the group docker, which we were not in when we logged in */
		strv_add(&argv, "--group");
		strv_addf(&argv, "%d", (int)getgid());
	}
	if (s)
		progress_note(s, "starting dockerd, log in %s", log);
	r = daemon_spawn(&argv, log, &pid, err);
	strv_done(&argv);
	return r < 0 ? r : engine_wait(l, s, pid, log, err);
}

int engine_start(struct loop *l, struct progress_step *s, struct err *err)
{
	static const char *const systemd[] = { "systemctl", "enable", "--now", "docker", NULL };
	static const char *const sysvinit[] = { "service", "docker", "start", NULL };

	if (engine_answers(l))
		return 0; /* its package has started it */
	if (dockerd_runs())
		return engine_wait(l, s, 0, NULL, err);
	if (s)
		progress_note(s, "starting");
	if (file_exists("/run/systemd/system"))
		return service_start(l, s, systemd, err);
	if (is_init("init") && file_exists("/etc/init.d/docker"))
		return service_start(l, s, sysvinit, err);
	return plain_start(l, s, err);
}
