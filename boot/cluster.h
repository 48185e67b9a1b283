/* SPDX-License-Identifier: Apache-2.0 */
/* cluster: a k3d-compatible cluster made through the engine's API: the names, labels and layout of k3d 5.8/5.9 (without
 * load balancer), so that the real k3d lists, starts, stops and deletes it.
 *
 * What persists (datastore, certificates, local volumes) lives in the named volume k3d-NAME-data, whose labels also carry
 * the token; node containers hold nothing and are made again whenever the hash of what they were made from differs.
 * Readiness is asked of the API, never slept for. */
#pragma once

#include <stdbool.h>

#include "base/err.h"
#include "base/json.h"
#include "boot/run.h"
#include "net/kube/client.h"

/* The names of a cluster; fixed arrays since a cluster name has at most 32 bytes. */
struct cluster_names {
	char network[64], images[64], data[64], server[64], context[64];
};

void cluster_names(const char *cluster, struct cluster_names *ret);

/* Brings the cluster to Ready: network, volumes, server, agents, API, nodes, CoreDNS; finishes a half-made one. Writes
 * run.{server_id,network,kubeconfig}; the kubeconfig file is made in run.state_dir, mode 0600. */
int cluster_up(struct step_ctx *c, struct err *err) must_check;

/* A Kubernetes client with our admin access, on c's loop. Caller frees with kube_free. */
struct kube *cluster_kube(const struct step_ctx *c, struct err *err);

/* A published service: container port on the server node and the address on the host; from the container as it is. */
struct cluster_port {
	char service[64];
	int node_port, host_port;
};

#define CLUSTER_PORTS 64

/* Ports published by the server container, in the order of the config; returns their number. */
int cluster_ports(struct docker *d, const char *server_id, struct cluster_port ret[static CLUSTER_PORTS], struct err *err) must_check;
/* The NodePort that a service has in every cluster (30000 … 32767, from its name), not yet taken by those in `taken`. */
int cluster_node_port(const char *service, const int *taken, size_t n);

/* Image of the engine into the containerd of every node, unless it is there. */
int cluster_import_image(struct step_ctx *c, const char *ref, struct err *err) must_check;

/* Stops / removes nodes, network and image volume; purge: the data volume too. Containers that are not nodes (the dev container) are
 * disconnected from the network first. *ret_changed: something was there. Continues after a failure and returns the first. */
int cluster_stop(struct docker *d, const char *cluster, bool *ret_changed, struct err *err) must_check;
int cluster_remove(struct docker *d, const char *cluster, bool purge, bool *ret_changed, struct err *err) must_check;
/* [{"name","project","servers","agents","running","network"}], sorted by name. */
int cluster_list(struct docker *d, json **ret, struct err *err) must_check;
