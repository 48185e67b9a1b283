/* SPDX-License-Identifier: Apache-2.0 */
#include "boot/cluster_node.h"

#include <stdio.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/tar.h"

/* The k3d release whose layout this is; written as a label, never read back by k3d. */
#define K3D_VERSION "v5.9.0"

/* What the platform brings itself or does not need on one machine. */
static const char *const server_args[] = {
	"--disable=traefik", "--disable=servicelb", "--disable=metrics-server",
};

void node_name(const char *cluster, const char *role, unsigned index, char ret[static 64])
{
	snprintf(ret, 64, "k3d-%s-%s-%u", cluster, role, index);
}

static bool is_server(const struct node_spec *s)
{
	return streq(s->role, "server");
}

void node_hash(const struct node_spec *s, const char *ports_wanted, char ret[static 17])
{
	char hex[HASH_HEX_LEN + 1];
	struct hash *h = hash_new();
	autofree char *host = json_text(s->host_config);

	hash_adds(h, "1");	/* raise when node_config or the files put into a node change */
	hash_adds(h, s->cluster);
	hash_adds(h, s->project);
	hash_adds(h, s->image);
	hash_adds(h, s->network_id);
	hash_adds(h, s->api_host ? s->api_host : "");
	hash_adds(h, ports_wanted);
	hash_adds(h, host);
	for (size_t i = 0; s->args && i < s->args->n; i++)
		hash_adds(h, s->args->v[i]);
	hash_hex(h, hex);
	snprintf(ret, 17, "%.16s", hex);
}

static json *node_labels(const struct node_spec *s, const char *hash)
{
	char url[96];
	json *l = json_object();

	snprintf(url, sizeof(url), "https://%s:6443", s->names->server);
	json_set_str(l, "app", "k3d");
	json_set_str(l, "k3d.version", K3D_VERSION);
	json_set_str(l, "k3d.role", s->role);
	json_set_str(l, "k3d.cluster", s->cluster);
	json_set_str(l, "k3d.cluster.url", url);
	json_set_str(l, "k3d.cluster.token", s->token);
	json_set_str(l, "k3d.cluster.imageVolume", s->names->images);
	json_set_str(l, "k3d.cluster.network", s->names->network);
	json_set_str(l, "k3d.cluster.network.id", s->network_id);
	json_set_str(l, "k3d.cluster.network.iprange", s->subnet);
	json_set_str(l, "k3d.cluster.network.external", "false");
	json_set_str(l, "k3d.server.loadbalancer", "");
	json_set_str(l, LABEL_PROJECT, s->project);
	json_set_str(l, LABEL_HASH, hash);
	if (is_server(s)) {
		autofree char *port = xasprintf("%d", s->api_port);

		json_set_str(l, "k3d.server.api.host", s->api_host);
		json_set_str(l, "k3d.server.api.hostIP", s->api_host);
		json_set_str(l, "k3d.server.api.port", port);
	}
	return l;
}

static json *node_command(const struct node_spec *s)
{
	json *cmd = json_array();

	json_add_str(cmd, s->role);
	if (!is_server(s))
		return cmd;
	for (size_t i = 0; i < ARRAY_SIZE(server_args); i++)
		json_add_str(cmd, server_args[i]);
	for (size_t i = 0; s->args && i < s->args->n; i++)
		json_add_str(cmd, s->args->v[i]);
	json_add_str(cmd, "--tls-san");
	json_add_str(cmd, s->api_host);
	return cmd;
}

static json *node_env(const struct node_spec *s)
{
	json *env = json_array();
	autofree char *token = xasprintf("K3S_TOKEN=%s", s->token);
	autofree char *url = xasprintf("K3S_URL=https://%s:6443", s->names->server);

	json_add_str(env, token);
	if (!is_server(s))
		json_add_str(env, url);
	json_add_str(env, "K3S_KUBECONFIG_OUTPUT=/output/kubeconfig.yaml");
	return env;
}

static void port_bind(json *bindings, json *exposed, int container_port, const char *ip, int host_port)
{
	autofree char *key = xasprintf("%d/tcp", container_port);
	autofree char *port = xasprintf("%d", host_port);
	json *list = json_set(bindings, key, json_array());
	json *one = json_add(list, json_object());

	json_set_str(one, "HostIp", ip);
	json_set_str(one, "HostPort", port);
	json_set(exposed, key, json_object());
}

static json *node_host_config(const struct node_spec *s, json *exposed)
{
	json *hc = json_copy(s->host_config);
	json *binds = json_get(hc, "Binds"), *tmpfs, *ports, *restart, *hosts;
	autofree char *images = xasprintf("%s:/k3d/images", s->names->images);
	autofree char *data = xasprintf("%s:/var/lib/rancher/k3s", s->names->data);
	autofree char *gateway = xasprintf("host.k3d.internal:%s", s->gateway);

	if (!binds)
		binds = json_set(hc, "Binds", json_array());
	json_add_str(binds, images);
	if (is_server(s) && s->index == 0)
		json_add_str(binds, data);
	json_set_bool(hc, "Init", true);
	json_set_str(hc, "UsernsMode", "host");
	json_set_str(hc, "NetworkMode", s->names->network);
	restart = json_set(hc, "RestartPolicy", json_object());
	json_set_str(restart, "Name", "unless-stopped");
	tmpfs = json_set(hc, "Tmpfs", json_object());
	json_set_str(tmpfs, "/run", "");
	json_set_str(tmpfs, "/var/run", "");
	hosts = json_set(hc, "ExtraHosts", json_array());
	json_add_str(hosts, gateway);
	if (!is_server(s))
		return hc;
	ports = json_set(hc, "PortBindings", json_object());
	port_bind(ports, exposed, 6443, s->api_host, s->api_port);
	for (size_t i = 0; i < s->n_ports; i++)
		port_bind(ports, exposed, s->ports[i].node_port, "127.0.0.1", s->ports[i].host_port);
	return hc;
}

/* k3d.firestream.ports: "web=30123 db=31001": which service a published port belongs to. */
static char *ports_label(const struct node_spec *s)
{
	struct buf b = BUF_INIT(8192);

	for (size_t i = 0; i < s->n_ports; i++)
		buf_addf(&b, "%s%s=%d", i ? " " : "", s->ports[i].service, s->ports[i].node_port);
	return b.data ? buf_steal(&b) : xstrdup("");
}

json *node_config(const struct node_spec *s, const char *hash)
{
	char name[64];
	json *o = json_object(), *labels, *entry, *exposed = json_object(), *net, *ep;
	autofree char *ports = ports_label(s);

	node_name(s->cluster, s->role, s->index, name);
	json_set_str(o, "Hostname", name);
	json_set_str(o, "Image", s->image);
	entry = json_set(o, "Entrypoint", json_array());
	json_add_str(entry, "/bin/k3d-entrypoint.sh");
	json_set(o, "Cmd", node_command(s));
	json_set(o, "Env", node_env(s));
	labels = json_set(o, "Labels", node_labels(s, hash));
	if (is_server(s))
		json_set_str(labels, "k3d.firestream.ports", ports);
	json_set(o, "HostConfig", node_host_config(s, exposed));
	json_set(o, "ExposedPorts", exposed);
	net = json_set(o, "NetworkingConfig", json_object());
	ep = json_set(net, "EndpointsConfig", json_object());
	json_set(ep, s->names->network, json_object());
	return o;
}

static int node_files_fill(struct tar *t, void *arg, struct err *err)
{
	static const char *const names[] = {
		"k3d-entrypoint.sh", "k3d-entrypoint-cgroupv2.sh", "k3d-entrypoint-dns.sh", "k3d-entrypoint-mounts.sh",
	};
	const char *root = arg;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		autofree char *path = xasprintf("%s/templates/node/%s", root, names[i]);
		autofree char *entry = xasprintf("bin/%s", names[i]);
		int r = tar_disk_file(t, entry, 0744, path, err);

		if (r < 0)
			return r;
	}
	return 0;
}

int node_put_files(struct docker *d, const char *id, const char *root, struct err *err)
{
	return docker_archive_put(d, id, "/", node_files_fill, (void *)root, err);
}
