/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/routes.h"

#include <sys/socket.h>

#include "base/log.h"
#include "base/mem.h"
#include "net/linux/link.h"

static void op_add(struct route_plan *p, bool add, const struct route *r)
{
	p->ops = xrealloc(p->ops, p->n + 1, sizeof(*p->ops));
	p->ops[p->n++] = (struct route_op){ .add = add, .route = *r };
}

/* Does a, somebody else's, stand in the way of r? What stands where ours was before does not, unless we are connected to it. */
static bool is_claim(const struct route *a, const struct route *r, const struct contests *contests)
{
	if (!a->via.family && !a->refuses)
		return prefix_overlaps(&a->dst, &r->dst);
	return route_precedes(a, r) || (route_same_slot(a, r) && !contests_was_ours(contests, r));
}

/* Who else has a claim on r's destination? NULL: nobody. */
static const struct route *foreign_claim(const struct route *r, const struct route *actual, size_t n, const struct contests *contests)
{
	for (size_t i = 0; i < n; i++)
		if (actual[i].proto != ROUTE_PROTO && actual[i].dst.len && is_claim(&actual[i], r, contests))
			return &actual[i];
	return NULL;
}

static void conflict_explain(struct route_plan *p, const struct route *r, const struct route *claim)
{
	char ours[PREFIX_STRLEN], theirs[128], dev[16];

	if (claim->via.family || claim->refuses)
		strv_addf(&p->conflicts, "%s has a route already, \"%s\" (protocol %u): left as it is",
			  prefix_format(&r->dst, ours), route_format(claim, theirs, sizeof(theirs)), claim->proto);
	else
		strv_addf(&p->conflicts, "the cluster's network %s overlaps %s on %s, which this machine is connected to: not routed",
			  prefix_format(&r->dst, ours), route_format(claim, theirs, sizeof(theirs)),
			  link_name(claim->ifindex, dev));
}

static bool is_in_place(const struct route *r, const struct route *actual, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (actual[i].proto == ROUTE_PROTO && route_same_slot(&actual[i], r) && addr_cmp(&actual[i].via, &r->via) == 0)
			return true;
	return false;
}

/* Does r (ours, in place) hold the slot of a route that is wanted and not in conflict? Then it stays or is replaced. */
static bool is_wanted(const struct route *r, const struct desired *d, const struct route *actual, size_t n,
		      const struct contests *contests)
{
	for (size_t i = 0; i < d->route_count; i++)
		if (route_same_slot(r, &d->routes[i]))
			return !foreign_claim(&d->routes[i], actual, n, contests);
	return false;
}

static void fight_explain(struct route_plan *p, const struct route *r)
{
	char text[128];

	strv_addf(&p->conflicts, "another program removes or replaces the route %s again and again: it is put back once in 30 s",
		  route_format(r, text, sizeof(text)));
}

void routes_plan(const struct desired *d, const struct route *actual, size_t actual_count, const struct contests *contests,
		 struct route_plan *ret)
{
	*ret = (struct route_plan){ 0 };
	for (size_t i = 0; i < d->route_count; i++) {
		const struct route *r = &d->routes[i], *claim = foreign_claim(r, actual, actual_count, contests);

		if (claim)
			conflict_explain(ret, r, claim);
		else if (is_in_place(r, actual, actual_count))
			continue;
		else if (contests_holds(contests, r))
			fight_explain(ret, r);
		else
			op_add(ret, true, r);
	}
	for (size_t i = 0; i < actual_count; i++)
		if (actual[i].proto == ROUTE_PROTO && !is_wanted(&actual[i], d, actual, actual_count, contests))
			op_add(ret, false, &actual[i]);
}

void route_plan_done(struct route_plan *p)
{
	free(p->ops);
	strv_done(&p->conflicts);
	*p = (struct route_plan){ 0 };
}

int routes_apply(struct nl *nl, struct route_plan *p, struct err *err)
{
	struct err first = { 0 };
	unsigned failed = 0;
	char text[128];

	for (size_t i = 0; i < p->n; i++) {
		struct route_op *op = &p->ops[i];
		struct err why = { 0 };
		int r = op->add ? route_replace(nl, &op->route, &why) : route_delete(nl, &op->route, &why);

		op->code = r;
		if (r && !failed++)
			first = why;
		if (!r)
			log_info("route %s %s", route_format(&op->route, text, sizeof(text)), op->add ? "set" : "removed");
	}
	if (failed > 1)
		return err_set(err, first.code, "%s (and %u more)", err_text(&first), failed - 1);
	return failed ? err_set(err, first.code, "%s", err_text(&first)) : 0;
}

int routes_undo(struct nl *nl, struct err *err)
{
	autofree struct route *list = NULL;
	size_t n;
	int r = route_list(nl, ROUTE_PROTO, &list, &n, err);

	for (size_t i = 0; !r && i < n; i++)
		r = route_delete(nl, &list[i], err);
	return r ? r : (int)n;
}
