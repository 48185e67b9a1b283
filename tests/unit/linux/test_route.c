/* SPDX-License-Identifier: Apache-2.0 */
/* In a network namespace of its own (user namespace: no root needed). */
#include "net/linux/route.h"

#include <errno.h>

#include "base/mem.h"
#include "net/linux/link.h"
#include "tests/namespace.h"
#include "tests/tap.h"

static struct route route(const char *dst, const char *via)
{
	struct route r = { .proto = ROUTE_PROTO };

	if (prefix_parse(dst, &r.dst) || addr_parse(via, &r.via))
		abort();
	return r;
}

static bool has(struct nl *n, uint8_t proto, const struct route *want)
{
	autofree struct route *list = NULL;
	size_t count;

	if (route_list(n, proto, &list, &count, NULL))
		return false;
	for (size_t i = 0; i < count; i++)
		if (!prefix_cmp(&list[i].dst, &want->dst) && !addr_cmp(&list[i].via, &want->via))
			return true;
	return false;
}

static void test_routes(struct nl *n)
{
	struct route a = route("10.42.0.0/24", "172.30.0.2"), b = route("10.42.0.0/24", "172.30.0.3");
	struct route v6 = route("fd42::/64", "fd30::2"), bad = route("10.44.0.0/16", "192.0.2.1");
	struct err err = { 0 };

	is_int(route_replace(n, &a, &err), 0, "a route is put: %s", err_text(&err));
	ok(has(n, ROUTE_PROTO, &a), "and listed by protocol");
	is_int(route_replace(n, &b, &err), 0, "it is replaced");
	ok(has(n, 0, &b) && !has(n, 0, &a), "by the new gateway, in one step");
	is_int(route_replace(n, &v6, &err), 0, "IPv6 likewise: %s", err_text(&err));
	ok(has(n, ROUTE_PROTO, &v6), "and listed");
	is_int(route_replace(n, &bad, &err), -ENETUNREACH, "a gateway out of reach is refused");
	ok(strstr(err_text(&err), "gateway") != NULL, "with the kernel's own words: %s", err_text(&err));
	is_int(route_delete(n, &a, &err), 0, "removing what is not there is no error");
	ok(has(n, 0, &b), "and removes nothing else");
	is_int(route_delete(n, &b, &err), 0, "a route is removed");
	ok(!has(n, 0, &b), "and gone");
	is_int(route_delete(n, &v6, &err), 0, "IPv6 likewise");
	ok(!has(n, 0, &v6), "gone, too");
}

/* One of another program that leads nowhere. */
static void test_refusal(struct nl *n)
{
	struct route a = route("10.42.7.0/24", "172.30.0.2");
	autofree struct route *list = NULL;
	char text[128] = "";
	size_t count = 0;

	ok(RUN("ip", "route", "add", "blackhole", "10.42.7.0/24") && RUN("ip", "-6", "route", "add", "unreachable", "fd42:7::/64"),
	   "another program refuses networks");
	is_int(route_list(n, 0, &list, &count, NULL), 0, "which is listed");
	for (size_t i = 0; i < count; i++)
		if (list[i].refuses && prefix_cmp(&list[i].dst, &a.dst) == 0)
			route_format(&list[i], text, sizeof(text));
	is_str(text, "unreachable 10.42.7.0/24", "as what it is");
}

static unsigned notices;
static bool noticed;

static void on_notice(struct nl_watch *w)
{
	notices++;
	noticed = true;
}

static void test_watch(struct nl *n)
{
	struct route a = route("10.42.0.0/24", "172.30.0.2");
	struct loop *l = loop_new(LOOP_DEFAULT);
	struct nl_watch w = { 0 };
	struct err err = { 0 };

	is_int(nl_watch_start(&w, l, on_notice, &err), 0, "changes are watched: %s", err_text(&err));
	ok(!route_replace(n, &a, &err) && !loop_run(l, &noticed, loop_deadline(1000)), "a new route is noticed");
	noticed = false;
	for (int i = 0; i < 100; i++)
		if (route_delete(n, &a, &err) || route_replace(n, &a, &err))
			break;
	ok(!loop_run(l, &noticed, loop_deadline(1000)) && notices < 100, "many changes are a few notices");
	noticed = false;
	for (int i = 0; i < 20000; i++)
		if (route_delete(n, &a, &err) || route_replace(n, &a, &err))
			break;
	ok(!loop_run(l, &noticed, loop_deadline(1000)) && w.lost > 0, "more than the kernel keeps: the loss is a notice, too");
	while (loop_turn(l, loop_deadline(50)) == 0)
		;
	noticed = false;
	ok(!route_delete(n, &a, &err) && !loop_run(l, &noticed, loop_deadline(1000)), "and the next change is noticed again");
	noticed = false;
	nl_watch_pause(&w);
	ok(!route_replace(n, &a, &err) && loop_run(l, &noticed, loop_deadline(100)) == -ETIMEDOUT, "paused, nothing is said");
	nl_watch_resume(&w);
	ok(loop_run(l, &noticed, loop_deadline(100)) == -ETIMEDOUT, "nor later");
	ok(!route_delete(n, &a, &err) && !loop_run(l, &noticed, loop_deadline(1000)), "but of what comes then");
	nl_watch_stop(&w);
	loop_free(l);
}

static void test_links(struct nl *n)
{
	autofree struct link_addr *list = NULL;
	struct err err = { 0 };
	char name[16];
	size_t count;
	bool found = false;

	is_int(link_addrs(n, &list, &count, &err), 0, "addresses are listed");
	for (size_t i = 0; i < count; i++) {
		char text[ADDR_STRLEN];

		if (!strcmp(addr_format(&list[i].addr, text), "172.30.0.1"))
			found = list[i].len == 24 && !strcmp(link_name(list[i].ifindex, name), "t0");
	}
	ok(found, "with length and interface");
	is_str(link_name(9999, name), "", "an interface that is not there has no name");
}

int main(void)
{
	struct err err = { 0 };
	struct nl *n;

	if (!namespace_enter() || !RUN("ip", "link", "add", "t0", "type", "veth", "peer", "name", "t1")) {
		skip("routes", "no network namespace, or no ip command, here");
		return tap_done();
	}
	ok(RUN("ip", "addr", "add", "172.30.0.1/24", "dev", "t0") && RUN("ip", "addr", "add", "fd30::1/64", "dev", "t0", "nodad") &&
	   RUN("ip", "link", "set", "t0", "up") && RUN("ip", "link", "set", "t1", "up"), "a pair of links");
	n = nl_new(&err);
	ok(n != NULL, "a netlink socket: %s", err_text(&err));
	test_routes(n);
	test_refusal(n);
	test_watch(n);
	test_links(n);
	nl_free(n);
	return tap_done();
}
