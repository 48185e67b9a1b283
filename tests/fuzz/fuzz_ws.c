/* SPDX-License-Identifier: Apache-2.0 */
#include "net/forward/ws.h"

#include "base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void on_data(void *sum, const uint8_t *p, size_t n, bool first, bool last)
{
	for (size_t i = 0; i < n; i++)
		*(unsigned *)sum += p[i];
}

/* Whole and in small steps it says the same. */
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const struct ws_ops ops = { .on_data = on_data };
	auto(buf) struct buf out = BUF_INIT(4 << 20), out2 = BUF_INIT(4 << 20);
	unsigned sum = 0, sum2 = 0;
	struct ws w, v;
	int r, r2 = 0;

	ws_init(&w, &ops, &sum, &out, false);
	ws_init(&v, &ops, &sum2, &out2, false);
	r = ws_feed(&w, p, n, NULL);
	for (size_t at = 0; !r2 && at < n; at += 3)
		r2 = ws_feed(&v, p + at, MIN(n - at, (size_t)3), NULL);
	if (r != r2 || (!r && (sum != sum2 || out.len != out2.len)))
		abort();
	return 0;
}
