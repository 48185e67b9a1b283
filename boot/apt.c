/* SPDX-License-Identifier: Apache-2.0 */
#include "boot/apt.h"

#include <errno.h>

#include "base/child.h"
#include "base/file.h"
#include "base/mem.h"

#define APT_LOCK_WAIT "DPkg::Lock::Timeout=120"
#define SUDO_ASK_MS 120000

char *program_find(const char *name)
{
	const char *path = getenv("PATH");
	autofree char *all = xasprintf("%s:/usr/local/sbin:/usr/sbin:/sbin", path ? path : "/usr/bin:/bin");
	struct str rest = str_from(all), dir;

	while (str_split(&rest, ':', &dir)) {
		autofree char *full = dir.len ? xasprintf("%.*s/%s", STR_ARG(dir), name) : NULL;

		if (full && access(full, X_OK) == 0)
			return steal(&full);
	}
	return NULL;
}

static int sudo_quiet(struct loop *l, struct err *err)
{
	static const char *const argv[] = { "sudo", "-n", "true", NULL };
	struct child_spec spec = { .argv = argv, .in = -1, .out = -1, .err = -1 };

	return child_run(l, &spec, NULL, NULL, NULL, loop_deadline(10000), err);
}

static int sudo_ask(struct loop *l, struct progress *p, struct err *err)
{
	static const char *const argv[] = { "sudo", "-v", NULL };
	struct child_spec spec = { .argv = argv, .in = 0, .out = 1, .err = 2, .foreground = true };
	int r;

	progress_pause(p, true);
	r = child_run(l, &spec, NULL, NULL, NULL, loop_deadline(SUDO_ASK_MS), err);
	progress_pause(p, false);
	return r;
}

int root_obtain(struct loop *l, const struct options *o, struct progress *p, struct err *err)
{
	autofree char *sudo = NULL;
	int r;

	if (geteuid() == 0)
		return 0;
	sudo = program_find("sudo");
	if (!sudo)
		return err_set(err, -ENOPKG, "this needs root, and there is no sudo: run it as root");
	r = sudo_quiet(l, err);
	if (r > 0 && !o->headless && isatty(0))
		r = sudo_ask(l, p, err);
	if (r == -ECANCELED || r == 0)
		return r;
	return err_set(err, -ENOPKG, "this needs root, and sudo did not let us: run it as root, or \"sudo -v\" first");
}

void root_prefix(struct strv *argv)
{
	if (geteuid() == 0)
		return;
	strv_add(argv, "sudo");
	strv_add(argv, "-n");
}

struct run_output {
	struct progress_step *step;
	char last[400];
};

static void on_line(void *arg, const char *line)
{
	struct run_output *o = arg;

	if (*line)
		snprintf(o->last, sizeof(o->last), "%s", line);
	if (o->step)
		progress_output(o->step, line);
}

/* The program that argv is about: behind "sudo -n" and "env NAME=value". */
static const char *program_named(const struct strv *argv)
{
	size_t i = argv->n > 2 && streq(argv->v[0], "sudo") ? 2 : 0;

	if (streq(argv->v[i], "env"))
		for (i++; i + 1 < argv->n && strchr(argv->v[i], '='); i++)
			;
	return path_basename(argv->v[MIN(i, argv->n - 1)]);
}

int step_run(struct loop *l, struct progress_step *s, const struct strv *argv, const char *const *env, uint64_t deadline_ns,
	     struct err *err)
{
	struct child_spec spec = { .argv = (const char *const *)argv->v, .env = env, .in = -1, .out = -1, .err = -1 };
	struct run_output out = { .step = s };
	int r = child_run(l, &spec, NULL, on_line, &out, deadline_ns, err);

	if (r > 0)
		return err_set(err, -EIO, "%s failed with status %d%s%s", program_named(argv), r, *out.last ? ": " : "",
			       out.last);
	return r;
}

int root_run(struct loop *l, struct progress_step *s, const struct strv *argv, uint64_t deadline_ns, struct err *err)
{
	struct strv all = { 0 };
	int r;

	root_prefix(&all);
	strv_copy(&all, argv);
	r = step_run(l, s, &all, NULL, deadline_ns, err);
	strv_done(&all);
	return r;
}

bool apt_is_here(void)
{
	autofree char *apt = program_find("apt-get");

	return apt && file_exists("/etc/debian_version");
}

static int apt_get(struct loop *l, struct progress_step *s, const char *const *words, const struct strv *packages,
		   uint64_t deadline_ns, struct err *err)
{
	struct strv argv = { 0 };
	int r;

	strv_add(&argv, "env");
	strv_add(&argv, "DEBIAN_FRONTEND=noninteractive");
	strv_add(&argv, "apt-get");
	strv_add(&argv, "-o");
	strv_add(&argv, APT_LOCK_WAIT);
	for (; *words; words++)
		strv_add(&argv, *words);
	if (packages)
		strv_copy(&argv, packages);
	r = root_run(l, s, &argv, deadline_ns, err);
	strv_done(&argv);
	return r;
}

/* What an interrupted installation has left half-done is finished first. */
static int dpkg_mend(struct loop *l, struct progress_step *s, uint64_t deadline_ns, struct err *err)
{
	struct strv argv = { 0 };
	int r;

	strv_add(&argv, "env");
	strv_add(&argv, "DEBIAN_FRONTEND=noninteractive");
	strv_add(&argv, "dpkg");
	strv_add(&argv, "--configure");
	strv_add(&argv, "-a");
	r = root_run(l, s, &argv, deadline_ns, err);
	strv_done(&argv);
	return r;
}

int apt_install(struct loop *l, struct progress_step *s, const struct strv *packages, uint64_t deadline_ns, struct err *err)
{
	static const char *const update[] = { "-q", "update", NULL };
	static const char *const install[] = { "-q", "-y", "--no-install-recommends", "install", NULL };
	autofree char *names = strv_join(packages, " ");
	int r;

	if (s)
		progress_note(s, "reading package lists");
	r = dpkg_mend(l, s, deadline_ns, err);
	if (r == 0)
		r = apt_get(l, s, update, NULL, deadline_ns, err);
	if (r == -ECANCELED || r == -ETIMEDOUT)
		return r;
	/* An unreachable third-party source is no reason: the installation says what is really missing. */
	if (s)
		progress_note(s, "installing %s", names);
	r = apt_get(l, s, install, packages, deadline_ns, err);
	return r < 0 ? err_wrap(err, r, "installing %s", names) : 0;
}
