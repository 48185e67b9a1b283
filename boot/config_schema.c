/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <ctype.h>
#include <stddef.h>

#include "base/num.h"
#include "boot/config.h"
#include "boot/config_raw.h"

#define WORD "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"

static bool valid_name(const char *text, const char **expected)
{
	*expected = "a DNS label (a-z, 0-9, -) of at most 32 characters";
	return str_is_label(text) && strlen(text) <= CONFIG_NAME_MAX;
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
	return isalnum((unsigned char)text[0]) && text[strspn(text, WORD "/:")] == '\0' && !str_ends(text, "/") &&
	       !str_ends(text, ":") && (!strrchr(text, ':') || strchr(strrchr(text, ':'), '/'));
}

static bool valid_reference(const char *text, const char **expected)
{
	*expected = "an image reference, such as ghcr.io/owner/name:tag";
	return isalnum((unsigned char)text[0]) && text[strspn(text, WORD "/:@")] == '\0';
}

static bool valid_tag(const char *text, const char **expected)
{
	*expected = "an image tag";
	return (isalnum((unsigned char)text[0]) || text[0] == '_') && strlen(text) <= 128 &&
	       text[strspn(text, WORD)] == '\0';
}

static bool valid_pull_policy(const char *text, const char **expected)
{
	*expected = "Always, IfNotPresent or Never";
	return streq(text, "Always") || streq(text, "IfNotPresent") || streq(text, "Never");
}

static bool valid_cpu(const char *text, const char **expected)
{
	size_t digits = strspn(text, "0123456789");
	size_t more = text[digits] == '.' ? strspn(text + digits + 1, "0123456789") + 1 : 0;

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

#define ROW(key, kind, target, member, about, ...) \
	{ .name = key, .type = SCHEMA_##kind, .offset = offsetof(target, member), .help = about, ##__VA_ARGS__ }
#define TEXT(key, target, member, grammar, about, ...) ROW(key, STRING, target, member, about, .valid = grammar, ##__VA_ARGS__)
#define MAP_OF(key, target, member, table, about, ...) ROW(key, OBJECT, target, member, about, .keys = table, ##__VA_ARGS__)
#define PORTS(key, target, member) ROW(key, STRINGS, target, member, "container and service ports", .max = 8, .valid = valid_port)
#define PRESENT(target, member) .set_offset = offsetof(target, member)
/* Its keys write into the same struct. */
#define GROUP(key, table, about) { .name = key, .type = SCHEMA_OBJECT, .keys = table, .help = about }

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
	ROW("enabled", BOOL, struct raw_ingress, enabled, "make an Ingress"),
	ROW("external", BOOL, struct raw_ingress, external, "also for other machines"),
	TEXT("host", struct raw_ingress, host, valid_host, "its host name"),
	TEXT("className", struct raw_ingress, class_name, valid_name, "ingress class"),
	TEXT("path", struct raw_ingress, path, valid_path, "its path; /"),
	ROW("annotations", STRING_MAP, struct raw_ingress, annotations, "annotations"),
	{ 0 }
};

static const struct schema_key port_keys[] = {
	PORTS("ports", struct raw_service, service_ports),
	{ 0 }
};

/* Rows that a config's service and a catalog entry share; `target` holds a struct raw_service as `at` (with its dot). */
#define SERVICE_ROWS(target, at) \
	MAP_OF("image", target, at image, image_keys, "image to run"), \
	TEXT("build", target, at build, valid_service_name, "recipe in images/, used where no registry answers"), \
	PORTS("ports", target, at ports), \
	ROW("ui", BOOL, target, at ui, "has a page for people: its URL is printed", PRESENT(target, at has_ui)), \
	ROW("env", STRING_MAP, target, at env, "environment variables"), \
	ROW("command", STRINGS, target, at command, "instead of the image's entrypoint"), \
	ROW("args", STRINGS, target, at args, "arguments"), \
	MAP_OF("resources", target, at resources, resource_keys, "CPU and memory", PRESENT(target, at has_resources)), \
	ROW("replicaCount", INT, target, at replicas, "how many pods; 1", .max = 100, PRESENT(target, at has_replicas))

static const struct schema_key service_keys[] = {
	TEXT("service_name", struct raw_service, name, valid_service_name, "one of the catalog, or your own",
	     .required = true, .line_offset = offsetof(struct raw_service, line)),
	SERVICE_ROWS(struct raw_service, ),
	GROUP("service", port_keys, "ports, in a chart's way"),
	ROW("publish", INT, struct raw_service, publish, "port on this machine; 0: a free one, -1: none", .min = -1, .max = 65535,
	    PRESENT(struct raw_service, has_publish)),
	MAP_OF("ingress", struct raw_service, ingress, ingress_keys, "Ingress", PRESENT(struct raw_service, has_ingress)),
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
	ROW("source", ENUM, struct raw_config, images.source, "where images come from; auto asks whether a registry answers",
	    .names = source_names, .def = "auto"),
	TEXT("probe", struct raw_config, images.probe, valid_reference, "image that a registry is asked for"),
	ROW("probeTimeout", DURATION, struct raw_config, images.probe_ms, "how long it may take to answer", .def = "10s"),
	{ 0 }
};

static const struct schema_key api_keys[] = {
	TEXT("host", struct raw_config, cluster.api_host, valid_address, "address of this machine where it listens", .def = "127.0.0.1"),
	ROW("port", INT, struct raw_config, cluster.api_port, "its port; 0: a free one", .max = 65535, .def = "0"),
	{ 0 }
};

static const struct schema_key cluster_keys[] = {
	TEXT("name", struct raw_config, cluster.name, valid_name, "default: the project's"),
	TEXT("context", struct raw_config, cluster.context, NULL, "of a cluster that is there already: none is made"),
	TEXT("kubeconfig", struct raw_config, cluster.kubeconfig, NULL, "the file that has the context; default: kubectl's"),
	ROW("servers", INT, struct raw_config, cluster.servers, "server nodes; one", .min = 1, .max = 1, .def = "1"),
	ROW("agents", INT, struct raw_config, cluster.agents, "nodes besides the server", .max = 20, .def = "0"),
	TEXT("image", struct raw_config, cluster.image, valid_reference, "node image instead of ours"),
	GROUP("api", api_keys, "the Kubernetes API on this machine"),
	ROW("k3sArgs", STRINGS, struct raw_config, cluster.k3s_args, "further arguments of k3s server", .max = 100),
	ROW("timeout", DURATION, struct raw_config, cluster.timeout_ms, "how long it may take to become ready", .def = "5m"),
	{ 0 }
};

static const struct schema_key network_keys[] = {
	ROW("mode", ENUM, struct raw_config, network_mode, "how the dev container reaches the cluster", .names = mode_names, .def = "auto"),
	{ 0 }
};

static const struct schema_key default_port_keys[] = {
	PORTS("ports", struct raw_config, defaults.service_ports),
	{ 0 }
};

#define OF_OTHERS "of services that name none"

const struct schema_key config_schema[] = {
	TEXT("$schema", struct raw_config, schema, NULL, "for editors"),
	TEXT("name", struct raw_config, name, valid_name, "the project; default: the folder's name"),
	GROUP("images", images_keys, "images"),
	GROUP("cluster", cluster_keys, "the cluster"),
	GROUP("network", network_keys, "the network"),
	ROW("devcontainer", BOOL, struct raw_config, devcontainer, "false: cluster and services only", .def = "true"),
	ROW("services", OBJECTS, struct raw_config, services, "what runs in the cluster", .keys = service_keys,
	    .size = sizeof(struct raw_service), .max = 200),
	MAP_OF("image", struct raw_config, defaults.image, image_keys, OF_OTHERS),
	GROUP("service", default_port_keys, OF_OTHERS),
	ROW("replicaCount", INT, struct raw_config, defaults.replicas, OF_OTHERS, .max = 100,
	    PRESENT(struct raw_config, defaults.has_replicas)),
	MAP_OF("resources", struct raw_config, defaults.resources, resource_keys, OF_OTHERS,
	       PRESENT(struct raw_config, defaults.has_resources)),
	MAP_OF("ingress", struct raw_config, defaults.ingress, ingress_keys, OF_OTHERS, PRESENT(struct raw_config, defaults.has_ingress)),
	{ 0 }
};
