/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "base/tar.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int check(void *arg, const struct tar_entry *e, const void *data, size_t n)
{
	size_t *left = arg;

	assert(e->path[0] != '/' && strncmp(e->path, "../", 3) != 0 && !strstr(e->path, "/../"));
	*left -= n < *left ? n : *left;
	return *left ? 0 : -1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t left = 1 << 20;

	(void)!tar_parse(data, size, check, &left, NULL);
	return 0;
}
