/* SPDX-License-Identifier: Apache-2.0 */
/* devcontainer_parts: what the files of devcontainer share, and what their tests look at: variables, metadata entries, the
 * container's JSON, `docker run` flags, markers. All but the calls with a client are pure. */
#pragma once

#include "boot/devcontainer.h"

#define DC_LABEL_FOLDER	  "devcontainer.local_folder"
#define DC_LABEL_FILE	  "devcontainer.config_file"
#define DC_LABEL_METADATA "devcontainer.metadata"

/* Types of what we look at, and what cannot be honoured. */
int dc_check(const struct yaml_doc *doc, struct err *err) must_check;

/* ---- variables ---------------------------------------------------------------------------------------------------- */

struct dc_vars {
	const struct strv *env;		/* "NAME=value", before the process's environment; may be NULL */
	const char *workspace, *workspace_folder;
	const char *id;			/* NULL: ${devcontainerId} stays as it is */
	const json *container_env;	/* array of "K=V"; NULL: ${containerEnv:…} stays as it is */
};

/* Unknown names stay verbatim. Caller owns. */
char *dc_subst(const struct dc_vars *v, const char *text);
/* A copy with every string value (never a key) substituted; caller owns. */
json *dc_subst_json(const struct dc_vars *v, const json *j);

/* ---- metadata ----------------------------------------------------------------------------------------------------- */

/* The keys of devcontainer.json that the metadata label carries, raw, in the CLI's order; caller owns. */
json *dc_pick(const json *raw);
/* Entries of a label value (array, or one object); an empty array for NULL or broken text. Caller owns. */
json *dc_metadata(const char *label);
/* Last entry's value of a key, or NULL; borrowed. */
const json *dc_last(const json *entries, const char *key);

/* ---- docker run flags --------------------------------------------------------------------------------------------- */

/* Body of POST /containers/create under construction. */
struct dc_create {
	json *config, *host;		/* host: config.HostConfig, borrowed from it */
	char *name;			/* --name, or NULL; owned */
	char *network;			/* --network; owned */
	json *endpoint;			/* of that network: aliases, address; owned or NULL */
};

void dc_create_init(struct dc_create *x);
void dc_create_done(struct dc_create *x);
/* args: substituted strings. at: the list in the file, for positions, or NULL; file: its name for messages. */
int dc_run_args(struct dc_create *x, const json *args, const struct yaml *at, const char *file, struct err *err) must_check;
/* "type=bind,source=/a,target=/b" → an element of HostConfig.Mounts (the one with the same target is replaced). */
int dc_add_mount(struct dc_create *x, const char *csv, struct err *err) must_check;
/* The --mount text as JSON; caller owns; NULL on failure. */
json *dc_parse_mount(const char *csv, struct err *err);
/* "8080:80/tcp", "127.0.0.1:8080:80", "80". */
int dc_publish(struct dc_create *x, const char *spec, struct err *err) must_check;
void dc_set_env(struct dc_create *x, const char *pair);		/* "K=V": replaces K */
/* Appends unless present. */
void dc_add_unique(json *object, const char *list, const char *value);

/* ---- container ---------------------------------------------------------------------------------------------------- */

/* The whole body, labels included but for our own two. image: its inspect answer; id: devcontainer id. */
int dc_container(const struct devcontainer *dc, const struct dc_vars *v, const json *image, const char *image_ref, bool podman,
		 struct dc_create *ret, struct err *err) must_check;
/* HTTP_PROXY … from the proxies section of the engine command line's config.json, into the container's environment. */
void dc_add_proxies(struct dc_create *x, const json *docker_config, const char *host);
/* Own container id out of /proc/self/mountinfo; caller owns; NULL. */
char *dc_own_id(const char *mountinfo);

/* ---- users and hooks ---------------------------------------------------------------------------------------------- */

/* What an exec needs to know of a running container. */
struct dc_session {
	json *inspect, *entries;	/* entries: substituted metadata; owned */
	char *user;			/* remote user, never NULL */
	struct strv env;		/* remoteEnv */
};

int dc_session_open(const struct devcontainer *dc, struct docker *d, const char *id, struct dc_session *ret, struct err *err) must_check;
void dc_session_done(struct dc_session *s);

/* A hook's command: a string is the shell's, a list is taken as it is. False when it is empty. */
#define DC_ARGV_MAX 256
bool dc_hook_argv(const json *command, const char *ret[static DC_ARGV_MAX]);

/* A line of the probe's answer that tells of a marker ("marker N STAGE content"). True when the stage counts as done for `key`. */
bool dc_marker_done(const char *probe, const char *stage, const char *key);
