/* SPDX-License-Identifier: Apache-2.0 */
#include "net/docker_stream.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int count(void *arg, const json *o)
{
	++*(size_t *)arg;
	return 0;
}

/* Fed as a whole and byte by byte, the objects must be the same. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct docker_objects whole, bytes;
	size_t a = 0, b = 0;
	int r, s = 0;

	docker_objects_init(&whole);
	docker_objects_init(&bytes);
	r = docker_objects_feed(&whole, (const char *)data, size, count, &a);
	for (size_t i = 0; i < size && s == 0; i++)
		s = docker_objects_feed(&bytes, (const char *)data + i, 1, count, &b);
	if (r != s || a != b)
		__builtin_trap();
	docker_objects_done(&whole);
	docker_objects_done(&bytes);
	return 0;
}
