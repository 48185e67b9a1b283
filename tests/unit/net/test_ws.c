/* SPDX-License-Identifier: Apache-2.0 */
#include "net/forward/ws.h"

#include <errno.h>

#include "base/mem.h"
#include "tests/tap.h"

static void on_data(void *owner, const uint8_t *p, size_t n, bool first, bool last)
{
	struct buf *b = owner;

	if (first)
		buf_addc(b, '[');
	buf_add(b, p, n);
	if (last)
		buf_addc(b, ']');
}

static void on_close(void *owner, unsigned code, const char *reason)
{
	buf_addf(owner, "close %u %s", code, reason);
}

static void on_pong(void *owner, const uint8_t *p, size_t n)
{
	buf_addf(owner, "pong %.*s", (int)n, (const char *)p);
}

static const struct ws_ops ops = { on_data, on_close, on_pong };

#define BYTES(s) s, sizeof(s) - 1
#define K126 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static void test_read(void)
{
	static const struct { const char *what, *bytes; size_t n; const char *want; const char *out; size_t out_n; int code; } cases[] = {
		{ "a message", BYTES("\x82\2hi"), "[hi]", "", 0, 0 },
		{ "an empty one", BYTES("\x82\0"), "[]", "", 0, 0 },
		{ "two", BYTES("\x82\1a\x82\1b"), "[a][b]", "", 0, 0 },
		{ "a longer one", BYTES("\x82\x7e\0\x7e" K126), "[" K126 "]", "", 0, 0 },
		{ "with a length of 64 bits", BYTES("\x82\x7f\0\0\0\0\0\0\0\2hi"), "[hi]", "", 0, 0 },
		{ "fragments, the last one empty, a ping between", BYTES("\x02\1a\x89\1x\x00\1b\x80\0"), "[ab]", "\x8a\x81\0\0\0\0x", 7, 0 },
		{ "text is data", BYTES("\x81\2hi"), "[hi]", "", 0, 0 },
		{ "a pong", BYTES("\x8a\2hi"), "pong hi", "", 0, 0 },
		{ "a close with reason is answered", BYTES("\x88\5\x03\xe8" "bye\x82\2no"), "close 1000 bye", "\x88\x82\0\0\0\0\x03\xe8", 8, 0 },
		{ "one without a code", BYTES("\x88\0"), "close 1005 ", "\x88\x80\0\0\0\0", 6, 0 },
		{ "a masked frame", BYTES("\x82\x82\0\0\0\0hi"), "", "\x88\x82\0\0\0\0\x03\xea", 8, -EBADMSG },
		{ "an extension", BYTES("\xc2\0"), "", "\x88\x82\0\0\0\0\x03\xea", 8, -EBADMSG },
		{ "a continuation of nothing", BYTES("\x80\0"), "", "\x88\x82\0\0\0\0\x03\xea", 8, -EBADMSG },
		{ "a message within a message", BYTES("\x02\1a\x82\1b"), "[a", "\x88\x82\0\0\0\0\x03\xea", 8, -EBADMSG },
		{ "a long ping", BYTES("\x89\x7e\0\x7e" K126), "", "\x88\x82\0\0\0\0\x03\xea", 8, -EBADMSG },
		{ "a fragmented ping", BYTES("\x09\1a"), "", "\x88\x82\0\0\0\0\x03\xea", 8, -EBADMSG },
		{ "an unknown opcode", BYTES("\x83\0"), "", "\x88\x82\0\0\0\0\x03\xea", 8, -EBADMSG },
		{ "an unknown control frame", BYTES("\x8b\0"), "", "\x88\x82\0\0\0\0\x03\xea", 8, -EBADMSG },
		{ "a length of 2^63", BYTES("\x82\x7f\x80\0\0\0\0\0\0\0"), "", "\x88\x82\0\0\0\0\x03\xea", 8, -EBADMSG },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		for (size_t step = 1; step <= cases[i].n; step += cases[i].n - 1) {	/* byte by byte, and whole */
			auto(buf) struct buf out = BUF_INIT(1 << 20), seen = BUF_INIT(4096);
			struct ws w;
			int r = 0;

			ws_init(&w, &ops, &seen, &out, false);
			for (size_t at = 0; !r && at < cases[i].n; at += step)
				r = ws_feed(&w, cases[i].bytes + at, MIN(step, cases[i].n - at), NULL);
			ok(r == cases[i].code, "%s, in steps of %zu", cases[i].what, step);
			is_str(buf_str(&seen), cases[i].want, "%s is read", cases[i].what);
			ok(out.len == cases[i].out_n && memcmp(buf_str(&out), cases[i].out, out.len) == 0, "and answered as it should");
		}
	}
}

/* What we send, unmasked, as the server would read it. */
static void test_write(void)
{
	static const size_t sizes[] = { 0, 1, 125, 126, 65535, 65536 };
	char *big = xcalloc(1, 65536);

	memset(big, 'x', 65536);
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		auto(buf) struct buf out = BUF_INIT(1 << 20), seen = BUF_INIT(1 << 20);
		size_t n = sizes[i], head = 2 + (n > 65535 ? 8u : n > 125 ? 2u : 0u);
		bool same = true;
		struct ws w;

		ws_init(&w, &ops, &seen, &out, true);
		ws_send(&w, big, n / 3, big + n / 3, n - n / 3);
		for (size_t k = 0; k < n && out.len == head + 4 + n; k++)
			same &= (out.data[head + 4 + k] ^ out.data[head + (k & 3)]) == 'x';
		ok(out.len == head + 4 + n && (uint8_t)out.data[0] == 0x82 && (uint8_t)out.data[1] >> 7 && same, "a message of %zu bytes in two parts, masked", n);
	}
	free(big);
}

static void test_close(void)
{
	auto(buf) struct buf out = BUF_INIT(1 << 20), seen = BUF_INIT(4096);
	struct ws w;

	ws_init(&w, &ops, &seen, &out, false);
	ws_ping(&w, "p", 1);
	ws_close(&w, WS_CLOSE_NORMAL);
	ws_close(&w, WS_CLOSE_NORMAL);
	ws_send(&w, NULL, 0, "late", 4);
	ok(out.len == 15, "behind a close nothing is sent");
	ok(!ws_feed(&w, "\x82\2hi", 4, NULL) && !seen.len, "nor read");
}

int main(void)
{
	test_read();
	test_write();
	test_close();
	return tap_done();
}
