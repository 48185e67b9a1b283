/* SPDX-License-Identifier: Apache-2.0 */
/* From probes and answers to a verdict, by a clock of our own; and what the verdict does to the routes. */
#include "agent/hop.h"

#include "agent/desired.h"
#include "base/mem.h"
#include "tests/tap.h"

#define MS UINT64_C(1000000)

static struct addr address(const char *s)
{
	struct addr a;

	if (addr_parse(s, &a))
		abort();
	return a;
}

/* The world of one hop: it answers within 1 ms while `up`; probes are sent and judged when they are due. */
struct world {
	struct hop hop;
	uint64_t now_ns;
	unsigned probes, changes;
	bool up;
};

static void world_turn(struct world *w, uint64_t until_ns)
{
	while (hop_next(&w->hop) <= until_ns) {
		uint16_t seq;

		w->now_ns = MAX(w->now_ns, hop_next(&w->hop));
		w->changes += hop_judge(&w->hop, w->now_ns);
		if (w->hop.due_ns > w->now_ns)
			continue;
		seq = hop_probe(&w->hop, w->now_ns);
		w->probes++;
		if (w->up)
			w->changes += hop_answer(&w->hop, seq, w->now_ns + MS);
	}
	w->now_ns = until_ns;
}

static void world_new(struct world *w)
{
	struct addr a = address("172.18.0.2");

	*w = (struct world){ .hop = hop_new(&a, 0, 0), .up = true };
	world_turn(w, 10000 * MS + 5 * MS);
}

static void test_life(void)
{
	struct world w;
	uint64_t at;

	world_new(&w);
	is_str(hop_state_name(w.hop.state), "alive", "a hop that answers is alive");
	is_int(w.probes, 11, "it is probed once a second");
	is_int(w.changes, 1, "and changes no more");
	is_int((long long)(w.hop.rtt_ns / MS), 1, "its latency is known");
	w.up = false;
	for (at = w.now_ns; w.hop.state != HOP_DEAD && at < 20000 * MS; at += MS)
		world_turn(&w, at);
	is_int((long long)(at / MS), 13001, "it falls silent: dead 3 s after, at the latest");
	w.probes = 0;
	world_turn(&w, 20005 * MS);
	is_int(w.probes, 7, "a dead one is probed once a second");
	w.up = true;
	world_turn(&w, 21005 * MS);
	is_str(hop_state_name(w.hop.state), "dead", "one answer does not make it alive");
	world_turn(&w, 22005 * MS);
	is_str(hop_state_name(w.hop.state), "alive", "but two do");
	is_int(w.changes, 3, "in all it changed three times");
}

static void test_losses(void)
{
	struct world w;

	world_new(&w);
	for (int i = 0; i < 1000; i++) {	/* two of three lost */
		w.up = i % 3 == 0;
		world_turn(&w, hop_next(&w.hop));
	}
	is_int(w.changes, 1, "two losses in a row, a thousand times, are no death");
	world_new(&w);
	w.up = false;
	world_turn(&w, 14000 * MS);
	for (int i = 0; i < 1000; i++) {
		w.up = i % 2 == 0;
		world_turn(&w, hop_next(&w.hop));
	}
	is_int(w.changes, 2, "a dead one that answers every other time stays dead");
}

static void test_answers(void)
{
	static const struct { const char *what; unsigned sent, answered; bool counts; } rows[] = {
		{ "an answer to the last probe counts", 1, 1, true },
		{ "so does one to the probe before", 2, 1, true },
		{ "and one before that", 3, 1, true },
		{ "an older one does not", 4, 1, false },
		{ "nor one that was never asked for", 1, 2, false },
		{ "nor one of before", 1, 0, false },
	};
	struct addr a = address("fd18::2");

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct hop h = hop_new(&a, 0, 0);

		for (unsigned k = 0; k < rows[i].sent; k++)
			hop_probe(&h, k * HOP_DOUBT_NS);
		is_int(hop_answer(&h, (uint16_t)rows[i].answered, 3000 * MS), rows[i].counts, "%s", rows[i].what);
	}
	for (unsigned k = 0; k < 70000; k++) {
		struct hop h = hop_new(&a, 0, 0);

		h.seq = (uint16_t)k;
		if (!hop_answer(&h, hop_probe(&h, 0), MS) || hop_answer(&h, h.seq, MS)) {
			ok(false, "sequence %u is matched once", k);
			return;
		}
	}
	ok(true, "every sequence number is matched once");
}

static void test_sleep(void)
{
	struct world w;

	world_new(&w);
	w.up = false;
	world_turn(&w, 12900 * MS);		/* three are out, none judged */
	w.now_ns = 100000 * MS;
	hop_forget(&w.hop, w.now_ns);
	ok(!hop_judge(&w.hop, w.now_ns), "what was slept through is no miss");
	w.up = true;
	world_turn(&w, 100001 * MS);
	is_int(w.changes, 1, "awake again it is alive as before");
	world_turn(&w, 105000 * MS);
	w.up = false;
	world_turn(&w, 110000 * MS);
	is_str(hop_state_name(w.hop.state), "dead", "and dies as usual");
}

/* ---- who carries the services ------------------------------------------------------------------------------------ */

struct who {
	bool ready;
	int state;		/* enum hop_state, or -1: not probed */
};

static void world_make(const struct who *who, size_t n, struct nodes *nodes, struct hop_table *hops)
{
	for (size_t i = 0; i < n; i++) {
		autofree char *text = xasprintf("{\"metadata\":{\"name\":\"n%zu\"},\"status\":{\"conditions\":[{\"type\":\"Ready\",\"status\":\"%s\"}],"
						"\"addresses\":[{\"type\":\"InternalIP\",\"address\":\"172.18.0.%zu\"}]}}",
						i + 2, who[i].ready ? "True" : "Unknown", i + 2);
		autofree char *ip = xasprintf("172.18.0.%zu", i + 2);
		autojson json *j = json_parse(text, strlen(text), NULL);
		struct addr a = address(ip);

		(void)nodes_put(nodes, j);
		if (who[i].state < 0)
			continue;
		hops->v[hops->n] = hop_new(&a, 0, 0);
		hops->v[hops->n++].state = (enum hop_state)who[i].state;
	}
}

static struct config config(void)
{
	static const char text[] = "{\"kubeconfig\":\"/k\",\"pod_cidr\":\"10.42.0.0/16\",\"service_cidr\":\"10.43.0.0/16\",\"dns\":\"10.43.0.10\"}";
	struct config c;

	if (config_parse(text, strlen(text), &c, NULL))
		abort();
	return c;
}

/* The last part of the address that the services go through, 0 when none. */
static int carrier(const struct config *c, const struct who *who, size_t n, int current)
{
	struct route now = { .proto = ROUTE_PROTO, .dst = c->services.v[0], .via = address("172.18.0.0") };
	struct nodes nodes = NODES_INIT;
	struct hop_table hops = { .n = 0 };
	struct desired d;
	int got;

	now.via.b[3] = (uint8_t)current;
	world_make(who, n, &nodes, &hops);
	desired_make(c, &nodes, &hops, &now, current ? 1 : 0, &d);
	got = d.route_count ? d.routes[0].via.b[3] : 0;
	desired_done(&d);
	nodes_done(&nodes);
	return got;
}

static void test_carrier(void)
{
	enum { NOT = -1, UNKNOWN = HOP_UNKNOWN, ALIVE = HOP_ALIVE, DEAD = HOP_DEAD };
	static const struct { const char *what; struct who who[3]; int current, want; } rows[] = {
		{ "at first the first by name", { { true, UNKNOWN }, { true, UNKNOWN }, { true, UNKNOWN } }, 0, 2 },
		{ "the one in place stays", { { true, ALIVE }, { true, ALIVE }, { true, ALIVE } }, 3, 3 },
		{ "also while nothing is known of it", { { true, ALIVE }, { true, UNKNOWN }, { true, ALIVE } }, 3, 3 },
		{ "a dead one is replaced", { { true, ALIVE }, { true, DEAD }, { true, ALIVE } }, 3, 2 },
		{ "by one that answers rather than an unknown one", { { true, UNKNOWN }, { true, DEAD }, { true, ALIVE } }, 3, 4 },
		{ "by one that answers though it is said not to be ready", { { false, ALIVE }, { true, DEAD }, { true, DEAD } }, 3, 2 },
		{ "one that is not ready hands over", { { true, ALIVE }, { false, ALIVE }, { true, ALIVE } }, 3, 2 },
		{ "but not to a dead one", { { true, DEAD }, { false, ALIVE }, { true, DEAD } }, 3, 3 },
		{ "a lone node that answers carries, ready or not", { { false, ALIVE }, { false, DEAD }, { false, NOT } }, 0, 2 },
		{ "all are dead: nothing is replaced", { { true, DEAD }, { true, DEAD }, { true, DEAD } }, 3, 3 },
		{ "not even one that is not ready", { { true, DEAD }, { false, DEAD }, { true, DEAD } }, 3, 3 },
		{ "all are dead, nothing in place: the first by name", { { true, DEAD }, { true, DEAD }, { true, DEAD } }, 0, 2 },
		{ "without probes the API says who", { { false, NOT }, { true, NOT }, { true, NOT } }, 2, 3 },
		{ "without probes nobody is ready", { { false, NOT }, { false, NOT }, { false, NOT } }, 2, 0 },
	};
	struct config c = config();

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		int got = carrier(&c, rows[i].who, 3, rows[i].current);

		is_int(got, rows[i].want, "%s", rows[i].what);
		if (got)
			is_int(carrier(&c, rows[i].who, 3, got), got, "%s: and stays", rows[i].what);
	}
	config_done(&c);
}

/* Every world of three nodes: who is chosen stays chosen, and is never a dead one while another answers. */
static void test_property(void)
{
	unsigned moved = 0, dead = 0;
	struct config c = config();

	for (int world = 0; world < 8 * 8 * 8 * 4; world++) {
		struct who who[3];
		bool answers = false;
		int got;

		for (int i = 0; i < 3; i++) {
			who[i] = (struct who){ world >> (3 * i) & 1, (world >> (3 * i + 1) & 3) - 1 };
			answers |= who[i].state == HOP_ALIVE;
		}
		got = carrier(&c, who, 3, world >> 9 ? (world >> 9) + 1 : 0);
		moved += carrier(&c, who, 3, got) != got;
		dead += answers && (!got || who[got - 2].state == HOP_DEAD);
	}
	is_int(moved, 0, "in each of 2048 worlds the choice stands");
	is_int(dead, 0, "and is not dead while another answers");
	config_done(&c);
}

int main(void)
{
	test_life();
	test_losses();
	test_answers();
	test_sleep();
	test_carrier();
	test_property();
	return tap_done();
}
