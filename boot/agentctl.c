/* SPDX-License-Identifier: Apache-2.0 */
#include "boot/agentctl.h"

#include <errno.h>
#include <stdio.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/tar.h"
#include "boot/cluster.h"
#include "boot/devcontainer.h"
#include "boot/existing.h"
#include "net/ctlmsg.h"
#include "net/kube/client.h"
#include "net/addr.h"
#include "net/kube/kubeconfig.h"

#define ACCOUNT "firestream-agent"
#define ACCOUNT_NAMESPACE "kube-system"
#define TOKEN_SECONDS 86400	/* the agent renews it by itself long before */
#define START_MS 30000
#define START_MARGIN_MS 2000	/* in which the agent tells why it is not ready */

/* ---- credential --------------------------------------------------------------------------------------------------- */

static void words_add(json *array, const char *words)
{
	struct str rest = str_from(words), one;

	while (str_split(&rest, ' ', &one)) {
		autofree char *s = xstrndup(one.p, one.len);

		json_add_str(array, s);
	}
}

/* One rule of the agent's role: `verbs` on `resources` of `group`, all of them or only `names`. */
static void rule_add(json *rules, const char *group, const char *resources, const char *verbs, const char *names)
{
	json *rule = json_add(rules, json_object());

	json_add_str(json_set(rule, "apiGroups", json_array()), group);
	words_add(json_set(rule, "resources", json_array()), resources);
	words_add(json_set(rule, "verbs", json_array()), verbs);
	if (names)
		words_add(json_set(rule, "resourceNames", json_array()), names);
}

static json *object_new(const char *api, const char *kind, bool namespaced)
{
	json *o = json_object(), *meta;

	json_set_str(o, "apiVersion", api);
	json_set_str(o, "kind", kind);
	meta = json_set(o, "metadata", json_object());
	json_set_str(meta, "name", ACCOUNT);
	if (namespaced)
		json_set_str(meta, "namespace", ACCOUNT_NAMESPACE);
	return o;
}

/* roleRef and subject of a binding to the role of the same name. */
static void binding_fill(json *o, const char *role_kind)
{
	json *ref = json_set(o, "roleRef", json_object()), *subject = json_add(json_set(o, "subjects", json_array()), json_object());

	json_set_str(ref, "apiGroup", "rbac.authorization.k8s.io");
	json_set_str(ref, "kind", role_kind);
	json_set_str(ref, "name", ACCOUNT);
	json_set_str(subject, "kind", "ServiceAccount");
	json_set_str(subject, "name", ACCOUNT);
	json_set_str(subject, "namespace", ACCOUNT_NAMESPACE);
}

static int apply_take(struct kube *k, json *object, struct err *err)
{
	int r = kube_apply(k, object, "firestream", NULL, err);

	json_free(object);
	return r;
}

/* forward: it opens port-forwards, which is as good as reaching every pod. */
static int account_apply(struct kube *k, bool forward, struct err *err)
{
	json *role = object_new("rbac.authorization.k8s.io/v1", "ClusterRole", false);
	json *binding = object_new("rbac.authorization.k8s.io/v1", "ClusterRoleBinding", false);
	json *own = object_new("rbac.authorization.k8s.io/v1", "Role", true);
	json *own_binding = object_new("rbac.authorization.k8s.io/v1", "RoleBinding", true);
	json *rules = json_set(role, "rules", json_array()), *own_rules = json_set(own, "rules", json_array());
	int r = apply_take(k, object_new("v1", "ServiceAccount", true), err);

	rule_add(rules, "", "nodes services namespaces pods", "get list watch", NULL);
	rule_add(rules, "discovery.k8s.io", "endpointslices", "get list watch", NULL);
	rule_add(rules, "networking.k8s.io", "servicecidrs", "get list watch", NULL);
	if (forward)	/* by POST and, where something between lets only GET through, by a WebSocket */
		rule_add(rules, "", "pods/portforward", "create get", NULL);
	rule_add(own_rules, "", "serviceaccounts/token", "create", ACCOUNT);
	rule_add(own_rules, "", "configmaps", "get list watch", "coredns coredns-custom");
	binding_fill(binding, "ClusterRole");
	binding_fill(own_binding, "Role");
	json *const objects[] = { role, binding, own, own_binding };

	for (size_t i = 0; i < ARRAY_SIZE(objects); i++) {
		if (r < 0)
			json_free(objects[i]);
		else
			r = apply_take(k, objects[i], err);
	}
	return r;
}

/* TokenRequest (authentication.k8s.io/v1). Caller frees with free_secret. */
static int token_request(struct kube *k, char **ret, struct err *err)
{
	autojson json *body = json_object(), *answer = NULL;
	json *spec = json_set(body, "spec", json_object());
	int r;

	json_set_str(body, "apiVersion", "authentication.k8s.io/v1");
	json_set_str(body, "kind", "TokenRequest");
	json_set_int(spec, "expirationSeconds", TOKEN_SECONDS);
	r = kube_call(k, "POST", "/api/v1/namespaces/" ACCOUNT_NAMESPACE "/serviceaccounts/" ACCOUNT "/token", "application/json", body, 0,
		      &answer, err);
	if (r < 0)
		return err_wrap(err, r, "asking for the agent's token");
	if (!json_is(answer, "status.token"))
		return err_set(err, -EBADMSG, "the API server's TokenRequest has no token");
	*ret = xstrdup(json_str(answer, "status.token", ""));
	return 0;
}

/* ---- files in the dev container ----------------------------------------------------------------------------------- */

struct files {
	char *config, *kubeconfig, *token, *admin;	/* owned */
};

static void files_done(struct files *f)
{
	free(f->config);
	free(f->kubeconfig);
	free_secret(f->token);
	free_secret(f->admin);
}

static json *named_list(json *config, const char *list, const char *name, const char *member)
{
	json *e = json_add(json_set(config, list, json_array()), json_object());

	json_set_str(e, "name", name);
	return json_set(e, member, json_object());
}

/* A kubeconfig for the agent: the node by its name on the shared network, the token in a file of its own that it renews. */
static char *agent_kubeconfig(const json *admin, const char *server)
{
	autojson json *o = json_object();
	json *cluster, *user, *context;

	json_set_str(o, "apiVersion", "v1");
	json_set_str(o, "kind", "Config");
	json_set_str(o, "current-context", "agent");
	cluster = named_list(o, "clusters", "agent", "cluster");
	json_set_str(cluster, "server", server);
	json_set_str(cluster, "certificate-authority-data", json_str(admin, "clusters[0].cluster.certificate-authority-data", NULL));
	json_set_str(cluster, "tls-server-name", json_str(admin, "clusters[0].cluster.tls-server-name", NULL));
	json_set_str(cluster, "proxy-url", json_str(admin, "clusters[0].cluster.proxy-url", NULL));
	if (json_bool(admin, "clusters[0].cluster.insecure-skip-tls-verify", false))
		json_set_bool(cluster, "insecure-skip-tls-verify", true);
	user = named_list(o, "users", "agent", "user");
	json_set_str(user, "tokenFile", AGENT_CREDENTIAL "/token");
	context = named_list(o, "contexts", "agent", "context");
	json_set_str(context, "cluster", "agent");
	json_set_str(context, "user", "agent");
	return kubeconfig_text(o);
}

static char *agent_config(bool forward, const struct existing_networks *n)
{
	autojson json *o = json_object();

	json_set_str(o, "kubeconfig", AGENT_CREDENTIAL "/kubeconfig");
	json_set_str(o, "cluster_domain", "cluster.local");
	json_set_str(o, "namespace", "default");
	json_set_str(o, "pod_cidr", n->pods);
	json_set_str(o, "service_cidr", n->services);
	json_set_str(o, "dns", n->dns);
	if (forward)
		json_set_str(o, "mode", "forward");
	json_set_str(o, "state_dir", "/var/lib/firestream/agent");
	json_set_str(o, "socket", "/run/firestream/agent.sock");
	json_set_str(o, "log", "/var/log/firestream-agent.log");
	return json_pretty(o);
}

/* Ours is reached by its node's name, on the network that the dev container shares with it. */
static char *server_address(const struct config *c, const json *admin, struct err *err)
{
	const char *given = json_str(admin, "clusters[0].cluster.server", "");
	const char *host = strstr(given, "://");
	struct cluster_names n;
	struct hostport at;

	if (!existing_is_meant(c)) {
		cluster_names(c->cluster.name, &n);
		return xasprintf("https://%s:6443", n.server);
	}
	if (host && (str_starts(host, "://localhost") || (hostport_parse(host + 3, 443, &at) == 0 && addr_is_loopback(&at.addr)))) {
		err_set(err, -EINVAL, "the API server is at %s, which in the dev container is the dev container: the kubeconfig needs an address "
			"that others reach, too", given);
		return NULL;
	}
	return xstrdup(given);
}

static int networks_find(const struct config *c, struct kube *k, struct existing_networks *ret, struct err *err)
{
	if (existing_is_meant(c))
		return existing_networks(k, ret, err);
	*ret = (struct existing_networks){ xstrdup("10.42.0.0/16"), xstrdup("10.43.0.0/16"), xstrdup("10.43.0.10") };
	return 0;
}

/* An account of its own, with the rights that it needs; who may not make one has the agent use the given credential. */
static int credential_make(const struct config *c, struct kube *k, bool forward, const json *admin, const char *server, struct files *f,
			   struct err *err)
{
	int r = account_apply(k, forward, err);

	if (r == 0)
		r = token_request(k, &f->token, err);
	if (r == -EACCES && existing_is_meant(c)) {
		f->kubeconfig = kubeconfig_text(admin);
		return 0;
	}
	f->kubeconfig = agent_kubeconfig(admin, server);
	return r;
}

static bool forward_is_meant(const struct config *cfg)
{
	return cfg->network_mode == NETWORK_FORWARD || (cfg->network_mode == NETWORK_AUTO && existing_is_meant(cfg));
}

static int files_make(struct step_ctx *c, struct kube *k, struct files *f, struct err *err)
{
	const struct config *cfg = &c->run->config;
	bool forward = forward_is_meant(cfg);
	__attribute__((cleanup(existing_networks_done))) struct existing_networks networks = { 0 };
	autofree char *path = path_join(c->run->state_dir, "kubeconfig"), *server = NULL;
	auto(buf) struct buf text = BUF_INIT(1 << 20);
	autojson json *admin = NULL;
	int r = file_read(path, &text, err);

	if (r < 0)
		return r;
	admin = kubeconfig_parse(path, text.data, text.len, err);
	if (!admin)
		return err ? err->code : -EINVAL;
	server = server_address(cfg, admin, err);
	if (!server)
		return err && err->code ? err->code : -EINVAL;
	json_set_str(json_get(admin, "clusters[0].cluster"), "server", server);
	f->admin = kubeconfig_text(admin);
	r = networks_find(cfg, k, &networks, err);
	if (r < 0)
		return r;
	f->config = agent_config(forward, &networks);
	return credential_make(cfg, k, forward, admin, server, f, err);
}

static int text_put(struct tar *t, const char *path, mode_t mode, const char *text, struct err *err)
{
	return tar_file(t, path, mode, text, strlen(text), err);
}

/* The credential belongs to the agent's own user, which renews the token. */
static int files_fill(struct tar *t, void *arg, struct err *err)
{
	const struct files *f = arg;
	int r = tar_dir(t, "etc/firestream", 0755, err);

	if (!r)
		r = text_put(t, AGENT_CONFIG, 0644, f->config, err);
	if (!r)
		r = text_put(t, "etc/firestream/kubeconfig", 0644, f->admin, err);
	tar_set_owner(t, AGENT_UID);
	if (!r)
		r = tar_dir(t, AGENT_CREDENTIAL, 0700, err);
	if (!r)
		r = text_put(t, AGENT_CREDENTIAL "/kubeconfig", 0600, f->kubeconfig, err);
	return r || !f->token ? r : text_put(t, AGENT_CREDENTIAL "/token", 0600, f->token, err);
}

static int tools_fill(struct tar *t, void *arg, struct err *err)
{
	const char *node_image = arg;
	int r = tar_link(t, "usr/local/bin/kubectl", "k3s", err);

	return r < 0 ? r : tar_file(t, "usr/local/bin/.k3s-from", 0644, node_image, strlen(node_image), err);
}

/* kubectl (the node's multi-call k3s) and helm, where the node image has it, come from the server node; once per node image. */
static int tools_put(struct step_ctx *c, struct err *err)
{
	auto(buf) struct buf marker = BUF_INIT(1 << 16);
	struct run *run = c->run;
	int r;

	if (!run->server_id)		/* no node of ours */
		return 0;
	r = docker_archive_get(c->docker, run->dev_id, "/usr/local/bin/.k3s-from", &marker, NULL, NULL);

	if (r == 0 && marker.len > 512 && str_starts(marker.data + 512, run->node_image))
		return 0;
	c->changed = true;
	progress_note(c->progress, "copying kubectl and helm from the node");
	r = docker_archive_copy(c->docker, run->server_id, "/bin/k3s", run->dev_id, "/usr/local/bin", err);
	if (r < 0)
		return err_wrap(err, r, "copying kubectl from the node");
	r = docker_archive_copy(c->docker, run->server_id, "/bin/helm", run->dev_id, "/usr/local/bin", err);
	if (r < 0 && r != -ENOENT)
		return err_wrap(err, r, "copying helm from the node");
	return docker_archive_put(c->docker, run->dev_id, "/", tools_fill, run->node_image, err);
}

/* `agent` by its bare name, as the manual and resolv.conf's comment speak of it; another program of that name is left alone. */
#define COMMAND "/usr/local/bin/agent"
static const char command_text[] = "#!/bin/sh\nexec " AGENT_PROGRAM " \"$@\"\n";

static int command_fill(struct tar *t, void *arg, struct err *err)
{
	return tar_file(t, &COMMAND[1], 0755, command_text, strlen(command_text), err);
}

static int command_put(struct step_ctx *c, struct err *err)
{
	auto(buf) struct buf there = BUF_INIT(1 << 16);
	int r = docker_archive_get(c->docker, c->run->dev_id, COMMAND, &there, NULL, NULL);

	if (r != -ENOENT)
		return 0;
	c->changed = true;
	return docker_archive_put(c->docker, c->run->dev_id, "/", command_fill, NULL, err);
}

/* ---- the program -------------------------------------------------------------------------------------------------- */

static int agent_exec(struct docker *d, const char *dev_id, const char *const *args, struct buf *out, uint64_t ms, struct err *err)
{
	const char *argv[8] = { AGENT_PROGRAM };
	struct docker_exec x = { .argv = argv, .user = "0", .in = -1, .out = -1, .err = -1, .capture = out,
				 .deadline_ns = loop_deadline(ms) };

	for (size_t i = 0; args[i] && i + 2 < ARRAY_SIZE(argv); i++)
		argv[i + 1] = args[i];
	return docker_exec(d, dev_id, &x, err);
}

int agent_status(struct docker *d, const char *dev_id, json **ret, struct err *err)
{
	auto(buf) struct buf out = BUF_INIT(1 << 20);
	const char *const args[] = { "status", "-o", "json", NULL };
	int r = agent_exec(d, dev_id, args, &out, 5000, err);

	if (r < 0)
		return r;
	if (r == 126 || r == 127)
		return err_set(err, -ENOENT, "there is no agent in the dev container");
	if (r > 0)
		return err_set(err, -ECONNREFUSED, "the agent does not run");
	*ret = json_parse(out.data, out.len, err);
	return *ret ? 0 : -EBADMSG;
}

int agent_stop(struct docker *d, const char *dev_id, struct err *err)
{
	auto(buf) struct buf out = BUF_INIT(1 << 16);
	const char *const stop[] = { "stop", "--config", AGENT_CONFIG, NULL }, *const undo[] = { "undo", "--config", AGENT_CONFIG, NULL };
	int r = agent_exec(d, dev_id, stop, &out, 10000, err);

	if (r == 0 || r == 126 || r == 127)
		return 0;
	r = agent_exec(d, dev_id, undo, &out, 10000, err);
	return r > 0 ? err_set(err, -EIO, "agent undo: %.300s", buf_str(&out)) : r;
}

int agent_check(struct docker *d, const char *dev_id, const char *target, struct err *err)
{
	auto(buf) struct buf out = BUF_INIT(1 << 16);
	const char *const args[] = { "check", target, NULL };
	int r = agent_exec(d, dev_id, args, &out, 15000, err);

	return r > 0 ? err_set(err, -EIO, "in the dev container: %.300s", buf_str(&out)) : r;
}

static int agent_start(struct step_ctx *c, struct err *err)
{
	auto(buf) struct buf out = BUF_INIT(1 << 16);
	uint64_t now = loop_deadline(0), ms = START_MS;
	char timeout[32];
	const char *const args[] = { "start", "--config", AGENT_CONFIG, "--timeout", timeout, NULL };
	int r;

	if (c->deadline_ns != UINT64_MAX)
		ms = MIN(ms, c->deadline_ns > now ? (c->deadline_ns - now) / 1000000 : 0);
	snprintf(timeout, sizeof(timeout), "%llums", (unsigned long long)MAX(ms, UINT64_C(1)));
	progress_note(c->progress, "starting the agent");
	r = agent_exec(c->docker, c->run->dev_id, args, &out, ms + START_MARGIN_MS, err);
	return r > 0 ? err_set(err, r == EXIT_TIMEOUT ? -ETIMEDOUT : -EIO, "%.400s", buf_str(&out)) : r;
}

/* Nothing to do for an agent that runs and is in sync, and was told the mode that is meant. */
static bool agent_is_up(struct step_ctx *c)
{
	autojson json *status = NULL;
	bool told;

	if (agent_status(c->docker, c->run->dev_id, &status, NULL) || !json_bool(status, "ready", false))
		return false;
	told = streq(json_str(status, "mode", ""), "forward") && !json_bool(status, "mode_auto", false);
	return told == forward_is_meant(&c->run->config);
}

int agent_up(struct step_ctx *c, struct err *err)
{
	__attribute__((cleanup(files_done))) struct files f = { 0 };
	struct kube *k;
	int r = devcontainer_put_agent(c, c->run->dev_id, c->run->agent_bundle, err);

	if (r == 0)
		r = tools_put(c, err);
	if (r == 0)
		r = command_put(c, err);
	if (r < 0)
		return r;
	if (!c->changed && agent_is_up(c))
		return 0;
	c->changed = true;
	k = cluster_kube(c, err);
	if (!k)
		return err ? err->code : -EIO;
	r = files_make(c, k, &f, err);
	kube_free(k);
	if (r == 0)
		r = docker_archive_put(c->docker, c->run->dev_id, "/", files_fill, &f, err);
	return r < 0 ? r : agent_start(c, err);
}
