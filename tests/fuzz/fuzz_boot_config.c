/* SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "base/mem.h"
#include "boot/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* config_load reads files, so one is made in memory; its name makes it YAML, of which JSON is a part. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct strv problems = { 0 };
	struct config c = { 0 };
	struct err err = { 0 };
	autoclose int fd = memfd_create("config", MFD_CLOEXEC);
	autofree char *path = xasprintf("/proc/self/fd/%d", fd);

	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		return 0;
	if (config_load(path, NULL, "/tmp/fuzz", &c, &problems, &err) == 0)
		config_done(&c);
	strv_done(&problems);
	return 0;
}
