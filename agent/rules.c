/* SPDX-License-Identifier: Apache-2.0 */
/* How it works: the store tells of each service that changes; its elements are made anew (agent/usable) and compared with
 * those that it had. Nobody else can change an owned table, so what we put there is what is there: no look at the kernel is
 * needed, and any failure means to make the table anew. Elements go before others come, so that an address may change hands. */
#include "agent/rules.h"

#include <errno.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>

#include "agent/carry.h"
#include "agent/usable.h"
#include "agent/zone.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"
#include "net/linux/conntrack.h"
#include "net/sock.h"

#define TABLE "firestream-svc"
#define PING "ping"
#define REFUSE "refuse"
#define LIVE "live"
#define NAT_PRIORITY -110		/* before Docker's and everybody's DNAT (-100) */
#define LIVE_MS 5000
#define REBUILD_MS 5000
#define DIRTY_KEY 320
#define MOVED_MS 500

/* Families' sets: the address decides. */
struct sets {
	const char *usable, *ways;
	enum nft_key port, addr;
};

static const struct sets sets4 = { "usable4", "ways4", NFT_KEY_PORT4, NFT_KEY_ADDR4 };
static const struct sets sets6 = { "usable6", "ways6", NFT_KEY_PORT6, NFT_KEY_ADDR6 };

struct rules {
	struct agent *agent;
	struct nft *nft;		/* owned; NULL: none to be had */
	struct map in_place;		/* "namespace/name" → struct usable, owned */
	struct map dirty;		/* the same keys → anything */
	struct timer flush, renew, moved_soon;
	bool built, refusing;
	unsigned failures;		/* of flushes, in a row */
	size_t ports, pings;		/* in place */
	uint64_t changes;
	char why[200];			/* it is not in place */
};

static const struct sets *sets_of(const struct addr *a)
{
	return a->family == AF_INET6 ? &sets6 : &sets4;
}

/* ---- table ------------------------------------------------------------------------------------------------------- */

static void ping_rule(struct nft *n, const struct prefix *p)
{
	int family = p->addr.family;
	bool v6 = family == AF_INET6;

	nft_rule_begin(n, TABLE, PING);
	nft_match_daddr_in(n, p);
	nft_match_l4proto(n, v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP);
	nft_match_icmp_type(n, v6 ? ICMP6_ECHO_REQUEST : ICMP_ECHO);
	nft_load_daddr(n, family, 0);
	nft_load_from(n, sets_of(&p->addr)->ways, 0, 0);
	nft_dnat(n, family, 0);
	nft_rule_end(n);
}

static void refuse_port_rule(struct nft *n, const struct prefix *p, uint8_t protocol, enum nft_reject with)
{
	unsigned words = p->addr.family == AF_INET6 ? 4 : 1;

	nft_rule_begin(n, TABLE, REFUSE);
	nft_match_daddr_in(n, p);
	nft_match_new(n);
	nft_match_l4proto(n, protocol);
	nft_load_daddr(n, p->addr.family, 0);
	nft_load_l4proto(n, words);
	nft_load_dport(n, words + 1);
	nft_match_not_in(n, sets_of(&p->addr)->usable, 0);
	nft_match_condition(n, LIVE);
	nft_reject(n, with);
	nft_rule_end(n);
}

/* An echo request that still has a cluster IP for destination found no endpoint. */
static void refuse_ping_rule(struct nft *n, const struct prefix *p)
{
	bool v6 = p->addr.family == AF_INET6;

	nft_rule_begin(n, TABLE, REFUSE);
	nft_match_daddr_in(n, p);
	nft_match_l4proto(n, v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP);
	nft_match_icmp_type(n, v6 ? ICMP6_ECHO_REQUEST : ICMP_ECHO);
	nft_match_condition(n, LIVE);
	nft_reject(n, NFT_HOST_UNREACHABLE);
	nft_rule_end(n);
}

/* ---- forward mode ------------------------------------------------------------------------------------------------ */

/* served: only to ports that are; the others are refused behind. */
static void catch_rule(struct nft *n, const struct prefix *p, uint16_t port, bool served)
{
	unsigned words = p->addr.family == AF_INET6 ? 4 : 1;

	if (!port)
		return;
	nft_rule_begin(n, TABLE, PING);
	nft_match_daddr_in(n, p);
	nft_match_l4proto(n, IPPROTO_TCP);
	if (served) {
		nft_load_daddr(n, p->addr.family, 0);
		nft_load_l4proto(n, words);
		nft_load_dport(n, words + 1);
		nft_match_in(n, sets_of(&p->addr)->usable, 0);
	}
	nft_redirect(n, port, 0);
	nft_rule_end(n);
}

/* Whatever is still on its way there: a port-forward carries TCP and nothing else. */
static void refuse_rest_rule(struct nft *n, const struct prefix *p, uint8_t protocol, enum nft_reject with)
{
	nft_rule_begin(n, TABLE, REFUSE);
	nft_match_daddr_in(n, p);
	nft_match_new(n);
	if (protocol)
		nft_match_l4proto(n, protocol);
	nft_reject(n, with);
	nft_rule_end(n);
}

static void let_pass_rule(struct nft *n, const char *chain, const struct prefix *to)
{
	nft_rule_begin(n, TABLE, chain);
	if (to)
		nft_match_daddr_in(n, to);
	else
		nft_match_mark(n, SOCK_MARK);
	nft_accept(n);
	nft_rule_end(n);
}

static void forward_rules(struct nft *n, const struct agent *a)
{
	const struct spare *spare = carry_spare(a->carry);
	const struct config *c = &a->config;

	let_pass_rule(n, PING, NULL);
	for (size_t i = 0; i < spare->n; i++) {
		let_pass_rule(n, PING, &spare->v[i]);
		let_pass_rule(n, REFUSE, &spare->v[i]);
	}
	for (size_t i = 0; i < c->services.n; i++) {
		catch_rule(n, &c->services.v[i], carry_port(a->carry, c->services.v[i].addr.family), true);
		refuse_rest_rule(n, &c->services.v[i], IPPROTO_UDP, NFT_PORT_UNREACHABLE);
	}
	for (size_t i = 0; i < c->pods.n; i++) {
		catch_rule(n, &c->pods.v[i], carry_port(a->carry, c->pods.v[i].addr.family), false);
		refuse_rest_rule(n, &c->pods.v[i], IPPROTO_UDP, NFT_PORT_UNREACHABLE);
		refuse_rest_rule(n, &c->pods.v[i], 0, NFT_HOST_UNREACHABLE);
	}
}

static void sets_add(struct nft *n, const struct sets *s)
{
	nft_set_add(n, TABLE, s->usable, s->port, false, false);
	nft_set_add(n, TABLE, s->ways, s->addr, true, false);
}

static void table_write(struct nft *n, const struct agent *a)
{
	const struct prefixes *services = &a->config.services;

	nft_table_renew(n, TABLE);
	sets_add(n, &sets4);
	sets_add(n, &sets6);
	nft_condition_add(n, TABLE, LIVE, 0);
	nft_hook_add(n, TABLE, PING, NFT_NAT, NAT_PRIORITY);
	nft_hook_add(n, TABLE, REFUSE, NFT_FILTER, 0);
	let_pass_rule(n, REFUSE, NULL);		/* whether the cluster's DNS is there, its answers tell */
	if (a->forward)
		forward_rules(n, a);
	for (size_t i = 0; i < services->n; i++) {
		ping_rule(n, &services->v[i]);
		refuse_port_rule(n, &services->v[i], IPPROTO_TCP, NFT_TCP_RESET);
		refuse_port_rule(n, &services->v[i], IPPROTO_UDP, NFT_PORT_UNREACHABLE);
		refuse_ping_rule(n, &services->v[i]);
	}
}

/* ---- pings that run ---------------------------------------------------------------------------------------------- */

/* Where pings of this address go. */
static struct addr ping_way(const struct rules *r, const struct nft_element *e)
{
	static const struct addr loopback4 = { AF_INET, { 127, [3] = 1 } }, loopback6 = { AF_INET6, { [15] = 1 } };

	if (!r->agent->forward)
		return e->value;
	return e->addr.family == AF_INET6 ? loopback6 : loopback4;
}

/* Does a ping that runs go elsewhere than a new one would? */
static bool ping_is_stale(void *arg, const struct addr *dst, const struct addr *to)
{
	const struct rules *r = arg;
	const struct store_service *v = store_service_of(r->agent->zone->store, dst);
	const struct usable *u = NULL;
	char key[DIRTY_KEY];

	if (!prefixes_contain(&r->agent->config.services, dst))
		return false;
	if (v && snprintf(key, sizeof(key), "%s/%s", v->ns, v->name) < DIRTY_KEY)
		u = map_get(&r->in_place, key);
	for (size_t i = 0; u && i < u->pings; i++) {
		struct addr way = ping_way(r, &u->ping[i]);

		if (addr_cmp(&u->ping[i].addr, dst) == 0)
			return addr_cmp(&way, to) != 0;
	}
	return addr_cmp(dst, to) != 0;
}

/* Pings that run follow their new endpoint. The look into conntrack costs milliseconds: one for all changes of a while. */
static void on_moved(struct timer *t)
{
	struct rules *r = container_of(t, struct rules, moved_soon);
	struct err err = { 0 };

	if (conntrack_forget_pings(ping_is_stale, r, &err) < 0)
		trouble_note(&r->agent->trouble, "rules", "%s", err_text(&err));
}

/* ---- elements ---------------------------------------------------------------------------------------------------- */

static void usable_free(void *p)
{
	usable_done(p);
	free(p);
}

static void port_put(struct rules *r, const struct nft_element *e, bool add)
{
	const struct sets *s = sets_of(&e->addr);

	if (add)
		nft_elements_add(r->nft, TABLE, s->usable, s->port, e, 1, 0);
	else
		nft_elements_delete(r->nft, TABLE, s->usable, s->port, e, 1);
	r->ports += add ? 1 : (size_t)-1;
	r->changes++;
}

static void ping_put(struct rules *r, const struct nft_element *e, bool add)
{
	const struct sets *s = sets_of(&e->addr);
	struct nft_element way = { .addr = e->addr, .value = ping_way(r, e) };

	if (add)
		nft_elements_add(r->nft, TABLE, s->ways, s->addr, &way, 1, 0);
	else
		nft_elements_delete(r->nft, TABLE, s->ways, s->addr, &way, 1);
	if (!r->moved_soon.loop)
		timer_start(r->agent->loop, &r->moved_soon, MOVED_MS, on_moved);
	r->pings += add ? 1 : (size_t)-1;
	r->changes++;
}

typedef void (*put_fn)(struct rules *r, const struct nft_element *e, bool add);

/* Of two sorted lists: what only `a` has is put with `add`. */
static void difference(struct rules *r, const struct nft_element *a, size_t a_n, const struct nft_element *b, size_t b_n, put_fn put,
		       bool add)
{
	for (size_t i = 0, k = 0; i < a_n; i++) {
		while (k < b_n && usable_cmp(&b[k], &a[i]) < 0)
			k++;
		if (k == b_n || usable_cmp(&b[k], &a[i]) != 0 || addr_cmp(&b[k].value, &a[i].value) != 0)
			put(r, &a[i], add);
	}
}

static void service_remove(struct rules *r, const struct usable *was, const struct usable *now)
{
	difference(r, was->ports, was->n, now->ports, now->n, port_put, false);
	difference(r, was->ping, was->pings, now->ping, now->pings, ping_put, false);
}

static void service_add(struct rules *r, const struct usable *was, const struct usable *now)
{
	difference(r, now->ports, now->n, was->ports, was->n, port_put, true);
	difference(r, now->ping, now->pings, was->ping, was->pings, ping_put, true);
}

/* ---- flush ------------------------------------------------------------------------------------------------------- */

static bool commit(struct rules *r)
{
	struct err err = { 0 };
	int code = nft_commit(r->nft, &err);

	nft_begin(r->nft);
	if (!code)
		return true;
	snprintf(r->why, sizeof(r->why), "%s", err_text(&err));
	if (code != -EEXIST || r->failures)
		trouble_note(&r->agent->trouble, "rules", "%s", r->why);
	return false;
}

/* Batches are cut where the kernel's limit is near. */
static bool commit_some(struct rules *r)
{
	return nft_pending(r->nft) < NFT_BATCH_SOFT || commit(r);
}

/* One pass over the services that have changed: the removals, or the additions. False: the kernel refused. */
static bool pass(struct rules *r, bool add)
{
	const struct agent *a = r->agent;
	bool good = true;

	map_foreach(&r->dirty, it) {
		static const struct usable none;
		const char *slash = strchr(it->key, '/');
		autofree char *ns = xstrndup(it->key, (size_t)(slash - it->key));
		struct usable *was = map_get(&r->in_place, it->key), now;

		usable_make(&a->config, a->zone->store, ns, slash + 1, was, &now);
		if (!add) {
			service_remove(r, was ? was : &none, &now);
			usable_done(&now);
		} else {
			service_add(r, was ? was : &none, &now);
			if (now.n || now.pings)
				map_set(&r->in_place, it->key, xmemdup(&now, sizeof(now)));
			else
				map_del(&r->in_place, it->key);
		}
		good = good && commit_some(r);
	}
	return good;
}

/* ---- when -------------------------------------------------------------------------------------------------------- */

static void on_flush(struct timer *t);
static void on_renew(struct timer *t);

static void on_change(void *arg, const char *ns, const char *service)
{
	struct rules *r = arg;
	char key[DIRTY_KEY];

	if (!r->built || snprintf(key, sizeof(key), "%s/%s", ns, service) >= DIRTY_KEY)
		return;
	map_set(&r->dirty, key, r);
	carry_changed(r->agent->carry);
	if (!r->flush.loop)
		timer_start(r->agent->loop, &r->flush, 0, on_flush);
}

static void all_forget(struct rules *r)
{
	map_done(&r->in_place);
	map_done(&r->dirty);
	r->in_place = (struct map)MAP_INIT(usable_free);
	r->dirty = (struct map)MAP_INIT(NULL);
	r->ports = r->pings = 0;
	r->refusing = false;
}

/* The table from nothing, and every service to be put into it. */
static void build(struct rules *r)
{
	nft_begin(r->nft);
	table_write(r->nft, r->agent);
	all_forget(r);
	r->built = commit(r);
	if (!r->built)
		return;
	r->why[0] = '\0';
	store_each_service(r->agent->zone->store, on_change, r);
}

void rules_flush(struct rules *r)
{
	bool good;

	if (!r || !r->dirty.live)
		return;
	timer_stop(&r->flush);
	nft_begin(r->nft);
	good = pass(r, false) && pass(r, true) && commit(r);
	map_done(&r->dirty);
	r->dirty = (struct map)MAP_INIT(NULL);
	if (good) {
		r->failures = 0;
	} else {		/* an address that two services have for a moment, or worse: anew, at once or later */
		r->built = false;
		timer_start(r->agent->loop, &r->renew, r->failures++ ? REBUILD_MS : 0, on_renew);
	}
}

void rules_current(struct rules *r)
{
	if (r && r->nft && !r->refusing && zone_is_current(r->agent->zone))
		on_renew(&r->renew);
}

bool rules_are_done(const struct rules *r)
{
	return !r || !r->nft || r->refusing || *r->why || !zone_is_current(r->agent->zone);
}

void rules_rebuild(struct rules *r)
{
	if (!r || !r->nft)
		return;
	r->built = false;
	timer_start(r->agent->loop, &r->renew, 0, on_renew);
}

static void on_flush(struct timer *t)
{
	rules_flush(container_of(t, struct rules, flush));
}

static void refuse(struct rules *r)
{
	struct err err = { 0 };

	r->built = r->refusing = nft_condition_renew(r->nft, TABLE, LIVE, LIVE_MS, &err) == 0;
	if (!r->built)
		snprintf(r->why, sizeof(r->why), "%s", err_text(&err));
}

static void on_renew(struct timer *t)
{
	struct rules *r = container_of(t, struct rules, renew);

	if (!r->built)
		build(r);
	timer_start(r->agent->loop, t, r->built ? NFT_CONDITION_RENEW_MS : REBUILD_MS, on_renew);
	rules_flush(r);
	if (!zone_is_current(r->agent->zone))
		r->refusing = false;	/* as the condition expires */
	else if (r->built)
		refuse(r);
}

/* ---- module ------------------------------------------------------------------------------------------------------ */

int rules_start(struct agent *a, struct err *err)
{
	struct rules *r = a->rules = xcalloc(1, sizeof(*r));
	struct err why = { 0 };

	r->agent = a;
	all_forget(r);
	r->nft = nft_new(&why);
	if (!r->nft) {
		snprintf(r->why, sizeof(r->why), "%s", err_text(&why));
		trouble_note(&a->trouble, "rules", "%s", r->why);
		return 0;
	}
	store_notify(a->zone->store, on_change, r);
	on_renew(&r->renew);
	return 0;
}

void rules_stop(struct agent *a)
{
	struct rules *r = a->rules;

	if (!r)
		return;
	store_notify(a->zone->store, NULL, NULL);
	timer_stop(&r->flush);
	timer_stop(&r->renew);
	timer_stop(&r->moved_soon);
	all_forget(r);
	nft_free(r->nft);		/* and with it the table */
	free(steal(&a->rules));
}

void rules_status(struct agent *a, json *o)
{
	const struct rules *r = a->rules;
	json *j = json_set(o, "rules", json_object());

	if (!r)
		return;
	json_set_bool(j, "in_place", r->built);
	json_set_bool(j, "refusing", r->refusing);
	json_set_int(j, "ports", (int64_t)r->ports);
	json_set_int(j, "pings", (int64_t)r->pings);
	json_set_int(j, "changes", (int64_t)r->changes);
	if (*r->why)
		json_set_str(j, "error", r->why);
}
