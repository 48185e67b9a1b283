/* SPDX-License-Identifier: Apache-2.0 */
#include "boot/doctor.h"

#include <errno.h>
#include <stdarg.h>

#include "base/mem.h"
#include "boot/doctor_host.h"
#include "boot/engine.h"

enum { ENGINE_MS = 10000 };

static const char *const level_names[] = { [DOCTOR_OK] = "ok", [DOCTOR_WARN] = "warning", [DOCTOR_BAD] = "problem" };

void doctor_report(struct doctor *d, const char *check, enum doctor_level level, const char *fix, const char *fmt, ...)
{
	auto(buf) struct buf text = BUF_INIT(2000);
	json *o = json_add(d->findings, json_object());
	va_list ap;

	va_start(ap, fmt);
	buf_addv(&text, fmt, ap);
	va_end(ap);
	json_set_str(o, "check", check);
	json_set_str(o, "level", level_names[level]);
	json_set_str(o, "text", buf_str(&text));
	json_set_str(o, "fix", level == DOCTOR_OK ? NULL : fix);
	d->count[level]++;
}

static const char *engine_fix(int code)
{
	switch (code) {
	case -ENOENT:
		return "./bootstrap up --yes installs and starts one; or install docker.io (Debian, Ubuntu) or Docker "
		       "Desktop";
	case -ECONNREFUSED:
		return "start it: systemctl start docker, or service docker start";
	case -EPERM:
	case -EACCES:
		return "sudo usermod -aG docker \"$USER\", then log in again";
	default:
		return "look at the engine's own log: journalctl -u docker";
	}
}

static void engine_info(struct doctor *d, struct docker *docker)
{
	autojson json *info = NULL;
	struct err err = { 0 };
	const char *driver, *root;

	if (docker_call(docker, "GET", "/info", NULL, ENGINE_MS, &info, &err) < 0) {
		doctor_report(d, "engine", DOCTOR_BAD, engine_fix(0), "the engine does not describe itself: %s",
			      err_text(&err));
		return;
	}
	doctor_report(d, "engine", DOCTOR_OK, NULL, "%s %s at %s, API %s", docker_is_podman(docker) ? "Podman" : "Docker",
		      json_str(info, "ServerVersion", "?"), docker_host(docker), docker_api(docker));
	driver = json_str(info, "Driver", "?");
	if (!strstr(driver, "overlay") && !streq(driver, "btrfs") && !streq(driver, "zfs"))
		doctor_report(d, "storage", DOCTOR_WARN,
			      "let the engine use overlay2: the storage-driver key of daemon.json",
			      "the engine stores layers with \"%s\", which is slow and large", driver);
	else
		doctor_report(d, "storage", DOCTOR_OK, NULL, "storage driver %s", driver);
	root = json_str(info, "DockerRootDir", NULL);
	if (root && access(root, F_OK) == 0)
		d->data_root = xstrdup(root);
}

static void find_ours(struct doctor *d, struct docker *docker)
{
	struct strv labels = { 0 };
	json *list = NULL;

	strv_addf(&labels, LABEL_PROJECT "=%s", d->r->id);
	if (docker_container_list(docker, &labels, &list, NULL) == 0)
		d->ours_running = list && list->child;
	json_free(list);
	strv_done(&labels);
}

static void check_engine(struct doctor *d)
{
	struct err err = { 0 };
	struct docker *docker = NULL;
	int code = engine_reach(d->r->loop, &docker, &err);

	if (code < 0) {
		doctor_report(d, "engine", DOCTOR_BAD, engine_fix(code), "%s", err_text(&err));
		return;
	}
	engine_info(d, docker);
	find_ours(d, docker);
	docker_free(docker);
}

static void print_text(const struct doctor *d)
{
	static const char *const marks[] = { "ok", "!!", "XX" };

	json_each(f, d->findings) {
		const char *level = json_str(f, "level", ""), *fix = json_str(f, "fix", NULL);
		size_t i = DOCTOR_OK;

		while (i < DOCTOR_BAD && !streq(level, level_names[i]))
			i++;
		printf("%s  %-9s %s\n", marks[i], json_str(f, "check", ""), json_str(f, "text", ""));
		if (fix)
			printf("              -> %s\n", fix);
	}
	if (d->count[DOCTOR_BAD])
		printf("\n%u of these would stop `up`.\n", d->count[DOCTOR_BAD]);
	else
		printf("\nNothing here would stop `up`.\n");
}

static void print_json(struct doctor *d)
{
	autojson json *o = json_object();
	autofree char *text = NULL;

	json_set_bool(o, "ok", d->count[DOCTOR_BAD] == 0);
	json_set(o, "findings", json_copy(d->findings));
	text = json_pretty(o);
	printf("%s\n", text);
}

/* The config says which ports are wanted; a broken one is a finding as well. */
static void check_config(struct doctor *d)
{
	autofree char *file = d->r->opt->config ? xstrdup(d->r->opt->config) : config_default(d->r->workspace, d->r->root);
	struct strv problems = { 0 };

	if (config_load(file, d->r->root, d->r->workspace, &d->r->config, &problems, NULL) == 0)
		doctor_report(d, "config", DOCTOR_OK, NULL, "%s", file);
	for (size_t i = 0; i < problems.n; i++)
		doctor_report(d, "config", DOCTOR_BAD, "mend the config file", "%s", problems.v[i]);
	strv_done(&problems);
}

int doctor_main(struct run *r)
{
	struct doctor d = { .r = r, .findings = json_array() };
	static void (*const checks[])(struct doctor *) = {check_config,	  check_engine,	 doctor_kernel,
							  doctor_cgroups, doctor_limits, doctor_memory,
							  doctor_disk,	  doctor_ports,	 doctor_dns,
							  doctor_forward};

	for (size_t i = 0; i < ARRAY_SIZE(checks) && !loop_cancelled(r->loop); i++)
		checks[i](&d);
	if (r->opt->output == OUTPUT_JSON)
		print_json(&d);
	else
		print_text(&d);
	json_free(d.findings);
	free(d.data_root);
	if (loop_cancelled(r->loop))
		return EXIT_INTERRUPTED;
	return d.count[DOCTOR_BAD] ? EXIT_PREREQUISITE : EXIT_DONE;
}
