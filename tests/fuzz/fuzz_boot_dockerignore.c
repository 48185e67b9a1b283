/* SPDX-License-Identifier: Apache-2.0 */
/* The first line is a path, the rest is a .dockerignore and a Dockerfile at once. */
#include <stdint.h>

#include "base/mem.h"
#include "boot/context.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	autofree char *text = xstrndup((const char *)data, size);
	char *rest = strchr(text, '\n');
	struct strv args = { 0 }, images = { 0 };
	struct ignore g;

	if (!rest)
		return 0;
	*rest++ = '\0';
	if (ignore_parse(rest, &g, NULL) == 0) {
		ignore_match(&g, text);
		ignore_done(&g);
	}
	strv_add(&args, "BASE=debian");
	dockerfile_images(rest, &args, &images);
	strv_done(&args);
	strv_done(&images);
	return 0;
}
