/* SPDX-License-Identifier: Apache-2.0 */
#include "net/kube/store.h"

#include <errno.h>
#include <netinet/in.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "tests/tap.h"

static int put(struct store *s, enum store_kind kind, const char *text)
{
	autojson json *o = json_parse(text, strlen(text), NULL);

	return store_put(s, kind, o);
}

static void del(struct store *s, enum store_kind kind, const char *text)
{
	autojson json *o = json_parse(text, strlen(text), NULL);

	store_delete(s, kind, o);
}

#define META(name, v) "\"metadata\":{\"namespace\":\"t\",\"name\":\"" name "\",\"uid\":\"u\",\"resourceVersion\":\"" v "\"}"
#define SVC(name, v, ip) "{" META(name, v) ",\"spec\":{\"type\":\"NodePort\",\"clusterIP\":\"" ip "\",\"clusterIPs\":[\"" ip "\",\"fd00::1\"]," \
	"\"ports\":[{\"name\":\"http\",\"port\":80,\"protocol\":\"TCP\"},{\"port\":53,\"protocol\":\"UDP\"}]}}"
#define SLICE(name, service, ip) "{\"metadata\":{\"namespace\":\"t\",\"name\":\"" name "\"," \
	"\"labels\":{\"kubernetes.io/service-name\":\"" service "\"}},\"ports\":[{\"name\":\"http\",\"port\":8080,\"protocol\":\"TCP\"}]," \
	"\"endpoints\":[{\"addresses\":[\"" ip "\"],\"hostname\":\"h\",\"conditions\":{\"ready\":false,\"serving\":true," \
	"\"terminating\":true},\"targetRef\":{\"kind\":\"Pod\",\"name\":\"pod-1\"}},{\"addresses\":[\"10.0.0.9\",\"nonsense\"]}]}"

static struct addr ip(const char *text)
{
	struct addr a;

	if (addr_parse(text, &a))
		abort();
	return a;
}

static void test_services(void)
{
	struct store *s = store_new();
	const struct store_service *v;
	struct addr a = ip("10.43.0.1"), a6 = ip("fd00::1"), b = ip("10.43.0.2");
	uint64_t generation;

	ok(put(s, STORE_SERVICES, SVC("web", "1", "10.43.0.1")) == 0, "a service is taken");
	v = store_service(s, "t", "web");
	ok(v && v->ip_count == 2 && !v->headless && v->type == STORE_NODE_PORT, "with both addresses and its type");
	ok(v && v->port_count == 2 && streq(v->ports[0].name, "http") && v->ports[1].number == 53 &&
	   v->ports[1].protocol == IPPROTO_UDP, "and its ports");
	ok(store_service_of(s, &a) == v && store_service_of(s, &a6) == v, "and is found by each address");
	generation = store_generation(s);
	ok(!put(s, STORE_SERVICES, SVC("web", "1", "10.43.0.1")) && store_generation(s) == generation, "the same again changes nothing");
	ok(!put(s, STORE_SERVICES, SVC("web", "2", "10.43.0.2")) && store_generation(s) > generation, "a new version does");
	ok(!store_service_of(s, &a) && store_service_of(s, &b), "the old address is forgotten");
	ok(!put(s, STORE_SERVICES, SVC("db", "1", "None")) && store_service(s, "t", "db")->headless, "None means headless");
	ok(put(s, STORE_SERVICES, SVC("Bad_name", "1", "None")) == -EINVAL && put(s, STORE_SERVICES, "[]") == -EINVAL,
	   "what has no proper name is refused");
	del(s, STORE_SERVICES, SVC("web", "2", ""));
	ok(!store_service(s, "t", "web") && !store_service_of(s, &b) && store_count(s, STORE_SERVICES) == 1, "a deleted one is gone");
	store_free(s);
}

static void test_slices(void)
{
	struct store *s = store_new();
	struct addr one = ip("10.0.0.1"), nine = ip("10.0.0.9");
	const struct store_endpoint *e;
	const struct store_slice *v;

	ok(!put(s, STORE_SLICES, SLICE("web-a", "web", "10.0.0.1")) && !put(s, STORE_SLICES, SLICE("web-b", "web", "10.0.0.2")) &&
	   !put(s, STORE_SLICES, SLICE("db-a", "db", "10.0.0.3")), "slices are taken before their service");
	v = store_slices(s, "t", "web");
	ok(v && v->next && !v->next->next && v->endpoint_count == 2 && v->port_count == 1, "and stand at their service's name");
	e = store_endpoint_of(s, &one, NULL);
	ok(e && streq(e->hostname, "h") && streq(e->pod, "pod-1") && !e->ready && e->serving && e->terminating,
	   "an endpoint keeps host name, pod and conditions");
	e = store_endpoint_of(s, &nine, NULL);
	ok(e && e->ready && e->serving && !e->terminating && !e->pod, "without conditions it is ready");
	unsigned n = 0;
	for (; e; e = store_endpoint_of(s, &nine, e))
		n++;
	is_int(n, 3, "an address of three slices is found three times");
	del(s, STORE_SLICES, SLICE("web-b", "web", ""));
	v = store_slices(s, "t", "web");
	ok(v && !v->next && store_endpoint_of(s, &one, NULL), "deleting the first of two slices leaves the other");
	ok(!put(s, STORE_SLICES, SLICE("web-a", "other", "10.0.0.1")) && !store_slices(s, "t", "web") && store_slices(s, "t", "other"),
	   "a slice can change its service");
	store_free(s);
}

static void test_lists(void)
{
	struct store *s = store_new();

	ok(!store_synced(s), "an empty store is not synced");
	for (int k = 0; k < STORE_KINDS; k++)
		store_begin(s, (enum store_kind)k);
	ok(!put(s, STORE_NAMESPACES, "{\"metadata\":{\"name\":\"t\"}}") && !put(s, STORE_SERVICES, SVC("web", "1", "10.43.0.1")) &&
	   !put(s, STORE_SERVICES, SVC("db", "1", "10.43.0.2")), "objects of a list");
	for (int k = 0; k < STORE_KINDS; k++)
		store_end(s, (enum store_kind)k);
	ok(store_synced(s) && store_namespace(s, "t") && !store_namespace(s, "u"), "it is after all the lists");
	uint64_t generation = store_generation(s);
	store_begin(s, STORE_SERVICES);
	ok(!put(s, STORE_SERVICES, SVC("db", "1", "10.43.0.2")) && store_service(s, "t", "web"), "during a list what was there stays");
	store_begin(s, STORE_SERVICES);		/* the list failed and begins anew */
	ok(!put(s, STORE_SERVICES, SVC("db", "1", "10.43.0.2")), "a list begun anew");
	store_end(s, STORE_SERVICES);
	ok(!store_service(s, "t", "web") && store_service(s, "t", "db"), "at its end what was not named is dropped");
	ok(store_generation(s) == generation + 1, "which is one change");
	store_free(s);
}

/* What only forwarding asks. */
static void test_forwarding(void)
{
	static const struct { const char *what, *spec; bool selector, by_client; } specs[] = {
		{ "a service that selects pods", "{\"selector\":{\"app\":\"x\"},\"sessionAffinity\":\"None\"}", true, false },
		{ "one with affinity", "{\"selector\":{\"app\":\"x\"},\"sessionAffinity\":\"ClientIP\"}", true, true },
		{ "one without a selector", "{}", false, false },
		{ "one with an empty selector", "{\"selector\":{},\"sessionAffinity\":1}", false, false },
	};
	static const struct { const char *what, *ref, *want; } refs[] = {
		{ "a pod", "{\"kind\":\"Pod\",\"namespace\":\"t\",\"name\":\"p\"}", "p" },
		{ "a pod whose namespace is not said", "{\"kind\":\"Pod\",\"name\":\"p\"}", "p" },
		{ "a pod of another namespace", "{\"kind\":\"Pod\",\"namespace\":\"u\",\"name\":\"p\"}", NULL },
		{ "a node", "{\"kind\":\"Node\",\"name\":\"p\"}", NULL },
		{ "no kind", "{\"name\":\"p\"}", NULL },
		{ "no pod's name", "{\"kind\":\"Pod\",\"name\":\"../p\"}", NULL },
	};
	struct store *s = store_new();

	for (size_t i = 0; i < ARRAY_SIZE(specs); i++) {
		autofree char *text = xasprintf("{\"metadata\":{\"namespace\":\"t\",\"name\":\"web\"},\"spec\":%s}", specs[i].spec);
		const struct store_service *v = put(s, STORE_SERVICES, text) ? NULL : store_service(s, "t", "web");

		ok(v && v->has_selector == specs[i].selector && v->by_client == specs[i].by_client, "%s is known as such", specs[i].what);
	}
	for (size_t i = 0; i < ARRAY_SIZE(refs); i++) {
		autofree char *text = xasprintf("{\"metadata\":{\"namespace\":\"t\",\"name\":\"a\",\"labels\":{\"kubernetes.io/service-name\":"
						"\"web\"}},\"endpoints\":[{\"addresses\":[\"10.0.0.1\"],\"targetRef\":%s}]}", refs[i].ref);
		const struct store_slice *v = put(s, STORE_SLICES, text) ? NULL : store_slices(s, "t", "web");

		is_str(v ? v->endpoints[0].pod : "?", refs[i].want, "an endpoint that is %s", refs[i].what);
	}
	store_free(s);
}

static void test_slice_port(void)
{
	static struct store_port ports[] = { { (char *)"http", 8080, IPPROTO_TCP }, { (char *)"any", 1, 0 }, { (char *)"", 2, IPPROTO_TCP } };
	static const struct { const char *what; struct store_port p; int number; } t[] = {
		{ "a port is found by its name", { (char *)"http", 80, IPPROTO_TCP }, 8080 },
		{ "with its protocol", { (char *)"http", 80, IPPROTO_UDP }, 0 },
		{ "which the slice need not say", { (char *)"any", 80, IPPROTO_UDP }, 1 },
		{ "the one without a name", { (char *)"", 80, IPPROTO_TCP }, 2 },
		{ "another name", { (char *)"https", 8080, IPPROTO_TCP }, 0 },
	};
	struct store_slice slice = { .ports = ports, .port_count = ARRAY_SIZE(ports) };

	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		const struct store_port *p = store_slice_port(&slice, &t[i].p);

		is_int(p ? p->number : 0, t[i].number, "a slice's ports: %s", t[i].what);
	}
}

static size_t heap_used(void)
{
#ifdef __GLIBC__
	return mallinfo2().uordblks;
#else
	return 0;
#endif
}

static void test_memory(void)
{
	struct store *s = store_new();
	size_t before = heap_used(), used;

	for (int i = 0; i < 10000; i++) {
		struct buf b = BUF_INIT(65536);

		buf_addf(&b, "{\"metadata\":{\"namespace\":\"namespace-%d\",\"name\":\"service-%d\",\"uid\":\"u\",\"resourceVersion\":\"%d\"},"
			 "\"spec\":{\"clusterIP\":\"10.%d.%d.1\",\"ports\":[{\"name\":\"http\",\"port\":80,\"protocol\":\"TCP\"},"
			 "{\"name\":\"metrics\",\"port\":81,\"protocol\":\"TCP\"}]}}", i % 100, i, i, i / 250, i % 250);
		if (put(s, STORE_SERVICES, buf_str(&b)))
			ok(false, "service %d is taken", i);
		buf_reset(&b);
		buf_addf(&b, "{\"metadata\":{\"namespace\":\"namespace-%d\",\"name\":\"service-%d-abcde\",\"labels\":{"
			 "\"kubernetes.io/service-name\":\"service-%d\"}},\"ports\":[{\"name\":\"http\",\"port\":80,\"protocol\":\"TCP\"}],"
			 "\"endpoints\":[", i % 100, i, i);
		for (int k = 0; k < 4; k++)
			buf_addf(&b, "%s{\"addresses\":[\"10.%d.%d.%d\"],\"targetRef\":{\"kind\":\"Pod\",\"name\":"
				 "\"service-%d-7d4b9c6f5d-abcd%d\"}}", k ? "," : "", 100 + i / 250, i % 250, k + 1, i, k);
		buf_adds(&b, "]}");
		if (put(s, STORE_SLICES, buf_str(&b)))
			ok(false, "slice %d is taken", i);
		buf_done(&b);
	}
	used = heap_used() - before;
	ok(used <= (size_t)25 << 20, "10,000 services with 40,000 endpoints take %zu KiB, at most 25 MiB", used >> 10);
	store_free(s);
}

/* Nonsense has no endpoint, but takes one of the places that a slice may have. */
static void test_many_addresses(void)
{
	struct store *s = store_new();
	auto(buf) struct buf b = BUF_INIT(1 << 20);
	struct addr last = ip("10.0.3.231"), beyond = ip("10.0.3.232");
	const struct store_endpoint *e;

	buf_adds(&b, "{\"metadata\":{\"namespace\":\"t\",\"name\":\"a\",\"labels\":{\"kubernetes.io/service-name\":\"web\"}},\"endpoints\":[");
	for (unsigned i = 0; i < STORE_LIST_MAX + 500; i++)
		buf_addf(&b, "%s{\"addresses\":[\"%s10.0.%u.%u\"],\"hostname\":\"h-%u\",\"targetRef\":{\"kind\":\"Pod\",\"name\":\"pod-%u\"}}",
			 i ? "," : "", i < 100 ? "x" : "", i >> 8, i & 255, i, i);
	buf_adds(&b, "]}");
	ok(!put(s, STORE_SLICES, buf_str(&b)), "a slice with more addresses than the API allows is taken");
	e = store_endpoint_of(s, &last, NULL);
	ok(e && streq(e->hostname, "h-999") && streq(e->pod, "pod-999"), "as far as it allows them, each with its names");
	ok(!store_endpoint_of(s, &beyond, NULL) && store_slices(s, "t", "web")->endpoint_count == STORE_LIST_MAX - 100, "and no further");
	store_free(s);
}

int main(void)
{
	test_services();
	test_slices();
	test_many_addresses();
	test_forwarding();
	test_slice_port();
	test_lists();
	test_memory();
	return tap_done();
}
