/* SPDX-License-Identifier: Apache-2.0 */
#include "base/backoff.h"

#include "tests/tap.h"

int main(void)
{
	static const uint32_t want[] = { 100, 200, 400, 800, 1000, 1000, 1000 };
	struct backoff b = { .min_ms = 100, .max_ms = 1000, .seed = 42 }, zero = { 0 };
	bool varied = false;
	uint32_t first;

	for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
		uint32_t ms = backoff_next(&b);

		ok(ms >= want[i] * 8 / 10 && ms <= want[i] * 12 / 10, "wait %zu is %u ms within a fifth", i + 1, want[i]);
	}
	backoff_reset(&b);
	first = backoff_next(&b);
	ok(first >= 80 && first <= 120, "after a reset it starts at the minimum");
	for (int i = 0; i < 50; i++) {
		backoff_reset(&b);
		varied |= backoff_next(&b) != first;
	}
	ok(varied, "waits are jittered");
	ok(backoff_next(&zero) >= 1 && zero.seed, "an empty policy waits a little and seeds itself");
	return tap_done();
}
