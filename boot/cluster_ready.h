/* SPDX-License-Identifier: Apache-2.0 */
/* cluster_ready: waits, by the API, until a started cluster is of use: kubeconfig fetched, /readyz, nodes Ready, CoreDNS available. */
#pragma once

#include "base/err.h"
#include "boot/run.h"

struct cluster_ready {
	struct step_ctx *c;
	const char *cluster, *server;	/* server: container name */
	char server_url[128];		/* out: "https://127.0.0.1:40123" */
};

/* Until run.config.cluster.timeout_ms and the step's deadline. Writes run.kubeconfig. A server container that ends meanwhile fails at once with its
 * last log lines. */
int cluster_wait(struct cluster_ready *w, struct err *err) must_check;
