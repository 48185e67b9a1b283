/* SPDX-License-Identifier: Apache-2.0 */
/* status: what is there and how it is, from the engine's labels, the API server and the agent; never from memory. */
#pragma once

#include "base/err.h"
#include "base/json.h"
#include "boot/run.h"

/* {"project","workspace","engine":{"host","api","state"},"devcontainer":{"id","name","state"},"cluster":{"name","state","api","nodes":[…]},
 *  "agent":{"state",…},"services":[{"name","state","replicas","available","address","url"}]}. What cannot be asked is "unknown" with a "reason". */
int status_collect(struct run *r, json **ret, struct err *err) must_check;
void status_print(const json *status);			/* all, as text on stdout */
void status_print_services(const json *status);		/* the table of services alone */
int status_main(struct run *r);				/* `status`: exit code 0 when all is up, 1 otherwise */

/* Names of the clusters that carry the project's label on a container, network or volume. */
int project_clusters(struct docker *d, const char *project, struct strv *ret, struct err *err) must_check;
/* The dev container of the project's workspace; -ENOENT. *ret_ours: we made it. */
int project_devcontainer(struct run *r, struct docker *d, char **ret_id, bool *ret_running, bool *ret_ours, struct err *err) must_check;
