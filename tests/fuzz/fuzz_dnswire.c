/* SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "net/dnswire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The input as a client's query, and, its QR bit set, as the answer to itself. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t reply[DNS_MSG_MAX], out[DNS_MSG_MAX];
	char text[DNS_TEXT_MAX];
	struct dns_query q;
	struct dns_edns edns;
	unsigned rcode;

	if (size > sizeof(reply) || dns_query_read(data, size, &q) < 0 || !q.name.len)
		return 0;
	dns_name_text(&q.name, text);
	memcpy(reply, data, size);
	reply[2] |= 0x80;
	if (!dns_reply_is_to(&q, reply, size))
		abort();
	if (!dns_reply_check(&q, q.id, reply, size, &rcode, &edns) &&
	    dns_reply_build(&q, rcode, reply, size, out, dns_client_size(&q)) > dns_client_size(&q))
		abort();
	return 0;
}
