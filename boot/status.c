/* SPDX-License-Identifier: Apache-2.0 */
#include "boot/status.h"

#include <errno.h>
#include <stdio.h>

#include "base/mem.h"
#include "boot/agentctl.h"
#include "boot/cluster.h"
#include "boot/devcontainer.h"
#include "boot/engine.h"
#include "boot/existing.h"
#include "boot/service.h"
#include "net/kube/client.h"

#define KUBE_MS 3000	/* a status is wanted now; a cluster that takes longer is told as unreachable */

/* ---- what belongs to the project ---------------------------------------------------------------------------------- */

static void add_once(struct strv *l, const char *s)
{
	if (s && *s && !strv_has(l, s))
		strv_add(l, s);
}

int project_clusters(struct docker *d, const char *project, struct strv *ret, struct err *err)
{
	struct strv labels = { 0 };
	autojson json *containers = NULL, *networks = NULL, *volumes = NULL;
	int r;

	strv_addf(&labels, LABEL_PROJECT "=%s", project);
	r = docker_container_list(d, &labels, &containers, err);
	if (r == 0)
		r = docker_network_list(d, &labels, &networks, err);
	if (r == 0)
		r = docker_volume_list(d, &labels, &volumes, err);
	strv_done(&labels);
	if (r < 0)
		return r;
	json_each (c, containers)
		add_once(ret, json_str(c, "Labels['k3d.cluster']", NULL));
	json_each (n, networks) {
		const char *name = json_str(n, "Name", "");

		add_once(ret, str_starts(name, "k3d-") ? name + 4 : NULL);
	}
	json_each (v, volumes)
		add_once(ret, json_str(v, "Labels['k3d.cluster']", NULL));
	strv_sort(ret);
	return 0;
}

int project_devcontainer(struct run *r, struct docker *d, char **ret_id, bool *ret_running, bool *ret_ours, struct err *err)
{
	struct strv labels = { 0 };
	autojson json *list = NULL;
	int e;

	strv_addf(&labels, "devcontainer.local_folder=%s", r->host_workspace);
	e = docker_container_list(d, &labels, &list, err);
	strv_done(&labels);
	if (e < 0)
		return e;
	json_each (c, list) {
		if (streq(json_str(c, "State", ""), "removing"))
			continue;
		*ret_id = xstrdup(json_str(c, "Id", ""));
		*ret_running = streq(json_str(c, "State", ""), "running");
		*ret_ours = streq(json_str(c, "Labels['" LABEL_PROJECT "']", NULL), r->id);
		return 0;
	}
	return err_set(err, -ENOENT, "there is no dev container of %s; `bootstrap up` makes it", r->host_workspace);
}

/* ---- collecting --------------------------------------------------------------------------------------------------- */

static const char *container_state(const json *info)
{
	return json_bool(info, "State.Paused", false) ? "paused" : json_bool(info, "State.Running", false) ? "running" : "stopped";
}

static void collect_devcontainer(struct run *r, json *status)
{
	json *o = json_set(status, "devcontainer", json_object());
	autofree char *id = NULL;
	struct err e = { 0 };
	bool running = false, ours;
	int x = project_devcontainer(r, r->docker, &id, &running, &ours, &e);

	json_set_str(o, "state", x == -ENOENT ? "absent" : x < 0 ? "unknown" : running ? "running" : "stopped");
	json_set_str(o, "id", id);
	if (x < 0 && x != -ENOENT)
		json_set_str(o, "reason", err_text(&e));
	free(r->dev_id);
	r->dev_id = running ? steal(&id) : NULL;
}

static void collect_agent(struct run *r, json *status)
{
	json *o;
	json *got = NULL;
	struct err e = { 0 };
	int x = r->dev_id ? agent_status(r->docker, r->dev_id, &got, &e) : -ENOENT;

	o = json_set(status, "agent", got ? got : json_object());
	if (x < 0)
		json_set_str(o, "state", x == -ENOENT ? "absent" : x == -ECONNREFUSED ? "stopped" : "unknown");
}

/* The cluster's entry, and its server's address on the host. */
static void collect_cluster(struct run *r, json *status, const char *cluster)
{
	json *o = json_set(status, "cluster", json_object());
	struct cluster_names n;
	autojson json *server = NULL;
	int x;

	if (!cluster) {
		autofree char *there = existing_server(r);

		json_set_str(o, "state", there ? "external" : "absent");
		json_set_str(o, "api", there);
		return;
	}
	cluster_names(cluster, &n);
	json_set_str(o, "name", cluster);
	x = docker_container_inspect(r->docker, n.server, &server, NULL);
	json_set_str(o, "state", x < 0 ? "absent" : container_state(server));
	if (x < 0)
		return;
	free(r->server_id);
	r->server_id = xstrdup(n.server);
	json_set_str(o, "image", json_str(server, "Config.Image", NULL));
	autofree char *api = xasprintf("https://%s:%s", json_str(server, "HostConfig.PortBindings['6443/tcp'][0].HostIp", "127.0.0.1"),
				       json_str(server, "HostConfig.PortBindings['6443/tcp'][0].HostPort", "?"));
	json_set_str(o, "api", api);
}

static void collect_nodes(struct kube *k, json *cluster)
{
	autojson json *nodes = NULL;
	struct err e = { 0 };

	if (kube_call(k, "GET", "/api/v1/nodes", NULL, NULL, KUBE_MS, &nodes, &e) < 0) {
		json_set_str(cluster, "state", "unreachable");
		json_set_str(cluster, "reason", err_text(&e));
		return;
	}
	json *list = json_set(cluster, "nodes", json_array());

	json_each (n, json_get(nodes, "items")) {
		json *o = json_add(list, json_object());

		json_set_str(o, "name", json_str(n, "metadata.name", ""));
		json_set_str(o, "version", json_str(n, "status.nodeInfo.kubeletVersion", ""));
		json_set_bool(o, "ready", false);
		json_each (c, json_get(n, "status.conditions"))
			if (streq(json_str(c, "type", ""), "Ready"))
				json_set_bool(o, "ready", streq(json_str(c, "status", ""), "True"));
	}
}

static void service_entry(json *list, const json *dep, const struct cluster_port *ports, int n_ports)
{
	const char *name = json_str(dep, "metadata.name", "");
	int64_t want = json_int(dep, "spec.replicas", 1), have = json_int(dep, "status.availableReplicas", 0);
	json *o = json_add(list, json_object());
	autofree char *address = xasprintf("%s.%s.svc.cluster.local", name, json_str(dep, "metadata.namespace", "default"));

	json_set_str(o, "name", name);
	json_set_str(o, "state", have >= want ? "available" : "unavailable");
	json_set_int(o, "replicas", want);
	json_set_int(o, "available", have);
	json_set_str(o, "address", address);
	json_set_int(o, "port", json_int(dep, "spec.template.spec.containers[0].ports[0].containerPort", 0));
	for (int i = 0; i < n_ports; i++)
		if (streq(ports[i].service, name)) {
			autofree char *url = xasprintf("http://127.0.0.1:%d", ports[i].host_port);

			json_set_str(o, "url", url);
		}
}

#define DEPLOYMENTS "/apis/apps/v1/namespaces/" SERVICE_NAMESPACE \
		    "/deployments?labelSelector=app.kubernetes.io%2Fpart-of%3Dfirestream"

static void collect_services(struct run *r, struct kube *k, json *status)
{
	struct cluster_port ports[CLUSTER_PORTS];
	int n = r->server_id ? cluster_ports(r->docker, r->server_id, ports, NULL) : 0;
	json *list = json_set(status, "services", json_array());
	autojson json *deps = NULL;

	if (kube_call(k, "GET", DEPLOYMENTS, NULL, NULL, KUBE_MS, &deps, NULL) < 0)
		return;
	json_each (d, json_get(deps, "items"))
		service_entry(list, d, ports, n < 0 ? 0 : n);
}

static int collect_engine(struct run *r, json *status, struct err *err)
{
	json *o = json_set(status, "engine", json_object());
	int e = engine_connect(r->loop, &r->docker, err);

	if (e < 0)
		return e;
	json_set_str(o, "host", docker_host(r->docker));
	json_set_str(o, "api", docker_api(r->docker));
	json_set_str(o, "state", "running");
	return 0;
}

int status_collect(struct run *r, json **ret, struct err *err)
{
	json *status = json_object();
	struct strv clusters = { 0 };
	struct step_ctx c = { .run = r, .loop = r->loop, .docker = r->docker };
	struct kube *k = NULL;
	int e;

	json_set_str(status, "project", r->id);
	json_set_str(status, "workspace", r->host_workspace);
	e = collect_engine(r, status, err);
	if (e == 0)
		e = project_clusters(r->docker, r->id, &clusters, err);
	if (e < 0) {
		json_free(status);
		return e;
	}
	collect_devcontainer(r, status);
	collect_cluster(r, status, clusters.n ? clusters.v[0] : NULL);
	strv_done(&clusters);
	if (streq(json_str(status, "cluster.state", ""), "running") || streq(json_str(status, "cluster.state", ""), "external"))
		k = cluster_kube(&c, NULL);
	if (k) {
		collect_nodes(k, json_get(status, "cluster"));
		if (!streq(json_str(status, "cluster.state", ""), "unreachable"))
			collect_services(r, k, status);
		kube_free(k);
	}
	if (!json_get(status, "services"))
		json_set(status, "services", json_array());
	collect_agent(r, status);
	*ret = status;
	return 0;
}

/* ---- printing ----------------------------------------------------------------------------------------------------- */

void status_print_services(const json *status)
{
	if (!json_get(status, "services[0]"))
		return;
	printf("%-16s %-12s %-44s %s\n", "SERVICE", "STATE", "IN THE DEV CONTAINER", "ON THIS MACHINE");
	json_each (s, json_get(status, "services")) {
		char address[300];

		snprintf(address, sizeof(address), "%s:%lld", json_str(s, "address", ""), (long long)json_int(s, "port", 0));
		printf("%-16s %-12s %-44s %s\n", json_str(s, "name", ""), json_str(s, "state", ""), address, json_str(s, "url", "-"));
	}
}

void status_print(const json *status)
{
	printf("%-16s %s\n", "project", json_str(status, "project", ""));
	printf("%-16s %-12s %s, API %s\n", "engine", json_str(status, "engine.state", ""), json_str(status, "engine.host", ""),
	       json_str(status, "engine.api", ""));
	printf("%-16s %-12s %.12s\n", "dev container", json_str(status, "devcontainer.state", ""), json_str(status, "devcontainer.id", ""));
	printf("%-16s %-12s %s %s\n", "cluster", json_str(status, "cluster.state", ""), json_str(status, "cluster.name", ""),
	       json_str(status, "cluster.api", ""));
	json_each (n, json_get(status, "cluster.nodes"))
		printf("  %-14s %-12s %s\n", json_str(n, "name", ""), json_bool(n, "ready", false) ? "Ready" : "NotReady",
		       json_str(n, "version", ""));
	printf("%-16s %-12s\n", "agent", json_str(status, "agent.state", "unknown"));
	if (json_get(status, "services[0]"))
		printf("\n");
	status_print_services(status);
}

/* Without an engine nothing is known, but what reads JSON gets JSON. */
static void status_print_unknown(const struct run *r, const struct err *why)
{
	autojson json *status = json_object();
	autofree char *text = NULL;
	json *engine;

	json_set_str(status, "project", r->id);
	json_set_str(status, "workspace", r->host_workspace);
	engine = json_set(status, "engine", json_object());
	json_set_str(engine, "state", "unreachable");
	json_set_str(engine, "reason", err_text(why));
	text = json_pretty(status);
	printf("%s\n", text);
}

static bool all_up(const json *status)
{
	bool up = streq(json_str(status, "cluster.state", ""), "running");

	json_each (n, json_get(status, "cluster.nodes"))
		up &= json_bool(n, "ready", false);
	json_each (s, json_get(status, "services"))
		up &= streq(json_str(s, "state", ""), "available");
	if (!streq(json_str(status, "devcontainer.state", ""), "absent"))
		up &= json_bool(status, "agent.ready", false);
	return up;
}

int status_main(struct run *r)
{
	autojson json *status = NULL;
	struct err e = { 0 };
	int x = status_collect(r, &status, &e);

	if (x < 0) {
		log_error("%s", err_text(&e));
		if (r->opt->output == OUTPUT_JSON)
			status_print_unknown(r, &e);
		return cli_exit_code(x);
	}
	if (r->opt->output == OUTPUT_JSON) {
		autofree char *text = json_pretty(status);

		printf("%s\n", text);
	} else {
		status_print(status);
	}
	return all_up(status) ? EXIT_DONE : EXIT_FAILED;
}
