/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "net/linux/conntrack.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

/* What is taken lies inside of the message. */
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct conntrack_entry e;

	if (conntrack_parse(p, n, &e))
		return 0;
	if (e.tuple < p || e.tuple + e.tuple_len > p + n || !addr_bits(&e.dst))
		abort();
	return 0;
}
