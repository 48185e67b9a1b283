/* SPDX-License-Identifier: Apache-2.0 */
#include "net/forward/target.h"

#include <errno.h>
#include <netinet/in.h>
#include <time.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/str.h"
#include "tests/tap.h"

#define TURNS 12	/* a multiple of 1, 2, 3, 4 and 6 */
#define MANY 10000

enum { TCP = IPPROTO_TCP, UDP = IPPROTO_UDP };

/* ---- the world --------------------------------------------------------------------------------------------------- */

static void put(struct store *s, enum store_kind kind, const char *text)
{
	autojson json *o = json_parse(text, strlen(text), NULL);

	if (store_put(s, kind, o))
		ok(false, "%s is an object", text);
}

static void service(struct store *s, const char *name, const char *spec)
{
	autofree char *text = xasprintf("{\"metadata\":{\"namespace\":\"t\",\"name\":\"%s\"},\"spec\":{%s}}", name, spec);

	put(s, STORE_SERVICES, text);
}

static void slice(struct store *s, const char *ns, const char *name, const char *owner, const char *ports, const char *endpoints)
{
	autofree char *text = xasprintf("{\"metadata\":{\"namespace\":\"%s\",\"name\":\"%s\",\"labels\":{"
					"\"kubernetes.io/service-name\":\"%s\"}},\"ports\":[%s],\"endpoints\":[%s]}",
					ns, name, owner, ports, endpoints);

	put(s, STORE_SLICES, text);
}

static void slice_delete(struct store *s, const char *name)
{
	autofree char *text = xasprintf("{\"metadata\":{\"namespace\":\"t\",\"name\":\"%s\"}}", name);
	autojson json *o = json_parse(text, strlen(text), NULL);

	store_delete(s, STORE_SLICES, o);
}

#define SELECTOR "\"selector\":{\"app\":\"x\"}"
#define IP(ip) "\"clusterIP\":\"" ip "\""
#define PORTS(list) "\"ports\":[" list "]"
#define PORT(name, number) "{\"name\":\"" name "\",\"port\":" #number ",\"protocol\":\"TCP\"}"
#define PORT_UDP(name, number) "{\"name\":\"" name "\",\"port\":" #number ",\"protocol\":\"UDP\"}"
#define OTHER(ip) "{\"addresses\":[\"" ip "\"]}"
#define IS(pod) "\"targetRef\":{\"kind\":\"Pod\",\"namespace\":\"t\",\"name\":\"" pod "\"}"
#define POD(ip, pod) "{\"addresses\":[\"" ip "\"]," IS(pod) "}"
#define SOME(ip, pod, conditions) "{\"addresses\":[\"" ip "\"]," IS(pod) ",\"conditions\":{" conditions "}}"
#define UNREADY "\"ready\":false,\"serving\":false,\"terminating\":false"
#define ENDING "\"ready\":false,\"serving\":true,\"terminating\":true"
#define ENDED "\"ready\":false,\"serving\":false,\"terminating\":true"

static void world_fill(struct store *s)
{
	service(s, "web", SELECTOR "," IP("10.43.0.1") "," PORTS(PORT("http", 80) "," PORT("metrics", 9090) "," PORT_UDP("http3", 80) "," PORT_UDP("q", 81)));
	slice(s, "t", "web-a", "web", PORT("http", 8080) "," PORT("metrics", 9100), POD("10.0.0.1", "web-1") "," POD("10.0.0.2", "web-2"));
	slice(s, "t", "web-b", "web", PORT("http", 8081), POD("10.0.0.3", "web-3"));
	slice(s, "u", "web-a", "web", PORT("http", 1), "{\"addresses\":[\"10.9.0.1\"],\"targetRef\":{\"kind\":\"Pod\",\"name\":\"alien\"}}");
	service(s, "plain", SELECTOR "," PORTS("{\"port\":80}"));
	slice(s, "t", "plain-a", "plain", "{\"port\":8080}", POD("10.0.1.1", "plain-1"));

	service(s, "dual", SELECTOR "," PORTS(PORT("", 80)));
	slice(s, "t", "dual-4", "dual", PORT("", 80), POD("10.0.2.1", "dual-1") "," POD("10.0.2.2", "dual-2"));
	slice(s, "t", "dual-6", "dual", PORT("", 80), POD("fd00::1", "dual-1") "," POD("fd00::2", "dual-2"));
	service(s, "six", SELECTOR "," PORTS(PORT("", 80)));
	slice(s, "t", "six-4", "six", PORT("", 80), POD("10.0.3.1", "six-1"));
	slice(s, "t", "six-6", "six", PORT("", 80), POD("fd00:3::1", "six-1") "," POD("fd00:3::2", "six-2"));

	service(s, "open", SELECTOR "," PORTS(PORT("", 80)));
	slice(s, "t", "open-a", "open", "{\"name\":\"\"}", POD("10.0.4.1", "open-1"));
	service(s, "headless", SELECTOR "," IP("None"));
	slice(s, "t", "headless-a", "headless", "", POD("10.0.4.2", "headless-1"));

	service(s, "rolling", SELECTOR "," PORTS(PORT("", 80)));
	slice(s, "t", "rolling-a", "rolling", PORT("", 80), SOME("10.0.5.1", "rolling-1", ENDING) "," POD("10.0.5.2", "rolling-2") "," SOME("10.0.5.3", "rolling-3", UNREADY));
	service(s, "leaving", SELECTOR "," PORTS(PORT("", 80)));
	slice(s, "t", "leaving-a", "leaving", PORT("", 80), SOME("10.0.5.4", "leaving-1", ENDING) "," SOME("10.0.5.5", "leaving-2", ENDED) "," SOME("10.0.5.6", "leaving-3", UNREADY));
	service(s, "starting", SELECTOR "," PORTS(PORT("", 80)));
	slice(s, "t", "starting-a", "starting", PORT("", 80), SOME("10.0.5.7", "starting-1", UNREADY) "," SOME("10.0.5.8", "starting-2", ENDED) ","
	      SOME("10.0.5.11", "starting-3", "\"ready\":false,\"serving\":true"));
	service(s, "early", SELECTOR ",\"publishNotReadyAddresses\":true," PORTS(PORT("", 80)));
	slice(s, "t", "early-a", "early", PORT("", 80), SOME("10.0.5.9", "early-1", UNREADY) "," POD("10.0.5.10", "early-2"));

	service(s, "empty", SELECTOR "," PORTS(PORT("", 80)));
	service(s, "manual-empty", PORTS(PORT("", 80)));
	service(s, "unnamed", SELECTOR "," PORTS(PORT("http", 80)));
	slice(s, "t", "unnamed-a", "unnamed", "", POD("10.0.6.1", "unnamed-1"));
	service(s, "outside", PORTS(PORT("", 80)));
	slice(s, "t", "outside-a", "outside", PORT("", 5432), OTHER("192.0.2.1") "," OTHER("192.0.2.2"));
	service(s, "alone", PORTS(PORT("", 80)));
	slice(s, "t", "alone-a", "alone", PORT("", 5432), OTHER("192.0.2.3"));
	service(s, "name", "\"type\":\"ExternalName\",\"externalName\":\"db.example.com\"," PORTS(PORT("", 80)));
	service(s, "manual", PORTS(PORT("", 80)));
	slice(s, "t", "manual-a", "manual", PORT("", 5432), OTHER("10.0.0.1") "," OTHER("192.0.2.4") "," OTHER("10.9.0.1"));
	service(s, "wrong", PORTS(PORT("", 80)));
	slice(s, "t", "wrong-a", "wrong", PORT("", 80), "{\"addresses\":[\"192.0.2.5\"],\"targetRef\":{\"kind\":\"Pod\",\"namespace\":\"u\",\"name\":\"w\"}},"
	      "{\"addresses\":[\"192.0.2.6\"],\"targetRef\":{\"kind\":\"Node\",\"name\":\"w\"}}");

	service(s, "node-exporter", SELECTOR "," PORTS(PORT("", 9100)));
	slice(s, "t", "node-exporter-a", "node-exporter", PORT("", 9100), POD("172.16.0.1", "exporter"));
	service(s, "proxy", SELECTOR "," PORTS(PORT("", 80)));
	slice(s, "t", "proxy-a", "proxy", PORT("", 8080) "," PORT_UDP("q", 9100), POD("172.16.0.1", "proxy") "," SOME("172.16.0.1", "new-proxy", UNREADY));
	service(s, "api", PORTS(PORT("", 443)));
	slice(s, "t", "api-a", "api", PORT("", 9100), OTHER("172.16.0.1"));
	slice(s, "t", "orphan", "", PORT("", 80), POD("10.0.7.1", "orphan"));
}

/* ---- who is chosen ----------------------------------------------------------------------------------------------- */

static unsigned number_of(const char *pod)
{
	uint16_t n;

	return num_u16(strrchr(pod, '-') + 1, &n) ? UINT16_MAX : n;
}

static int pair_cmp(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* "NS/POD:PORT×TIMES …" of some turns, sorted; or why there is none. */
static char *chosen(const struct store *s, const struct target_want *want, const struct addr *client, const struct target_tried *tried)
{
	auto(buf) struct buf b = BUF_INIT(65536);
	auto(strv) struct strv all = { 0 };

	for (uint64_t turn = 0; turn < TURNS; turn++) {
		struct target t;
		struct err err = { 0 };
		int r = target_choose(s, want, client, turn, tried, &t, &err);

		if (r)
			return xasprintf("%s: %s", r == -EAGAIN ? "again" : r == -ENOENT ? "none" : r == -EOPNOTSUPP ? "never" : "?", err_text(&err));
		strv_addf(&all, "%s/%s:%u", t.ns, t.pod, t.port);
	}
	qsort(all.v, all.n, sizeof(*all.v), pair_cmp);
	for (size_t i = 0, from = 0; i < all.n; i++) {
		if (i + 1 < all.n && streq(all.v[i], all.v[i + 1]))
			continue;
		buf_addf(&b, "%s%s×%zu", from ? " " : "", all.v[i], i + 1 - from);
		from = i + 1;
	}
	return buf_steal(&b);
}

static const struct case_ {
	const char *what, *service, *pod;
	uint16_t port;
	uint8_t protocol;
	const char *want;
} cases[] = {
	{ "a port is found by its number, each slice has its own for it", "web", NULL, 80, TCP, "t/web-1:8080×4 t/web-2:8080×4 t/web-3:8081×4" },
	{ "slices without the port do not count", "web", NULL, 9090, TCP, "t/web-1:9100×6 t/web-2:9100×6" },
	{ "a port without name and protocol", "plain", NULL, 80, TCP, "t/plain-1:8080×12" },
	{ "a pod with an address of each family has one turn", "dual", NULL, 80, TCP, "t/dual-1:80×6 t/dual-2:80×6" },
	{ "the family with more pods counts", "six", NULL, 80, TCP, "t/six-1:80×6 t/six-2:80×6" },
	{ "a port without number is the wanted one", "open", NULL, 80, TCP, "t/open-1:80×12" },
	{ "so is any of a headless service without ports", "headless", NULL, 7777, TCP, "t/headless-1:7777×12" },
	{ "only ready ones are chosen", "rolling", NULL, 80, TCP, "t/rolling-2:80×12" },
	{ "where none is, those that still serve while they terminate", "leaving", NULL, 80, TCP, "t/leaving-1:80×12" },
	{ "where none does", "starting", NULL, 80, TCP, "again: no endpoint of service t/starting is ready (it has 3)" },
	{ "publishNotReadyAddresses makes all ready", "early", NULL, 80, TCP, "t/early-1:80×6 t/early-2:80×6" },
	{ "no slices", "empty", NULL, 80, TCP, "again: service t/empty has no endpoints" },
	{ "no slices, and none to come by themselves", "manual-empty", NULL, 80, TCP,
	  "again: service t/manual-empty has no endpoints, and no selector that would find some" },
	{ "pods without the port's name", "unnamed", NULL, 80, TCP, "again: no endpoint of service t/unnamed has its port 80" },
	{ "endpoints outside of the cluster", "outside", NULL, 80, TCP,
	  "never: the endpoints of service t/outside (192.0.2.1, …) are no pods: a port-forward cannot reach them" },
	{ "one of them", "alone", NULL, 80, TCP, "never: the endpoints of service t/alone (192.0.2.3) are no pods: a port-forward cannot reach them" },
	{ "addresses of pods are pods, of other namespaces too", "manual", NULL, 80, TCP, "t/web-1:5432×6 u/alien:5432×6" },
	{ "a target of another namespace or kind is no pod", "wrong", NULL, 80, TCP,
	  "never: the endpoints of service t/wrong (192.0.2.5, …) are no pods: a port-forward cannot reach them" },
	{ "of those that share an address the one with the port", "api", NULL, 443, TCP, "t/exporter:9100×12" },
	{ "a name for another name", "name", NULL, 80, TCP, "never: service t/name is only a name for db.example.com: a port-forward cannot reach it" },
	{ "no such service", "nobody", NULL, 80, TCP, "none: there is no service t/nobody" },
	{ "no such port", "web", NULL, 8080, TCP, "none: service t/web has no TCP port 8080" },
	{ "a port of UDP is none of TCP", "web", NULL, 81, TCP, "none: service t/web has no TCP port 81" },
	{ "nor the other way", "web", NULL, 9090, UDP, "none: service t/web has no UDP port 9090" },
	{ "UDP", "web", NULL, 80, UDP, "never: port 80 of service t/web is UDP: a port-forward carries TCP only" },
	{ "a pod and its port", NULL, "any", 7777, TCP, "t/any:7777×12" },
	{ "a pod of a service", "web", "web-3", 7777, TCP, "t/web-3:7777×12" },
	{ "it need not be ready", "starting", "starting-1", 80, TCP, "t/starting-1:80×12" },
	{ "one that the service does not have now", "web", "web-9", 80, TCP, "again: service t/web has no pod web-9 now" },
	{ "one of a service that is gone", "nobody", "web-1", 80, TCP, "none: there is no service t/nobody" },
	{ "UDP of a pod", NULL, "any", 53, UDP, "never: port 53 of pod t/any is UDP: a port-forward carries TCP only" },
	{ "what cannot be a pod's name", NULL, "any/../x", 80, TCP, "none: there can be no pod t/any/../x" },
};

static void test_choose(const struct store *s)
{
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct case_ *c = &cases[i];
		struct target_want want = { "t", c->service, c->pod, c->port, c->protocol };
		autofree char *got = chosen(s, &want, NULL, NULL);

		is_str(got, c->want, "%s", c->what);
	}
}

static struct addr ip(const char *text)
{
	struct addr a;

	if (addr_parse(text, &a))
		abort();
	return a;
}

static void test_tried(const struct store *s)
{
	static const struct { const char *what, *service, *pod; struct target tried[2]; const char *want; } t[] = {
		{ "those left share the turns", "web", NULL, { { "t", "web-2", 8080 } }, "t/web-1:8080×6 t/web-3:8081×6" },
		{ "all but one", "web", NULL, { { "t", "web-2", 8080 }, { "t", "web-1", 8080 } }, "t/web-3:8081×12" },
		{ "another port of it", "web", NULL, { { "t", "web-3", 8080 } }, "t/web-1:8080×4 t/web-2:8080×4 t/web-3:8081×4" },
		{ "one of that name elsewhere", "manual", NULL, { { "t", "alien", 5432 } }, "t/web-1:5432×6 u/alien:5432×6" },
		{ "all", "plain", NULL, { { "t", "plain-1", 8080 } }, "again: all ready endpoints of service t/plain were tried in vain" },
		{ "by one family is by the other", "dual", NULL, { { "t", "dual-1", 80 } }, "t/dual-2:80×12" },
		{ "all of both families", "dual", NULL, { { "t", "dual-1", 80 }, { "t", "dual-2", 80 } },
		  "again: all ready endpoints of service t/dual were tried in vain" },
		{ "then those that still serve", "rolling", NULL, { { "t", "rolling-2", 80 } }, "t/rolling-1:80×12" },
		{ "a pod alone", NULL, "any", { { "t", "any", 80 } }, "again: pod t/any was tried in vain" },
		{ "another pod", NULL, "any", { { "t", "web-1", 80 } }, "t/any:80×12" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		struct target_want want = { "t", t[i].service, t[i].pod, 80, IPPROTO_TCP };
		struct target_tried tried = { { t[i].tried[0], t[i].tried[1] }, 1 + (t[i].tried[1].port != 0) };
		autofree char *got = chosen(s, &want, NULL, &tried);

		is_str(got, t[i].want, "tried before: %s", t[i].what);
	}
}

static void test_of_addr(const struct store *s)
{
	static const struct { const char *what, *addr; uint16_t port; uint8_t protocol; const char *want; } t[] = {
		{ "a cluster IP is its service, whatever the port", "10.43.0.1", 1234, TCP, "t web - 1234" },
		{ "a pod's address is the pod", "10.0.0.3", 22, TCP, "t web web-3 22" },
		{ "of either family", "fd00::2", 80, TCP, "t dual dual-2 80" },
		{ "ready or not", "10.0.5.7", 80, TCP, "t starting starting-1 80" },
		{ "in another namespace", "10.9.0.1", 80, TCP, "u web alien 80" },
		{ "without a service's name", "10.0.7.1", 80, TCP, "t - orphan 80" },
		{ "on a node's network the port decides", "172.16.0.1", 9100, TCP, "t node-exporter exporter 9100" },
		{ "another one", "172.16.0.1", 8080, TCP, "t proxy proxy 8080" },
		{ "with its protocol", "172.16.0.1", 9100, UDP, "t proxy proxy 9100" },
		{ "an endpoint that is no pod", "192.0.2.1", 5432, TCP, "none" },
		{ "an address of nobody", "10.1.1.1", 80, TCP, "none" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		struct addr a = ip(t[i].addr);
		struct target_want w;
		int r = target_of_addr(s, &a, t[i].port, t[i].protocol, &w);
		autofree char *got = r == -ENOENT ? xstrdup("none") :
			xasprintf("%s %s %s %u", w.ns, w.service ? w.service : "-", w.pod ? w.pod : "-", w.port);

		is_str(got, t[i].want, "address: %s", t[i].what);
		if (!r && w.protocol != t[i].protocol)
			ok(false, "address: %s keeps its protocol", t[i].what);
	}
}

static void test_eq(void)
{
	struct target a = { "t", "p", 80 }, b = a;

	ok(target_eq(&a, &b), "a target is itself");
	b.port = 81;
	ok(!target_eq(&a, &b), "another port is another target");
	b = (struct target){ "u", "p", 80 };
	ok(!target_eq(&a, &b), "so is another namespace");
	b = (struct target){ "t", "q", 80 };
	ok(!target_eq(&a, &b), "and another pod");
}

/* ---- affinity ---------------------------------------------------------------------------------------------------- */

#define CLIENTS 3000
#define PODS 10

static void sticky_slice(struct store *s, unsigned pod)
{
	autofree char *name = xasprintf("sticky-%u", pod);
	autofree char *endpoints = xasprintf("{\"addresses\":[\"10.8.0.%u\"],\"targetRef\":{\"kind\":\"Pod\",\"name\":\"sticky-%u\"}}", pod, pod);

	slice(s, "t", name, "sticky", PORT("", 80), endpoints);
}

static unsigned sticky_pod(const struct store *s, unsigned client, uint64_t turn, const struct target_tried *tried)
{
	struct target_want want = { "t", "sticky", NULL, 80, TCP };
	struct addr a = { .family = AF_INET, .b = { 10, 7, (uint8_t)(client >> 8), (uint8_t)client } };
	struct target t;

	if (target_choose(s, &want, &a, turn, tried, &t, NULL))
		return 0;
	return number_of(t.pod);
}

static void test_affinity(void)
{
	struct store *s = store_new();
	static unsigned before[CLIENTS];
	unsigned count[PODS + 2] = { 0 }, moved = 0, wrong = 0, least = CLIENTS, most = 0;
	struct target_want want = { "t", "sticky", NULL, 80, TCP };
	struct target_tried tried = { { { "t", "sticky-1", 80 } }, 1 };

	service(s, "sticky", SELECTOR ",\"sessionAffinity\":\"ClientIP\"," PORTS(PORT("", 80)));
	for (unsigned i = 1; i <= PODS; i++)
		sticky_slice(s, i);
	for (unsigned i = 0; i < CLIENTS; i++) {
		before[i] = sticky_pod(s, i, 0, NULL);
		wrong += sticky_pod(s, i, 7, NULL) != before[i];
		count[before[i]]++;
	}
	is_int(wrong, 0, "with ClientIP affinity turns do not matter");
	for (unsigned i = 1; i <= PODS; i++) {
		least = MIN(least, count[i]);
		most = MAX(most, count[i]);
	}
	ok(least > CLIENTS / PODS * 8 / 10 && most < CLIENTS / PODS * 12 / 10, "%d clients go to each of %d pods alike (%u to %u)", CLIENTS, PODS, least, most);

	sticky_slice(s, PODS + 1);
	for (unsigned i = 0; i < CLIENTS; i++) {
		unsigned now = sticky_pod(s, i, 0, NULL);

		moved += now != before[i];
		wrong += now != before[i] && now != PODS + 1;
	}
	ok(moved > 0 && moved < 2 * CLIENTS / PODS && !wrong, "a new pod takes its share (%u), nobody else moves", moved);
	slice_delete(s, "sticky-11");
	slice_delete(s, "sticky-3");
	moved = wrong = 0;
	for (unsigned i = 0; i < CLIENTS; i++) {
		unsigned now = sticky_pod(s, i, 0, NULL);

		moved += now != before[i];
		wrong += now != before[i] && before[i] != 3;
	}
	ok(moved == count[3] && !wrong, "a pod that goes leaves its own to the others (%u)", moved);

	for (unsigned i = 0; i < CLIENTS; i++)
		wrong += sticky_pod(s, i, 0, &tried) == 1 || sticky_pod(s, i, 0, &tried) == 0;
	is_int(wrong, 0, "one that was tried is not chosen again");
	slice_delete(s, "sticky-2");
	for (unsigned i = 5; i <= PODS; i++) {
		autofree char *name = xasprintf("sticky-%u", i);

		slice_delete(s, name);
	}
	autofree char *got = chosen(s, &want, NULL, NULL);
	is_str(got, "t/sticky-1:80×6 t/sticky-4:80×6", "a client without address takes turns");
	store_free(s);
}

/* The pod of a client of a dual-stack service is the same whichever slice comes first. */
static void test_affinity_dual(void)
{
	struct addr client = ip("127.0.0.1");
	struct target_want want = { "t", "dual", NULL, 80, TCP };
	char *got[2];

	for (int i = 0; i < 2; i++) {
		struct store *s = store_new();

		service(s, "dual", SELECTOR ",\"sessionAffinity\":\"ClientIP\"," PORTS(PORT("", 80)));
		for (int k = 0; k < 2; k++)
			slice(s, "t", k == i ? "dual-4" : "dual-6", "dual", PORT("", 80),
			      k == i ? POD("10.0.2.1", "a") "," POD("10.0.2.2", "b") : POD("fd00::2", "b") "," POD("fd00::1", "a"));
		got[i] = chosen(s, &want, &client, NULL);
		store_free(s);
	}
	ok(streq(got[0], got[1]) && str_ends(got[0], "×12"), "the order of slices does not matter to affinity: %s", got[0]);
	free(got[0]);
	free(got[1]);
}

/* ---- many -------------------------------------------------------------------------------------------------------- */

static void many_fill(struct store *s, const char *owner, const char *kind)
{
	for (unsigned i = 0; i < MANY / 100; i++) {
		auto(buf) struct buf b = BUF_INIT(1 << 20);
		autofree char *name = xasprintf("%s-%u", owner, i);

		for (unsigned k = 0; k < 100; k++)
			buf_addf(&b, "%s{\"addresses\":[\"10.%u.%u.1\"],\"targetRef\":{\"kind\":\"%s\",\"name\":\"many-7d4b9c6f5d-%u\"}}",
				 k ? "," : "", i, k, kind, i * 100 + k);
		slice(s, "t", name, owner, PORT("", 80), buf_str(&b));
	}
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static uint64_t many_choose(const struct store *s, const char *name, const struct addr *client, unsigned char *seen, unsigned *ret_wrong)
{
	struct target_want want = { "t", name, NULL, 80, TCP };
	uint64_t best = UINT64_MAX;

	for (uint64_t turn = 5; turn < 5 + 200; turn++) {
		uint64_t begun = now_ns(), took;
		struct target t;
		int r = target_choose(s, &want, client, turn, NULL, &t, NULL);
		unsigned pod = r ? 0 : number_of(t.pod);

		took = now_ns() - begun;
		best = MIN(best, took);
		*ret_wrong += r || pod >= MANY || (!client && seen[pod]++);
	}
	return best;
}

static void test_many(void)
{
	struct store *s = store_new();
	unsigned char *seen = xcalloc(MANY, 1);
	struct addr client = ip("127.0.0.1");
	unsigned wrong = 0;
	uint64_t took;

	service(s, "many", SELECTOR "," PORTS(PORT("", 80)));
	many_fill(s, "many", "Pod");
	took = many_choose(s, "many", NULL, seen, &wrong);
	ok(took < 1000000 && !wrong, "a turn among %d endpoints takes %llu µs, each turn is another's", MANY, (unsigned long long)took / 1000);
	service(s, "many", SELECTOR ",\"sessionAffinity\":\"ClientIP\"," PORTS(PORT("", 80)));
	took = many_choose(s, "many", &client, seen, &wrong);
	ok(took < 1000000 && !wrong, "affinity among them %llu µs", (unsigned long long)took / 1000);
	service(s, "many-ips", PORTS(PORT("", 80)));
	many_fill(s, "many-ips", "Node");
	memset(seen, 0, MANY);
	took = many_choose(s, "many-ips", NULL, seen, &wrong);
	ok(took < 10000000 && !wrong, "a turn among as many addresses of pods %llu µs", (unsigned long long)took / 1000);
	free(seen);
	store_free(s);
}

int main(void)
{
	struct store *s = store_new();

	world_fill(s);
	test_choose(s);
	test_tried(s);
	test_of_addr(s);
	store_free(s);
	test_eq();
	test_affinity();
	test_affinity_dual();
	test_many();
	return tap_done();
}
