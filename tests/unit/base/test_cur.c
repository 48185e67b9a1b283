/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cur.h"
#include "tests/tap.h"

int main(void)
{
	static const uint8_t bytes[] = { 0x80, 0x12, 0x34, 0xde, 0xad, 0xbe, 0xef, 'x', 'y' };
	struct cur c = cur_init(bytes, sizeof(bytes));

	is_int(cur_u8(&c), 0x80, "a byte");
	is_int(cur_u16(&c), 0x1234, "16 bits, big endian");
	is_int(cur_u32(&c), 0xdeadbeef, "32 bits, big endian");
	is_int((long long)cur_left(&c), 2, "two are left");
	ok(memcmp(cur_take(&c, 2), "xy", 2) == 0 && cur_ok(&c), "the rest can be taken");
	ok(cur_take(&c, 0) != NULL && cur_ok(&c), "nothing can be taken at the end");
	is_int(cur_u8(&c), 0, "beyond the end there are zeros");
	ok(!cur_ok(&c) && cur_left(&c) == 0, "and the cursor is bad");
	cur_seek(&c, 0);
	ok(!cur_ok(&c) && cur_u8(&c) == 0, "it stays bad");

	c = cur_init(bytes, sizeof(bytes));
	cur_seek(&c, 7);
	is_int(cur_u8(&c), 'x', "after a seek");
	is_int(cur_u16(&c), 0, "a short number is zero");
	ok(!cur_ok(&c), "and bad, though one byte was left");
	c = cur_init(bytes, sizeof(bytes));
	cur_seek(&c, sizeof(bytes) + 1);
	ok(!cur_ok(&c), "a seek beyond the end is bad");
	c = cur_init(bytes, sizeof(bytes));
	(void)cur_u8(&c);
	ok(!cur_take(&c, SIZE_MAX) && !cur_ok(&c), "a length that would wrap around is bad");
	c = cur_init(NULL, 0);
	ok(cur_take(&c, 0) != NULL && cur_ok(&c), "an empty peer has nothing, well");
	return tap_done();
}
