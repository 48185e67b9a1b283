/* SPDX-License-Identifier: Apache-2.0 */
/* In a network namespace of its own: whatever comes and goes, in place is what should be. */
#include "agent/rules.h"

#include "agent/cluster.h"
#include "agent/usable.h"
#include "agent/zone.h"
#include "base/mem.h"
#include "tests/namespace.h"
#include "tests/tap.h"

#define SERVICES 12
#define ROUNDS 300

struct sums {
	const struct agent *a;
	size_t ports, pings;
};

static void sum_add(void *arg, const char *ns, const char *service)
{
	struct sums *s = arg;
	struct usable u;

	usable_make(&s->a->config, s->a->zone->store, ns, service, NULL, &u);
	s->ports += u.n;
	s->pings += u.pings;
	usable_done(&u);
}

/* A service with `ports` ports at one of few addresses, so that they change hands; a slice with `up` endpoints that are ready. */
static void object_put(struct store *s, unsigned n, unsigned ports, unsigned ip, unsigned up)
{
	auto(buf) struct buf v = BUF_INIT(1 << 16), e = BUF_INIT(1 << 16);

	buf_addf(&v, "{\"metadata\":{\"namespace\":\"d\",\"name\":\"s%u\"},\"spec\":{\"clusterIPs\":[\"10.43.0.%u\"],\"ports\":[", n, ip);
	buf_addf(&e, "{\"metadata\":{\"namespace\":\"d\",\"name\":\"s%u-x\",\"labels\":{\"kubernetes.io/service-name\":\"s%u\"}},\"ports\":[", n, n);
	for (unsigned i = 0; i < ports; i++) {
		buf_addf(&v, "%s{\"name\":\"p%u\",\"port\":%u,\"protocol\":\"TCP\"}", i ? "," : "", i, 80 + i);
		buf_addf(&e, "%s{\"name\":\"p%u\",\"port\":80,\"protocol\":\"TCP\"}", i ? "," : "", i);
	}
	buf_adds(&v, "]}}");
	buf_adds(&e, "],\"endpoints\":[");
	for (unsigned i = 0; i < 3; i++)
		buf_addf(&e, "%s{\"addresses\":[\"10.42.0.%u\"],\"conditions\":{\"ready\":%s}}", i ? "," : "", 1 + n * 3 + i, i < up ? "true" : "false");
	buf_adds(&e, "]}");
	autojson json *service = json_parse(buf_str(&v), v.len, NULL), *slice = json_parse(buf_str(&e), e.len, NULL);

	if (!service || !slice || store_put(s, STORE_SERVICES, service) || store_put(s, STORE_SLICES, slice))
		abort();
}

static void object_drop(struct store *s, unsigned n, enum store_kind kind)
{
	autofree char *text = xasprintf("{\"metadata\":{\"namespace\":\"d\",\"name\":\"s%u%s\"}}", n, kind == STORE_SLICES ? "-x" : "");
	autojson json *o = json_parse(text, strlen(text), NULL);

	store_delete(s, kind, o);
}

static int64_t status(struct agent *a, const char *key)
{
	autojson json *o = json_object();

	rules_status(a, o);
	return json_int(o, key, -1);
}

static bool is_in_place(struct agent *a)
{
	autojson json *o = json_object();

	rules_status(a, o);
	return json_bool(o, "rules.in_place", false);
}

static void turn(struct agent *a, uint64_t ms)
{
	bool never = false;

	(void)!loop_run(a->loop, &never, loop_deadline(ms));
}

static bool is_as_it_should_be(struct agent *a)
{
	struct sums s = { .a = a };

	store_each_service(a->zone->store, sum_add, &s);
	return status(a, "rules.ports") == (int64_t)s.ports && status(a, "rules.pings") == (int64_t)s.pings;
}

static unsigned next(uint32_t *seed, unsigned below)
{
	*seed = *seed * 1664525u + 1013904223u;
	return (*seed >> 8) % below;
}

static void test_random(struct agent *a)
{
	uint32_t seed = 4711;
	unsigned wrong = 0;

	for (unsigned i = 0; i < ROUNDS; i++) {
		unsigned n = next(&seed, SERVICES), what = next(&seed, 4), ports = 1 + next(&seed, 4), up = next(&seed, 4);

		if (what < 2)	/* an address is taken by one service at a time, as the API server has it */
			object_put(a->zone->store, n, ports, 1 + n, up);
		else
			object_drop(a->zone->store, n, what == 2 ? STORE_SERVICES : STORE_SLICES);
		if (next(&seed, 3))
			rules_flush(a->rules);
		else
			continue;
		wrong += !is_as_it_should_be(a);
	}
	rules_flush(a->rules);
	ok(!wrong && is_in_place(a), "after each of %d random changes in place is what should be", ROUNDS);
}

/* Tells of everything again. */
static void test_twice(struct agent *a)
{
	int64_t before = status(a, "rules.changes");
	unsigned n = store_count(a->zone->store, STORE_SERVICES);

	for (unsigned i = 0; i < SERVICES; i++) {
		object_put(a->zone->store, i, 2, 1 + i, 2);
		rules_flush(a->rules);
	}
	before = status(a, "rules.changes");
	for (unsigned i = 0; i < SERVICES; i++)
		object_put(a->zone->store, i, 2, 1 + i, 2);
	rules_flush(a->rules);
	ok(n <= SERVICES && status(a, "rules.changes") == before, "an unchanged world changes nothing");
}

static void test_hands(struct agent *a)
{
	object_put(a->zone->store, 1, 2, 200, 2);
	rules_flush(a->rules);
	object_put(a->zone->store, 2, 2, 200, 2);	/* before the first has let it go */
	rules_flush(a->rules);
	object_drop(a->zone->store, 1, STORE_SERVICES);
	rules_flush(a->rules);
	turn(a, 50);
	ok(is_as_it_should_be(a), "an address that changes hands the wrong way round stays with the new service");
}

int main(void)
{
	static const char text[] = "{\"kubeconfig\":\"/k\",\"pod_cidr\":\"10.42.0.0/16\",\"service_cidr\":\"10.43.0.0/16\",\"dns\":\"10.43.0.10\"}";
	struct agent a = { .loop = loop_new(LOOP_DEFAULT), .nodes = NODES_INIT };
	struct err err = { 0 };

	if (!namespace_enter() || !RUN("ip", "link", "set", "lo", "up")) {
		skip("rules in a namespace", "none can be made here");
		return tap_done();
	}
	if (config_parse(text, strlen(text), &a.config, &err) || zone_start(&a, &err) || rules_start(&a, &err))
		abort();
	if (!is_in_place(&a)) {
		skip("rules in a namespace", "no nf_tables here");
	} else {
		test_random(&a);
		test_twice(&a);
		test_hands(&a);
	}
	rules_stop(&a);
	zone_stop(&a);
	config_done(&a.config);
	loop_free(a.loop);
	return tap_done();
}
