/* SPDX-License-Identifier: Apache-2.0 */
/* The agent: makes a cluster's names and addresses work in the container that it runs in. This file is its table of
 * contents: the modules that it consists of, and the commands that it knows. */
#include <errno.h>
#include <signal.h>
#include <sys/signalfd.h>

#include "agent/agent.h"
#include "agent/carry.h"
#include "agent/check.h"
#include "agent/cluster.h"
#include "agent/ctl.h"
#include "agent/daemon.h"
#include "agent/dns.h"
#include "agent/hops.h"
#include "agent/metrics.h"
#include "agent/privilege.h"
#include "agent/reconcile.h"
#include "agent/redirect.h"
#include "agent/resolvconf.h"
#include "agent/routes.h"
#include "agent/rules.h"
#include "agent/show.h"
#include "agent/supervisor.h"
#include "agent/token.h"
#include "agent/upstreams.h"
#include "agent/watch.h"
#include "agent/worker.h"
#include "agent/zone.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/num.h"
#include "version.h"

/* In the order of starting; stopped in reverse. resolv.conf changes only when the stub answers already, and sets the redirect before. */
static const struct module modules[] = {
	{ "supervisor", worker_start, worker_stop, worker_status },
	{ "control socket", ctl_start, ctl_stop, NULL },
	{ "upstreams", upstreams_start, upstreams_stop, upstreams_status },
	{ "cluster", cluster_start, cluster_stop, cluster_status },
	{ "redirect", redirect_start, redirect_stop, redirect_status },
	{ "names", zone_start, zone_stop, zone_status },
	{ "forward", carry_start, carry_stop, carry_status },
	{ "rules", rules_start, rules_stop, rules_status },
	{ "dns", dns_start, dns_stop, dns_status },
	{ "resolv.conf", resolvconf_start, resolvconf_stop, resolvconf_status },
	{ "hops", hops_start, hops_stop, hops_status },
	{ "routes", reconcile_start, reconcile_stop, reconcile_status },
	{ "watch", watch_start, watch_stop, NULL },
	{ "token", token_start, token_stop, NULL },
	{ "metrics", metrics_start, metrics_stop, NULL },
	{ "privilege", privilege_start, privilege_stop, privilege_status },
	{ 0 },
};

enum { EXIT_DONE, EXIT_FAILED, EXIT_USAGE, EXIT_PREREQUISITE, EXIT_TIMEOUT };

struct options {
	const char *config, *output, *log_level, *target;
	uint64_t timeout_ms;
	bool no_wait, watch;
};

/* ---- the daemon -------------------------------------------------------------------------------------------------- */

struct signals {
	struct io io;
	struct agent *agent;
};

static void on_signal(struct io *io, unsigned events)
{
	struct signals *s = container_of(io, struct signals, io);
	struct signalfd_siginfo info;

	if (read(io->fd, &info, sizeof(info)) != sizeof(info))
		return;
	log_info("signal %u: stopping", info.ssi_signo);
	s->agent->stop = true;
}

static int signals_open(void)
{
	sigset_t set;

	signal(SIGPIPE, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static void modules_stop(struct agent *a, const struct module *from)
{
	for (const struct module *m = from; m-- > modules;)
		m->stop(a);
}

/* Returns the row behind the last module that was started, or where starting one failed, in part. */
static const struct module *modules_start(struct agent *a, struct err *err)
{
	const struct module *m = modules;

	for (; m->name; m++) {
		if (m->start(a, err)) {
			err_wrap(err, err->code, "%s", m->name);
			return m + 1;
		}
	}
	a->serving = true;
	a->supervision->served = true;
	return m;
}

static int agent_run(struct agent *a)
{
	struct signals s = { .agent = a };
	autoclose int fd = signals_open();
	const struct module *started;
	struct err err = { 0 };
	bool served;

	a->loop = loop_new(LOOP_DEFAULT);
	a->modules = modules;
	a->started_ns = loop_now(a->loop);
	io_start(a->loop, &s.io, fd, IO_IN, on_signal);
	started = modules_start(a, &err);
	served = a->serving;
	if (served) {
		log_info("agent %s serves, pid %d", FIRESTREAM_VERSION, (int)getpid());
		(void)!loop_run(a->loop, &a->stop, UINT64_MAX);
	} else {
		log_error("%s", err_text(&err));
	}
	a->stop = true;
	modules_stop(a, started);
	io_stop(&s.io);
	nodes_done(&a->nodes);
	loop_free(a->loop);
	log_info("agent ended");
	return !served ? EXIT_FAILED : a->again ? WORKER_AGAIN : EXIT_DONE;
}

struct launch {
	const struct config *config;
	const char *identity;		/* made before a daemon leaves the directory that it was called in */
};

/* A worker's life. */
static int worker_main(void *arg, struct supervision *shared)
{
	const struct launch *l = arg;
	struct agent a = { .config = *l->config, .nodes = NODES_INIT, .identity = l->identity, .supervision = shared };

	return agent_run(&a);
}

/* Body of the daemon and of `run`. */
static int agent_main(void *arg)
{
	struct launch *l = arg;
	struct err err = { 0 };
	autoclose int lock = daemon_lock(l->config, l->identity, &err);

	log_set_fd(STDERR_FILENO, true);
	if (lock >= 0)
		return supervise(l->config, worker_main, l);
	if (lock == -ETIMEDOUT)
		log_error("an agent is running already, pid %ld", daemon_pid(l->config));
	else
		log_error("%s", err_text(&err));
	return EXIT_FAILED;
}

/* ---- commands ---------------------------------------------------------------------------------------------------- */

static int fail(const char *command, int code, const struct err *err)
{
	fprintf(stderr, "agent %s: %s\n", command, err_text(err));
	return code == -ETIMEDOUT ? EXIT_TIMEOUT : EXIT_FAILED;
}

static int cmd_run(struct config *c, const struct options *o)
{
	autofree char *identity = daemon_identity(c);

	return agent_main(&(struct launch){ c, identity });
}

static int start_and_wait(struct config *c, struct launch *l, bool no_wait, uint64_t deadline, struct err *err)
{
	int r = daemon_spawn(c, agent_main, l, err);

	return r < 0 ? r : daemon_wait_ready(c, no_wait, deadline, err);
}

static int cmd_start(struct config *c, const struct options *o)
{
	autofree char *path = path_join(c->state_dir, "start.lock"), *identity = daemon_identity(c);
	struct launch launch = { c, identity };
	uint64_t deadline = loop_deadline(o->timeout_ms);
	struct err err = { 0 };
	autoclose int lock = -1;
	int r = file_mkdirs(c->state_dir, 0755, &err);

	if (!r)
		r = lock = file_lock(path, deadline, &err);
	if (r >= 0 && daemon_is_outdated(c))
		r = daemon_stop(c, deadline, &err);
	if (r >= 0)
		r = daemon_pid(c) ? daemon_wait_ready(c, o->no_wait, deadline, &err) : -ECHILD;
	if (r == -ECHILD)		/* none ran, or it was about to end */
		r = start_and_wait(c, &launch, o->no_wait, deadline, &err);
	return r < 0 ? fail("start", r, &err) : EXIT_DONE;
}

static int cmd_status(struct config *c, const struct options *o)
{
	struct show how = { streq(o->output, "json"), o->watch, MIN(o->timeout_ms, UINT64_C(5000)) };
	struct err err = { 0 };
	int r = show_status(c, &how, &err);

	return r ? fail("status", r, &err) : EXIT_DONE;
}

static int cmd_stop(struct config *c, const struct options *o)
{
	struct err err = { 0 };
	int r = daemon_stop(c, loop_deadline(o->timeout_ms), &err);

	if (r < 0)
		return fail("stop", r, &err);
	if (!r)
		fprintf(stderr, "agent stop: the agent is not running\n");
	return EXIT_DONE;
}

/* Files of ours, and the directories that held nothing else. */
static void traces_remove(const struct config *c)
{
	static const char *const names[] = { "agent.lock", "start.lock", "resolv.conf.original" };
	autofree char *run = path_dirname(c->socket), *above = path_dirname(c->state_dir);

	(void)unlink(c->socket);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		autofree char *path = path_join(c->state_dir, names[i]);

		(void)unlink(path);
	}
	(void)rmdir(c->state_dir);
	if (streq(path_basename(above), "firestream"))
		(void)rmdir(above);
	(void)rmdir(run);
}

static int cmd_undo(struct config *c, const struct options *o)
{
	struct err err = { 0 };
	int r = daemon_stop(c, loop_deadline(o->timeout_ms), &err);

	if (r >= 0)
		r = supervisor_undo(c, &err);
	if (r < 0)
		return fail("undo", r, &err);
	traces_remove(c);
	return EXIT_DONE;
}

static int cmd_check(struct config *c, const struct options *o)
{
	struct err err = { 0 };
	int r = check_target(o->target, &err);

	return r < 0 ? fail("check", r, &err) : EXIT_DONE;
}

static const struct command {
	const char *name;
	int (*fn)(struct config *c, const struct options *o);
	const char *help;
	bool has_target;		/* one argument besides the options */
} commands[] = {
	{ "run", cmd_run, "run in the foreground, log to standard error", false },
	{ "start", cmd_start, "start in the background unless it runs as it should; wait until it is ready", false },
	{ "status", cmd_status, "show names, routes, upstreams, counters, last errors", false },
	{ "stop", cmd_stop, "stop it; routes and resolv.conf are as they were before", false },
	{ "undo", cmd_undo, "stop it and remove every trace, also of one that was killed", false },
	{ "check", cmd_check, "NAME:PORT: does the name resolve here, and does the port accept?", true },
};

/* ---- arguments --------------------------------------------------------------------------------------------------- */

static const struct option_row {
	const char *name, *value, *help;
} option_rows[] = {
	{ "--config", "FILE", "what to do, JSON (default " CONFIG_PATH ")" },
	{ "-o", "text|json", "form of the status (default text)" },
	{ "--watch", NULL, "status: go on, each second or (not on a terminal) with each change" },
	{ "--timeout", "TIME", "how long start, stop and undo may take, 30s (default), 500ms, 2m" },
	{ "--no-wait", NULL, "start: names outside the cluster working is enough" },
	{ "--log-level", "LEVEL", "error, warn, info (default) or debug" },
	{ "--version", NULL, "print the version" },
	{ "--help", NULL, "print this" },
};

static void help_print(FILE *f)
{
	fprintf(f, "usage: agent COMMAND [OPTION]…\n\nThe agent makes a cluster's names and addresses work in this container.\n\n");
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		fprintf(f, "  %-22s %s\n", commands[i].name, commands[i].help);
	fputc('\n', f);
	for (size_t i = 0; i < ARRAY_SIZE(option_rows); i++) {
		char left[40];

		snprintf(left, sizeof(left), "%s %s", option_rows[i].name, option_rows[i].value ? option_rows[i].value : "");
		fprintf(f, "  %-22s %s\n", left, option_rows[i].help);
	}
	fprintf(f, "\nExit codes: 0 done, 1 failed or not running, 2 wrong use or configuration, 4 timed out.\n");
}

static int usage(const char *text, const char *what)
{
	fprintf(stderr, "agent: %s%s; see `agent --help`\n", text, what);
	return EXIT_USAGE;
}

/* One option with its value; -EINVAL when the value is wrong. */
static int option_set(struct options *o, const char *name, const char *value)
{
	enum log_level level;

	if (streq(name, "--no-wait"))
		o->no_wait = true;
	else if (streq(name, "--watch"))
		o->watch = true;
	else if (streq(name, "--config"))
		o->config = value;
	else if (streq(name, "-o"))
		o->output = value;
	else if (streq(name, "--timeout"))
		return num_duration_ms(value, &o->timeout_ms);
	else if (log_level_parse(value, &level))
		return -EINVAL;
	else
		log_set_level(level);
	return streq(o->output, "text") || streq(o->output, "json") ? 0 : -EINVAL;
}

static const struct option_row *option_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(option_rows); i++)
		if (streq(option_rows[i].name, name))
			return &option_rows[i];
	return NULL;
}

static int options_parse(int argc, char **argv, struct options *o)
{
	for (int i = 0; i < argc; i++) {
		const struct option_row *row = option_find(argv[i]);

		if (!row && argv[i][0] != '-' && !o->target) {
			o->target = argv[i];
			continue;
		}
		if (!row)
			return usage("unknown option ", argv[i]);
		if (row->value && i + 1 == argc)
			return usage("a value is missing behind ", row->name);
		if (option_set(o, row->name, row->value ? argv[++i] : NULL))
			return usage("wrong value for ", row->name);
	}
	return EXIT_DONE;
}

static int command_run(const struct command *cmd, const struct options *o)
{
	struct config c = { 0 };
	struct err err = { 0 };
	int r;

	if (cmd->has_target != (o->target != NULL))
		return usage(o->target ? "unexpected argument " : "an argument is missing behind ", o->target ? o->target : cmd->name);
	r = config_load(o->config, &c, &err);

	if (r) {
		fprintf(stderr, "agent: %s\n", err_text(&err));
		return EXIT_USAGE;
	}
	r = cmd->fn(&c, o);
	config_done(&c);
	return r;
}

int main(int argc, char **argv)
{
	struct options o = { .config = CONFIG_PATH, .output = "text", .timeout_ms = 30000 };
	int r;

	for (int i = 1; i < argc; i++) {
		if (streq(argv[i], "--help") || streq(argv[i], "-h")) {
			help_print(stdout);
			return EXIT_DONE;
		}
		if (streq(argv[i], "--version")) {
			printf("agent %s\n", FIRESTREAM_VERSION);
			return EXIT_DONE;
		}
	}
	if (argc < 2) {
		help_print(stderr);
		return EXIT_USAGE;
	}
	r = options_parse(argc - 2, argv + 2, &o);
	if (r)
		return r;
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (streq(argv[1], commands[i].name))
			return command_run(&commands[i], &o);
	return usage("unknown command ", argv[1]);
}
