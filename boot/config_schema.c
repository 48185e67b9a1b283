/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <ctype.h>
#include <stddef.h>

#include "base/num.h"
#include "boot/config.h"
#include "boot/config_raw.h"

enum { NAME_MAX_LEN = 32 };

static bool valid_name(const char *text, const char **expected)
{
	*expected = "a DNS label (a-z, 0-9, -) of at most 32 characters";
	return str_is_label(text) && strlen(text) <= NAME_MAX_LEN;
}

static bool valid_service_name(const char *text, const char **expected)
{
	*expected = "a DNS label (a-z, 0-9, -) that starts with a letter";
	return str_is_label(text) && islower((unsigned char)text[0]);
}

static bool valid_port(const char *text, const char **expected)
{
	uint16_t port;

	*expected = "a port from 1 to 65535";
	return num_u16(text, &port) == 0 && port > 0;
}

static bool valid_address(const char *text, const char **expected)
{
	struct in6_addr any;

	*expected = "an IP address";
	return inet_pton(AF_INET, text, &any) == 1 || inet_pton(AF_INET6, text, &any) == 1;
}

static bool valid_repository(const char *text, const char **expected)
{
	*expected = "an image name without tag, such as ghcr.io/owner/name";
	return *text && isalnum((unsigned char)text[0]) &&
	       text[strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/:")] == '\0' && !str_ends(text, "/") &&
	       !str_ends(text, ":") && (!strrchr(text, ':') || strchr(strrchr(text, ':'), '/'));
}

static bool valid_reference(const char *text, const char **expected)
{
	*expected = "an image reference, such as ghcr.io/owner/name:tag";
	return isalnum((unsigned char)text[0]) &&
	       text[strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/:@")] == '\0';
}

static bool valid_tag(const char *text, const char **expected)
{
	*expected = "an image tag";
	return (isalnum((unsigned char)text[0]) || text[0] == '_') && strlen(text) <= 128 &&
	       text[strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")] == '\0';
}

static bool valid_pull_policy(const char *text, const char **expected)
{
	*expected = "Always, IfNotPresent or Never";
	return streq(text, "Always") || streq(text, "IfNotPresent") || streq(text, "Never");
}

static bool valid_cpu(const char *text, const char **expected)
{
	size_t digits = strspn(text, "0123456789"), more = text[digits] == '.' ? strspn(text + digits + 1, "0123456789") + 1 : 0;

	*expected = "an amount of CPU, such as 200m or 0.5";
	return digits > 0 && more != 1 && (text[digits + more] == '\0' || streq(text + digits + more, "m"));
}

static bool valid_bytes(const char *text, const char **expected)
{
	uint64_t n;

	*expected = "an amount of bytes, such as 128Mi or 1G";
	return num_bytes(text, &n) == 0;
}

static bool valid_host(const char *text, const char **expected)
{
	*expected = "a host name";
	return str_is_subdomain(text);
}

static bool valid_path(const char *text, const char **expected)
{
	*expected = "a path that starts with /";
	return text[0] == '/';
}

#define TEXT(key, target, member, grammar, about) \
	{ .name = key, .type = SCHEMA_STRING, .offset = offsetof(target, member), .valid = grammar, .help = about }
#define MAP_OF(key, target, member, table, about) \
	{ .name = key, .type = SCHEMA_OBJECT, .offset = offsetof(target, member), .keys = table, .help = about }

static const struct schema_key image_keys[] = {
	TEXT("repository", struct raw_image, repository, valid_repository, "image name without tag"),
	TEXT("tag", struct raw_image, tag, valid_tag, "its tag; latest"),
	TEXT("pullPolicy", struct raw_image, pull_policy, valid_pull_policy, "Always, IfNotPresent or Never"),
	{ 0 }
};

static const struct schema_key amount_keys[] = {
	TEXT("cpu", struct raw_amounts, cpu, valid_cpu, "such as 200m"),
	TEXT("memory", struct raw_amounts, memory, valid_bytes, "such as 128Mi"),
	TEXT("ephemeral-storage", struct raw_amounts, storage, valid_bytes, "such as 1Gi"),
	{ 0 }
};

static const struct schema_key resource_keys[] = {
	MAP_OF("requests", struct raw_resources, requests, amount_keys, "what it is promised"),
	MAP_OF("limits", struct raw_resources, limits, amount_keys, "what it may use at most"),
	{ 0 }
};

static const struct schema_key ingress_keys[] = {
	{ .name = "enabled", .type = SCHEMA_BOOL, .offset = offsetof(struct raw_ingress, enabled), .help = "make an Ingress" },
	{ .name = "external", .type = SCHEMA_BOOL, .offset = offsetof(struct raw_ingress, external), .help = "also for other machines" },
	TEXT("host", struct raw_ingress, host, valid_host, "its host name"),
	TEXT("className", struct raw_ingress, class_name, valid_name, "ingress class"),
	TEXT("path", struct raw_ingress, path, valid_path, "its path; /"),
	{ .name = "annotations", .type = SCHEMA_STRING_MAP, .offset = offsetof(struct raw_ingress, annotations), .help = "annotations" },
	{ 0 }
};

/* A service's `service: {ports: […]}` writes into the service itself. */
static const struct schema_key port_keys[] = {
	{ .name = "ports", .type = SCHEMA_STRINGS, .offset = offsetof(struct raw_service, service_ports), .max = 8, .valid = valid_port,
	  .help = "container and service ports" },
	{ 0 }
};

/* Rows that a config's service and a catalog entry share; `target` holds a struct raw_service as `at` (with its dot). */
#define SERVICE_ROWS(target, at) \
	MAP_OF("image", target, at image, image_keys, "image to run"), \
	TEXT("build", target, at build, valid_service_name, "recipe in images/, used where no registry answers"), \
	{ .name = "ports", .type = SCHEMA_STRINGS, .offset = offsetof(target, at ports), .max = 8, .valid = valid_port, \
	  .help = "container and service ports" }, \
	{ .name = "ui", .type = SCHEMA_BOOL, .offset = offsetof(target, at ui), .set_offset = offsetof(target, at has_ui), \
	  .help = "has a page for people: its URL is printed" }, \
	{ .name = "env", .type = SCHEMA_STRING_MAP, .offset = offsetof(target, at env), .help = "environment variables" }, \
	{ .name = "command", .type = SCHEMA_STRINGS, .offset = offsetof(target, at command), .help = "instead of the image's entrypoint" }, \
	{ .name = "args", .type = SCHEMA_STRINGS, .offset = offsetof(target, at args), .help = "arguments" }, \
	{ .name = "resources", .type = SCHEMA_OBJECT, .offset = offsetof(target, at resources), .keys = resource_keys, \
	  .set_offset = offsetof(target, at has_resources), .help = "CPU and memory" }, \
	{ .name = "replicaCount", .type = SCHEMA_INT, .offset = offsetof(target, at replicas), .min = 0, .max = 100, \
	  .set_offset = offsetof(target, at has_replicas), .help = "how many pods; 1" }

static const struct schema_key service_keys[] = {
	{ .name = "service_name", .type = SCHEMA_STRING, .offset = offsetof(struct raw_service, name), .valid = valid_service_name,
	  .required = true, .line_offset = offsetof(struct raw_service, line), .help = "its name; one of the catalog, or your own" },
	SERVICE_ROWS(struct raw_service, ),
	{ .name = "service", .type = SCHEMA_OBJECT, .offset = 0, .keys = port_keys, .help = "ports, in a chart's way" },
	{ .name = "publish", .type = SCHEMA_INT, .offset = offsetof(struct raw_service, publish), .min = -1, .max = 65535,
	  .set_offset = offsetof(struct raw_service, has_publish), .help = "port on this machine; 0: a free one, -1: none" },
	{ .name = "ingress", .type = SCHEMA_OBJECT, .offset = offsetof(struct raw_service, ingress), .keys = ingress_keys,
	  .set_offset = offsetof(struct raw_service, has_ingress), .help = "Ingress" },
	{ 0 }
};

const struct schema_key catalog_schema[] = {
	TEXT("description", struct raw_catalog, description, NULL, "what it is, one line"),
	TEXT("license", struct raw_catalog, license, NULL, "SPDX expression"),
	SERVICE_ROWS(struct raw_catalog, service.),
	{ 0 }
};

static const char *const source_names[] = { "auto", "registry", "build", NULL };
static const char *const mode_names[] = { "auto", "route", "forward", NULL };

static const struct schema_key images_keys[] = {
	{ .name = "source", .type = SCHEMA_ENUM, .offset = offsetof(struct raw_config, images.source), .names = source_names, .def = "auto",
	  .help = "where images come from; auto asks whether a registry answers" },
	TEXT("probe", struct raw_config, images.probe, valid_reference, "image that a registry is asked for"),
	{ .name = "probeTimeout", .type = SCHEMA_DURATION, .offset = offsetof(struct raw_config, images.probe_ms), .def = "10s",
	  .help = "how long it may take to answer" },
	{ 0 }
};

static const struct schema_key api_keys[] = {
	{ .name = "host", .type = SCHEMA_STRING, .offset = offsetof(struct raw_config, cluster.api_host), .valid = valid_address,
	  .def = "127.0.0.1", .help = "address of this machine where the API listens" },
	{ .name = "port", .type = SCHEMA_INT, .offset = offsetof(struct raw_config, cluster.api_port), .max = 65535, .def = "0",
	  .help = "its port; 0: a free one" },
	{ 0 }
};

static const struct schema_key cluster_keys[] = {
	TEXT("name", struct raw_config, cluster.name, valid_name, "default: the project's"),
	{ .name = "servers", .type = SCHEMA_INT, .offset = offsetof(struct raw_config, cluster.servers), .min = 1, .max = 1, .def = "1",
	  .help = "server nodes; one" },
	{ .name = "agents", .type = SCHEMA_INT, .offset = offsetof(struct raw_config, cluster.agents), .max = 20, .def = "0",
	  .help = "nodes besides the server" },
	TEXT("image", struct raw_config, cluster.image, valid_reference, "node image instead of ours"),
	{ .name = "api", .type = SCHEMA_OBJECT, .offset = 0, .keys = api_keys, .help = "the Kubernetes API on this machine" },
	{ .name = "k3sArgs", .type = SCHEMA_STRINGS, .offset = offsetof(struct raw_config, cluster.k3s_args), .max = 100,
	  .help = "further arguments of k3s server" },
	{ .name = "timeout", .type = SCHEMA_DURATION, .offset = offsetof(struct raw_config, cluster.timeout_ms), .def = "5m",
	  .help = "how long it may take to become ready" },
	{ 0 }
};

static const struct schema_key network_keys[] = {
	{ .name = "mode", .type = SCHEMA_ENUM, .offset = offsetof(struct raw_config, network_mode), .names = mode_names, .def = "auto",
	  .help = "how the dev container reaches the cluster" },
	{ 0 }
};

static const struct schema_key defaults_port_keys[] = {
	{ .name = "ports", .type = SCHEMA_STRINGS, .offset = offsetof(struct raw_config, defaults.service_ports), .max = 8,
	  .valid = valid_port, .help = "container and service ports" },
	{ 0 }
};

const struct schema_key config_schema[] = {
	TEXT("$schema", struct raw_config, schema, NULL, "for editors"),
	TEXT("name", struct raw_config, name, valid_name, "the project; default: the folder's name"),
	{ .name = "images", .type = SCHEMA_OBJECT, .offset = 0, .keys = images_keys, .help = "images" },
	{ .name = "cluster", .type = SCHEMA_OBJECT, .offset = 0, .keys = cluster_keys, .help = "the cluster" },
	{ .name = "network", .type = SCHEMA_OBJECT, .offset = 0, .keys = network_keys, .help = "the network" },
	{ .name = "devcontainer", .type = SCHEMA_BOOL, .offset = offsetof(struct raw_config, devcontainer), .def = "true",
	  .help = "false: cluster and services only" },
	{ .name = "services", .type = SCHEMA_OBJECTS, .offset = offsetof(struct raw_config, services), .keys = service_keys,
	  .size = sizeof(struct raw_service), .max = 200, .help = "what runs in the cluster" },
	MAP_OF("image", struct raw_config, defaults.image, image_keys, "of services that name none"),
	{ .name = "service", .type = SCHEMA_OBJECT, .offset = 0, .keys = defaults_port_keys, .help = "ports of services that name none" },
	{ .name = "replicaCount", .type = SCHEMA_INT, .offset = offsetof(struct raw_config, defaults.replicas), .max = 100,
	  .set_offset = offsetof(struct raw_config, defaults.has_replicas), .help = "of services that name none" },
	{ .name = "resources", .type = SCHEMA_OBJECT, .offset = offsetof(struct raw_config, defaults.resources), .keys = resource_keys,
	  .set_offset = offsetof(struct raw_config, defaults.has_resources), .help = "of services that name none" },
	{ .name = "ingress", .type = SCHEMA_OBJECT, .offset = offsetof(struct raw_config, defaults.ingress), .keys = ingress_keys,
	  .set_offset = offsetof(struct raw_config, defaults.has_ingress), .help = "of services that name none" },
	{ 0 }
};
