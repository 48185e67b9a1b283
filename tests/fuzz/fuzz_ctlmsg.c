/* SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>

#include "net/ctlmsg.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	json *reply = NULL;
	struct err err = { 0 };
	enum ctl_op op;

	(void)!ctl_request_parse(data, size, &op, &err);
	if (!ctl_reply_parse(data, size, &reply, &err))
		json_free(reply);
	return 0;
}
