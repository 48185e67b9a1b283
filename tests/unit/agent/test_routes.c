/* SPDX-License-Identifier: Apache-2.0 */
/* From nodes to a plan, and the property that a second plan is empty. */
#include "agent/routes.h"

#include "base/mem.h"
#include "tests/tap.h"
#include "tests/unit/agent/config_of.h"

#define TABLE_MAX 64

struct table {
	struct route r[TABLE_MAX];
	size_t n;
};

static void node(struct nodes *nodes, const char *name, bool ready, const char *addrs, const char *cidrs)
{
	autofree char *text = xasprintf("{\"metadata\":{\"name\":\"%s\"},\"spec\":{\"podCIDRs\":[%s]},\"status\":{\"conditions\":"
					"[{\"type\":\"Ready\",\"status\":\"%s\"}],\"addresses\":[{\"type\":\"Hostname\",\"address\":"
					"\"x\"}%s]}}", name, cidrs, ready ? "True" : "Unknown", addrs);
	autojson json *j = json_parse(text, strlen(text), NULL);

	(void)nodes_put(nodes, j);
}

#define IP(a) ",{\"type\":\"InternalIP\",\"address\":\"" a "\"}"

static void put(struct table *t, const char *dst, const char *via, uint8_t proto)
{
	struct route r = { .proto = proto };
	size_t k = 0;

	if (prefix_parse(dst, &r.dst) || (via && addr_parse(via, &r.via)))
		abort();
	while (k < t->n && prefix_cmp(&t->r[k].dst, &r.dst))
		k++;
	t->r[k] = r;
	t->n = MAX(t->n, k + 1);
}

/* What the kernel makes of a plan; IPv6 gets its default metric. */
static void apply(struct table *t, const struct route_plan *p)
{
	for (size_t i = 0; i < p->n; i++) {
		struct route r = p->ops[i].route;
		size_t k = 0;

		if (r.dst.addr.family == AF_INET6 && !r.metric)
			r.metric = 1024;
		while (k < t->n && (prefix_cmp(&t->r[k].dst, &r.dst) || t->r[k].metric != r.metric))
			k++;
		if (p->ops[i].add && k < TABLE_MAX) {
			t->r[k] = r;
			t->n = MAX(t->n, k + 1);
		} else if (k < t->n) {
			t->r[k] = t->r[--t->n];
		}
	}
}

/* As the agent does, of a kernel that refuses nothing; returns how many routes had been taken away. */
static unsigned contests_take(struct contests *c, const struct route_plan *p)
{
	unsigned n = 0;

	for (size_t i = 0; i < p->n; i++) {
		if (p->ops[i].add)
			n += contests_set(c, &p->ops[i].route);
		else
			contests_forget(c, &p->ops[i].route);
	}
	return n;
}

/* Plans twice; the text of the table's own routes into out, the second plan's size back. */
static size_t settle_contests(const struct config *c, const struct nodes *nodes, struct contests *contests, struct table *t,
			      struct buf *out, struct strv *conflicts)
{
	struct route_plan plan;
	struct desired d;
	size_t left;
	char text[128];

	desired_make(c, nodes, NULL, t->r, t->n, &d);
	contests_see(contests, d.routes, d.route_count, t->r, t->n, contests->now_ns);
	routes_plan(&d, t->r, t->n, contests, &plan);
	apply(t, &plan);
	contests_take(contests, &plan);
	strv_copy(conflicts, &d.problems);
	strv_copy(conflicts, &plan.conflicts);
	route_plan_done(&plan);
	desired_done(&d);
	desired_make(c, nodes, NULL, t->r, t->n, &d);
	contests_see(contests, d.routes, d.route_count, t->r, t->n, contests->now_ns);
	routes_plan(&d, t->r, t->n, contests, &plan);
	left = plan.n;
	route_plan_done(&plan);
	desired_done(&d);
	buf_reset(out);
	for (size_t i = 0; i < t->n; i++)
		if (t->r[i].proto == ROUTE_PROTO)
			buf_addf(out, "%s; ", route_format(&t->r[i], text, sizeof(text)));
	return left;
}

static size_t settle(const struct config *c, const struct nodes *nodes, struct table *t, struct buf *out, struct strv *conflicts)
{
	struct contests none = { 0 };
	size_t left = settle_contests(c, nodes, &none, t, out, conflicts);

	contests_done(&none);
	return left;
}

static void test_plan(void)
{
	auto(buf) struct buf out = BUF_INIT(4096);
	auto(strv) struct strv why = { 0 };
	struct nodes nodes = NODES_INIT;
	struct config c = config_dual();
	struct table t = { 0 };

	put(&t, "0.0.0.0/0", "172.18.0.1", 3);
	put(&t, "172.18.0.0/16", NULL, 2);
	node(&nodes, "server-0", true, IP("172.18.0.2") IP("fd18::2"), "\"10.42.0.0/24\",\"fd42::/64\"");
	node(&nodes, "agent-0", true, IP("172.18.0.3"), "\"10.42.1.0/24\"");
	is_int((long long)settle(&c, &nodes, &t, &out, &why), 0, "a second plan is empty");
	is_str(buf_str(&out), "10.42.0.0/24 via 172.18.0.2; fd42::/64 via fd18::2; 10.42.1.0/24 via 172.18.0.3; "
	       "10.43.0.0/16 via 172.18.0.3; fd43::/112 via fd18::2; ", "a route per pod network, services through the first ready node");

	node(&nodes, "agent-0", false, IP("172.18.0.3"), "\"10.42.1.0/24\"");
	settle(&c, &nodes, &t, &out, &why);
	ok(strstr(buf_str(&out), "10.43.0.0/16 via 172.18.0.2") != NULL, "services leave a node that is not ready");
	ok(strstr(buf_str(&out), "10.42.1.0/24 via 172.18.0.3") != NULL, "its pods stay where they are");
	node(&nodes, "agent-0", true, IP("172.18.0.3"), "\"10.42.1.0/24\"");
	settle(&c, &nodes, &t, &out, &why);
	ok(strstr(buf_str(&out), "10.43.0.0/16 via 172.18.0.2") != NULL, "and do not come back without need");
	node(&nodes, "agent-0", true, IP("172.18.0.9"), "\"10.42.1.0/24\"");
	settle(&c, &nodes, &t, &out, &why);
	ok(strstr(buf_str(&out), "10.42.1.0/24 via 172.18.0.9") != NULL, "a node's new address is followed");
	is_int((long long)why.n, 0, "no problem so far");
	map_del(&nodes.by_name, "server-0");
	settle(&c, &nodes, &t, &out, &why);
	is_str(buf_str(&out), "10.42.1.0/24 via 172.18.0.9; 10.43.0.0/16 via 172.18.0.9; ", "a removed node's routes go");
	nodes_done(&nodes);
	config_done(&c);
}

static void test_conflicts(void)
{
	static const struct { const char *what, *addrs, *cidrs, *other, *other_via; int other_proto; const char *routes, *why; } rows[] = {
		{ "a pod network outside of the configured ones", IP("172.18.0.2"), "\"0.0.0.0/1\"", NULL, NULL, 0,
		  "10.43.0.0/16 via 172.18.0.2; ", "node n: its pod network 0.0.0.0/1 is outside of pod_cidr" },
		{ "a node with a pod's address", IP("10.42.0.9"), "\"10.42.0.0/24\"", NULL, NULL, 0,
		  "", "node n: no usable address for its pod network 10.42.0.0/24" },
		{ "somebody else's route", IP("172.18.0.2"), "\"10.42.0.0/24\"", "10.42.0.0/24", "172.18.0.7", 4,
		  "10.43.0.0/16 via 172.18.0.2; ",
		  "10.42.0.0/24 has a route already, \"10.42.0.0/24 via 172.18.0.7\" (protocol 4): left as it is" },
		{ "a network of this machine", IP("172.18.0.2"), "\"10.42.0.0/24\"", "10.43.7.0/24", NULL, 2,
		  "10.42.0.0/24 via 172.18.0.2; ",
		  "the cluster's network 10.43.0.0/16 overlaps 10.43.7.0/24 on , which this machine is connected to: not routed" },
	};
	struct config c = config_dual();

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		auto(buf) struct buf out = BUF_INIT(4096);
		auto(strv) struct strv why = { 0 };
		struct nodes nodes = NODES_INIT;
		struct table t = { 0 };

		if (rows[i].other)
			put(&t, rows[i].other, rows[i].other_via, (uint8_t)rows[i].other_proto);
		node(&nodes, "n", true, rows[i].addrs, rows[i].cidrs);
		is_int((long long)settle(&c, &nodes, &t, &out, &why), 0, "%s: a second plan is empty", rows[i].what);
		is_str(buf_str(&out), rows[i].routes, "%s: the routes", rows[i].what);
		ok(strv_has(&why, rows[i].why), "%s: %s", rows[i].what, rows[i].why);
		nodes_done(&nodes);
	}
	config_done(&c);
}

/* ---- contests ---------------------------------------------------------------------------------------------------- */

static void take_away(struct table *t, const char *dst)
{
	struct prefix p;

	if (prefix_parse(dst, &p))
		abort();
	for (size_t i = 0; i < t->n; i++)
		if (prefix_cmp(&t->r[i].dst, &p) == 0)
			t->r[i--] = t->r[--t->n];
}

static bool has(const struct buf *out, const char *route)
{
	return strstr(buf_str(out), route) != NULL;
}

static void test_contests(void)
{
	static const char ours[] = "10.42.0.0/24 via 172.18.0.2; ";
	static const char fight[] = "another program removes or replaces the route 10.42.0.0/24 via 172.18.0.2 again and again: it is put "
				    "back once in 30 s";
	auto(buf) struct buf out = BUF_INIT(4096);
	struct contests k = { .now_ns = 1000000000 };
	struct nodes nodes = NODES_INIT;
	struct config c = config_dual();
	struct table t = { 0 };
	struct strv why = { 0 };
	struct route contested;
	unsigned back = 0;

	node(&nodes, "n", true, IP("172.18.0.2"), "\"10.42.0.0/24\"");
	settle_contests(&c, &nodes, &k, &t, &out, &why);
	for (int i = 0; i < 6; i++, k.now_ns += 1000000000) {
		if (i % 2)
			put(&t, "10.42.0.0/24", "172.18.0.99", 3);
		else
			take_away(&t, "10.42.0.0/24");
		settle_contests(&c, &nodes, &k, &t, &out, &why);
		back += has(&out, ours);
	}
	is_int(back, 6, "a route that is removed or replaced comes back");
	ok(!strv_has(&why, fight), "without many words");
	contested = (struct route){ .dst = c.pods.v[0] };
	contested.dst.len = 24;
	if (addr_parse("172.18.0.2", &contested.via))
		abort();
	take_away(&t, "10.42.0.0/24");
	is_int((long long)settle_contests(&c, &nodes, &k, &t, &out, &why), 0, "after the sixth time in a minute it rests");
	ok(!has(&out, ours) && has(&out, "10.43.0.0/16 via 172.18.0.2"), "that route, not the others");
	ok(strv_has(&why, fight), "which is said");
	ok(contests_holds(&k, &contested), "it is held");
	contested.via.b[3]++;
	ok(!contests_holds(&k, &contested), "but not from another gateway");
	put(&t, "10.42.0.0/24", "172.18.0.99", 3);
	back = 0;
	for (int i = 0; i < 300; i++, k.now_ns += 1000000000) {
		settle_contests(&c, &nodes, &k, &t, &out, &why);
		back += has(&out, ours);
		put(&t, "10.42.0.0/24", "172.18.0.99", 3);
	}
	is_int(back, 10, "it is put back ten times in five minutes");
	k.now_ns += 61000000000;
	settle_contests(&c, &nodes, &k, &t, &out, &why);
	take_away(&t, "10.42.0.0/24");
	settle_contests(&c, &nodes, &k, &t, &out, &why);
	ok(has(&out, ours), "after a minute of peace it comes back at once again");
	contests_done(&k);
	strv_done(&why);
	nodes_done(&nodes);
	config_done(&c);
}

static void test_precedence(void)
{
	auto(buf) struct buf out = BUF_INIT(4096);
	auto(strv) struct strv why = { 0 };
	struct contests k = { .now_ns = 1000000000 };
	struct nodes nodes = NODES_INIT;
	struct config c = config_dual();
	struct table t = { 0 };

	node(&nodes, "n", true, IP("fd18::2"), "\"fd42::/64\"");
	settle_contests(&c, &nodes, &k, &t, &out, &why);
	ok(has(&out, "fd42::/64 via fd18::2"), "a route of IPv6");
	t.r[t.n] = (struct route){ .proto = 4, .metric = 2000, .dst = t.r[0].dst, .via = t.r[0].via };
	t.n++;
	settle_contests(&c, &nodes, &k, &t, &out, &why);
	ok(has(&out, "fd42::/64 via fd18::2"), "somebody else's of a greater metric does not matter");
	t.r[t.n - 1].metric = 100;
	is_int((long long)settle_contests(&c, &nodes, &k, &t, &out, &why), 0, "one that the kernel prefers is no contest");
	ok(!has(&out, "fd42::/64") && strv_has(&why, "fd42::/64 has a route already, \"fd42::/64 via fd18::2\" (protocol 4): left as it is"),
	   "but explained");
	contests_done(&k);
	nodes_done(&nodes);
	config_done(&c);
}

/* What is no contest: our own changes, a link that goes. */
static void test_no_contest(void)
{
	struct route a = { .proto = ROUTE_PROTO }, b;
	struct contests k = { .now_ns = 1000000000 };
	unsigned n = 0;

	if (prefix_parse("10.43.0.0/16", &a.dst) || addr_parse("172.18.0.2", &a.via))
		abort();
	b = a;
	b.via.b[3] = 3;
	for (int i = 0; i < 20; i++)
		n += contests_set(&k, i % 2 ? &a : &b);
	is_int(n, 0, "a carrier that changes is no contest");
	for (int i = 0; i < 20; i++) {
		contests_forget(&k, &a);
		n += contests_set(&k, &a);
	}
	contests_forget(&k, &a);
	is_int(n, 0, "nor is a route that could not be set in between");
	ok(!contests_was_ours(&k, &a) && !contests_holds(&k, &a), "it is forgotten");
	contests_see(&k, &b, 1, &a, 1, 2000000000);
	ok(contests_was_ours(&k, &a), "a route that was found in place is ours");
	contests_see(&k, NULL, 0, &a, 1, 3000000000);
	ok(!contests_was_ours(&k, &a), "until nobody wants it");
	contests_done(&k);
}

/* A small generator, so that a failing case can be had again from its number. */
static unsigned next(unsigned *seed, unsigned below)
{
	*seed = *seed * 1103515245u + 12345u;
	return (*seed >> 16) % below;
}

static void test_property(void)
{
	struct config c = config_dual();
	unsigned bad = 0, seed = 1;
	struct contests contests = { .now_ns = 1 };
	struct table t = { 0 };

	for (int round = 0; round < 2000; round++) {
		auto(buf) struct buf out = BUF_INIT(1 << 16);
		auto(strv) struct strv why = { 0 };
		struct nodes nodes = NODES_INIT;
		unsigned n = next(&seed, 6);

		if (t.n > TABLE_MAX / 2)
			t.n = 0;
		if (next(&seed, 4) == 0) {
			char dst[32];

			snprintf(dst, sizeof(dst), "10.%u.%u.0/24", 42 + next(&seed, 2), next(&seed, 4));
			put(&t, dst, next(&seed, 2) ? "172.18.0.250" : NULL, next(&seed, 2) ? ROUTE_PROTO : 4);
		}
		for (unsigned i = 0; i < n; i++) {
			autofree char *name = xasprintf("n%u", i), *cidr = xasprintf("\"10.42.%u.0/24\"", next(&seed, 8));
			autofree char *ip = xasprintf(",{\"type\":\"InternalIP\",\"address\":\"172.18.0.%u\"}", next(&seed, 9) + 2);

			node(&nodes, name, next(&seed, 2), ip, cidr);
		}
		contests.now_ns += next(&seed, 20) * 1000000000ull;
		bad += settle_contests(&c, &nodes, &contests, &t, &out, &why) != 0;
		nodes_done(&nodes);
	}
	contests_done(&contests);
	is_int(bad, 0, "over 2000 random worlds the second plan is empty");
	config_done(&c);
}

static void test_nodes(void)
{
	struct nodes nodes = NODES_INIT;
	autojson json *odd = json_parse("{\"metadata\":{\"name\":\"../x\"}}", 29, NULL);

	ok(!nodes_put(&nodes, odd), "a node without a proper name is none");
	node(&nodes, "a", true, IP("1.2.3.4"), "");
	node(&nodes, "b", true, IP("1.2.3.5"), "");
	nodes_list_begin(&nodes);
	node(&nodes, "b", true, IP("1.2.3.5"), "");
	ok(nodes_list_end(&nodes) && nodes.synced, "the first full list is news");
	ok(!map_get(&nodes.by_name, "a") && map_get(&nodes.by_name, "b"), "what it does not name is gone");
	nodes_list_begin(&nodes);
	node(&nodes, "b", true, IP("1.2.3.5"), "");
	ok(!nodes_list_end(&nodes), "the same list again is no news");
	nodes_done(&nodes);
}

int main(void)
{
	test_nodes();
	test_plan();
	test_conflicts();
	test_contests();
	test_precedence();
	test_no_contest();
	test_property();
	return tap_done();
}
