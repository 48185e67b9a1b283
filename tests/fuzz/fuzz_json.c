/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is written is JSON. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	autojson json *j = json_parse(data, size, NULL), *again = NULL;
	autofree char *text = NULL, *pretty = NULL;

	if (!j)
		return 0;
	text = json_text(j);
	pretty = json_pretty(j);
	again = json_parse(pretty, strlen(pretty), NULL);
	assert(again);
	(void)json_get(j, "a['b.c'][1].d[");
	(void)json_int(j, "a[0]", 0);
	return 0;
}
