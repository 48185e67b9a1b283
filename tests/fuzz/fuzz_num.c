/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <stdint.h>

#include "base/mem.h"
#include "base/num.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	autofree char *s = xstrndup((const char *)data, size);
	uint64_t v = 0;
	uint16_t port = 0;

	(void)!num_duration_ms(s, &v);
	(void)!num_bytes(s, &v);
	(void)!num_u16(s, &port);
	assert(num_u64(s, 1000, &v) || v <= 1000);
	return 0;
}
