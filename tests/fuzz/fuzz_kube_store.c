/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <stdint.h>

#include "net/kube/store.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The first byte is the kind; an array's elements are put one after the other, then all are deleted. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum store_kind kind = size ? data[0] % STORE_KINDS : STORE_SERVICES;
	autojson json *list = size ? json_parse(data + 1, size - 1, NULL) : NULL;
	struct store *s = store_new();

	json_each(o, list)
		(void)!store_put(s, kind, o);
	json_each(o, list)
		store_delete(s, kind, o);
	assert(!store_count(s, kind));
	store_free(s);
	return 0;
}
