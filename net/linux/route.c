/* SPDX-License-Identifier: Apache-2.0 */
#include "net/linux/route.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <netlink/addr.h>
#include <netlink/cache.h>
#include <netlink/msg.h>
#include <netlink/route/nexthop.h>
#include <netlink/route/route.h>

#include "base/mem.h"

#define IPV6_METRIC_DEFAULT 1024

/* The kernel's metric for a request without one. */
static uint32_t metric_of(const struct route *r)
{
	return !r->metric && r->dst.addr.family == AF_INET6 ? IPV6_METRIC_DEFAULT : r->metric;
}

bool route_same_slot(const struct route *a, const struct route *b)
{
	return prefix_cmp(&a->dst, &b->dst) == 0 && metric_of(a) == metric_of(b);
}

bool route_precedes(const struct route *a, const struct route *b)
{
	return prefix_cmp(&a->dst, &b->dst) == 0 && metric_of(a) < metric_of(b);
}

static struct nl_addr *addr_to_nl(const struct addr *a, unsigned len)
{
	struct nl_addr *n = nl_addr_build(a->family, a->b, addr_bits(a) / 8);

	if (n)
		nl_addr_set_prefixlen(n, (int)len);
	return n;
}

/* libnl's route out of ours; NULL when memory is out. Caller puts it. */
static struct rtnl_route *route_to_nl(const struct route *r)
{
	struct rtnl_route *route = rtnl_route_alloc();
	struct rtnl_nexthop *hop = rtnl_route_nh_alloc();
	struct nl_addr *dst = addr_to_nl(&r->dst.addr, r->dst.len);
	struct nl_addr *via = r->via.family ? addr_to_nl(&r->via, addr_bits(&r->via)) : NULL;

	if (route && hop && dst) {
		rtnl_route_set_family(route, r->dst.addr.family);
		rtnl_route_set_table(route, RT_TABLE_MAIN);
		rtnl_route_set_type(route, RTN_UNICAST);
		rtnl_route_set_scope(route, via || r->dst.addr.family == AF_INET6 ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK);
		rtnl_route_set_protocol(route, r->proto);
		rtnl_route_set_dst(route, dst);
		if (r->metric)
			rtnl_route_set_priority(route, r->metric);
		if (via)
			rtnl_route_nh_set_gateway(hop, via);
		if (r->ifindex)
			rtnl_route_nh_set_ifindex(hop, (int)r->ifindex);
		rtnl_route_add_nexthop(route, hop);
	}
	nl_addr_put(dst);
	nl_addr_put(via);
	return route;
}

static bool type_refuses(uint8_t type)
{
	return type == RTN_UNREACHABLE || type == RTN_PROHIBIT || type == RTN_BLACKHOLE;
}

/* Gateway and interface of a unicast route; one that refuses has none. */
static bool hop_from_nl(struct rtnl_route *route, struct route *ret)
{
	struct rtnl_nexthop *hop = rtnl_route_nexthop_n(route, 0);
	struct nl_addr *via = hop ? rtnl_route_nh_get_gateway(hop) : NULL;

	ret->refuses = type_refuses(rtnl_route_get_type(route));
	if (ret->refuses)
		return true;
	if (!hop || rtnl_route_get_type(route) != RTN_UNICAST)
		return false;
	ret->ifindex = (unsigned)rtnl_route_nh_get_ifindex(hop);
	if (via && nl_addr_get_len(via))
		ret->via = addr_from_bytes(ret->dst.addr.family, nl_addr_get_binary_addr(via));
	return true;
}

static bool route_from_nl(struct rtnl_route *route, struct route *ret)
{
	struct nl_addr *dst = rtnl_route_get_dst(route);
	int family = rtnl_route_get_family(route);

	if (rtnl_route_get_table(route) != RT_TABLE_MAIN || !dst || (family != AF_INET && family != AF_INET6))
		return false;
	*ret = (struct route){ .dst.addr.family = (uint8_t)family, .proto = rtnl_route_get_protocol(route) };
	if (nl_addr_get_len(dst))
		ret->dst.addr = addr_from_bytes(family, nl_addr_get_binary_addr(dst));
	ret->dst.len = (uint8_t)nl_addr_get_prefixlen(dst);
	ret->metric = rtnl_route_get_priority(route);
	return hop_from_nl(route, ret);
}

int route_list(struct nl *n, uint8_t proto, struct route **ret, size_t *ret_count, struct err *err)
{
	struct nl_cache *cache;
	struct route *list;
	size_t count = 0;
	int r = rtnl_route_alloc_cache(nl_sock(n), AF_UNSPEC, 0, &cache);

	if (r)
		return err_set(err, nl_errno(r), "cannot list routes: %s", nl_geterror(r));
	list = xcalloc((size_t)nl_cache_nitems(cache) + 1, sizeof(*list));
	for (struct nl_object *o = nl_cache_get_first(cache); o; o = nl_cache_get_next(o))
		if (route_from_nl((struct rtnl_route *)o, &list[count]) && (!proto || list[count].proto == proto))
			count++;
	nl_cache_free(cache);
	*ret = list;
	*ret_count = count;
	return 0;
}

static int route_request(struct nl *n, const struct route *r, bool add, struct err *err)
{
	struct rtnl_route *route = route_to_nl(r);
	struct nl_msg *msg = NULL;
	char text[128];
	int code;

	if (add)
		code = rtnl_route_build_add_request(route, NLM_F_CREATE | NLM_F_REPLACE, &msg);
	else
		code = rtnl_route_build_del_request(route, 0, &msg);
	rtnl_route_put(route);
	if (code)
		return err_set(err, nl_errno(code), "route %s: %s", route_format(r, text, sizeof(text)), nl_geterror(code));
	code = nl_request(n, msg, err);
	return code ? err_wrap(err, code, "route %s", route_format(r, text, sizeof(text))) : 0;
}

int route_replace(struct nl *n, const struct route *r, struct err *err)
{
	return route_request(n, r, true, err);
}

int route_delete(struct nl *n, const struct route *r, struct err *err)
{
	struct err why = { 0 };
	int code = route_request(n, r, false, &why);

	if (!code || code == -ESRCH || code == -ENODEV || code == -ENOENT)
		return 0;
	return err_set(err, code, "%s", err_text(&why));
}

const char *route_format(const struct route *r, char *ret, size_t n)
{
	char dst[PREFIX_STRLEN], via[ADDR_STRLEN];

	if (r->via.family)
		snprintf(ret, n, "%s via %s", prefix_format(&r->dst, dst), addr_format(&r->via, via));
	else
		snprintf(ret, n, "%s%s", r->refuses ? "unreachable " : "", prefix_format(&r->dst, dst));
	return ret;
}
