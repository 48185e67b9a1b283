/* SPDX-License-Identifier: Apache-2.0 */
/* run: what the features of one bootstrap run share. Filled by the first steps, read-only for the ones after them
 * (each step names its needs, so nothing is read before it was written). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/loop.h"
#include "boot/cli.h"
#include "boot/config.h"
#include "boot/progress.h"
#include "net/docker.h"

struct images;
struct devcontainer;

struct run {
	const struct options *opt;
	char *root;		/* where charts/, catalog/, images/ … lie (the checkout, or $PREFIX/share/firestream) */
	char *workspace;	/* folder opened in the dev container; absolute, no trailing slash */
	char *host_workspace;	/* the same folder by the name that the engine's host has for it, as labels carry it; differs in the dev container */
	char *state_dir;	/* $XDG_STATE_HOME/firestream/ID */
	char *cache_dir;
	char *id;		/* project: FOLDER-XXXXXXXX (hash of the workspace's path); value of the label LABEL_PROJECT */
	char *agent_bundle;	/* build's agent.tar */
	struct config config;
	struct progress *progress;
	struct loop *loop;	/* the main thread's */
	struct docker *docker;	/* of the main thread; steps clone it */
	struct images *images;
	struct devcontainer *dc;	/* loaded with the config; NULL when the config wants none */
	bool quiet_end;		/* no shell at the end */
	bool partial;			/* `up NAME…`: other services are left alone */
	uint64_t deadline_ns;	/* of the whole command */
	bool inside;		/* we run in the dev container (FIRESTREAM_DEVCONTAINER=1) */

	/* written by steps */
	char *node_image, *dev_image;
	char *server_id, *network;	/* cluster's server container, network name */
	char *kubeconfig;		/* file with our own admin access, server by published port */
	char *dev_id;			/* dev container */
};

#define LABEL_PROJECT "firestream.project"	/* on all that we make, value: run.id */
#define LABEL_HASH "firestream.hash"		/* hash of what an object was made from */

/* One step's own context: its thread's loop and clients. */
struct step_ctx {
	struct run *run;
	struct loop *loop;		/* cancelled on Ctrl-C and when another step failed */
	struct docker *docker;		/* NULL before the engine step */
	struct progress_step *progress;
	uint64_t deadline_ns;
	bool changed;			/* set it when anything was changed: the line says "unchanged" otherwise */
	char *summary;			/* owned, shown at the end of the line; or NULL */
};
