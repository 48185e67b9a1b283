/* SPDX-License-Identifier: Apache-2.0 */
#include "net/http_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct strv headers = { 0 };
	int status = 0;
	ssize_t n = http_head_parse((const char *)data, size, &status, &headers);
	struct err err;

	if (n > (ssize_t)size || (n > 0 && (status < 100 || status > 999)))
		__builtin_trap();
	(void)http_head_find(&headers, "Content-Length");
	strv_done(&headers);
	(void)http_status_error(500, data, size, &err);
	return 0;
}
