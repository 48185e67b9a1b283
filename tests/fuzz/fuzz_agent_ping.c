/* SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>

#include "net/linux/ping.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct ping_mark mark = { 0x1234, "0123456789abcde" };
	uint16_t seq;

	for (enum ping_kind k = PING_DGRAM; k <= PING_RAW; k++) {
		(void)!ping_parse(&mark, AF_INET, k, data, size, &seq);
		(void)!ping_parse(&mark, AF_INET6, k, data, size, &seq);
	}
	return 0;
}
