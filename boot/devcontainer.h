/* SPDX-License-Identifier: Apache-2.0 */
/* devcontainer: devcontainer.json → image → container with exactly the labels, mounts, command and metadata that make the
 * devcontainer CLI and VS Code adopt it; lifecycle hooks with their run-once markers. Facts: containers.dev/implementors/json_reference. */
#pragma once

#include "base/err.h"
#include "base/str.h"
#include "boot/image.h"
#include "boot/run.h"

struct devcontainer {
	char *file;			/* absolute path of devcontainer.json */
	json *raw;			/* as written, for the metadata label */
	char *image;			/* or NULL */
	char *dockerfile, *context, *target;	/* absolute; or NULL */
	json *build_args;
	char *workspace_folder;		/* in the container */
	char *mount_source;		/* host folder mounted (git root of the workspace) */
	char *remote_user, *container_user;
	/* the rest is read from `raw`, substituted */
};

int devcontainer_load(const char *workspace, struct devcontainer *ret, struct err *err) must_check;
void devcontainer_done(struct devcontainer *dc);
/* ${devcontainerId} (52 digits of base 32); ret: 53 bytes. */
void devcontainer_id(const char *workspace, const char *file, char ret[static 53]);

/* Image built or pulled; *ret_ref: caller owns. */
int devcontainer_image(const struct devcontainer *dc, struct step_ctx *c, char **ret_ref, struct err *err) must_check;
/* Existing container found by its two labels, or created; started (a vanished network is disconnected first), joined to `network` (NULL: none).
 * Re-created when our config hash label differs (only if we made it). *ret_id: caller owns. */
int devcontainer_start(const struct devcontainer *dc, struct step_ctx *c, const char *image, const char *network, char **ret_id,
		       struct err *err) must_check;
/* onCreate … postAttach, run once per container or start by the markers of CLI and VS Code, as the remote user, output to progress. */
int devcontainer_hooks(const struct devcontainer *dc, struct step_ctx *c, const char *id, struct err *err) must_check;
/* Our dev container of this workspace, whichever tool made it: id and running. -ENOENT. */
int devcontainer_find(struct docker *d, const char *workspace, const char *file, char **ret_id, bool *ret_running, struct err *err) must_check;
/* Files put into it: the agent's bundle (/opt/firestream/agent), kubectl and helm from the node, kubeconfig of the developer. */
int devcontainer_put_agent(struct step_ctx *c, const char *id, const char *bundle_tar, struct err *err) must_check;

/* A command (argv NULL: the user's login shell) as the remote user in the workspace folder, with remoteEnv; a terminal when ours is one.
 * Returns the exit code. */
int devcontainer_exec(const struct devcontainer *dc, struct docker *d, const char *id, const char *const *argv, const char *user,
		      const char *cwd, struct err *err) must_check;
