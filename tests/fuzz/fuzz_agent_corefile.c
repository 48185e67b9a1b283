/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/corefile.h"

#include "base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const char *const keys[] = { "Corefile", "NodeHosts", "a.server", "b.override" };
	autofree char *text = xstrndup((const char *)p, n);
	autojson json *o = json_object();
	json *data = json_set(o, "data", json_object());
	struct dns_name zone;
	struct corefile c;

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		json_set_str(data, keys[i], text);
	if (dns_name_parse("cluster.local", &zone))
		return 0;
	corefile_read(o, o, &zone, &c);
	(void)corefile_find(&c, &zone);
	corefile_done(&c);
	return 0;
}
