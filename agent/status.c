/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/agent.h"

#include <sys/resource.h>
#include <unistd.h>

#include "agent/cluster.h"
#include "agent/reconcile.h"
#include "agent/rules.h"
#include "agent/zone.h"
#include "base/mem.h"
#include "version.h"

bool agent_is_ready(const struct agent *a)
{
	return a->serving && cluster_is_up(a->cluster) && reconcile_is_done(a->reconcile) && zone_is_settled(a->zone) &&
	       rules_are_done(a->rules);
}

static const char *state_name(const struct agent *a)
{
	if (a->stop)
		return "stopping";
	if (!a->serving)
		return "starting";
	return agent_is_ready(a) ? "ready" : "serving";
}

static void process_status(json *o)
{
	struct rusage use;

	getrusage(RUSAGE_SELF, &use);
	json_set_int(o, "cpu_ms", (use.ru_utime.tv_sec + use.ru_stime.tv_sec) * 1000 + (use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1000);
	json_set_int(o, "peak_kb", use.ru_maxrss);
}

json *agent_status(struct agent *a)
{
	json *o = json_object();

	json_set_str(o, "version", FIRESTREAM_VERSION);
	json_set_str(o, "identity", a->identity);
	json_set_int(o, "pid", getpid());
	json_set_str(o, "state", state_name(a));
	json_set_bool(o, "ready", agent_is_ready(a));
	json_set_int(o, "uptime_ms", (int64_t)((loop_now(a->loop) - a->started_ns) / 1000000));
	for (const struct module *m = a->modules; m->name; m++)
		if (m->status)
			m->status(a, o);
	process_status(json_set(o, "process", json_object()));
	json_set_int(o, "errors_noted", (int64_t)a->trouble.noted);
	json_set(o, "errors", trouble_status(&a->trouble));
	return o;
}

/* ---- for people -------------------------------------------------------------------------------------------------- */

static void text_problem(struct buf *b, const json *sentence)
{
	if (sentence)
		buf_addf(b, "problem    %s\n", sentence->valuestring);
}

static void text_cluster(struct buf *b, const json *s)
{
	const char *error = json_str(s, "cluster.error", NULL);

	buf_addf(b, "cluster    %s%s%s (%s; API server %s)\n", json_str(s, "cluster.state", "?"), error ? ": " : "",
		 error ? error : "", json_str(s, "cluster.domain", "?"),
		 json_bool(s, "cluster.api.connected", false) ? "connected" : "not connected");
	json_each(n, json_get(s, "nodes"))
		buf_addf(b, "node       %s  %s  %s\n", json_str(n, "name", "?"), json_str(n, "addresses[0]", "-"),
			 json_bool(n, "ready", false) ? "ready" : "not ready");
	json_each(h, json_get(s, "hops.list"))
		buf_addf(b, "hop        %s  %s  %s  %.1f ms\n", json_str(h, "address", "?"), json_str(h, "node", "?"),
			 json_str(h, "state", "?"), (double)json_int(h, "latency_us", 0) / 1000);
	json_each(r, json_get(s, "routes"))
		buf_addf(b, "route      %s via %s\n", json_str(r, "destination", "?"), json_str(r, "via", "?"));
	text_problem(b, json_get(s, "hops.problem"));
	json_each(h, json_get(s, "hops.list"))
		text_problem(b, json_get(h, "problem"));
	if (json_is(s, "forward"))
		buf_addf(b, "forward    %lld connections open, %lld ever, %lld failed; %lld sessions; %lld kB in, %lld kB out\n",
			 (long long)json_int(s, "forward.open", 0), (long long)json_int(s, "forward.connections", 0),
			 (long long)json_int(s, "forward.failed", 0), (long long)json_int(s, "forward.sessions", 0),
			 (long long)json_int(s, "forward.received", 0) / 1000, (long long)json_int(s, "forward.sent", 0) / 1000);
	text_problem(b, json_get(s, "forward.error"));
	if (json_bool(s, "rules.in_place", false))
		buf_addf(b, "rules      %lld ports, %lld pings%s\n", (long long)json_int(s, "rules.ports", 0),
			 (long long)json_int(s, "rules.pings", 0), json_bool(s, "rules.refusing", false) ? ", the rest is refused" : "");
	else if (json_is(s, "rules.error"))
		buf_addf(b, "rules      none: %s\n", json_str(s, "rules.error", "?"));
	json_each(p, json_get(s, "reconcile.problems"))
		text_problem(b, p);
}

static void text_server(struct buf *b, const char *what, const json *u)
{
	buf_addf(b, "%-10s %s  %s  %.1f ms  %lld asked, %lld timeouts\n", what, json_str(u, "server", "?"),
		 json_bool(u, "healthy", false) ? "healthy" : "failing", (double)json_int(u, "latency_us", 0) / 1000,
		 (long long)json_int(u, "asked", 0), (long long)json_int(u, "timeouts", 0));
}

static void text_names(struct buf *b, const json *s)
{
	buf_addf(b, "names      %s  %lld questions: %lld known, %lld here, %lld cluster, %lld outside; %lld failed\n",
		 json_str(s, "dns.listen", "-"), (long long)json_int(s, "dns.queries", 0), (long long)json_int(s, "dns.memory", 0),
		 (long long)json_int(s, "dns.local", 0), (long long)json_int(s, "dns.cluster", 0), (long long)json_int(s, "dns.external", 0),
		 (long long)json_int(s, "dns.failures", 0));
	buf_addf(b, "known      %lld services, %lld endpoint slices, %lld namespaces%s%s\n", (long long)json_int(s, "names.services", 0),
		 (long long)json_int(s, "names.endpoint_slices", 0), (long long)json_int(s, "names.namespaces", 0),
		 json_bool(s, "names.synced", false) ? "" : ", not all yet", json_bool(s, "names.live", false) ? "" : ", not followed now");
	text_problem(b, json_get(s, "names.error"));
	buf_addf(b, "cache      %lld names, %lld kB  %lld hits, %lld misses, %lld asked together\n",
		 (long long)json_int(s, "dns.cache.entries", 0), (long long)json_int(s, "dns.cache.bytes", 0) / 1024,
		 (long long)json_int(s, "dns.cache.hits", 0), (long long)json_int(s, "dns.cache.misses", 0),
		 (long long)json_int(s, "dns.coalesced", 0));
	json_each(u, json_get(s, "cluster.dns"))
		text_server(b, "cluster's", u);
	json_each(u, json_get(s, "upstreams"))
		text_server(b, "upstream", u);
	json_each(r, json_get(s, "redirect.servers"))
		buf_addf(b, "redirect   %s to %s\n", json_str(r, "server", "?"), json_str(r, "to", "?"));
	if (json_is(s, "redirect.error"))
		buf_addf(b, "redirect   none: %s\n", json_str(s, "redirect.error", "?"));
	buf_addf(b, "resolv     %s  %s\n", json_str(s, "resolv_conf.path", "-"), json_str(s, "resolv_conf.state", "-"));
}

char *status_text(const json *s)
{
	struct buf b = BUF_INIT(1 << 20);

	buf_addf(&b, "agent      %s  %s, pid %lld, up %lld s, %.1f s of CPU, %lld MB at most\n", json_str(s, "state", "?"),
		 json_str(s, "version", "?"), (long long)json_int(s, "pid", 0), (long long)json_int(s, "uptime_ms", 0) / 1000,
		 (double)json_int(s, "process.cpu_ms", 0) / 1000, (long long)json_int(s, "process.peak_kb", 0) / 1024);
	if (json_int(s, "supervisor.restarts", 0))
		buf_addf(&b, "restarts   %lld, the last one after: %s\n", (long long)json_int(s, "supervisor.restarts", 0),
			 json_str(s, "supervisor.last_exit", "?"));
	text_cluster(&b, s);
	text_names(&b, s);
	json_each(e, json_get(s, "errors"))
		buf_addf(&b, "error      %s  %s: %s (%lld times)\n", json_str(e, "last", "?"), json_str(e, "module", "?"),
			 json_str(e, "text", "?"), (long long)json_int(e, "times", 1));
	return buf_steal(&b);
}
