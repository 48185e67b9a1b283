/* SPDX-License-Identifier: Apache-2.0 */
/* devcontainer: devcontainer.json → image → container with exactly the labels, mounts, command and metadata that make the
 * devcontainer CLI and VS Code adopt it; lifecycle hooks with their run-once markers. Facts: containers.dev/implementors/json_reference.
 *
 * A struct devcontainer is immutable after loading and may be read by several threads. `raw` stays unsubstituted (that is what the
 * metadata label holds); what depends on engine or container is substituted when it is used. */
#pragma once

#include "base/err.h"
#include "base/str.h"
#include "base/yaml.h"
#include "boot/image.h"
#include "boot/run.h"

struct devcontainer {
	char *file;			/* absolute path of devcontainer.json */
	char *workspace;		/* folder opened on the host; value of the label devcontainer.local_folder */
	struct yaml_doc doc;		/* the file, for positions in messages */
	json *raw;			/* as written, for the metadata label */
	struct strv env;		/* "NAME=value", seen by ${localEnv:NAME} before the environment */
	char *image;			/* or NULL */
	char *dockerfile, *context, *target;	/* absolute; or NULL */
	json *build_args;
	char *workspace_folder;		/* in the container */
	char *mount_source;		/* host folder mounted (git root of the workspace) */
	char *remote_user, *container_user;	/* NULL: the image says */
};

/* The workspace's own devcontainer.json, else that of `root` (ours; may be NULL). What cannot be honoured (features, compose, an unknown
 * runArgs flag) is one sentence with file:line:column. -ENOENT without a file. */
int devcontainer_load(const char *workspace, const char *root, struct devcontainer *ret, struct err *err) must_check;
void devcontainer_done(struct devcontainer *dc);
/* ${devcontainerId} (52 digits of base 32); ret: 53 bytes. */
void devcontainer_id(const char *workspace, const char *file, char ret[static 53]);

/* initializeCommand, then the image: built or pulled; *ret_ref: caller owns. NULL inside the dev container, where nothing is to be made. */
int devcontainer_image(const struct devcontainer *dc, struct step_ctx *c, char **ret_ref, struct err *err) must_check;
/* Existing container found by its two labels, or created; started (a vanished network is disconnected first), joined to `network` (NULL: none).
 * Re-created when our config hash label differs (only if we made it). *ret_id: caller owns. Inside: our own container, only joined. */
int devcontainer_start(const struct devcontainer *dc, struct step_ctx *c, const char *image, const char *network, char **ret_id,
		       struct err *err) must_check;
/* onCreate … postAttach, run once per container or start by the markers of CLI and VS Code, as the remote user, output to progress.
 * A marker is written after its command succeeded: a failed hook runs again at the next `up`. The first run also sets the user's git identity. */
int devcontainer_hooks(const struct devcontainer *dc, struct step_ctx *c, const char *id, struct err *err) must_check;
/* Our dev container of this workspace, whichever tool made it: id and running; inside the dev container that one. -ENOENT. */
int devcontainer_find(struct docker *d, const char *workspace, const char *file, char **ret_id, bool *ret_running, struct err *err) must_check;
/* The agent's bundle below /opt/firestream (its folder: firestream-agent), unless it is there already. */
int devcontainer_put_agent(struct step_ctx *c, const char *id, const char *bundle_tar, struct err *err) must_check;

/* A command (argv NULL: the user's login shell) as the remote user in the workspace folder, with remoteEnv; a terminal when ours is one,
 * restored however this ends. Returns the exit code. */
int devcontainer_exec(const struct devcontainer *dc, struct docker *d, const char *id, const char *const *argv, const char *user,
		      const char *cwd, struct err *err) must_check;
