/* SPDX-License-Identifier: Apache-2.0 */
/* bootstrap: program 1. The commands, and flow 1, the steps of `up`, as tables; everything else is a feature in boot/. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/mem.h"
#include "boot/cluster.h"
#include "boot/devcontainer.h"
#include "boot/doctor.h"
#include "boot/down.h"
#include "boot/forward.h"
#include "boot/image.h"
#include "boot/service.h"
#include "boot/shell.h"
#include "boot/state.h"
#include "boot/status.h"
#include "boot/step.h"
#include "boot/up.h"

#define UP_TIMEOUT_MS (90 * 60 * 1000)
#define LOCK_MS 5000

/* Flow 1. A step starts when those it needs are done; independent ones run at the same time. Each looks first and makes only
 * what is missing, so that a second run changes nothing and an interrupted one goes on. */
static const struct step up_steps[] = {
	/* name            title                     needs                          run              expected ms */
	{ "engine",        "Container engine",       "",                            up_engine,          2000 },
	{ "node-image",    "Node image",             "engine",                      up_node_image,         0 },
	{ "dev-image",     "Dev container image",    "engine",                      up_dev_image,          0 },
	{ "images",        "Service images",         "engine",                      services_images,       0 },
	{ "cluster",       "Kubernetes cluster",     "node-image",                  up_cluster,         8000 },
	{ "dev-container", "Dev container",          "dev-image cluster",           up_container,       1500 },
	{ "services",      "Services",               "images cluster",              services_up,        8000 },
	{ "agent",         "Agent",                  "dev-container",               up_agent,           2000 },
	{ "hooks",         "Lifecycle hooks",        "agent",                       up_hooks,           1000 },
	{ "checks",        "Checks",                 "services agent hooks",        up_checks,          1000 },
};

static int up_main(struct run *r)
{
	struct err e = { 0 };
	autoclose int lock = -1;
	int code = up_load(r, &e);

	if (code == 0)
		code = lock = state_lock(r, "up", LOCK_MS, &e);
	if (code < 0)
		return cli_fail(code, &e);
	code = steps_run(r, up_steps, ARRAY_SIZE(up_steps), &e);
	if (code == -ECANCELED)
		log_warn("interrupted: what was made so far stays; `bootstrap up` goes on there, `bootstrap down` removes it");
	if (code < 0)	/* the input was good: what an engine or API server calls invalid now is a failure */
		return code == -EINVAL ? EXIT_FAILED : cli_exit_code(code);
	close(steal_fd(&lock));	/* a shell may stay open for days */
	up_print(r);
	if (isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) && !r->opt->headless && r->dc && !r->inside &&
	    r->opt->output == OUTPUT_TEXT && !r->quiet_end)
		return shell_main(r);
	return EXIT_DONE;
}

/* The same steps find everything there and only start it. */
static int start_main(struct run *r)
{
	r->quiet_end = true;
	return up_main(r);
}

static const struct command commands[] = {
	{ "up", "[CONFIG] [NAME…]", "bring everything up, or only the services named", "cr", false, up_main },
	{ "down", "", "remove what `up` made; data and caches stay (--purge: data too)", "pa", false, down_main },
	{ "stop", "", "stop the dev container and the cluster", "", false, stop_main },
	{ "start", "[CONFIG]", "start them again", "c", false, start_main },
	{ "status", "", "health, addresses and URLs of everything", "", false, status_main },
	{ "shell", "", "a shell in the dev container", "uw", false, shell_main },
	{ "exec", "COMMAND [ARGUMENT…]", "a command in the dev container; its exit code is passed on", "uw", true, exec_main },
	{ "cluster", "create|delete|list [NAME]", "a cluster alone, for CI", "c", false, cluster_main },
	{ "kubeconfig", "", "merge the cluster's access into your kubeconfig (--print: only print it)", "k", false, kubeconfig_main },
	{ "forward", "", "services of any cluster on this machine: an address and all names for each", "f", false, forward_main },
	{ "doctor", "", "check this machine and explain each finding with its fix", "", false, doctor_main },
};

static void run_done(struct run *r)
{
	steps_release_signals();
	devcontainer_done(r->dc);
	free(r->dc);
	images_free(r->images);
	docker_free(r->docker);
	loop_free(r->loop);
	progress_free(r->progress);
	config_done(&r->config);
	char *const owned[] = { r->root, r->workspace, r->host_workspace, r->state_dir, r->cache_dir, r->id, r->agent_bundle, r->node_image,
				r->dev_image, r->server_id, r->network, r->kubeconfig, r->dev_id };

	for (size_t i = 0; i < ARRAY_SIZE(owned); i++)
		free(owned[i]);
}

static int run_command(const struct command *c, const struct options *o)
{
	struct run r = { .opt = o, .loop = loop_new(LOOP_DEFAULT) };
	struct err e = { 0 };
	int code = state_open(&r, &e);

	if (code < 0) {
		log_error("%s", err_text(&e));
		run_done(&r);
		return cli_exit_code(code);
	}
	r.deadline_ns = loop_deadline(o->timeout_ms ? o->timeout_ms : UP_TIMEOUT_MS);
	autofree char *log = xasprintf("%s/%s.log", r.state_dir, c->name);

	r.progress = progress_new(o->output == OUTPUT_JSON ? PROGRESS_JSON : o->headless ? PROGRESS_PLAIN : PROGRESS_AUTO,
				  STDERR_FILENO, log);
	steps_catch_signals(&r);
	code = c->run(&r);
	run_done(&r);
	return code;
}

/* A result that did not get out (a full disk) is a failure. */
static int output_close(int code)
{
	if ((fflush(stdout) == EOF || ferror(stdout)) && errno != EBADF && errno != EPIPE) {
		log_error("cannot write the output: %m");
		return code == EXIT_DONE ? EXIT_FAILED : code;
	}
	return code;
}

/* A standard stream that the caller closed would be the number of our next socket. */
static void streams_open(void)
{
	for (int fd = 0; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) < 0)
			_exit(EXIT_FAILED);
}

int main(int argc, char **argv)
{
	const struct command *command = NULL;
	struct options o = { 0 };
	struct err e = { 0 };
	int code;

	streams_open();
	code = cli_parse(argc, argv, commands, ARRAY_SIZE(commands), &command, &o, &e);
	if (code < 0) {
		log_error("%s", err_text(&e));
		code = EXIT_USAGE;
	} else if (o.help) {
		code = EXIT_DONE;
	} else {
		log_set_level(o.log_level);
		code = run_command(command, &o);
	}
	options_done(&o);
	return output_close(code);
}
