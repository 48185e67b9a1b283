/* SPDX-License-Identifier: Apache-2.0 */
/* watch: follows the cluster's Nodes, Services, EndpointSlices, Namespaces and CoreDNS's ConfigMaps with the agent's own credential.
 *
 * The kubeconfig and the token file that it names are looked at every 2 s; when one of them changed, or the API server
 * refused us, the client is made anew. While there is no kubeconfig the cluster is away, which is no error. */
#pragma once

#include "agent/agent.h"

struct watch;

int watch_start(struct agent *a, struct err *err);
void watch_stop(struct agent *a);
/* The client in use, or NULL; valid until the next turn of the loop. */
struct kube *watch_kube(const struct watch *w);
/* The file that its token is read from, or NULL; borrowed, as short-lived. */
const char *watch_token_file(const struct watch *w);
