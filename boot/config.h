/* SPDX-License-Identifier: Apache-2.0 */
/* config: the project's one file, checked against the schema table, with defaults filled: plain immutable data. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/json.h"
#include "base/schema.h"
#include "base/str.h"

#define CONFIG_NAME_MAX 32	/* of a project and a cluster: k3d's limit */

enum images_source { IMAGES_AUTO, IMAGES_REGISTRY, IMAGES_BUILD };
enum network_mode { NETWORK_AUTO, NETWORK_ROUTE, NETWORK_FORWARD };

struct config_image {
	char *repository, *tag, *pull_policy;
};

struct config_service {
	char *name;			/* service_name: DNS label */
	struct config_image image;	/* repository NULL: from the catalog, else the top level's */
	char *build;			/* recipe in images/, used where no registry answers; NULL: none */
	int64_t ports[8];		/* container = service ports, n_ports of them */
	size_t n_ports;
	int64_t publish;		/* host port on loopback; 0: chosen, -1: not published */
	int64_t replicas;
	struct strv env, command, args;
	json *resources, *ingress;
	bool ui;			/* has a page for people: its URL is printed */
	unsigned line;			/* of its entry, for messages */
};

struct config_cluster {
	char *name;			/* DNS label ≤ 32; default: the project's name */
	int64_t servers, agents;
	char *image;			/* node image instead of ours, or NULL */
	char *api_host;			/* bind address of the API on the host: 127.0.0.1 */
	int64_t api_port;		/* 0: a free one */
	struct strv k3s_args;
	uint64_t timeout_ms;		/* until ready */
	char *context, *kubeconfig;	/* of a cluster that is there already; both NULL: one is made */
};

struct config {
	char *file;			/* as given, or NULL when none was */
	char *name;			/* project: DNS label ≤ 32, default from the workspace folder */
	#define CONFIG_NAME_MAX 32	/* of a project and a cluster: k3d's limit */

enum images_source images_source;
	char *images_probe;		/* reference asked of the registry to decide "auto"; NULL: the first needed */
	uint64_t images_probe_ms;
	struct config_cluster cluster;
	enum network_mode network_mode;
	bool devcontainer;		/* false: cluster and services only */
	struct config_service *services;
	size_t n_services;
	size_t n_selected;	/* the first so many are meant by this run: all, or those named on the command line */
};

extern const struct schema_key config_schema[];

/* The config of a run that names none: firestream.json or .yaml in the workspace, else root's examples/first-light.json.
 * Caller owns. */
char *config_default(const char *workspace, const char *root);
/* Reads, checks, merges catalog entries (root/catalog/NAME.yaml) and defaults; file NULL: defaults only. On failure (always
 * -EINVAL) all problems are in *problems, one sentence with FILE:LINE:COLUMN each, and in err as many as fit, a line each.
 * workspace: the folder whose name is the default project name. */
int config_load(const char *file, const char *root, const char *workspace, struct config *ret, struct strv *problems,
		struct err *err) must_check;
void config_done(struct config *c);
/* Any text → a DNS label of at most max bytes ("My Project" → "my-project"); caller owns. */
char *config_label(const char *text, size_t max);
