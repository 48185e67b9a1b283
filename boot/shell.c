/* SPDX-License-Identifier: Apache-2.0 */
#include "boot/shell.h"

#include <errno.h>
#include <stdio.h>

#include "base/file.h"
#include "base/mem.h"
#include "boot/devcontainer.h"
#include "boot/engine.h"
#include "boot/status.h"

/* Engine, devcontainer.json, running container: what shell and exec need. */
static int find_container(struct run *r, struct devcontainer *dc, char **ret_id, struct err *err)
{
	bool running = false, ours;
	int e = engine_connect(r->loop, &r->docker, err);

	if (e == 0)
		e = devcontainer_load(r->workspace, r->root, dc, err);
	if (e == 0)
		e = project_devcontainer(r, r->docker, ret_id, &running, &ours, err);
	if (e == 0 && !running)
		e = err_set(err, -ENOENT, "the dev container is stopped; `bootstrap start` starts it");
	return e;
}

static int exec_in(struct run *r, const char *const *argv)
{
	struct devcontainer dc = { 0 };
	autofree char *id = NULL;
	struct err e = { 0 };
	int code = find_container(r, &dc, &id, &e);

	if (code == 0)
		code = devcontainer_exec(&dc, r->docker, id, argv, r->opt->user, r->opt->workdir, &e);
	devcontainer_done(&dc);
	return code < 0 ? cli_fail(code, &e) : code;
}

int shell_main(struct run *r)
{
	return exec_in(r, NULL);
}

int exec_main(struct run *r)
{
	if (!r->opt->args.n) {
		log_error("exec: name the command: bootstrap exec COMMAND [ARGUMENT…]");
		return EXIT_USAGE;
	}
	return exec_in(r, (const char *const *)r->opt->args.v);
}
