/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "agent/resolvtext.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Whatever the original says, ours is known as ours, and names no more than three servers. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config c = { .cluster_domain = (char *)"cluster.local", .namespace = (char *)"default" };
	struct buf out = BUF_INIT(2 * RESOLV_MAX), stripped = BUF_INIT(2 * RESOLV_MAX);
	struct resolv r, again;

	if (size > RESOLV_MAX / 2 || hostport_parse("127.0.53.53", 53, &c.listen))
		return 0;
	resolv_parse((const char *)data, size, &r);
	resolv_compose(&r, &c, size & 1, &out);
	resolv_parse(buf_str(&out), out.len, &again);
	if (!buf_ok(&out) || !resolv_is_ours(buf_str(&out), out.len) || again.nameservers.n > 3 || again.search.n > 6)
		abort();
	resolv_strip(buf_str(&out), out.len, &c, &stripped);
	resolv_done(&r);
	resolv_done(&again);
	buf_done(&out);
	buf_done(&stripped);
	return 0;
}
