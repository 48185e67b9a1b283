/* SPDX-License-Identifier: Apache-2.0 */
/* How it works: cluster_up() is a list of steps that each look first and make what is missing: network, volumes, server
 * container (made again when its hash differs), agents, then readiness. Killed anywhere, the next run goes on from there. */
#include "boot/cluster.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/mem.h"
#include "boot/cluster_node.h"
#include "boot/cluster_ready.h"
#include "boot/engine.h"

#define TOKEN_LETTERS 20
#define START_TRIES 5

void cluster_names(const char *cluster, struct cluster_names *ret)
{
	snprintf(ret->network, sizeof(ret->network), "k3d-%s", cluster);
	snprintf(ret->images, sizeof(ret->images), "k3d-%s-images", cluster);
	snprintf(ret->data, sizeof(ret->data), "k3d-%s-data", cluster);
	snprintf(ret->server, sizeof(ret->server), "k3d-%s-server-0", cluster);
	snprintf(ret->context, sizeof(ret->context), "k3d-%s", cluster);
}

/* What cluster_up() works on. */
struct making {
	struct step_ctx *c;
	struct run *run;
	struct docker *d;
	const char *cluster;
	struct cluster_names names;
	char *network_id, *subnet, *gateway, *token;	/* owned */
	json *host_config;				/* owned */
	struct cluster_port ports[CLUSTER_PORTS];
	size_t n_ports;
	char *note;		/* how a node is run on this engine, to be said when one is made; owned */
	struct strv gone;	/* nodes that the config does not ask for any more */
};

static void making_done(struct making *m)
{
	free(m->note);
	strv_done(&m->gone);
	free(m->network_id);
	free(m->subnet);
	free(m->gateway);
	free_secret(m->token);
	json_free(m->host_config);
}

/* ---- network and volumes ------------------------------------------------------------------------------------------ */

static json *network_config(const struct making *m)
{
	json *o = json_object(), *opt, *labels;

	json_set_str(o, "Name", m->names.network);
	json_set_str(o, "Driver", "bridge");
	json_set_bool(o, "CheckDuplicate", true);
	opt = json_set(o, "Options", json_object());
	json_set_str(opt, "com.docker.network.bridge.enable_ip_masquerade", "true");
	labels = json_set(o, "Labels", json_object());
	json_set_str(labels, "app", "k3d");
	json_set_str(labels, LABEL_PROJECT, m->run->id);
	return o;
}

static int network_ensure(struct making *m, struct err *err)
{
	autojson json *net = NULL;
	int r = docker_network_inspect(m->d, m->names.network, &net, err);

	if (r == -ENOENT) {
		r = docker_network_create(m->d, network_config(m), NULL, err);
		if (r < 0 && r != -EEXIST)
			return err_wrap(err, r, "creating network %s", m->names.network);
		m->c->changed = true;
		r = docker_network_inspect(m->d, m->names.network, &net, err);
	}
	if (r < 0)
		return r;
	m->network_id = xstrdup(json_str(net, "Id", ""));
	m->subnet = xstrdup(json_str(net, "IPAM.Config[0].Subnet", ""));
	m->gateway = xstrdup(json_str(net, "IPAM.Config[0].Gateway", NULL));
	if (!m->gateway)
		return err_set(err, -EINVAL, "network %s has no gateway; remove it with `docker network rm %s`", m->names.network,
			       m->names.network);
	if (str_starts(m->subnet, "10.42.") || str_starts(m->subnet, "10.43.") || str_starts(m->subnet, "10.0.0.0/8"))
		return err_set(err, -EEXIST, "the engine gave network %s the range %s, which the cluster's pods (10.42.0.0/16) and "
			       "services (10.43.0.0/16) need; set other \"default-address-pools\" in the engine's daemon.json",
			       m->names.network, m->subnet);
	free(m->run->network);
	m->run->network = xstrdup(m->names.network);
	return 0;
}

static json *volume_labels(const struct making *m, bool with_token)
{
	json *l = json_object();

	json_set_str(l, "app", "k3d");
	json_set_str(l, "k3d.cluster", m->cluster);
	json_set_str(l, LABEL_PROJECT, m->run->id);
	if (with_token)
		json_set_str(l, "k3d.cluster.token", m->token);
	return l;
}

/* The token lives as long as the data that was made with it. */
static int volumes_ensure(struct making *m, struct err *err)
{
	autojson json *data = NULL;
	autofree char *path = xasprintf("/volumes/%s", m->names.data);
	char token[TOKEN_LETTERS + 1];
	const char *owner, *known;
	int r = docker_call(m->d, "GET", path, NULL, 0, &data, err);

	if (r < 0 && r != -ENOENT)
		return r;
	owner = json_str(data, "Labels['" LABEL_PROJECT "']", NULL);
	if (r == 0 && !streq(owner, m->run->id))
		return err_set(err, -EEXIST, "volume %s belongs to %s; give this project another name (\"cluster\": {\"name\": …})",
			       m->names.data, owner ? owner : "something else");
	random_letters(token, TOKEN_LETTERS);
	known = json_str(data, "Labels['k3d.cluster.token']", NULL);
	m->token = xstrdup(known ? known : token);
	r = docker_volume_create(m->d, m->names.images, volume_labels(m, false), err);
	if (r == 0)
		r = docker_volume_create(m->d, m->names.data, volume_labels(m, true), err);
	return r;
}

/* ---- ports -------------------------------------------------------------------------------------------------------- */

int cluster_node_port(const char *service, const int *taken, size_t n)
{
	uint32_t h = 2166136261u;	/* FNV-1a */

	for (const char *p = service; *p; p++)
		h = (h ^ (uint8_t)*p) * 16777619u;
	for (uint32_t port = 30000 + h % 2768;; port = port == 32767 ? 30000 : port + 1) {
		bool used = false;

		for (size_t i = 0; i < n; i++)
			used |= taken[i] == (int)port;
		if (!used)
			return (int)port;
	}
}

static bool port_is_free(int port)
{
	const int on = 1;
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	autoclose int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	/* connections that are just ending do not count, a listener does */
	return fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 &&
	       bind(fd, (struct sockaddr *)&a, sizeof(a)) == 0;
}

/* Chosen for another service already, or named for one in the config. */
static bool port_is_promised(const struct making *m, int port)
{
	const struct config *c = &m->run->config;

	for (size_t i = 0; i < m->n_ports; i++)
		if (m->ports[i].host_port == port)
			return true;
	for (size_t i = 0; i < c->n_services; i++)
		if (c->services[i].publish == port)
			return true;
	return c->cluster.api_port == port;
}

/* A free port on loopback at or above `first`. Seen from inside a container this says little: the start is tried again. */
static int port_pick(const struct making *m, int first, unsigned attempt)
{
	int port = first + (int)attempt * 17;

	while (port < 65000 && (port_is_promised(m, port) || !port_is_free(port)))
		port++;
	return port;
}

static int host_port_preferred(const struct config_service *s)
{
	if (s->publish > 0)
		return (int)s->publish;
	return s->ports[0] < 1024 ? 8000 + (int)s->ports[0] : (int)s->ports[0];
}

static bool service_published(const struct config_service *s)
{
	return s->n_ports > 0 && s->publish >= 0;
}

/* Which ports the config wants, as part of the server's hash: not the host ports that we may choose freely. */
static char *ports_wanted(const struct config *c)
{
	struct buf b = BUF_INIT(8192);

	buf_addf(&b, "api=%lld", (long long)c->cluster.api_port);
	for (size_t i = 0; i < c->n_services; i++)
		if (service_published(&c->services[i]))
			buf_addf(&b, " %s=%d", c->services[i].name, host_port_preferred(&c->services[i]));
	return buf_steal(&b);
}

/* -EADDRINUSE when a port that the config names is taken. */
static int ports_plan(struct making *m, unsigned attempt, struct err *err)
{
	const struct config *c = &m->run->config;
	int taken[CLUSTER_PORTS];

	m->n_ports = 0;
	for (size_t i = 0; i < c->n_services && m->n_ports < CLUSTER_PORTS; i++) {
		const struct config_service *s = &c->services[i];
		struct cluster_port *p = &m->ports[m->n_ports];
		int first = host_port_preferred(s);

		if (!service_published(s))
			continue;
		snprintf(p->service, sizeof(p->service), "%s", s->name);
		p->node_port = cluster_node_port(s->name, taken, m->n_ports);
		if (s->publish > 0 && !m->run->inside && !port_is_free(first))
			return err_set(err, -EADDRINUSE, "port %d, at which service \"%s\" is to be published, is taken by another program on "
				       "this machine", first, s->name);
		p->host_port = s->publish > 0 ? first : port_pick(m, first, attempt);
		taken[m->n_ports++] = p->node_port;
	}
	return 0;
}

int cluster_ports(struct docker *d, const char *server_id, struct cluster_port ret[static CLUSTER_PORTS], struct err *err)
{
	autojson json *info = NULL;
	int n = 0, r = docker_container_inspect(d, server_id, &info, err);
	struct str rest, one;

	if (r < 0)
		return r;
	rest = str_from(json_str(info, "Config.Labels['k3d.firestream.ports']", ""));
	while (n < CLUSTER_PORTS && str_split(&rest, ' ', &one)) {
		struct cluster_port *p = &ret[n];
		char path[96];

		if (sscanf(one.p, "%63[a-z0-9-]=%d", p->service, &p->node_port) != 2)
			continue;
		snprintf(path, sizeof(path), "HostConfig.PortBindings['%d/tcp'][0].HostPort", p->node_port);
		if (sscanf(json_str(info, path, ""), "%d", &p->host_port) == 1)
			n++;
	}
	return n;
}

/* ---- nodes -------------------------------------------------------------------------------------------------------- */

static int api_port_choose(const struct making *m, unsigned attempt)
{
	uint16_t dice;

	if (m->run->config.cluster.api_port > 0)
		return (int)m->run->config.cluster.api_port;
	random_bytes(&dice, sizeof(dice));
	return port_pick(m, 36000 + dice % 20000, attempt);
}

static struct node_spec spec_of(struct making *m, const char *role, unsigned index)
{
	const struct config_cluster *cc = &m->run->config.cluster;

	return (struct node_spec){
		.cluster = m->cluster, .project = m->run->id, .image = m->run->node_image, .token = m->token,
		.network_id = m->network_id, .subnet = m->subnet, .gateway = m->gateway, .names = &m->names,
		.role = role, .index = index, .api_host = cc->api_host, .args = &cc->k3s_args,
		.host_config = m->host_config, .ports = m->ports, .n_ports = m->n_ports,
	};
}

static bool is_port_clash(const struct err *e)
{
	return strstr(e->msg, "port is already allocated") || strstr(e->msg, "address already in use") ||
	       strstr(e->msg, "Ports are not available");
}

static int node_make(struct making *m, const struct node_spec *s, const char *hash, char **ret_id, struct err *err)
{
	char name[64];
	autofree char *id = NULL;
	int r;

	node_name(m->cluster, s->role, s->index, name);
	if (m->note)
		progress_say(m->c->progress, "%s", m->note);
	free(steal(&m->note));
	progress_note(m->c->progress, "creating %s", name);
	r = docker_container_create(m->d, name, node_config(s, hash), &id, err);
	if (r == 0)
		r = node_put_files(m->d, id, m->run->root, err);
	if (r == 0)
		r = docker_container_start(m->d, id, err);
	if (r < 0) {
		if (id)
			(void)!docker_container_remove(m->d, id, NULL);
		return err_wrap(err, r, "node %s", name);
	}
	m->c->changed = true;
	*ret_id = steal(&id);
	return 0;
}

/* An existing node is kept when it was made from the same; started when it was stopped. 1: kept, 0: to be made. */
static int node_keep(struct making *m, const char *name, const char *hash, char **ret_id, struct err *err)
{
	autojson json *info = NULL;
	const char *owner;
	int r = docker_container_inspect(m->d, name, &info, err);

	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return r;
	owner = json_str(info, "Config.Labels['" LABEL_PROJECT "']", NULL);
	if (!streq(owner, m->run->id))
		return err_set(err, -EEXIST, "container %s exists and belongs to %s; give this project another name "
			       "(\"cluster\": {\"name\": …}) or remove that cluster first", name, owner ? owner : "k3d");
	if (!streq(json_str(info, "Config.Labels['" LABEL_HASH "']", NULL), hash)) {
		progress_note(m->c->progress, "%s changed, making it anew", name);
		r = docker_container_remove(m->d, name, err);
		return r < 0 ? r : 0;
	}
	*ret_id = xstrdup(json_str(info, "Id", name));
	if (json_bool(info, "State.Running", false) && !json_bool(info, "State.Paused", false))
		return 1;
	m->c->changed = true;
	if (json_bool(info, "State.Paused", false))
		r = docker_container_unpause(m->d, *ret_id, err);
	else
		r = docker_container_start(m->d, *ret_id, err);
	if (r < 0) {	/* half made, or its network is gone */
		free(steal(ret_id));
		r = docker_container_remove(m->d, name, err);
		return r < 0 ? r : 0;
	}
	return 1;
}

static int server_ensure(struct making *m, struct err *err)
{
	autofree char *wanted = ports_wanted(&m->run->config), *id = NULL;
	struct node_spec s = spec_of(m, "server", 0);
	char hash[17];
	int r;

	node_hash(&s, wanted, hash);
	r = node_keep(m, m->names.server, hash, &id, err);
	for (unsigned attempt = 0; r == 0; attempt++) {
		r = ports_plan(m, attempt, err);
		if (r < 0)
			break;
		s = spec_of(m, "server", 0);
		s.api_port = api_port_choose(m, attempt);
		r = node_make(m, &s, hash, &id, err);
		if (r < 0 && r != -ECANCELED && err && is_port_clash(err) && attempt + 1 < START_TRIES)
			r = 0;
		else
			break;
	}
	if (r < 0)
		return r;
	free(m->run->server_id);
	m->run->server_id = steal(&id);
	return 0;
}

static int agents_ensure(struct making *m, struct err *err)
{
	for (int64_t i = 0; i < m->run->config.cluster.agents; i++) {
		struct node_spec s = spec_of(m, "agent", (unsigned)i);
		autofree char *id = NULL;
		char hash[17], name[64];
		int r;

		node_hash(&s, "", hash);
		node_name(m->cluster, "agent", (unsigned)i, name);
		r = node_keep(m, name, hash, &id, err);
		if (r == 0)
			r = node_make(m, &s, hash, &id, err);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Agents beyond the config's number: container now, Node object when the API answers. */
static int agents_shrink(struct making *m, struct err *err)
{
	for (unsigned i = (unsigned)m->run->config.cluster.agents;; i++) {
		autojson json *info = NULL;
		char name[64];
		int r;

		node_name(m->cluster, "agent", i, name);
		r = docker_container_inspect(m->d, name, &info, err);
		if (r == -ENOENT || (r == 0 && !streq(json_str(info, "Config.Labels['" LABEL_PROJECT "']", NULL), m->run->id)))
			return 0;
		if (r == 0)
			r = docker_container_remove(m->d, name, err);
		if (r < 0)
			return r;
		m->c->changed = true;
		strv_add(&m->gone, name);
	}
}

static int pod_path_add(void *arg, const json *pod)
{
	autofree char *path = kube_path("v1", "Pod", json_str(pod, "metadata.namespace", ""), json_str(pod, "metadata.name", ""));

	strv_addf(arg, "%s?gracePeriodSeconds=0", path);
	return 0;
}

/* A node that is gone, and its pods: they would count as available until Kubernetes gives the node up, a minute later. */
static int node_forget(struct kube *k, const char *name, struct err *err)
{
	autofree char *query = xasprintf("/api/v1/pods?fieldSelector=spec.nodeName%%3D%s", name), *node = kube_path("v1", "Node", NULL, name);
	struct strv pods = { 0 };
	int r = kube_list(k, query, pod_path_add, &pods, NULL, err);

	for (size_t i = 0; r == 0 && i < pods.n; i++)
		r = kube_delete(k, pods.v[i], err);
	strv_done(&pods);
	return r < 0 ? r : kube_delete(k, node, err);
}

static int nodes_forget(struct making *m, struct err *err)
{
	struct kube *k = m->gone.n ? cluster_kube(m->c, err) : NULL;
	int r = 0;

	if (m->gone.n && !k)
		return err && err->code ? err->code : -EIO;
	for (size_t i = 0; r == 0 && i < m->gone.n; i++)
		r = node_forget(k, m->gone.v[i], err);
	kube_free(k);
	return r;
}

static int privileges(struct making *m, struct err *err)
{
	m->host_config = json_object();
	return engine_node_privileges(m->d, m->run->node_image, m->run->cache_dir, m->host_config, &m->note, err);
}

int cluster_up(struct step_ctx *c, struct err *err)
{
	__attribute__((cleanup(making_done))) struct making m = {
		.c = c, .run = c->run, .d = c->docker, .cluster = c->run->config.cluster.name,
	};
	struct cluster_ready ready = { .c = c, .cluster = m.cluster, .server = m.names.server };
	int r;

	cluster_names(m.cluster, &m.names);
	r = privileges(&m, err);
	if (r == 0)
		r = network_ensure(&m, err);
	if (r == 0)
		r = volumes_ensure(&m, err);
	if (r == 0)
		r = server_ensure(&m, err);
	if (r == 0)
		r = agents_ensure(&m, err);
	if (r == 0)
		r = agents_shrink(&m, err);
	if (r == 0)
		r = cluster_wait(&ready, err);
	if (r == 0)
		r = nodes_forget(&m, err);
	if (r < 0)
		return r;
	c->summary = xasprintf("%s is ready, API at %s", m.names.context, ready.server_url);
	return 0;
}
