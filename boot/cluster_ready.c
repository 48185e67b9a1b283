/* SPDX-License-Identifier: Apache-2.0 */
#include "boot/cluster_ready.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/tar.h"
#include "boot/cluster.h"
#include "boot/devcontainer.h"
#include "net/kube/client.h"
#include "net/kube/kubeconfig.h"

#define POLL_MS 100
#define LOG_LINES 12

struct waiting {
	struct cluster_ready *w;
	struct kube *kube;
	json *config;		/* kubeconfig as the node wrote it; owned */
	int64_t nodes_wanted;
	int64_t restarts;	/* of the server container when we began to look; -1: not yet known */
};

/* ---- the server container is still there -------------------------------------------------------------------------- */

/* 0 while it runs; otherwise the reason with its last words. */
static int server_alive(struct waiting *x, struct err *err)
{
	struct docker *d = x->w->c->docker;
	autojson json *info = NULL;
	auto(buf) struct buf log = BUF_INIT(1 << 16);
	struct str rest, line;
	int r = docker_container_inspect(d, x->w->server, &info, err);

	if (r < 0)
		return r;
	if (x->restarts < 0)
		x->restarts = json_int(info, "RestartCount", 0);
	if (json_bool(info, "State.Running", false) && json_int(info, "RestartCount", 0) == x->restarts)
		return 0;
	(void)!docker_container_logs(d, x->w->server, false, LOG_LINES, &log, NULL);
	rest = str_from(buf_str(&log));
	while (str_split(&rest, '\n', &line)) {
		autofree char *text = xstrndup(line.p, line.len);

		progress_output(x->w->c->progress, text);
	}
	return err_set(err, -EIO, "%s ended with status %lld while it started", x->w->server,
		       (long long)json_int(info, "State.ExitCode", -1));
}

/* ---- kubeconfig --------------------------------------------------------------------------------------------------- */

static int take_file(void *arg, const struct tar_entry *e, const void *data, size_t n)
{
	if (data)
		buf_add(arg, data, n);
	return 0;
}

static int kubeconfig_there(void *arg, struct err *reason)
{
	struct waiting *x = arg;
	auto(buf) struct buf tar = BUF_INIT(1 << 20);
	auto(buf) struct buf text = BUF_INIT(1 << 20);
	autojson json *config = NULL;
	int r = server_alive(x, reason);

	if (r < 0)
		return r;
	r = docker_archive_get(x->w->c->docker, x->w->server, "/output/kubeconfig.yaml", &tar, NULL, reason);
	if (r == -ENOENT)
		return 0;
	if (r == 0)
		r = tar_parse(tar.data, tar.len, take_file, &text, reason);
	if (r < 0)
		return r;
	config = kubeconfig_parse("kubeconfig.yaml of the node", buf_str(&text), text.len, NULL);
	if (!json_is(config, "users[0].user"))	/* empty or half written */
		return 0;
	x->config = steal(&config);
	return 1;
}

/* Where a program of this machine finds what listens at `bind`. */
static const char *reachable_host(const char *bind)
{
	if (!*bind || streq(bind, "0.0.0.0"))
		return "127.0.0.1";
	return streq(bind, "::") ? "::1" : bind;
}

static int server_url(struct waiting *x, struct err *err)
{
	struct run *run = x->w->c->run;
	autojson json *info = NULL;
	autofree char *self = NULL;
	const char *host, *port;
	bool running;
	int r;

	if (run->inside) {	/* this container joins the cluster's network and talks to the node itself */
		r = devcontainer_find(x->w->c->docker, run->workspace, NULL, &self, &running, err);
		snprintf(x->w->server_url, sizeof(x->w->server_url), "https://%s:6443", x->w->server);
		return r < 0 ? r : docker_network_connect(x->w->c->docker, run->network, self, NULL, err);
	}
	r = docker_container_inspect(x->w->c->docker, x->w->server, &info, err);
	if (r < 0)
		return r;
	host = reachable_host(json_str(info, "HostConfig.PortBindings['6443/tcp'][0].HostIp", ""));
	port = json_str(info, "HostConfig.PortBindings['6443/tcp'][0].HostPort", "0");
	snprintf(x->w->server_url, sizeof(x->w->server_url), strchr(host, ':') ? "https://[%s]:%s" : "https://%s:%s", host, port);
	return 0;
}

static int kubeconfig_save(struct waiting *x, struct err *err)
{
	struct run *run = x->w->c->run;
	struct cluster_names n;
	char user[80];
	autofree char *path = path_join(run->state_dir, "kubeconfig"), *text = NULL;
	autojson json *named = NULL;
	int r;

	cluster_names(x->w->cluster, &n);
	snprintf(user, sizeof(user), "admin@%s", n.context);
	named = kubeconfig_rename(x->config, n.context, user, n.context, x->w->server_url, err);
	if (!named)
		return err ? err->code : -EINVAL;
	text = kubeconfig_text(named);
	r = file_write(path, text, strlen(text), 0600, err);
	if (r < 0)
		return r;
	free(run->kubeconfig);
	run->kubeconfig = steal(&path);
	return 0;
}

struct kube *cluster_kube(const struct step_ctx *c, struct err *err)
{
	auto(buf) struct buf text = BUF_INIT(1 << 20);
	autofree char *path = path_join(c->run->state_dir, "kubeconfig");
	autojson json *config = NULL;
	struct http_endpoint e = { 0 };

	if (file_read(path, &text, err) < 0)
		return NULL;
	config = kubeconfig_parse(path, text.data, text.len, err);
	if (!config || kubeconfig_endpoint(config, NULL, &e, err) < 0)
		return NULL;
	return kube_new(c->loop, &e);
}

/* ---- readiness ---------------------------------------------------------------------------------------------------- */

static int api_ready(void *arg, struct err *reason)
{
	struct waiting *x = arg;
	auto(buf) struct buf text = BUF_INIT(1 << 16);
	int r = kube_get_text(x->kube, "/readyz", &text, reason);

	if (r == 0)
		return streq(buf_str(&text), "ok");
	if (r == -ECANCELED)
		return r;
	r = server_alive(x, reason);
	return r < 0 ? r : 0;
}

static bool node_is_ready(const json *node)
{
	json_each (c, json_get(node, "status.conditions"))
		if (streq(json_str(c, "type", ""), "Ready"))
			return streq(json_str(c, "status", ""), "True");
	return false;
}

static int nodes_ready(void *arg, struct err *reason)
{
	struct waiting *x = arg;
	autojson json *list = NULL;
	int64_t ready = 0;
	int r = kube_get(x->kube, "/api/v1/nodes", &list, reason);

	if (r == -ECANCELED)
		return r;
	if (r < 0)
		return 0;
	json_each (node, json_get(list, "items"))
		ready += node_is_ready(node);
	if (ready >= x->nodes_wanted)
		return 1;
	(void)err_set(reason, -EAGAIN, "%lld of %lld nodes are Ready", (long long)ready, (long long)x->nodes_wanted);
	r = server_alive(x, reason);
	return r < 0 ? r : 0;
}

static int coredns_available(void *arg, struct err *reason)
{
	struct waiting *x = arg;
	autojson json *dep = NULL;
	int r = kube_get(x->kube, "/apis/apps/v1/namespaces/kube-system/deployments/coredns", &dep, reason);

	if (r == -ECANCELED)
		return r;
	if (r < 0)
		return 0;
	(void)err_set(reason, -EAGAIN, "no replica of CoreDNS is available yet");
	return json_int(dep, "status.availableReplicas", 0) > 0;
}

static bool has_coredns(const struct run *run)
{
	for (size_t i = 0; i < run->config.cluster.k3s_args.n; i++)
		if (str_starts(run->config.cluster.k3s_args.v[i], "--disable") && strstr(run->config.cluster.k3s_args.v[i], "coredns"))
			return false;
	return true;
}

static int wait_for(struct waiting *x, const char *what, kube_test_fn test, uint64_t deadline_ns, struct err *err)
{
	progress_note(x->w->c->progress, "waiting for %s", what);
	return kube_poll(x->w->c->loop, what, test, x, POLL_MS, deadline_ns, err);
}

static int wait_all(struct waiting *x, uint64_t deadline_ns, struct err *err)
{
	int r = wait_for(x, "the node's kubeconfig", kubeconfig_there, deadline_ns, err);

	if (r == 0)
		r = server_url(x, err);
	if (r == 0)
		r = kubeconfig_save(x, err);
	if (r < 0)
		return r;
	x->kube = cluster_kube(x->w->c, err);
	if (!x->kube)
		return err ? err->code : -EINVAL;
	r = wait_for(x, "the API server", api_ready, deadline_ns, err);
	if (r == 0)
		r = wait_for(x, "nodes to be Ready", nodes_ready, deadline_ns, err);
	if (r == 0 && has_coredns(x->w->c->run))
		r = wait_for(x, "CoreDNS", coredns_available, deadline_ns, err);
	return r;
}

int cluster_wait(struct cluster_ready *w, struct err *err)
{
	const struct config_cluster *cc = &w->c->run->config.cluster;
	struct waiting x = { .w = w, .nodes_wanted = cc->servers + cc->agents, .restarts = -1 };
	uint64_t deadline = MIN(loop_deadline(cc->timeout_ms), w->c->deadline_ns);
	int r = wait_all(&x, deadline, err);

	kube_free(x.kube);
	json_free(x.config);
	return r;
}
