/* SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>

#include "net/kube/items.h"

static int see(void *arg, const json *item)
{
	return json_str(item, "metadata.name", "")[0] == '!' ? -1 : 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The first byte: bit 0 the type, the rest where the stream is split. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct kube_items items;
	size_t split = size ? MIN((size_t)data[0] >> 1, size - 1) : 0;

	if (!size)
		return 0;
	kube_items_init(&items, data[0] & 1 ? KUBE_ITEMS_WATCH : KUBE_ITEMS_LIST, see, NULL);
	if (kube_items_feed(&items, data + 1, split, NULL) == 0 &&
	    kube_items_feed(&items, data + 1 + split, size - 1 - split, NULL) == 0)
		(void)!kube_items_end(&items, NULL);
	kube_items_done(&items);
	return 0;
}
