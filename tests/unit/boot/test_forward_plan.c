/* SPDX-License-Identifier: Apache-2.0 */
#include "boot/forward_plan.h"

#include <errno.h>

#include "base/mem.h"
#include "tests/tap.h"

/* Objects, one a line:
 *	S NAMESPACE NAME cluster|headless|external|bare PORT[/UDP][,…]		bare: without selector
 *	E NAMESPACE SERVICE PORT[,…] ADDRESS/POD/HOSTNAME/ready|not …		"-" is no pod, no hostname */

static json *ports_of(char *text)
{
	json *ports = json_array();

	for (char *p = text, *next; p && *p && *p != '-'; p = next) {
		json *o = json_add(ports, json_object());
		unsigned number = 0;
		char *slash;

		next = strchr(p, ',');
		if (next)
			*next++ = '\0';
		slash = strchr(p, '/');
		sscanf(p, "%u", &number);
		json_set_int(o, "port", number);
		json_set_str(o, "protocol", slash ? slash + 1 : "TCP");
		if (number == 80)
			json_set_str(o, "name", "http");
	}
	return ports;
}

static json *meta_of(json *o, const char *ns, const char *name)
{
	json *meta = json_set(o, "metadata", json_object());

	json_set_str(meta, "namespace", ns);
	json_set_str(meta, "name", name);
	return meta;
}

static void put_service(struct store *s, char *const *w)
{
	autojson json *o = json_object();
	json *spec;

	meta_of(o, w[1], w[2]);
	spec = json_set(o, "spec", json_object());
	json_set_str(spec, "type", strcmp(w[3], "external") == 0 ? "ExternalName" : "ClusterIP");
	json_set_str(spec, "externalName", strcmp(w[3], "external") == 0 ? "db.example.com" : NULL);
	json_set_str(spec, "clusterIP", strcmp(w[3], "headless") == 0 ? "None" : "10.43.0.1");
	json_set(spec, "ports", ports_of(w[4]));
	if (strcmp(w[3], "bare") != 0)
		json_set_str(json_set(spec, "selector", json_object()), "app", w[2]);
	ok(store_put(s, STORE_SERVICES, o) == 0, "the service %s is in the store", w[2]);
}

static void put_slice(struct store *s, char *const *w, int n)
{
	autojson json *o = json_object();
	autofree char *name = xasprintf("%s-%s", w[2], w[4]);
	json *list, *labels;

	for (char *p = name; *p; p++)
		if (*p == '/' || *p == ':')
			*p = '-';
	labels = json_set(meta_of(o, w[1], name), "labels", json_object());
	json_set_str(labels, "kubernetes.io/service-name", w[2]);
	json_set_str(o, "addressType", strchr(w[4], ':') ? "IPv6" : "IPv4");
	json_set(o, "ports", ports_of(w[3]));
	list = json_set(o, "endpoints", json_array());
	for (int i = 4; i < n; i++) {
		char addr[50], pod[50], host[50], ready[10];
		json *e = json_add(list, json_object());

		if (sscanf(w[i], "%49[^/]/%49[^/]/%49[^/]/%9s", addr, pod, host, ready) != 4)
			abort();
		json_add_str(json_set(e, "addresses", json_array()), addr);
		json_set_bool(json_set(e, "conditions", json_object()), "ready", strcmp(ready, "ready") == 0);
		json_set_str(e, "hostname", strcmp(host, "-") == 0 ? NULL : host);
		if (strcmp(pod, "-") != 0) {
			json *ref = json_set(e, "targetRef", json_object());

			json_set_str(ref, "kind", "Pod");
			json_set_str(ref, "name", pod);
		}
	}
	ok(store_put(s, STORE_SLICES, o) == 0, "the slice %s is in the store", name);
}

static struct store *store_of(const char *text)
{
	struct store *s = store_new();
	struct str rest = str_from(text), line;

	while (str_split(&rest, '\n', &line)) {
		autofree char *copy = xstrndup(line.p, line.len);
		char *w[12], *p = copy;
		int n = 0;

		for (; n < 12 && p && *p; n++) {
			w[n] = p;
			p = strchr(p, ' ');
			if (p)
				*p++ = '\0';
		}
		if (n > 4 && w[0][0] == 'S')
			put_service(s, w);
		else if (n > 4)
			put_slice(s, w, n);
	}
	return s;
}

/* KEY [ready] NUMBER[>LISTEN] …: NAME …, or KEY!REFUSAL; then notes */
static void plan_text(const struct forward_plan *p, struct buf *out)
{
	for (size_t i = 0; i < p->n; i++) {
		const struct forward_row *row = &p->rows[i];
		char *names = strv_join(&row->names, " ");

		buf_adds(out, row->key);
		for (unsigned k = 0; k < row->n_ports && !row->refused; k++) {
			buf_addf(out, " %u", row->ports[k].number);
			if (row->ports[k].listen != row->ports[k].number)
				buf_addf(out, ">%u", row->ports[k].listen);
		}
		if (row->refused)
			buf_addf(out, "!%s\n", row->refused);
		else
			buf_addf(out, " (%u): %s\n", row->ready, names);
		if (row->note)
			buf_addf(out, "  %s\n", row->note);
		free(names);
	}
	for (size_t i = 0; i < p->notes.n; i++)
		buf_addf(out, "- %s\n", p->notes.v[i]);
}

static bool taken(void *arg, const char *name)
{
	return strcmp(name, "shop") == 0;
}

#define NAMES(svc, ns) svc "." ns " " svc "." ns ".svc " svc "." ns ".svc.cluster.local"

static const struct {
	const char *what, *objects, *map, *reserve;
	unsigned low;
	const char *want;
} cases[] = {
	{ "a service has its ports and names", "S default web cluster 80,443\nE default web 8080 10.42.0.1/p/-/ready 10.42.0.2/q/-/not", NULL, NULL, 0,
	  "c/default/web 80 443 (1): web " NAMES("web", "default") "\n" },
	{ "one of another namespace has no bare name", "S prod web cluster 80", NULL, NULL, 0, "c/prod/web 80 (0): " NAMES("web", "prod") "\n" },
	{ "rows are sorted", "S b z cluster 80\nS a y cluster 80\nS a x cluster 80", NULL, NULL, 0,
	  "c/a/x 80 (0): " NAMES("x", "a") "\nc/a/y 80 (0): " NAMES("y", "a") "\nc/b/z 80 (0): " NAMES("z", "b") "\n" },
	{ "low ports are high ones without root", "S prod web cluster 80,443,8080,5432", NULL, NULL, 1024,
	  "c/prod/web 80>8080 443>8443 5432 (0): " NAMES("web", "prod") "\n  port 8080 of web would be where another of its ports is\n" },
	{ "a port is mapped", "S prod web cluster 80,443", "80:9000", NULL, 0, "c/prod/web 80>9000 443 (0): " NAMES("web", "prod") "\n" },
	{ "that of one service", "S prod api cluster 80\nS prod web cluster 80", "web:80:9000", NULL, 0,
	  "c/prod/api 80 (0): " NAMES("api", "prod") "\nc/prod/web 80>9000 (0): " NAMES("web", "prod") "\n" },
	{ "before that of all", "S prod api cluster 80\nS prod web cluster 80", "80:9001,web:80:9000", NULL, 0,
	  "c/prod/api 80>9001 (0): " NAMES("api", "prod") "\nc/prod/web 80>9000 (0): " NAMES("web", "prod") "\n" },
	{ "two ports cannot be one", "S prod web cluster 80,443", "80:443", NULL, 0,
	  "c/prod/web 80>443 (0): " NAMES("web", "prod") "\n  port 443 of web would be where another of its ports is\n" },
	{ "ExternalName is refused", "S prod db external 5432", NULL, NULL, 0, "c/prod/db!db is another name for db.example.com (ExternalName), which is no pod\n" },
	{ "UDP alone is refused", "S prod dns cluster 53/UDP", NULL, NULL, 0, "c/prod/dns!dns has no TCP port, and a port-forward carries nothing else\n" },
	{ "beside TCP it is said", "S prod dns cluster 53/UDP,53", NULL, NULL, 0,
	  "c/prod/dns 53 (0): " NAMES("dns", "prod") "\n  port 53 of dns is not TCP, and a port-forward carries nothing else\n" },
	{ "no port is refused", "S prod none cluster -", NULL, NULL, 0, "c/prod/none!none has no port\n" },
	{ "endpoints that are no pods are refused", "S prod ext cluster 80\nE prod ext 80 192.0.2.1/-/-/ready", NULL, NULL, 0,
	  "c/prod/ext!the endpoints of ext are no pods, and a port-forward reaches nothing else\n" },
	{ "a service with neither selector nor endpoints is refused", "S prod ext bare 80", NULL, NULL, 0, "c/prod/ext!ext has neither a selector nor endpoints\n" },
	{ "endpoints made by hand may be pods", "S prod ext bare 80\nE prod ext 80 10.42.0.1/p/-/ready", NULL, NULL, 0,
	  "c/prod/ext 80 (1): " NAMES("ext", "prod") "\n" },
	{ "no endpoint yet is no refusal", "S prod web cluster 80\nE prod web 80 10.42.0.1/p/-/not", NULL, NULL, 0,
	  "c/prod/web 80 (0): " NAMES("web", "prod") "\n" },
	{ "each ready pod of a headless service has a row, with the pod's ports", "S prod db headless 5432\n"
	  "E prod db 15432 10.42.0.2/db-1/db-1/ready 10.42.0.1/db-0/db-0/ready 10.42.0.3/db-2/db-2/not", NULL, NULL, 0,
	  "c/prod/db/db-0 15432 (1): " NAMES("db", "prod") " " NAMES("db-0.db", "prod") "\n"
	  "c/prod/db/db-1 15432 (1): " NAMES("db", "prod") " " NAMES("db-1.db", "prod") "\n" },
	{ "a pod without hostname has the service's names", "S prod db headless 5432\nE prod db 5432 10.42.0.2/db-x/-/ready", NULL, NULL, 0,
	  "c/prod/db/db-x 5432 (1): " NAMES("db", "prod") "\n" },
	{ "a pod of two families is one", "S prod db headless 5432\nE prod db 5432 10.42.0.2/db-0/-/ready\nE prod db 5432 fd00::2/db-0/-/ready", NULL, NULL, 0,
	  "c/prod/db/db-0 5432 (1): " NAMES("db", "prod") "\n" },
	{ "one of IPv6 alone is there", "S prod db headless 5432\nE prod db 5432 fd00::2/db-0/-/ready", NULL, NULL, 0,
	  "c/prod/db/db-0 5432 (1): " NAMES("db", "prod") "\n" },
	{ "a headless service without ready pods keeps its names", "S prod db headless 5432\nE prod db 5432 10.42.0.2/db-0/db-0/not", NULL, NULL, 0,
	  "c/prod/db 5432 (0): " NAMES("db", "prod") "\n" },
	{ "a name that the hosts file has is left alone", "S default shop cluster 80", NULL, NULL, 0,
	  "c/default/shop 80 (0): " NAMES("shop", "default") "\n- shop is in the hosts file already: c/default/shop has its longer names only\n" },
	{ "and so is localhost", "S default localhost cluster 80", NULL, NULL, 0, "c/default/localhost 80 (0): " NAMES("localhost", "default")
	  "\n- localhost is in the hosts file already: c/default/localhost has its longer names only\n" },
	{ "a pod that is called like a service has not its name", "S default prod headless 80\nE default prod 80 10.42.0.1/p/web/ready\nS prod web cluster 80", NULL, NULL, 0,
	  "c/default/prod/p 80 (1): prod " NAMES("prod", "default") " " NAMES("web.prod", "default") "\n"
	  "c/prod/web 80 (0): " NAMES("web", "prod") "\n- web.prod is c/prod/web's: c/default/prod has it not\n" },
	{ "a reservation without its service is said", "S prod web cluster 80", NULL, "wbe=127.3.3.3", 0,
	  "c/prod/web 80 (0): " NAMES("web", "prod") "\n- --reserve: there is no service wbe\n" },
};

static void rules_of(struct forward_rules *r, const char *maps, const char *reserve, unsigned low)
{
	struct str rest = str_from(maps ? maps : ""), one;

	*r = (struct forward_rules){ .domain = "cluster.local", .low = (uint16_t)low, .taken = taken };
	while (maps && str_split(&rest, ',', &one)) {
		autofree char *text = xstrndup(one.p, one.len);

		if (forward_rules_map(r, text, NULL))
			abort();
	}
	if (reserve && forward_rules_reserve(r, reserve, NULL))
		abort();
}

static void test_rows(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct store *s = store_of(cases[i].objects);
		struct forward_scope scope = { "c", NULL, true, "default", s };
		auto(buf) struct buf text = BUF_INIT(1 << 16);
		struct forward_rules rules;
		struct forward_plan plan;

		rules_of(&rules, cases[i].map, cases[i].reserve, cases[i].low);
		forward_plan_make(&scope, 1, &rules, &plan);
		plan_text(&plan, &text);
		is_str(buf_str(&text), cases[i].want, "%s", cases[i].what);
		forward_plan_done(&plan);
		forward_rules_done(&rules);
		store_free(s);
	}
}

static void test_contexts(void)
{
	struct store *a = store_of("S default web cluster 80"), *b = store_of("S default web cluster 80");
	struct forward_scope scopes[] = { { "one", "one", true, "default", a }, { "Two@x", "two-x", false, "default", b } };
	auto(buf) struct buf text = BUF_INIT(1 << 16);
	struct forward_rules rules;
	struct forward_plan plan;

	rules_of(&rules, NULL, NULL, 0);
	forward_plan_make(scopes, 2, &rules, &plan);
	plan_text(&plan, &text);
	is_str(buf_str(&text), "one/default/web 80 (0): web " NAMES("web", "default") " web.one web.default.one web.default.svc.one "
	       "web.default.svc.cluster.local.one\nTwo@x/default/web 80 (0): web.two-x web.default.two-x web.default.svc.two-x "
	       "web.default.svc.cluster.local.two-x\n", "of several contexts each has names of its own");
	forward_plan_done(&plan);
	forward_rules_done(&rules);
	store_free(a);
	store_free(b);
}

static void test_many_pods(void)
{
	auto(buf) struct buf objects = BUF_INIT(1 << 16);
	struct forward_rules rules;
	struct forward_plan plan;
	unsigned named = 0;
	struct store *s;

	buf_adds(&objects, "S prod db headless 80\n");
	for (int i = 0; i < 20; i++)
		buf_addf(&objects, "E prod db 80 10.42.0.%d/db-%02d/-/ready\n", i + 1, i);
	s = store_of(buf_str(&objects));
	rules_of(&rules, NULL, NULL, 0);
	forward_plan_make(&(struct forward_scope){ "c", NULL, true, "default", s }, 1, &rules, &plan);
	for (size_t i = 0; i < plan.n; i++)
		named += plan.rows[i].names.n > 0;
	is_int(plan.n, 20, "twenty pods are twenty rows");
	is_int(named, FORWARD_PODS_NAMED, "the service's names are those of the first");
	forward_plan_done(&plan);
	forward_rules_done(&rules);
	store_free(s);
}

/* ---- places, listeners ------------------------------------------------------------------------------------------- */

static bool busy_9000(void *arg, const struct forward_row *row, const struct addr *a, uint16_t port)
{
	uint32_t place;

	return port == 9000 && forward_addr_place(a, &place) && place == *(uint32_t *)arg;
}

static void text_of_ops(const struct forward_op *ops, size_t n, const struct forward_slots *wanted, const struct forward_slots *there, struct buf *out)
{
	for (size_t i = 0; i < n; i++) {
		const struct forward_slot *s = ops[i].open ? &wanted->v[ops[i].slot] : &there->v[ops[i].slot];

		buf_addf(out, "%s %s %u\n", ops[i].open ? "open" : "close", s->key, s->listen);
	}
}

static const struct {
	const char *what, *before, *after, *map, *want;
} changes[] = {
	{ "a world that has not changed needs nothing", "S prod web cluster 80,443\nS prod db headless 1\nE prod db 1 10.0.0.1/p/-/ready",
	  "S prod web cluster 80,443\nS prod db headless 1\nE prod db 1 10.0.0.1/p/-/ready", NULL, "" },
	{ "a new service is opened", "", "S prod web cluster 80,443", NULL, "open c/prod/web 80\nopen c/prod/web 443\n" },
	{ "one that is gone is closed", "S prod web cluster 80", "", NULL, "close c/prod/web 80\n" },
	{ "a port more is one more", "S prod web cluster 80", "S prod web cluster 80,443", NULL, "open c/prod/web 443\n" },
	{ "another port is closed before it is opened", "S prod web cluster 80", "S prod web cluster 81", NULL, "close c/prod/web 80\nopen c/prod/web 81\n" },
	{ "an endpoint that comes or goes changes nothing", "S prod web cluster 80", "S prod web cluster 80\nE prod web 80 10.0.0.1/p/-/ready", NULL, "" },
	{ "a pod of a headless service that goes is closed", "S prod db headless 1\nE prod db 1 10.0.0.1/p/-/ready 10.0.0.2/q/-/ready",
	  "S prod db headless 1\nE prod db 1 10.0.0.2/q/-/ready", NULL, "close c/prod/db/p 1\n" },
	{ "a service that is refused from now on is closed", "S prod x cluster 80", "S prod x external 80", NULL, "close c/prod/x 80\n" },
};

static void plan_of(const char *objects, const char *map, struct places *places, struct places *ports, struct forward_plan *ret)
{
	struct store *s = store_of(objects);
	struct forward_rules rules;

	rules_of(&rules, map, NULL, 0);
	rules.single = places == NULL;
	forward_plan_make(&(struct forward_scope){ "c", NULL, true, "default", s }, 1, &rules, ret);
	forward_plan_place(ret, &rules, places, ports, NULL, NULL);
	forward_rules_done(&rules);
	store_free(s);
}

static void test_changes(void)
{
	for (int single = 0; single < 2; single++)
		for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
			auto(buf) struct buf text = BUF_INIT(1 << 16);
			struct forward_slots there, wanted;
			struct forward_plan before, after;
			struct places places, ports;
			struct forward_op *ops;
			size_t n;

			places_init(&places, FORWARD_ADDRESSES);
			places_init(&ports, FORWARD_PORTS);
			plan_of(changes[i].before, changes[i].map, single ? NULL : &places, &ports, &before);
			plan_of(changes[i].after, changes[i].map, single ? NULL : &places, &ports, &after);
			forward_plan_slots(&before, &there);
			forward_plan_slots(&after, &wanted);
			n = forward_plan_diff(&wanted, &there, &ops);
			text_of_ops(ops, n, &wanted, &there, &text);
			if (single)
				ok((n == 0) == (*changes[i].want == '\0'), "%s, with one address", changes[i].what);
			else
				is_str(buf_str(&text), changes[i].want, "%s", changes[i].what);
			free(ops);
			is_int(forward_plan_diff(&wanted, &wanted, &ops), 0, "%s: and then nothing", changes[i].what);
			free(ops);
			free(there.v);
			free(wanted.v);
			forward_plan_done(&before);
			forward_plan_done(&after);
			places_done(&places);
			places_done(&ports);
		}
}

static void test_places(void)
{
	struct store *s = store_of("S default api cluster 80\nS default web cluster 9000");
	struct forward_scope scope = { "c", NULL, true, "default", s };
	struct places places, again;
	struct forward_rules rules;
	struct forward_plan plan;
	auto(buf) struct buf hosts = BUF_INIT(4096);
	char text[ADDR_STRLEN];
	struct addr first;
	uint32_t place;

	places_init(&places, FORWARD_ADDRESSES);
	places_init(&again, FORWARD_ADDRESSES);
	rules_of(&rules, NULL, "api=127.3.3.3", 0);
	forward_plan_make(&scope, 1, &rules, &plan);
	forward_plan_place(&plan, &rules, &places, NULL, NULL, NULL);
	is_str(addr_format(&plan.rows[0].addr, text), "127.3.3.3", "a reserved address is its service's");
	first = plan.rows[1].addr;
	ok(forward_addr_place(&first, &place), "another one has one of ours");
	forward_plan_hosts(&plan, &hosts);
	ok(strncmp(buf_str(&hosts), "127.3.3.3 api api.default ", 26) == 0, "the hosts file has the names");
	forward_plan_place(&plan, &rules, &again, NULL, busy_9000, &place);
	ok(addr_cmp(&plan.rows[1].addr, &first) != 0, "an address where somebody listens at that port is left out");
	forward_plan_done(&plan);
	forward_rules_done(&rules);
	places_done(&places);
	places_done(&again);
	store_free(s);
}

static void test_rules(void)
{
	static const struct {
		const char *what, *map, *reserve, *says;
	} wrong[] = {
		{ "a map without a second port", "80", NULL, "SRC:DST" },
		{ "port 0", "80:0", NULL, "from 1 to 65535" },
		{ "a port that is none", "80:x", NULL, "not \"80:x\"" },
		{ "too many parts", "a:80:81:82", NULL, "SRC:DST" },
		{ "a service that cannot be one", "A_b:80:81", NULL, "\"A_b\" is no name" },
		{ "a reservation without address", NULL, "web", "SERVICE=ADDRESS" },
		{ "one that is none", NULL, "web=x", "SERVICE=ADDRESS" },
		{ "one that is no loopback address", NULL, "web=10.0.0.1", "loopback" },
		{ "an IPv6 one", NULL, "web=::1", "loopback" },
		{ "a namespace that cannot be one", NULL, "web.A_b=127.1.1.1", "SERVICE.NAMESPACE" },
		{ "an address twice", NULL, "api=127.9.9.9", "web has that address" },
	};
	static const struct {
		const char *context, *label;
	} labels[] = {
		{ "kind-kind", "kind-kind" },
		{ "arn:aws:eks:eu-west-1:1:cluster/Shop", "shop" },
		{ "admin@shop.example", "admin-shop.example" },
		{ "a__b//", "a-b" },
		{ "…", "context" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		struct forward_rules r = { 0 };
		struct err err = { 0 };
		int code = forward_rules_reserve(&r, "web=127.9.9.9", &err);

		if (!code)
			code = wrong[i].map ? forward_rules_map(&r, wrong[i].map, &err) : forward_rules_reserve(&r, wrong[i].reserve, &err);
		ok(code == -EINVAL && strstr(err.msg, wrong[i].says), "%s: %s", wrong[i].what, err.msg);
		forward_rules_done(&r);
	}
	for (size_t i = 0; i < ARRAY_SIZE(labels); i++) {
		autofree char *label = forward_label(labels[i].context);

		is_str(label, labels[i].label, "the context %s in names", labels[i].context);
	}
}

int main(void)
{
	test_rows();
	test_contexts();
	test_many_pods();
	test_changes();
	test_places();
	test_rules();
	return tap_done();
}
