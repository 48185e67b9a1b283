/* SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>

#include "net/kube/kubeconfig.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct http_endpoint e = { 0 };
	json *config = kubeconfig_parse("/nowhere/config", data, size, NULL), *named = NULL;

	if (config && kubeconfig_endpoint(config, NULL, &e, NULL) == 0)
		http_endpoint_done(&e);
	if (config)
		named = kubeconfig_rename(config, "c", "u", "x", "https://s", NULL);
	free(config ? kubeconfig_text(config) : NULL);
	json_free(named);
	json_free(config);
	return 0;
}
