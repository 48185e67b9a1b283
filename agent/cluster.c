/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/cluster.h"

#include <errno.h>
#include <time.h>

#include "agent/dns.h"
#include "agent/upstreams.h"
#include "base/log.h"
#include "base/mem.h"

#define PROBE_MS 1000
#define PROBE_SOON_MS 300	/* after a failure that came at once */
#define ASK_MS 1000
#define FAILURES_MAX 2

static const char *const state_names[] = {
	[CLUSTER_AWAY] = "away",
	[CLUSTER_SILENT] = "silent",
	[CLUSTER_UP] = "up",
};
_Static_assert(ARRAY_SIZE(state_names) == CLUSTER_STATES, "each state has a name");

static void state_set(struct cluster *c, enum cluster_state new)
{
	enum cluster_state old = c->state;

	if (old == new)
		return;
	log_info("cluster %s → %s", state_names[old], state_names[new]);
	c->state = new;
	c->since_ns = loop_now(c->agent->loop);
	c->serial++;
	if (old == CLUSTER_UP) {
		c->lost_ns = c->since_ns;
		dns_cluster_lost(c->agent->dns);
	}
}

static bool needs_probe(const struct cluster *c)
{
	return c->routed && (c->state != CLUSTER_UP || !c->api_connected || c->suspect);
}

static void on_timer(struct timer *t);

static void probe_schedule(struct cluster *c, uint64_t after_ms)
{
	if (needs_probe(c))
		timer_start(c->agent->loop, &c->timer, after_ms, on_timer);
	else
		timer_stop(&c->timer);
}

static void probe_ended(struct cluster *c, bool good, uint64_t next_ms)
{
	if (good) {
		c->failures = 0;
		c->suspect = false;
		if (c->routed)
			state_set(c, CLUSTER_UP);
	} else {
		c->probe_server++;
		if (++c->failures >= FAILURES_MAX && c->routed)
			state_set(c, CLUSTER_SILENT);
	}
	probe_schedule(c, next_ms);
}

static void on_probe(struct upstream_query *q, int code, unsigned rcode, const uint8_t *reply, size_t len)
{
	struct cluster *c = container_of(q, struct cluster, probe);
	bool good = !code && (rcode == DNS_NOERROR || rcode == DNS_NXDOMAIN);

	probe_ended(c, good, good ? PROBE_MS : PROBE_SOON_MS);
}

static void probe_send(struct cluster *c)
{
	struct upstream *u = c->dns[c->probe_server % c->dns_count];

	if (upstream_ask(u, &c->probe, &c->question, on_probe))
		probe_ended(c, false, PROBE_SOON_MS);
	else
		timer_start(c->agent->loop, &c->timer, PROBE_MS, on_timer);
}

static void on_timer(struct timer *t)
{
	struct cluster *c = container_of(t, struct cluster, timer);

	if (c->probe.flight) {		/* a second without an answer */
		upstream_cancel(&c->probe);
		probe_ended(c, false, 0);
	} else if (needs_probe(c)) {
		probe_send(c);
	}
}

static void probe_now(struct cluster *c)
{
	if (!c->probe.flight)
		probe_schedule(c, 0);
}

static int question_make(struct cluster *c, struct err *err)
{
	autofree char *name = xasprintf("kubernetes.default.svc.%s", c->agent->config.cluster_domain);

	c->question = (struct dns_query){ .flags = DNS_RD, .type = DNS_A, .class = DNS_IN };
	if (dns_name_parse(name, &c->question.name))
		return err_set(err, -EINVAL, "cluster_domain \"%s\" is too long", c->agent->config.cluster_domain);
	return 0;
}

int cluster_start(struct agent *a, struct err *err)
{
	struct cluster *c = a->cluster = xcalloc(1, sizeof(*c));
	int r;

	c->agent = a;
	c->since_ns = loop_now(a->loop);
	c->serial = (uint32_t)time(NULL);
	r = question_make(c, err);
	for (size_t i = 0; !r && i < a->config.dns_count; i++, c->dns_count++) {
		c->dns[i] = upstream_new(a->loop, &a->config.dns[i], ASK_MS, err);
		if (!c->dns[i])
			return -EIO;
	}
	return r;
}

void cluster_stop(struct agent *a)
{
	struct cluster *c = a->cluster;

	if (!c)
		return;
	timer_stop(&c->timer);
	for (size_t i = 0; i < c->dns_count; i++)
		upstream_free(c->dns[i]);
	free(steal(&a->cluster));
}

bool cluster_is_up(const struct cluster *c)
{
	return c && c->state == CLUSTER_UP;
}

void cluster_set_routed(struct cluster *c, bool routed)
{
	if (!c || c->routed == routed)
		return;
	c->routed = routed;
	c->failures = 0;
	if (!routed) {
		upstream_cancel(&c->probe);
		timer_stop(&c->timer);
		state_set(c, CLUSTER_AWAY);
		return;
	}
	if (c->state == CLUSTER_AWAY)
		state_set(c, CLUSTER_SILENT);
	probe_now(c);
}

void cluster_set_carried(struct cluster *c, bool carried)
{
	for (size_t i = 0; c && i < c->dns_count; i++)
		upstream_set_carried(c->dns[i], carried);
	cluster_doubt(c);
}

void cluster_set_api(struct cluster *c, bool connected, const struct err *why)
{
	if (!c)
		return;
	snprintf(c->api_error, sizeof(c->api_error), "%s", connected || !why ? "" : err_text(why));
	if (c->api_connected != connected) {
		c->api_connected = connected;
		probe_now(c);
	}
}

void cluster_doubt(struct cluster *c)
{
	if (!c || c->suspect || c->state != CLUSTER_UP)
		return;
	c->suspect = true;
	probe_now(c);
}

void cluster_status(struct agent *a, json *o)
{
	const struct cluster *c = a->cluster;
	json *j = json_set(o, "cluster", json_object()), *api, *dns;

	if (!c)
		return;
	json_set_str(j, "state", state_names[c->state]);
	json_set_int(j, "since_ms", (int64_t)((loop_now(a->loop) - c->since_ns) / 1000000));
	if (c->state == CLUSTER_AWAY)
		json_set_str(j, "error", *c->api_error ? c->api_error : "its service network is not routed");
	else if (c->state == CLUSTER_SILENT)
		json_set_str(j, "error", "its DNS does not answer");
	json_set_str(j, "domain", a->config.cluster_domain);
	api = json_set(j, "api", json_object());
	json_set_bool(api, "connected", c->api_connected);
	if (*c->api_error)
		json_set_str(api, "error", c->api_error);
	dns = json_set(j, "dns", json_array());
	for (size_t i = 0; i < c->dns_count; i++)
		json_add(dns, upstream_json(c->dns[i]));
}
