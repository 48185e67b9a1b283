/* SPDX-License-Identifier: Apache-2.0 */
/* config: what bootstrap tells the agent, one JSON file; checked as a whole before anything is touched.
 *
 * Required: kubeconfig, pod_cidr (not in forward mode), service_cidr, dns. Lists (CIDRs, dns) are a string with commas or an array of strings.
 * {"kubeconfig":"/path", "pod_cidr":"10.42.0.0/16", "service_cidr":"10.43.0.0/16", "dns":"10.43.0.10",
 *  "cluster_domain":"cluster.local", "namespace":"default", "state_dir":"/var/lib/firestream/agent",
 *  "socket":"/run/firestream/agent.sock", "log":"/var/log/firestream-agent.log", "resolv_conf":"/etc/resolv.conf",
 *  "listen":"127.0.53.53", "stale":30} - stale: seconds that names are said for after the cluster has gone (0 … 86400);
 *  "metrics":"127.0.0.1:9153" only where they are wanted; "mode":"forward" where no route leads to the cluster, "auto"
 *  where that is to be found out. */
#pragma once

#include "base/err.h"
#include "base/hash.h"
#include "net/addr.h"
#include "net/dnswire.h"

#define CONFIG_PATH "/etc/firestream/agent.json"
#define CONFIG_LIST_MAX 4

/* How the cluster's addresses are reached: by routes through its nodes, or carried through the API server; or by what is possible. */
enum config_mode { CONFIG_ROUTE, CONFIG_FORWARD, CONFIG_AUTO };

struct prefixes {
	struct prefix v[CONFIG_LIST_MAX];
	size_t n;
};

struct config {
	char *kubeconfig, *cluster_domain, *namespace, *state_dir, *socket, *log, *resolv_conf;	/* owned */
	struct dns_name domain;			/* cluster_domain */
	struct prefixes pods, services;
	struct hostport dns[CONFIG_LIST_MAX];
	size_t dns_count;
	struct hostport listen;
	struct hostport metrics;		/* port 0: none */
	uint64_t stale_ms;
	enum config_mode mode;
	char digest[HASH_HEX_LEN + 1];		/* of the file's text */
};

int config_load(const char *path, struct config *ret, struct err *err) must_check;
int config_parse(const void *p, size_t n, struct config *ret, struct err *err) must_check;
void config_done(struct config *c);
bool prefixes_contain(const struct prefixes *l, const struct addr *a);
/* Is p wholly inside of one of them? */
bool prefixes_cover(const struct prefixes *l, const struct prefix *p);
