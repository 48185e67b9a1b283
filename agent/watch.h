/* SPDX-License-Identifier: Apache-2.0 */
/* watch: follows the cluster's Nodes with the agent's own credential.
 *
 * The kubeconfig and the token file that it names are looked at every 2 s; when one of them changed, or the API server
 * refused us, the client is made anew. While there is no kubeconfig the cluster is away, which is no error. */
#pragma once

#include "agent/agent.h"

struct watch;

int watch_start(struct agent *a, struct err *err);
void watch_stop(struct agent *a);
