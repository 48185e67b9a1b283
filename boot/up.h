/* SPDX-License-Identifier: Apache-2.0 */
/* up: the steps of `up` that are not a feature of their own, and what is said at its end. The list of steps is in bootstrap.c. */
#pragma once

#include "base/err.h"
#include "boot/run.h"

int up_engine(struct step_ctx *c, struct err *err) must_check;		/* found, or installed; run.docker, run.images */
int up_node_image(struct step_ctx *c, struct err *err) must_check;	/* run.node_image */
int up_dev_image(struct step_ctx *c, struct err *err) must_check;	/* run.dev_image */
int up_cluster(struct step_ctx *c, struct err *err) must_check;	/* made here, or there already */
int up_container(struct step_ctx *c, struct err *err) must_check;	/* run.dev_id, on the cluster's network */
int up_agent(struct step_ctx *c, struct err *err) must_check;
int up_hooks(struct step_ctx *c, struct err *err) must_check;
int up_checks(struct step_ctx *c, struct err *err) must_check;		/* every service answers by name, and on the host */

/* Reads the config (opt.config, first argument, or the default one) and the devcontainer.json; what is left of the arguments
 * names services. Before anything is touched. */
int up_load(struct run *r, struct err *err) must_check;
/* The table of services with URLs, or JSON; on stdout. */
void up_print(struct run *r);
