/* SPDX-License-Identifier: Apache-2.0 */
/* link: interfaces and their addresses. */
#pragma once

#include "net/addr.h"
#include "net/linux/nl.h"

struct link_addr {
	struct addr addr;
	uint8_t len;		/* prefix length; the address itself keeps its host bits */
	unsigned ifindex;
};

/* All addresses of this network namespace; caller frees *ret. */
int link_addrs(struct nl *n, struct link_addr **ret, size_t *ret_count, struct err *err) must_check;
/* "eth0"; "" when there is no such interface. */
const char *link_name(unsigned ifindex, char ret[static 16]);
