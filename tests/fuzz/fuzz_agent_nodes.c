/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "agent/nodes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The input as a Node of the API: put twice, which changes nothing the second time, and dropped. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	autojson json *object = json_parse(data, size, NULL), *status = NULL;
	struct nodes n = NODES_INIT;

	if (object) {
		bool changed = nodes_put(&n, object);

		if (nodes_put(&n, object))
			abort();
		status = nodes_status(&n);
		if (nodes_drop(&n, object) != changed)
			abort();
	}
	nodes_done(&n);
	return 0;
}
