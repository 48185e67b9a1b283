/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "base/num.h"
#include "tests/tap.h"

struct c {
	const char *text;
	int r;
	uint64_t want;
};

static void check(const char *what, int (*fn)(const char *, uint64_t *), const struct c *c, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		uint64_t v = 4711;
		int r = fn(c[i].text, &v);

		if (c[i].r)
			ok(r == c[i].r && v == 4711, "%s \"%s\" is refused (%d)", what, c[i].text, r);
		else
			ok(r == 0 && v == c[i].want, "%s \"%s\" is %llu", what, c[i].text, (unsigned long long)v);
	}
}

static int to_1000(const char *s, uint64_t *ret)
{
	return num_u64(s, 1000, ret);
}

static int to_u16(const char *s, uint64_t *ret)
{
	uint16_t v = 0;
	int r = num_u16(s, &v);

	if (!r)
		*ret = v;
	return r;
}

static const struct c numbers[] = {
	{ "0", 0, 0 }, { "1000", 0, 1000 }, { "007", 0, 7 }, { "1001", -ERANGE, 0 }, { "", -EINVAL, 0 }, { "-1", -EINVAL, 0 },
	{ "+1", -EINVAL, 0 }, { " 1", -EINVAL, 0 }, { "1 ", -EINVAL, 0 }, { "0x10", -EINVAL, 0 }, { "1.0", -EINVAL, 0 },
	{ "99999999999999999999999", -ERANGE, 0 }, { "99999999999999999999999x", -EINVAL, 0 }, { NULL, -EINVAL, 0 },
};

static const struct c ports[] = {
	{ "65535", 0, 65535 }, { "65536", -ERANGE, 0 }, { "http", -EINVAL, 0 },
};

static const struct c durations[] = {
	{ "90", 0, 90000 }, { "0", 0, 0 }, { "1.5", 0, 1500 }, { "90s", 0, 90000 }, { "500ms", 0, 500 }, { "5m30s", 0, 330000 },
	{ "1.5h", 0, 5400000 }, { "1h0m0.5s", 0, 3600500 }, { ".5s", 0, 500 }, { "1us", 0, 1 }, { "1500\xc2\xb5s", 0, 2 },
	{ "0ns", 0, 0 }, { "", -EINVAL, 0 }, { "s", -EINVAL, 0 }, { "5x", -EINVAL, 0 }, { "5m3", -EINVAL, 0 }, { "-5s", -EINVAL, 0 },
	{ ".", -EINVAL, 0 }, { "5 s", -EINVAL, 0 }, { "99999999999h", -ERANGE, 0 }, { "5000000h5000000h", -ERANGE, 0 },
	{ "0.0000000000000000000000001s", -ERANGE, 0 },
};

static const struct c sizes[] = {
	{ "512", 0, 512 }, { "128Mi", 0, 128 << 20 }, { "1G", 0, 1000000000 }, { "1.5Gi", 0, 3ULL << 29 }, { "1k", 0, 1000 },
	{ "1Ki", 0, 1024 }, { "1E", 0, 1000000000000000000 }, { "1e3", 0, 1000 }, { "12E6", 0, 12000000 }, { "1500m", 0, 2 },
	{ "25e-1", 0, 3 }, { "0", 0, 0 }, { "15Ei", 0, 15ULL << 60 }, { "16Ei", -ERANGE, 0 }, { "1K", -EINVAL, 0 },
	{ "1MB", -EINVAL, 0 }, { "Mi", -EINVAL, 0 }, { "", -EINVAL, 0 }, { "-1", -EINVAL, 0 }, { "1e", -EINVAL, 0 },
	{ "1e99", -ERANGE, 0 }, { "1Mi1", -EINVAL, 0 }, { "1e1.5", -EINVAL, 0 },
};

int main(void)
{
	check("number", to_1000, numbers, sizeof(numbers) / sizeof(*numbers));
	check("port", to_u16, ports, sizeof(ports) / sizeof(*ports));
	check("duration", num_duration_ms, durations, sizeof(durations) / sizeof(*durations));
	check("size", num_bytes, sizes, sizeof(sizes) / sizeof(*sizes));
	return tap_done();
}
