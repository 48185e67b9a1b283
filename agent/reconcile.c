/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/reconcile.h"

#include <errno.h>

#include "agent/cluster.h"
#include "agent/contest.h"
#include "agent/hops.h"
#include "agent/mode.h"
#include "agent/routes.h"
#include "base/backoff.h"
#include "base/log.h"
#include "base/mem.h"

#define DEBOUNCE_MS 50
#define REST 9			/* after a run, at least so many times as long, up to REST_MAX_MS: a tenth of a CPU while others flood */
#define REST_MAX_MS UINT64_C(500)
#define PERIOD_MS 30000

struct reconcile {
	struct agent *agent;
	struct nl *nl;			/* owned */
	struct nl_watch notices;
	struct timer timer;
	struct backoff backoff;
	bool soon;			/* the timer stands for a debounced run */
	bool done;
	uint64_t runs, changes;
	uint64_t took_ms;		/* the last run */
	struct route *actual;		/* owned; all protocols, as of the last run */
	size_t actual_count;
	struct strv problems;		/* of the last run */
	struct contests contests;
};

static int actual_read(struct reconcile *r, struct err *err)
{
	struct route *list;
	size_t n;
	int code = route_list(r->nl, 0, &list, &n, err);

	if (code)
		return code;
	free(r->actual);
	r->actual = list;
	r->actual_count = n;
	return 0;
}

static bool ours_covers(const struct reconcile *r, const struct addr *a)
{
	for (size_t i = 0; i < r->actual_count; i++)
		if (r->actual[i].proto == ROUTE_PROTO && prefix_contains(&r->actual[i].dst, a))
			return true;
	return false;
}

/* Is there a way to one of the cluster's DNS servers? One outside of the service network needs no route of ours. */
static bool dns_is_routed(const struct reconcile *r)
{
	const struct config *c = &r->agent->config;

	for (size_t i = 0; i < c->dns_count; i++)
		if (!prefixes_contain(&c->services, &c->dns[i].addr) || ours_covers(r, &c->dns[i].addr))
			return true;
	return false;
}

static void problems_take(struct reconcile *r, const struct desired *d, const struct route_plan *p)
{
	struct strv all = { 0 };

	strv_copy(&all, &d->problems);
	strv_copy(&all, &p->conflicts);
	for (size_t i = 0; i < all.n; i++)
		if (!strv_has(&r->problems, all.v[i]))
			trouble_note(&r->agent->trouble, "routes", "%s", all.v[i]);
	strv_done(&r->problems);
	r->problems = all;
}

static void contests_take(struct reconcile *r, const struct route_plan *p)
{
	char text[128];

	for (size_t i = 0; i < p->n; i++) {
		const struct route_op *op = &p->ops[i];

		if (!op->add || op->code)
			contests_forget(&r->contests, &op->route);
		else if (contests_set(&r->contests, &op->route))
			trouble_note(&r->agent->trouble, "routes", "another program removed or replaced the route %s: it is back",
				     route_format(&op->route, text, sizeof(text)));
	}
}

static int routes_run(struct reconcile *r, struct err *err)
{
	const struct agent *a = r->agent;
	struct route_plan plan;
	struct desired desired;
	int code;

	hops_follow(a->hops);
	if (a->forward) {
		desired = (struct desired){ 0 };
	} else {
		desired_make(&a->config, &a->nodes, hops_table(a->hops), r->actual, r->actual_count, &desired);
	}
	contests_see(&r->contests, desired.routes, desired.route_count, r->actual, r->actual_count, loop_now(a->loop));
	routes_plan(&desired, r->actual, r->actual_count, &r->contests, &plan);
	problems_take(r, &desired, &plan);
	code = routes_apply(r->nl, &plan, err);
	contests_take(r, &plan);
	r->changes += plan.n;
	if (plan.n && !code)
		code = actual_read(r, err);
	else if (plan.n)
		(void)!actual_read(r, NULL);
	route_plan_done(&plan);
	desired_done(&desired);
	return code;
}

static void on_timer(struct timer *t)
{
	struct reconcile *r = container_of(t, struct reconcile, timer);
	struct err err = { 0 };
	int code;

	nl_watch_resume(&r->notices);
	code = actual_read(r, &err);
	r->soon = false;
	r->runs++;
	if (!code)
		mode_look(r->agent, r->nl, r->actual, r->actual_count);
	if (!code && r->agent->nodes.synced)
		code = routes_run(r, &err);
	r->done = !code && r->agent->nodes.synced;
	if (code)
		trouble_note(&r->agent->trouble, "routes", "%s", err_text(&err));
	else
		backoff_reset(&r->backoff);
	if (!r->agent->forward)
		cluster_set_routed(r->agent->cluster, dns_is_routed(r));
	r->took_ms = (loop_deadline(0) - loop_now(r->agent->loop)) / 1000000;
	if (!r->soon)
		timer_start(r->agent->loop, &r->timer, code ? backoff_next(&r->backoff) : PERIOD_MS, on_timer);
}

void reconcile_wanted(struct reconcile *r)
{
	if (!r || r->soon)
		return;
	r->soon = true;
	timer_start(r->agent->loop, &r->timer, DEBOUNCE_MS + MIN(REST * r->took_ms, REST_MAX_MS), on_timer);
}

bool reconcile_is_done(const struct reconcile *r)
{
	return r && r->done && !r->problems.n;
}

static void on_notice(struct nl_watch *w)
{
	nl_watch_pause(w);
	reconcile_wanted(container_of(w, struct reconcile, notices));
}

int reconcile_start(struct agent *a, struct err *err)
{
	struct reconcile *r = a->reconcile = xcalloc(1, sizeof(*r));
	int code;

	r->agent = a;
	r->backoff = (struct backoff){ .min_ms = 500, .max_ms = 10000 };
	r->nl = nl_new(err);
	if (!r->nl)
		return -EIO;
	code = nl_watch_start(&r->notices, a->loop, on_notice, err);
	timer_start(a->loop, &r->timer, 0, on_timer);
	return code;
}

void reconcile_stop(struct agent *a)
{
	struct reconcile *r = a->reconcile;
	struct err err = { 0 };

	if (!r)
		return;
	timer_stop(&r->timer);
	nl_watch_stop(&r->notices);
	if (r->nl && routes_undo(r->nl, &err) < 0)
		log_error("routes: %s", err_text(&err));
	nl_free(r->nl);
	free(r->actual);
	strv_done(&r->problems);
	contests_done(&r->contests);
	free(steal(&a->reconcile));
}

static void routes_status(const struct reconcile *r, json *list)
{
	for (size_t i = 0; i < r->actual_count; i++) {
		const struct route *route = &r->actual[i];
		char text[PREFIX_STRLEN];
		json *o;

		if (route->proto != ROUTE_PROTO)
			continue;
		o = json_add(list, json_object());
		json_set_str(o, "destination", prefix_format(&route->dst, text));
		json_set_str(o, "via", addr_format(&route->via, text));
	}
}

void reconcile_status(struct agent *a, json *o)
{
	json *routes = json_set(o, "routes", json_array()), *problems, *j;

	json_set(o, "nodes", nodes_status(&a->nodes));
	if (!a->reconcile)
		return;
	routes_status(a->reconcile, routes);
	j = json_set(o, "reconcile", json_object());
	json_set_bool(j, "done", reconcile_is_done(a->reconcile));
	json_set_int(j, "runs", (int64_t)a->reconcile->runs);
	json_set_int(j, "changes", (int64_t)a->reconcile->changes);
	json_set_int(j, "notices_lost", a->reconcile->notices.lost);
	problems = json_set(j, "problems", json_array());
	for (size_t i = 0; i < a->reconcile->problems.n; i++)
		json_add_str(problems, a->reconcile->problems.v[i]);
}
