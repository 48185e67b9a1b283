/* SPDX-License-Identifier: Apache-2.0 */
/* `cluster create|delete|list NAME`: a cluster alone, for CI. */
#include <errno.h>
#include <stdio.h>

#include "base/file.h"
#include "base/mem.h"
#include "boot/cluster.h"
#include "boot/engine.h"
#include "boot/shell.h"
#include "boot/state.h"
#include "boot/step.h"
#include "boot/up.h"

#define LOCK_MS 5000

static const struct step create_steps[] = {
	{ "engine", "Container engine", "", up_engine, 2000 },
	{ "node-image", "Node image", "engine", up_node_image, 0 },
	{ "cluster", "Kubernetes cluster", "node-image", cluster_up, 8000 },
};

/* The project of a lone cluster is its name, so that it is found from any folder and is not part of the folder's own project. */
static int take_name(struct run *r, const char *name, struct err *err)
{
	struct strv problems = { 0 };
	int e = 0;

	if (!str_is_label(name) || strlen(name) > CONFIG_NAME_MAX)
		return err_set(err, -EINVAL, "cluster name \"%s\" must be a DNS label of at most 32 characters", name);
	free(r->id);
	free(r->state_dir);
	r->id = xasprintf("cluster-%s", name);
	autofree char *state = path_xdg("state");

	r->state_dir = path_join(state, r->id);
	e = file_mkdirs(r->state_dir, 0700, err);
	if (e == 0)
		e = config_load(r->opt->config, r->root, r->workspace, &r->config, &problems, err);
	strv_done(&problems);
	if (e < 0)
		return e;
	r->config.n_services = r->config.n_selected = 0;
	free(r->config.cluster.name);
	r->config.cluster.name = xstrdup(name);
	return 0;
}

static int create(struct run *r, const char *name)
{
	struct err e = { 0 };
	autoclose int lock = -1;
	int code = take_name(r, name, &e);

	if (code == 0)
		code = lock = state_lock(r, "cluster create", LOCK_MS, &e);
	if (code < 0)
		return cli_fail(code, &e);
	if (r->opt->timeout_ms)
		r->config.cluster.timeout_ms = r->opt->timeout_ms;
	code = steps_run(r, create_steps, ARRAY_SIZE(create_steps), &e);
	if (code < 0)
		return cli_exit_code(code);
	printf("%s/kubeconfig\n", r->state_dir);
	return EXIT_DONE;
}

/* Only what `cluster create` made is deleted: neither a project's cluster nor another tool's. */
static int owner_check(struct run *r, const char *name, struct err *err)
{
	struct cluster_names n;
	autojson json *server = NULL;
	const char *owner;
	int code;

	cluster_names(name, &n);
	code = docker_container_inspect(r->docker, n.server, &server, err);
	if (code < 0)
		return code == -ENOENT ? 0 : code;
	owner = json_str(server, "Config.Labels['" LABEL_PROJECT "']", NULL);
	if (streq(owner, r->id))
		return 0;
	if (owner)
		return err_set(err, -EPERM, "cluster \"%s\" is of project %s: `down --purge` in its folder removes it", name, owner);
	return err_set(err, -EPERM, "cluster \"%s\" was not made by bootstrap: `k3d cluster delete %s` removes it", name, name);
}

static int delete(struct run *r, const char *name)
{
	struct err e = { 0 };
	bool changed = false;
	autoclose int lock = -1;
	int code = take_name(r, name, &e);

	if (code == 0)
		code = lock = state_lock(r, "cluster delete", LOCK_MS, &e);
	if (code >= 0)
		code = engine_connect(r->loop, &r->docker, &e);
	if (code == 0)
		code = owner_check(r, name, &e);
	if (code == 0)
		code = cluster_remove(r->docker, name, true, &changed, &e);
	if (code < 0)
		return cli_fail(code, &e);
	(void)!file_remove_tree(r->state_dir, NULL);
	if (!changed)
		fprintf(stderr, "there was no cluster \"%s\"\n", name);
	return EXIT_DONE;
}

static int list(struct run *r)
{
	autojson json *clusters = NULL;
	struct err e = { 0 };
	int code = engine_connect(r->loop, &r->docker, &e);

	if (code == 0)
		code = cluster_list(r->docker, &clusters, &e);
	if (code < 0)
		return cli_fail(code, &e);
	if (r->opt->output == OUTPUT_JSON) {
		autofree char *text = json_pretty(clusters);

		printf("%s\n", text);
		return EXIT_DONE;
	}
	printf("%-24s %-8s %-8s %-8s %s\n", "NAME", "SERVERS", "AGENTS", "RUNNING", "PROJECT");
	json_each (c, clusters)
		printf("%-24s %-8lld %-8lld %-8lld %s\n", json_str(c, "name", ""), (long long)json_int(c, "servers", 0),
		       (long long)json_int(c, "agents", 0), (long long)json_int(c, "running", 0), json_str(c, "project", "-"));
	return EXIT_DONE;
}

int cluster_main(struct run *r)
{
	const char *verb = r->opt->args.n ? r->opt->args.v[0] : "";
	const char *name = r->opt->args.n > 1 ? r->opt->args.v[1] : NULL;

	if (streq(verb, "list") && !name)
		return list(r);
	if (streq(verb, "create") && name && r->opt->args.n == 2)
		return create(r, name);
	if (streq(verb, "delete") && name && r->opt->args.n == 2)
		return delete(r, name);
	log_error("cluster: expected create NAME, delete NAME or list");
	return EXIT_USAGE;
}
