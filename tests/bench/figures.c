/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bench/figures.h"

#include <time.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/str.h"

static unsigned slot_of(uint64_t us)
{
	unsigned power = 0;

	if (us < 16)
		return (unsigned)us;
	while (us >> power >= 32)
		power++;
	return MIN((power + 1) * 16 + (unsigned)(us >> power & 15), HISTOGRAM_SLOTS - 1u);
}

static uint64_t slot_end(unsigned slot)
{
	return slot < 16 ? slot : ((uint64_t)(slot % 16 + 17) << (slot / 16 - 1)) - 1;
}

void histogram_add(struct histogram *h, uint64_t us)
{
	h->slot[slot_of(us)]++;
	h->n++;
	h->max_us = MAX(h->max_us, us);
}

uint64_t histogram_at(const struct histogram *h, double share)
{
	uint64_t wanted = (uint64_t)(share * (double)h->n), seen = 0;

	for (unsigned i = 0; i < HISTOGRAM_SLOTS; i++) {
		seen += h->slot[i];
		if (seen > wanted)
			return MIN(slot_end(i), h->max_us);
	}
	return h->max_us;
}

uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

uint64_t process_cpu_ms(pid_t pid)
{
	autofree char *path = xasprintf("/proc/%d/stat", (int)pid);
	auto(buf) struct buf text = BUF_INIT(4096);
	unsigned long long user = 0, system_ = 0;
	const char *at;

	if (file_read(path, &text, NULL))
		return 0;
	at = strrchr(buf_str(&text), ')');
	if (!at || sscanf(at + 1, "%*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %llu %llu", &user, &system_) != 2)
		return 0;
	return (user + system_) * 1000 / (uint64_t)sysconf(_SC_CLK_TCK);
}

const char *option_text(int argc, char **argv, const char *key, const char *otherwise)
{
	size_t n = strlen(key);

	for (int i = 1; i < argc; i++)
		if (strncmp(argv[i], key, n) == 0 && argv[i][n] == '=')
			return argv[i] + n + 1;
	return otherwise;
}

uint64_t option_number(int argc, char **argv, const char *key, uint64_t otherwise, uint64_t max)
{
	const char *text = option_text(argc, argv, key, NULL);

	if (text && num_u64(text, max, &otherwise)) {
		fprintf(stderr, "%s: %s is a number up to %llu\n", argv[0], key, (unsigned long long)max);
		exit(2);
	}
	return otherwise;
}
