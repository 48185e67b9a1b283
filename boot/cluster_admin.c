/* SPDX-License-Identifier: Apache-2.0 */
/* What can be done with a cluster that exists: stop, remove, list, import images. All by k3d's labels. */
#include <errno.h>
#include <stdio.h>

#include "base/mem.h"
#include "boot/cluster.h"

#define STOP_GRACE_S 10

static int cluster_nodes(struct docker *d, const char *cluster, json **ret, struct err *err)
{
	struct strv labels = { 0 };
	int r;

	strv_add(&labels, "app=k3d");
	if (cluster)
		strv_addf(&labels, "k3d.cluster=%s", cluster);
	r = docker_container_list(d, &labels, ret, err);
	strv_done(&labels);
	return r;
}

static const char *list_name(const json *container)
{
	const char *name = json_str(container, "Names[0]", "");

	return *name == '/' ? name + 1 : name;
}

/* Keeps the first failure. */
static void keep_first(int *first, struct err *err, int r, const struct err *e)
{
	if (r >= 0 || *first < 0)
		return;
	*first = r;
	if (err)
		*err = *e;
}

int cluster_stop(struct docker *d, const char *cluster, bool *ret_changed, struct err *err)
{
	autojson json *nodes = NULL;
	int first = 0, r = cluster_nodes(d, cluster, &nodes, err);

	if (r < 0)
		return r;
	json_each (n, nodes) {
		struct err e = { 0 };

		const char *state = json_str(n, "State", "");

		if (!streq(state, "running") && !streq(state, "paused") && !streq(state, "restarting"))
			continue;
		*ret_changed = true;
		keep_first(&first, err, docker_container_stop(d, json_str(n, "Id", ""), STOP_GRACE_S, &e), &e);
	}
	return first;
}

/* Everybody else leaves the network first, so that it can be removed and they can be started without it. */
static int network_remove(struct docker *d, const char *network, bool *changed, struct err *err)
{
	autojson json *info = NULL;
	int r = docker_network_inspect(d, network, &info, err);

	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return r;
	*changed = true;
	json_each (c, json_get(info, "Containers")) {
		r = docker_network_disconnect(d, network, c->string, err);
		if (r < 0)
			return r;
	}
	return docker_network_remove(d, network, err);
}

static void volume_remove(struct docker *d, const char *name, bool *changed, int *first, struct err *err)
{
	autofree char *path = xasprintf("/volumes/%s", name);
	struct err e = { 0 };
	int r = docker_call(d, "GET", path, NULL, 0, NULL, &e);

	if (r == -ENOENT)
		return;
	if (r == 0) {
		*changed = true;
		r = docker_volume_remove(d, name, &e);
	}
	keep_first(first, err, r, &e);
}

int cluster_remove(struct docker *d, const char *cluster, bool purge, bool *ret_changed, struct err *err)
{
	autojson json *nodes = NULL;
	struct cluster_names names;
	struct err e = { 0 };
	int first = 0, r = cluster_nodes(d, cluster, &nodes, err);

	if (r < 0)
		return r;
	cluster_names(cluster, &names);
	json_each (n, nodes) {
		*ret_changed = true;
		keep_first(&first, err, docker_container_remove(d, json_str(n, "Id", ""), &e), &e);
	}
	keep_first(&first, err, network_remove(d, names.network, ret_changed, &e), &e);
	volume_remove(d, names.images, ret_changed, &first, err);
	if (purge)
		volume_remove(d, names.data, ret_changed, &first, err);
	return first;
}

/* An entry for each cluster that has a node, sorted by name. */
static json *list_new(const json *nodes)
{
	auto(strv) struct strv names = { 0 };
	json *list = json_array();

	json_each (n, nodes) {
		const char *name = json_str(n, "Labels['k3d.cluster']", NULL);

		if (name && !strv_has(&names, name))
			strv_add(&names, name);
	}
	strv_sort(&names);
	for (size_t i = 0; i < names.n; i++) {
		json *o = json_add(list, json_object());

		json_set_str(o, "name", names.v[i]);
		json_set_int(o, "servers", 0);
		json_set_int(o, "agents", 0);
		json_set_int(o, "running", 0);
	}
	return list;
}

static json *list_entry(json *list, const char *cluster)
{
	json_each (e, list)
		if (streq(json_str(e, "name", ""), cluster))
			return e;
	return NULL;
}

int cluster_list(struct docker *d, json **ret, struct err *err)
{
	autojson json *nodes = NULL;
	json *list;
	int r = cluster_nodes(d, NULL, &nodes, err);

	if (r < 0)
		return r;
	list = list_new(nodes);
	json_each (n, nodes) {
		const char *role = json_str(n, "Labels['k3d.role']", "");
		const char *count = streq(role, "server") ? "servers" : streq(role, "agent") ? "agents" : NULL;
		json *e = list_entry(list, json_str(n, "Labels['k3d.cluster']", ""));

		if (!count || !e)
			continue;
		json_set_int(e, count, json_int(e, count, 0) + 1);
		json_set_int(e, "running", json_int(e, "running", 0) + streq(json_str(n, "State", ""), "running"));
		json_set_str(e, "project", json_str(n, "Labels['" LABEL_PROJECT "']", NULL));
		json_set_str(e, "network", json_str(n, "Labels['k3d.cluster.network']", NULL));
	}
	*ret = list;
	return 0;
}

/* ---- images ------------------------------------------------------------------------------------------------------- */

static bool node_has_image(struct docker *d, const char *id, const char *ref)
{
	auto(buf) struct buf out = BUF_INIT(1 << 16);
	autofree char *filter = xasprintf("name==%s", ref);
	const char *const argv[] = { "ctr", "-n", "k8s.io", "image", "ls", "-q", filter, NULL };
	struct docker_exec x = { .argv = argv, .in = -1, .out = -1, .err = -1, .capture = &out, .deadline_ns = loop_deadline(20000) };

	return docker_exec(d, id, &x, NULL) == 0 && strstr(buf_str(&out), ref);
}

/* containerd knows images by their full name: firestream/web:1 → docker.io/firestream/web:1. */
static char *full_name(const char *ref)
{
	const char *slash = strchr(ref, '/');

	if (!slash)
		return xasprintf("docker.io/library/%s", ref);
	if (memchr(ref, '.', (size_t)(slash - ref)) || memchr(ref, ':', (size_t)(slash - ref)))
		return xstrdup(ref);
	return xasprintf("docker.io/%s", ref);
}

static int node_import(struct step_ctx *c, const char *id, const char *name, const char *ref, struct err *err)
{
	const char *const argv[] = { "ctr", "-n", "k8s.io", "image", "import", "-", NULL };
	auto(buf) struct buf out = BUF_INIT(1 << 16);
	int r;

	progress_note(c->progress, "copying image %s to %s", ref, name);
	r = docker_exec_feed_image(c->docker, id, argv, ref, &out, c->deadline_ns, err);
	if (r > 0)
		return err_set(err, -EIO, "importing image %s into %s: %.300s", ref, name, buf_str(&out));
	return r;
}

int cluster_import_image(struct step_ctx *c, const char *ref, struct err *err)
{
	autojson json *nodes = NULL;
	autofree char *full = full_name(ref);
	int r = cluster_nodes(c->docker, c->run->config.cluster.name, &nodes, err);

	if (r < 0)
		return r;
	json_each (n, nodes) {
		const char *id = json_str(n, "Id", "");

		if (!streq(json_str(n, "State", ""), "running") || node_has_image(c->docker, id, full))
			continue;
		c->changed = true;
		r = node_import(c, id, list_name(n), ref, err);
		if (r < 0)
			return r;
	}
	return 0;
}
