/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/hops.h"

#include <errno.h>
#include <time.h>

#include "agent/desired.h"
#include "agent/reconcile.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/linux/ping.h"

#define NS_PER_MS 1000000u
#define SLACK_NS (20 * NS_PER_MS)	/* what is due so soon goes out with the rest */
#define LATE_NS (500 * NS_PER_MS)	/* a timer that is later than this has been slept through */

static const int families[] = { AF_INET, AF_INET6 };

struct hops {
	struct agent *agent;
	struct ping *ping;		/* owned */
	struct timer timer;
	uint64_t wake_ns;		/* when the timer is due, by a clock that goes on while the machine sleeps; 0: never */
	struct hop_table table;
};

static uint64_t boottime_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static const char *node_name(const struct agent *a, const struct addr *addr)
{
	map_foreach(&a->nodes.by_name, it) {
		const struct addr *own = desired_hop(&a->config, it->value, addr->family);

		if (own && addr_cmp(own, addr) == 0)
			return it->key;
	}
	return "?";
}

static void on_change(struct hops *h, const struct hop *hop, enum hop_state was)
{
	const char *name = node_name(h->agent, &hop->addr);
	char text[ADDR_STRLEN];

	if (hop->state == HOP_DEAD)
		trouble_note(&h->agent->trouble, "hops", "node %s does not answer at %s: its pods cannot be reached", name,
			     addr_format(&hop->addr, text));
	else if (was == HOP_DEAD)
		log_info("node %s answers at %s again", name, addr_format(&hop->addr, text));
	reconcile_wanted(h->agent->reconcile);
}

static void on_timer(struct timer *t);

static void timer_set(struct hops *h)
{
	uint64_t now = loop_now(h->agent->loop), next = UINT64_MAX, wait_ms;

	for (size_t i = 0; i < h->table.n; i++)
		next = MIN(next, hop_next(&h->table.v[i]));
	timer_stop(&h->timer);
	h->wake_ns = 0;
	if (next == UINT64_MAX)
		return;
	wait_ms = next > now ? (next - now + NS_PER_MS - 1) / NS_PER_MS : 0;
	h->wake_ns = boottime_ns() + wait_ms * NS_PER_MS;
	timer_start(h->agent->loop, &h->timer, wait_ms, on_timer);
}

/* The place of the i-th hop in the second that begins now. */
static uint64_t slot_ns(const struct hops *h, size_t i, size_t n)
{
	return loop_now(h->agent->loop) + i * HOP_PERIOD_NS / MAX(n, 1u);
}

/* To be called before the timer is set anew. */
static void sleep_check(struct hops *h)
{
	if (!h->wake_ns || boottime_ns() <= h->wake_ns + LATE_NS)
		return;
	for (size_t i = 0; i < h->table.n; i++)
		hop_forget(&h->table.v[i], slot_ns(h, i, h->table.n));
}

static void on_timer(struct timer *t)
{
	struct hops *h = container_of(t, struct hops, timer);
	uint64_t now = loop_now(h->agent->loop);

	sleep_check(h);
	for (size_t i = 0; i < h->table.n; i++) {
		struct hop *hop = &h->table.v[i];
		enum hop_state was = hop->state;

		if (hop_judge(hop, now))
			on_change(h, hop, was);
		if (hop->due_ns <= now + SLACK_NS)
			(void)!ping_send(h->ping, &hop->addr, hop_probe(hop, now));
	}
	timer_set(h);
}

static void on_answer(void *owner, const struct addr *from, uint16_t seq)
{
	struct hops *h = owner;
	struct hop *hop = hop_find(&h->table, from);
	enum hop_state was;

	if (!hop)
		return;
	was = hop->state;
	if (hop_answer(hop, seq, loop_now(h->agent->loop)))
		on_change(h, hop, was);
	sleep_check(h);
	timer_set(h);
}

const struct hop_table *hops_table(const struct hops *h)
{
	return h ? &h->table : NULL;
}

static bool may_probe(const struct hops *h, int family)
{
	int code;

	return ping_kind(h->ping, family, &code) != PING_NONE;
}

/* Has the cluster networks of that family, so that a route may lead through such an address? */
static bool is_routed(const struct config *c, int family)
{
	for (size_t i = 0; i < c->pods.n; i++)
		if (c->pods.v[i].addr.family == family)
			return true;
	for (size_t i = 0; i < c->services.n; i++)
		if (c->services.v[i].addr.family == family)
			return true;
	return false;
}

/* The hop as it was, or a new one with its own place in the second. */
static void table_add(struct hops *h, const struct addr *a, struct hop_table *new)
{
	const struct hop *old = hop_find(&h->table, a);

	if (new->n == HOPS_MAX || hop_find(new, a))
		return;
	new->v[new->n] = old ? *old : hop_new(a, loop_now(h->agent->loop), slot_ns(h, new->n, h->agent->nodes.by_name.live));
	new->n++;
}

void hops_follow(struct hops *h)
{
	struct hop_table new = { .n = 0 };

	if (!h)
		return;
	sleep_check(h);
	map_foreach(&h->agent->nodes.by_name, it) {
		for (size_t i = 0; !h->agent->forward && i < ARRAY_SIZE(families); i++) {
			const struct addr *a = desired_hop(&h->agent->config, it->value, families[i]);

			if (a && is_routed(&h->agent->config, a->family) && may_probe(h, a->family))
				table_add(h, a, &new);
		}
	}
	h->table = new;
	timer_set(h);
}

/* ---- module ------------------------------------------------------------------------------------------------------ */

int hops_start(struct agent *a, struct err *err)
{
	struct hops *h = a->hops = xcalloc(1, sizeof(*h));
	int code;

	h->agent = a;
	h->ping = ping_new(a->loop, on_answer, h);
	if (ping_kind(h->ping, AF_INET, &code) == PING_NONE) {
		errno = -code;
		trouble_note(&a->trouble, "hops", "nodes cannot be probed (no ICMP socket: %m): whether one is ready, only the API says");
	}
	return 0;
}

void hops_stop(struct agent *a)
{
	if (!a->hops)
		return;
	timer_stop(&a->hops->timer);
	ping_free(a->hops->ping);
	free(steal(&a->hops));
}

static void hop_status(const struct hops *h, const struct hop *hop, json *list)
{
	uint64_t silent_ns = loop_now(h->agent->loop) - hop->heard_ns;
	const char *name = node_name(h->agent, &hop->addr);
	json *o = json_add(list, json_object());
	char text[ADDR_STRLEN];

	json_set_str(o, "address", addr_format(&hop->addr, text));
	json_set_str(o, "node", name);
	json_set_str(o, "state", hop_state_name(hop->state));
	json_set_int(o, "silent_ms", (int64_t)(silent_ns / NS_PER_MS));
	json_set_int(o, "latency_us", (int64_t)(hop->rtt_ns / 1000));
	if (hop->state == HOP_DEAD) {
		autofree char *why = xasprintf("node %s does not answer at %s for %llu s: its pods cannot be reached", name, text,
					       (unsigned long long)(silent_ns / 1000000000));

		json_set_str(o, "problem", why);
	}
}

void hops_status(struct agent *a, json *o)
{
	json *j = json_set(o, "hops", json_object()), *list;
	const struct hops *h = a->hops;
	int code;

	if (!h)
		return;
	json_set_str(j, "probe", ping_kind_name(ping_kind(h->ping, AF_INET, &code)));
	json_set_str(j, "probe6", ping_kind_name(ping_kind(h->ping, AF_INET6, &code)));
	list = json_set(j, "list", json_array());
	if (!may_probe(h, AF_INET))
		json_set_str(j, "problem", "nodes cannot be probed (no ICMP socket): whether one is ready, only the API says");
	for (size_t i = 0; i < h->table.n; i++)
		hop_status(h, &h->table.v[i], list);
}
