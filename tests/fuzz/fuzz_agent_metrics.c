/* SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>

#include "agent/metrics.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	(void)metrics_verdict((const char *)data, size);
	return 0;
}
