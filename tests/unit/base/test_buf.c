/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"
#include "base/mem.h"
#include "tests/tap.h"

static void test_overflow(void)
{
	auto(buf) struct buf b = BUF_INIT(5);

	buf_adds(&b, "12345");
	ok(buf_ok(&b), "the maximum itself fits");
	buf_addc(&b, '6');
	ok(!buf_ok(&b) && b.len == 5, "one more is dropped and noticed");
	buf_consume(&b, 5);
	buf_adds(&b, "x");
	ok(!buf_ok(&b) && b.len == 0, "later appends are dropped too");
	buf_reset(&b);
	buf_addf(&b, "%d", 123456);
	ok(!buf_ok(&b) && b.len == 0, "a formatted text that does not fit is dropped as a whole");
	buf_reset(&b);
	buf_addf(&b, "%d", 12345);
	is_str(buf_str(&b), "12345", "after a reset there is room again");
}

int main(void)
{
	auto(buf) struct buf b = BUF_INIT(1 << 20);
	autofree char *s = NULL, *empty = NULL;
	unsigned long long sum = 0;

	is_str(buf_str(&b), "", "an empty buffer is an empty text");
	buf_add(&b, NULL, 0);
	ok(b.data != NULL && b.len == 0, "an append of nothing leaves a terminated buffer");
	for (int i = 0; i < 1000; i++)
		buf_addf(&b, "%03d;", i);
	ok(b.len == 4000 && b.data[4000] == '\0' && memcmp(b.data + 3996, "999;", 4) == 0, "it grows and stays terminated");
	for (; b.len; buf_consume(&b, 4))
		sum += (unsigned long long)(b.data[0] - '0') * 100 + (unsigned long long)(b.data[1] - '0') * 10 +
		       (unsigned long long)(b.data[2] - '0');
	is_int((long long)sum, 499500, "consuming at the front keeps what follows");
	buf_adds(&b, "mine");
	s = buf_steal(&b);
	is_str(s, "mine", "a stolen text is the caller's");
	ok(b.len == 0 && b.data == NULL && b.max == 1 << 20, "and the buffer is empty");
	empty = buf_steal(&b);
	is_str(empty, "", "an empty buffer can be stolen");
	test_overflow();
	return tap_done();
}
