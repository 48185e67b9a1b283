/* SPDX-License-Identifier: Apache-2.0 */
#include "net/docker_stream.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int count(void *arg, int stream, const char *p, size_t n)
{
	*(size_t *)arg += n;
	return stream == 1 || stream == 2 ? 0 : -1;
}

/* Fed as a whole and byte by byte, the payload must be the same. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct docker_frames whole = { 0 }, bytes = { 0 };
	size_t a = 0, b = 0;
	int r = docker_frames_feed(&whole, (const char *)data, size, count, &a), s = 0;

	for (size_t i = 0; i < size && s == 0; i++)
		s = docker_frames_feed(&bytes, (const char *)data + i, 1, count, &b);
	if (r != s || a != b)
		__builtin_trap();
	return 0;
}
