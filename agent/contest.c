/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/contest.h"

#include "base/mem.h"

static struct contest *contest_find(const struct contests *c, const struct route *r)
{
	for (size_t i = 0; c && i < c->n; i++)
		if (route_same_slot(&c->v[i].route, r))
			return &c->v[i];
	return NULL;
}

static void contest_add(struct contests *c, const struct route *r)
{
	if (c->n == CONTESTS_MAX)
		return;
	c->v = xrealloc(c->v, c->n + 1, sizeof(*c->v));
	c->v[c->n++] = (struct contest){ .route = *r };
}

static bool is_wanted(const struct route *r, const struct route *wanted, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (route_same_slot(&wanted[i], r))
			return true;
	return false;
}

void contests_see(struct contests *c, const struct route *wanted, size_t wanted_count, const struct route *actual, size_t actual_count,
		  uint64_t now_ns)
{
	size_t kept = 0;

	c->now_ns = now_ns;
	for (size_t i = 0; i < c->n; i++)
		if (is_wanted(&c->v[i].route, wanted, wanted_count))
			c->v[kept++] = c->v[i];
	c->n = kept;
	for (size_t i = 0; i < actual_count; i++)
		if (actual[i].proto == ROUTE_PROTO && is_wanted(&actual[i], wanted, wanted_count) && !contest_find(c, &actual[i]))
			contest_add(c, &actual[i]);
}

/* The time of the last contest but `back`; 0: there was none. */
static uint64_t contest_at(const struct contest *k, unsigned back)
{
	return k->at_ns[(k->next + CONTEST_FREE - 1 - back) % CONTEST_FREE];
}

static bool within(uint64_t at_ns, uint64_t now_ns, uint64_t window_ns)
{
	return at_ns && now_ns - at_ns < window_ns;
}

bool contests_set(struct contests *c, const struct route *r)
{
	struct contest *k = contest_find(c, r);

	if (!k) {
		contest_add(c, r);
		return false;
	}
	if (addr_cmp(&k->route.via, &r->via)) {
		k->route = *r;
		return false;
	}
	if (!within(contest_at(k, 0), c->now_ns, CONTEST_WINDOW_NS))
		k->fight = false;
	if (within(contest_at(k, CONTEST_FREE - 1), c->now_ns, CONTEST_WINDOW_NS))
		k->fight = true;
	k->at_ns[k->next] = c->now_ns;
	k->next = (k->next + 1) % CONTEST_FREE;
	return true;
}

void contests_forget(struct contests *c, const struct route *r)
{
	struct contest *k = contest_find(c, r);

	if (k)
		*k = c->v[--c->n];
}

void contests_done(struct contests *c)
{
	free(c->v);
	*c = (struct contests){ 0 };
}

bool contests_was_ours(const struct contests *c, const struct route *r)
{
	return contest_find(c, r) != NULL;
}

bool contests_holds(const struct contests *c, const struct route *r)
{
	const struct contest *k = contest_find(c, r);

	return k && k->fight && addr_cmp(&k->route.via, &r->via) == 0 && within(contest_at(k, 0), c->now_ns, CONTEST_HOLD_NS);
}
