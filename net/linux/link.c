/* SPDX-License-Identifier: Apache-2.0 */
#include "net/linux/link.h"

#include <net/if.h>
#include <netlink/cache.h>
#include <netlink/route/addr.h>

#include "base/mem.h"

int link_addrs(struct nl *n, struct link_addr **ret, size_t *ret_count, struct err *err)
{
	struct nl_cache *cache;
	struct link_addr *list;
	size_t count = 0;
	int r = rtnl_addr_alloc_cache(nl_sock(n), &cache);

	if (r)
		return err_set(err, nl_errno(r), "cannot list addresses: %s", nl_geterror(r));
	list = xcalloc((size_t)nl_cache_nitems(cache) + 1, sizeof(*list));
	for (struct nl_object *o = nl_cache_get_first(cache); o; o = nl_cache_get_next(o)) {
		struct rtnl_addr *a = (struct rtnl_addr *)o;
		struct nl_addr *local = rtnl_addr_get_local(a);

		if (!local || (nl_addr_get_family(local) != AF_INET && nl_addr_get_family(local) != AF_INET6))
			continue;
		list[count].addr = addr_from_bytes(nl_addr_get_family(local), nl_addr_get_binary_addr(local));
		list[count].len = (uint8_t)nl_addr_get_prefixlen(local);
		list[count++].ifindex = (unsigned)rtnl_addr_get_ifindex(a);
	}
	nl_cache_free(cache);
	*ret = list;
	*ret_count = count;
	return 0;
}

const char *link_name(unsigned ifindex, char ret[static 16])
{
	_Static_assert(IF_NAMESIZE <= 16, "an interface's name fits");
	if (!if_indextoname(ifindex, ret))
		ret[0] = '\0';
	return ret;
}
