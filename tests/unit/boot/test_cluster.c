/* SPDX-License-Identifier: Apache-2.0 */
/* A node container as k3d makes it, and the ports of services. */
#include "boot/cluster_node.h"

#include "base/mem.h"
#include "tests/tap.h"

static struct cluster_names names;

static struct node_spec spec(const char *role, json *host_config)
{
	static const struct cluster_port port = { "web", 30123, 8080 };

	cluster_names("dev", &names);
	return (struct node_spec){
		.cluster = "dev", .project = "demo-12345678", .image = "rancher/k3s:v1.34.4-k3s1", .token = "tok", .network_id = "abc",
		.subnet = "172.18.0.0/16", .gateway = "172.18.0.1", .names = &names, .role = role, .api_host = "127.0.0.1",
		.api_port = 40123, .ports = &port, .n_ports = 1, .host_config = host_config,
	};
}

static void test_server(void)
{
	autojson json *host = json_parse("{\"Privileged\":true}", 19, NULL);
	struct node_spec s = spec("server", host);
	autojson json *o = node_config(&s, "h");
	static const struct { const char *path, *want; } table[] = {
		{ "Hostname", "k3d-dev-server-0" },
		{ "Entrypoint[0]", "/bin/k3d-entrypoint.sh" },
		{ "Cmd[0]", "server" },
		{ "Env[0]", "K3S_TOKEN=tok" },
		{ "Env[1]", "K3S_KUBECONFIG_OUTPUT=/output/kubeconfig.yaml" },
		{ "Labels.app", "k3d" },
		{ "Labels['k3d.role']", "server" },
		{ "Labels['k3d.cluster']", "dev" },
		{ "Labels['k3d.cluster.url']", "https://k3d-dev-server-0:6443" },
		{ "Labels['k3d.cluster.token']", "tok" },
		{ "Labels['k3d.cluster.imageVolume']", "k3d-dev-images" },
		{ "Labels['k3d.cluster.network']", "k3d-dev" },
		{ "Labels['k3d.cluster.network.id']", "abc" },
		{ "Labels['k3d.cluster.network.iprange']", "172.18.0.0/16" },
		{ "Labels['k3d.cluster.network.external']", "false" },
		{ "Labels['k3d.server.loadbalancer']", "" },
		{ "Labels['k3d.server.api.port']", "40123" },
		{ "Labels['k3d.server.api.hostIP']", "127.0.0.1" },
		{ "Labels['k3d.firestream.ports']", "web=30123" },
		{ "Labels['firestream.project']", "demo-12345678" },
		{ "HostConfig.Binds[0]", "k3d-dev-images:/k3d/images" },
		{ "HostConfig.Binds[1]", "k3d-dev-data:/var/lib/rancher/k3s" },
		{ "HostConfig.PortBindings['6443/tcp'][0].HostIp", "127.0.0.1" },
		{ "HostConfig.PortBindings['6443/tcp'][0].HostPort", "40123" },
		{ "HostConfig.PortBindings['30123/tcp'][0].HostPort", "8080" },
		{ "HostConfig.RestartPolicy.Name", "unless-stopped" },
		{ "HostConfig.ExtraHosts[0]", "host.k3d.internal:172.18.0.1" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		is_str(json_str(o, table[i].path, NULL), table[i].want, "a server's %s is as k3d sets it", table[i].path);
	ok(json_bool(o, "HostConfig.Privileged", false), "the privileges found for this engine are kept");
	ok(json_get(o, "NetworkingConfig.EndpointsConfig.k3d-dev") != NULL, "it is attached to the cluster's network");
}

static void test_agent(void)
{
	autojson json *host = json_object();
	struct node_spec s = spec("agent", host);
	autojson json *o = node_config(&s, "h");

	is_str(json_str(o, "Cmd[0]", NULL), "agent", "an agent runs `k3s agent`");
	is_str(json_str(o, "Env[1]", NULL), "K3S_URL=https://k3d-dev-server-0:6443", "an agent is told the server's URL");
	ok(!json_get(o, "HostConfig.PortBindings"), "an agent publishes nothing");
	ok(!json_get(o, "HostConfig.Binds[1]"), "an agent does not mount the datastore");
	ok(!json_get(o, "Labels['k3d.server.api.port']"), "an agent carries no label of the API");
}

static void test_hash(void)
{
	autojson json *host = json_object();
	struct node_spec s = spec("server", host);
	char a[17], b[17];

	node_hash(&s, "api=0 web=8080", a);
	s.api_port = 50000;
	node_hash(&s, "api=0 web=8080", b);
	is_str(b, a, "a host port that we chose does not make a node anew");
	node_hash(&s, "api=0 web=8081", b);
	ok(strcmp(a, b) != 0, "a host port that the config names does");
	s.image = "other";
	node_hash(&s, "api=0 web=8080", b);
	ok(strcmp(a, b) != 0, "another image does");
}

static void test_node_port(void)
{
	int taken[3], n = 0;

	taken[n++] = cluster_node_port("web", NULL, 0);
	ok(taken[0] >= 30000 && taken[0] <= 32767, "a NodePort lies in Kubernetes' range");
	is_int(cluster_node_port("web", NULL, 0), taken[0], "a service has the same NodePort in every cluster");
	ok(cluster_node_port("web", taken, 1) != taken[0], "a taken NodePort is not given twice");
}

int main(void)
{
	test_server();
	test_agent();
	test_hash();
	test_node_port();
	return tap_done();
}
