/* SPDX-License-Identifier: Apache-2.0 */
/* engine: finds the container engine, explains why there is none, installs and starts one where that was agreed, and
 * knows how a node may be run on it. Facts: Docker CLI's endpoint order; usual sockets of Desktop, Colima, rootless, Podman.
 */
#pragma once

#include "base/err.h"
#include "base/json.h"
#include "boot/cli.h"
#include "boot/progress.h"
#include "net/docker.h"

/* DOCKER_HOST, DOCKER_CONTEXT/currentContext, then the usual sockets. *ret_host, *ret_tls_dir (may be NULL): caller owns.
 * Not found: -ENOENT (no socket anywhere), -ECONNREFUSED (socket, nobody listens), -EPERM (no permission): one sentence
 * each, with the fix. */
int engine_find(struct loop *l, char **ret_host, char **ret_tls_dir, struct err *err) must_check;
/* engine_find and docker_open; where there is none and the user agrees (or --yes): installs the distribution's engine with
 * apt (root or sudo), starts it (systemd, sysvinit, or plain dockerd with setsid and a log file), waits until it answers.
 * -ENOPKG when it may not. */
struct docker *engine_open(struct loop *l, const struct options *o, struct progress *p, struct err *err);

/* Opens the engine that there is, unless *d is open already; nothing is installed. */
int engine_connect(struct loop *l, struct docker **d, struct err *err) must_check;	/* without one: -ENOPKG */
int engine_reach(struct loop *l, struct docker **d, struct err *err) must_check;	/* the same, with the cause as code */

/* Host configuration that a Kubernetes node needs: Privileged, or, where the engine answers "unable to apply caps" to that,
 * explicit capabilities, paths and mounts (CapAdd ALL, CapDrop SYS_RESOURCE, …). Chosen by trying with `image` once (a
 * container made, started, removed), remembered in cache_dir per engine id. Sets the fields in host_config. *ret_note:
 * NULL or the one line to say; caller owns. */
int engine_node_privileges(struct docker *d, const char *image, const char *cache_dir, json *host_config, char **ret_note,
			   struct err *err) must_check;
/* Where the engine's host sees `path` of this machine: the same on a host; inside the dev container translated by our own
 * container's mounts. NULL: not under any mount. Caller owns. */
char *engine_host_path(struct docker *d, bool inside, const char *path);
/* Socket path as the engine's host sees it, for "Docker from Docker". Caller owns; NULL for tcp. */
char *engine_socket(const struct docker *d);
