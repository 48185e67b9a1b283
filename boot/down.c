/* SPDX-License-Identifier: Apache-2.0 */
#include "boot/down.h"

#include <errno.h>
#include <stdio.h>

#include "base/file.h"
#include "base/mem.h"
#include "boot/agentctl.h"
#include "boot/cluster.h"
#include "boot/engine.h"
#include "boot/image.h"
#include "boot/state.h"
#include "boot/status.h"
#include "net/kube/kubeconfig.h"

#define STOP_GRACE_S 10
#define LOCK_MS 5000

/* One line per thing, as steps of progress; the work is short and in order. */
struct removing {
	struct run *r;
	struct progress_step *step;
	bool changed;
	struct strv clusters;
};

static int devcontainer_stop(struct removing *x, bool remove, struct err *err)
{
	autofree char *id = NULL;
	bool running, ours;
	int e = project_devcontainer(x->r, x->r->docker, &id, &running, &ours, err);

	if (e == -ENOENT)
		return 0;
	if (e < 0 || x->r->inside)	/* we cannot remove ourselves; the caller says so */
		return e;
	if (running) {
		progress_note(x->step, "stopping the agent");
		(void)!agent_stop(x->r->docker, id, NULL);
	}
	if (!ours && remove) {
		progress_say(x->step, "the dev container was not made by bootstrap: it is left, without the cluster's network");
		return 0;
	}
	x->changed |= remove || running;
	if (remove)
		return docker_container_remove(x->r->docker, id, err);
	return docker_container_stop(x->r->docker, id, STOP_GRACE_S, err);	/* a paused one too; a stopped one stays */
}

/* The user's kubeconfig may hold our entries (`bootstrap kubeconfig`). */
static void kubeconfig_forget(const char *cluster)
{
	struct cluster_names n;
	autofree char *file = kubeconfig_path();
	char user[80];

	cluster_names(cluster, &n);
	snprintf(user, sizeof(user), "admin@%s", n.context);
	if (file_exists(file))
		(void)!kubeconfig_remove(file, n.context, user, n.context, NULL);
}

static int clusters_remove(struct removing *x, struct err *err)
{
	int first = 0;

	for (size_t i = 0; i < x->clusters.n; i++) {
		struct err e = { 0 };
		int one;

		progress_note(x->step, "removing cluster %s", x->clusters.v[i]);
		one = cluster_remove(x->r->docker, x->clusters.v[i], x->r->opt->purge, &x->changed, &e);
		if (one < 0 && first == 0) {
			first = one;
			*err = e;
		}
		kubeconfig_forget(x->clusters.v[i]);
	}
	return first;
}

/* What a killed run left in the engine; with --purge --all also images and caches, which other projects share. */
static int images_clean(struct removing *x, struct err *err)
{
	struct run *r = x->r;
	struct step_ctx c = { .run = r, .loop = r->loop, .docker = r->docker, .progress = x->step, .deadline_ns = r->deadline_ns };
	struct images *m = images_new(r->root, r->cache_dir, r->state_dir, &r->config);
	int e = images_remove_builders(m, &c, err);

	if (e == 0 && r->opt->purge && r->opt->all) {
		progress_note(x->step, "removing images and caches");
		e = images_remove_all(m, &c, err);
		x->changed = true;
	}
	images_free(m);
	return e;
}

static int down_work(struct removing *x, struct err *err)
{
	int e = project_clusters(x->r->docker, x->r->id, &x->clusters, err);

	if (e == 0)
		e = devcontainer_stop(x, true, err);
	if (e == 0)
		e = clusters_remove(x, err);
	return e < 0 ? e : images_clean(x, err);
}

static int stop_work(struct removing *x, struct err *err)
{
	int e = project_clusters(x->r->docker, x->r->id, &x->clusters, err);

	if (e == 0)
		e = devcontainer_stop(x, false, err);
	for (size_t i = 0; e == 0 && i < x->clusters.n; i++) {
		progress_note(x->step, "stopping cluster %s", x->clusters.v[i]);
		e = cluster_stop(x->r->docker, x->clusters.v[i], &x->changed, err);
	}
	return e;
}

static int run_under_lock(struct run *r, const char *name, const char *title, int (*work)(struct removing *, struct err *))
{
	struct removing x = { .r = r };
	struct err e = { 0 };
	autoclose int lock = -1;
	int code;

	x.step = progress_start(r->progress, name, title, 0);
	code = lock = state_lock(r, name, LOCK_MS, &e);
	if (code >= 0)
		code = engine_connect(r->loop, &r->docker, &e);
	if (code >= 0)
		code = work(&x, &e);
	progress_finish(x.step, code == -ECANCELED ? PROGRESS_CANCELLED : code < 0 ? PROGRESS_FAILED :
			x.changed ? PROGRESS_DONE : PROGRESS_UNCHANGED, NULL, &e);
	strv_done(&x.clusters);
	return code < 0 ? cli_exit_code(code) : EXIT_DONE;
}

int down_main(struct run *r)
{
	int code;

	if (r->inside) {
		log_error("`down` would remove the container it runs in: type it on the host");
		return EXIT_USAGE;
	}
	if (r->opt->all && !r->opt->purge) {
		log_error("--all goes with --purge: `down --purge --all` also removes the images and caches that were built here");
		return EXIT_USAGE;
	}
	code = run_under_lock(r, "down", "Removing", down_work);
	if (code == EXIT_DONE && r->opt->purge)
		(void)!file_remove_tree(r->state_dir, NULL);
	return code;
}

int stop_main(struct run *r)
{
	if (r->inside) {
		log_error("`stop` would stop the container it runs in: type it on the host");
		return EXIT_USAGE;
	}
	return run_under_lock(r, "stop", "Stopping", stop_work);
}
