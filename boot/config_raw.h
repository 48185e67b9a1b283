/* SPDX-License-Identifier: Apache-2.0 */
/* config_raw: the config and catalog files as written: what the schema tables of config_schema.c fill and config.c turns
 * into struct config. A has_… member tells whether the key was there. Seen by those two files alone. */
#pragma once

#include "base/schema.h"

struct raw_image {
	char *repository, *tag, *pull_policy;
};

struct raw_amounts {
	char *cpu, *memory, *storage;
};

struct raw_resources {
	struct raw_amounts requests, limits;
};

struct raw_ingress {
	char *host, *class_name, *path;
	bool enabled, external;
	struct strv annotations;
};

struct raw_service {
	char *name;
	struct raw_image image;
	char *build;
	struct strv ports, service_ports;
	int64_t publish, replicas;
	struct raw_resources resources;
	struct raw_ingress ingress;
	struct strv env, command, args;
	bool ui, has_ui, has_publish, has_replicas, has_resources, has_ingress;
	unsigned line;
};

struct raw_catalog {
	char *description, *license;
	struct raw_service service;
};

struct raw_config {
	char *schema, *name;
	struct {
		int source;
		char *probe;
		uint64_t probe_ms;
	} images;
	struct {
		char *name, *image, *api_host;
		char *context, *kubeconfig;
		int64_t servers, agents, api_port;
		struct strv k3s_args;
		uint64_t timeout_ms;
	} cluster;
	int network_mode;
	bool devcontainer;
	struct schema_list services;	/* of struct raw_service */
	struct raw_service defaults;	/* the top level's image, service, replicaCount, resources, ingress */
};

extern const struct schema_key catalog_schema[];	/* target: struct raw_catalog */
