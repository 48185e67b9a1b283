/* SPDX-License-Identifier: Apache-2.0 */
/* service: the config's services through the one generic chart (charts/service) and HelmChart resources with inline content.
 *
 * All are applied first, then waited for: the Deployment must carry our revision (hash of chart and values) and have all replicas
 * updated and available. A HelmChart of ours that the config no longer names is deleted. */
#pragma once

#include "base/err.h"
#include "base/json.h"
#include "boot/run.h"
#include "net/kube/client.h"

#define SERVICE_NAMESPACE "default"

/* Makes the images of services that are built here; nothing is done for published ones (the nodes pull those). */
int services_images(struct step_ctx *c, struct err *err) must_check;
/* Applies and waits until every one is available or the deadline passed; the error names the service, the cause and the pod's last lines. */
int services_up(struct step_ctx *c, struct err *err) must_check;

struct service_spec {
	const struct config_service *service;
	const char *image;		/* with its tag */
	int node_port;			/* 0: none */
};

/* Values of charts/service; caller owns. */
json *service_values(const struct service_spec *s);
/* 1 when the Deployment is rolled out with this revision, 0 with the reason otherwise. Pure. */
int service_rolled_out(const json *deployment, const char *revision, struct err *reason) must_check;
/* Waits for one; on a failure that will not mend itself (image, crash loop, chart) ends at once. */
int service_wait(struct step_ctx *c, struct kube *k, const char *name, const char *revision, struct err *err) must_check;
