/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "agent/cache.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The input as a query and, its QR bit set, as the answer to itself: kept, then served whole, cut and late. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t seed[CACHE_SEED];
	uint8_t reply[DNS_MSG_MAX], out[DNS_MSG_MAX];
	struct cache *c = cache_new(1 << 16, 4, seed);
	struct dns_query q;
	struct dns_edns edns;
	unsigned rcode;

	if (size <= sizeof(reply) && dns_query_read(data, size, &q) >= 0 && q.name.len) {
		memcpy(reply, data, size);
		reply[2] |= 0x80;
		if (!dns_reply_check(&q, q.id, reply, size, &rcode, &edns) && cache_put(c, &q, rcode, reply, size, 0))
			if (!cache_serve(c, &q, 0, out, sizeof(out)) || cache_serve(c, &q, 999999999, out, 512) > 512)
				abort();
		(void)cache_serve(c, &q, 30 * 1000000000ull, out, sizeof(out));
		if (cache_serve_stale(c, &q, 4000 * 1000000000ull, out, 512) > 512)
			abort();
	}
	cache_free(c);
	return 0;
}
