/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/metrics.h"

#include "base/str.h"

#define PREFIX "firestream_agent_"

enum kind {
	COUNTER,	/* a number that grows */
	GAUGE,		/* a number or a boolean */
	STATE,		/* 1 when the string is `is`, else 0; without `is`: 1 */
	SIZE,		/* of an array */
};

/* A row is one sample, or one for each entry of the array `list`. Rows of one metric follow each other, the first has the help. */
static const struct row {
	const char *name, *help;
	enum kind kind;
	const char *value;		/* path in the status, or in the entry */
	const char *list, *is;
	const char *label;		/* as it is */
	struct { const char *name, *key; } labels[2];
	double scale;			/* 0: 1 */
} rows[] = {
#define M(n, h, k, v, ...) { .name = n, .help = h, .kind = k, .value = v, __VA_ARGS__ }
	M("info", "The agent's version.", STATE, "version", .labels = { { "version", "version" } }),
	M("ready", "Whether the cluster's names and addresses are answered.", GAUGE, "ready"),
	M("uptime_seconds", "Time since the start.", GAUGE, "uptime_ms", .scale = 1e-3),
	M("cpu_seconds_total", "CPU time that the agent has used.", COUNTER, "process.cpu_ms", .scale = 1e-3),
	M("memory_peak_bytes", "The most memory that was resident.", GAUGE, "process.peak_kb", .scale = 1024),
	M("errors_total", "Failures that were noted.", COUNTER, "errors_noted"),

	M("cluster_state", "What is known of the cluster's DNS.", STATE, "cluster.state", .is = "up", .label = "state=\"up\""),
	M("cluster_state", NULL, STATE, "cluster.state", .is = "silent", .label = "state=\"silent\""),
	M("cluster_state", NULL, STATE, "cluster.state", .is = "away", .label = "state=\"away\""),
	M("names_synced", "Whether all the cluster's objects are known.", GAUGE, "names.synced"),
	M("names_live", "Whether they are followed now.", GAUGE, "names.live"),
	M("names_objects", "Objects that names are made of.", GAUGE, "names.services", .label = "kind=\"services\""),
	M("names_objects", NULL, GAUGE, "names.endpoint_slices", .label = "kind=\"endpointslices\""),
	M("names_objects", NULL, GAUGE, "names.namespaces", .label = "kind=\"namespaces\""),
	M("api_connected", "Whether the API server is watched.", GAUGE, "cluster.api.connected"),

	M("dns_queries_total", "Questions that came in.", COUNTER, "dns.queries"),
	M("dns_tcp_queries_total", "Those of them over TCP.", COUNTER, "dns.tcp"),
	M("dns_answers_total", "Questions by whose answer they get.", COUNTER, "dns.local", .label = "from=\"agent\""),
	M("dns_answers_total", NULL, COUNTER, "dns.memory", .label = "from=\"memory\""),
	M("dns_answers_total", NULL, COUNTER, "dns.cluster", .label = "from=\"cluster\""),
	M("dns_answers_total", NULL, COUNTER, "dns.external", .label = "from=\"upstream\""),
	M("dns_coalesced_total", "Questions that joined one under way.", COUNTER, "dns.coalesced"),
	M("dns_failures_total", "Questions that nobody could answer.", COUNTER, "dns.failures"),
	M("dns_overload_total", "Questions refused because too many waited.", COUNTER, "dns.overload"),
	M("dns_dropped_total", "Messages that were no question.", COUNTER, "dns.dropped"),
	M("dns_in_flight", "Questions that wait.", GAUGE, "dns.in_flight"),
	M("dns_cache_hits_total", "Answers from the cache.", COUNTER, "dns.cache.hits"),
	M("dns_cache_misses_total", "Questions that the cache could not answer.", COUNTER, "dns.cache.misses"),
	M("dns_cache_evictions_total", "Entries that had to make room.", COUNTER, "dns.cache.evictions"),
	M("dns_cache_entries", "Names in the cache.", GAUGE, "dns.cache.entries"),
	M("dns_cache_bytes", "Memory of the cache.", GAUGE, "dns.cache.bytes"),

	M("rules_in_place", "Whether services can be pinged.", GAUGE, "rules.in_place"),
	M("rules_refusing", "Whether what nobody serves is refused.", GAUGE, "rules.refusing"),
	M("rules_ports", "Addresses with a port that are served.", GAUGE, "rules.ports"),
	M("rules_pings", "Addresses that answer pings.", GAUGE, "rules.pings"),
	M("rules_changes_total", "Changes of these.", COUNTER, "rules.changes"),
	M("forward_connections", "Connections that are carried now.", GAUGE, "forward.open"),
	M("forward_connections_total", "Connections that were to be carried.", COUNTER, "forward.connections"),
	M("forward_failed_total", "Those that found nobody, or were broken off.", COUNTER, "forward.failed"),
	M("forward_sessions", "Connections to the API server for them.", GAUGE, "forward.sessions"),
	M("forward_received_bytes_total", "What pods have sent.", COUNTER, "forward.received"),
	M("forward_sent_bytes_total", "What pods were sent.", COUNTER, "forward.sent"),
	M("redirect_in_place", "Whether questions to the original DNS servers come here.", GAUGE, "redirect.in_place"),

#define SERVERS(name, help, kind, value, ...) \
	M(name, help, kind, value, .list = "upstreams", .label = "of=\"upstream\"", .labels = { { "server", "server" } }, __VA_ARGS__), \
	M(name, NULL, kind, value, .list = "cluster.dns", .label = "of=\"cluster\"", .labels = { { "server", "server" } }, __VA_ARGS__)
	SERVERS("server_queries_total", "Questions sent to a DNS server.", COUNTER, "asked"),
	SERVERS("server_answers_total", "Its answers.", COUNTER, "answered"),
	SERVERS("server_timeouts_total", "Questions that it did not answer in time.", COUNTER, "timeouts"),
	SERVERS("server_healthy", "Whether it answers.", GAUGE, "healthy"),
	SERVERS("server_latency_seconds", "How long its answers take.", GAUGE, "latency_us", .scale = 1e-6),
#undef SERVERS

#define HOP .list = "hops.list", .labels = { { "node", "node" }, { "address", "address" } }
	M("nodes", "Nodes of the cluster.", SIZE, "nodes"),
	M("node_ready", "Whether the API says that a node is ready.", GAUGE, "ready", .list = "nodes", .labels = { { "node", "name" } }),
	M("hop_alive", "Whether a node answers probes.", STATE, "state", .is = "alive", HOP),
	M("hop_latency_seconds", "How long its last answer took.", GAUGE, "latency_us", .scale = 1e-6, HOP),
#undef HOP
	M("routes", "Routes of ours.", SIZE, "routes"),
	M("route_changes_total", "Routes that were set or removed.", COUNTER, "reconcile.changes"),
	M("route_problems", "What keeps the routes from being complete.", SIZE, "reconcile.problems"),
#undef M
};

static void label_value(struct buf *out, const char *s)
{
	buf_addc(out, '"');
	for (; *s; s++) {
		if (*s == '"' || *s == '\\')
			buf_addc(out, '\\');
		if (*s == '\n')
			buf_adds(out, "\\n");
		else
			buf_addc(out, *s);
	}
	buf_addc(out, '"');
}

static void labels(struct buf *out, const struct row *r, const json *entry)
{
	char before = '{';

	if (r->label) {
		buf_addf(out, "{%s", r->label);
		before = ',';
	}
	for (size_t i = 0; i < ARRAY_SIZE(r->labels) && r->labels[i].name; i++) {
		buf_addf(out, "%c%s=", before, r->labels[i].name);
		label_value(out, json_str(entry, r->labels[i].key, ""));
		before = ',';
	}
	if (before == ',')
		buf_addc(out, '}');
}

static double number(const struct row *r, const json *entry, const json *v)
{
	switch (r->kind) {
	case STATE:
		return !r->is || streq(json_str(entry, r->value, ""), r->is);
	case SIZE:
		return cJSON_GetArraySize(v);
	case COUNTER:
	case GAUGE:
		break;
	}
	return cJSON_IsBool(v) ? cJSON_IsTrue(v) : v->valuedouble * (r->scale > 0 ? r->scale : 1);
}

/* Nothing where the status has no such value: a module that is not there. */
static void sample(struct buf *out, const struct row *r, const json *entry)
{
	const json *v = json_get(entry, r->value);

	if (!v)
		return;
	buf_addf(out, PREFIX "%s", r->name);
	labels(out, r, entry);
	buf_addf(out, " %.15g\n", number(r, entry, v));
}

void metrics_text(const json *status, struct buf *out)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct row *r = &rows[i];

		if (r->help)
			buf_addf(out, "# HELP " PREFIX "%s %s\n# TYPE " PREFIX "%s %s\n", r->name, r->help, r->name,
				 r->kind == COUNTER ? "counter" : "gauge");
		if (!r->list)
			sample(out, r, status);
		else
			json_each(entry, json_get(status, r->list))
				sample(out, r, entry);
	}
}
