/* SPDX-License-Identifier: Apache-2.0 */
/* cluster_node: one node container as data: k3d's labels, environment, command and host configuration. */
#pragma once

#include "base/err.h"
#include "base/json.h"
#include "boot/cluster.h"

struct node_spec {
	const char *cluster, *project, *image, *token, *network_id, *subnet, *gateway;
	const struct cluster_names *names;
	const char *role;		/* "server" or "agent" */
	unsigned index;
	const char *api_host;		/* bind address on the host; servers */
	int api_port;
	const struct cluster_port *ports;	/* published besides; servers */
	size_t n_ports;
	const struct strv *args;	/* further arguments of k3s; servers */
	json *host_config;		/* privileges; borrowed */
};

/* "k3d-NAME-ROLE-I"; ret: 64 bytes. */
void node_name(const char *cluster, const char *role, unsigned index, char ret[static 64]);
/* Hash of all that a node container is made from, but for the host ports that we chose. */
void node_hash(const struct node_spec *s, const char *ports_wanted, char ret[static 17]);
/* Body of POST /containers/create; caller owns. */
json *node_config(const struct node_spec *s, const char *hash);
/* Entry point and fixes (templates/node/…) go into a created container, in one archive. root: where templates/ lies. */
int node_put_files(struct docker *d, const char *id, const char *root, struct err *err) must_check;
