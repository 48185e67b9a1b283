/* SPDX-License-Identifier: Apache-2.0 */
#include "net/forward/spdy.h"

#include <errno.h>

#include "base/mem.h"
#include "tests/tap.h"

static void note(struct buf *b, const char *what, uint32_t stream, const void *p, size_t n)
{
	buf_addf(b, "%s%u%s", what, (unsigned)stream, p ? ":" : "");
	buf_add(b, p, p ? n : 0);
	buf_addc(b, ' ');
}

static void on_data(void *b, uint32_t stream, const uint8_t *p, size_t n)
{
	note(b, "data", stream, p, n);
}

static void on_end(void *b, uint32_t stream)
{
	note(b, "end", stream, NULL, 0);
}

static void on_reset(void *b, uint32_t stream, uint32_t status)
{
	note(b, status == SPDY_CANCEL ? "cancel" : "reset", stream, NULL, 0);
}

static void on_goaway(void *b, uint32_t last)
{
	note(b, "goaway", last, NULL, 0);
}

static void on_pong(void *b, uint32_t id)
{
	note(b, "pong", id, NULL, 0);
}

static const struct spdy_ops ops = { on_data, on_end, on_reset, on_goaway, on_pong };

#define BYTES(s) s, sizeof(s) - 1

static void test_read(void)
{
	static const struct { const char *what, *bytes; size_t n; const char *want; int code; } cases[] = {
		{ "data", BYTES("\0\0\0\3\0\0\0\5hello"), "data3:hello ", 0 },
		{ "data that ends the stream", BYTES("\0\0\0\3\1\0\0\2ok"), "data3:ok end3 ", 0 },
		{ "an empty end", BYTES("\0\0\0\3\1\0\0\0"), "end3 ", 0 },
		{ "a reply, whose headers are not looked at", BYTES("\x80\3\0\2\0\0\0\6\0\0\0\1xx"), "", 0 },
		{ "a reply that ends the stream", BYTES("\x80\3\0\2\1\0\0\4\0\0\0\1"), "end1 ", 0 },
		{ "a reset", BYTES("\x80\3\0\3\0\0\0\x8\0\0\0\3\0\0\0\5"), "cancel3 ", 0 },
		{ "an answer to a ping", BYTES("\x80\3\0\6\0\0\0\4\0\0\0\1"), "pong1 ", 0 },
		{ "a goaway", BYTES("\x80\3\0\7\0\0\0\x8\0\0\0\5\0\0\0\0"), "goaway5 ", 0 },
		{ "settings are of no use", BYTES("\x80\3\0\4\0\0\0\4\0\0\0\0\0\0\0\3\1\0\0\0"), "end3 ", 0 },
		{ "another version", BYTES("\x80\2\0\6\0\0\0\4\0\0\0\1"), "", -EBADMSG },
		{ "HTTP instead", BYTES("HTTP/1.1 400 Bad Request\r\n"), "data1213486160: 400 Bad Request\r\n ", 0 },
		{ "a control frame without end", BYTES("\x80\3\0\4\xff\xff\xff\xff"), "", -EBADMSG },
		{ "a ping without id", BYTES("\x80\3\0\6\0\0\0\2\0\0"), "", -EBADMSG },
		{ "a reset without status", BYTES("\x80\3\0\3\0\0\0\4\0\0\0\3"), "", -EBADMSG },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		for (size_t step = 1; step <= cases[i].n; step += cases[i].n - 1) {	/* byte by byte, and whole */
			auto(buf) struct buf out = BUF_INIT(1 << 20), seen = BUF_INIT(4096);
			struct spdy s;
			int r = 0;

			if (step == 1 && strstr(cases[i].want, "data"))
				continue;
			spdy_init(&s, &ops, &seen, &out);
			for (size_t at = 0; !r && at < cases[i].n; at += step)
				r = spdy_feed(&s, cases[i].bytes + at, MIN(step, cases[i].n - at), NULL);
			ok(r == cases[i].code, "%s, in steps of %zu: %d", cases[i].what, step, r);
			is_str(buf_str(&seen), cases[i].want, "%s", cases[i].what);
			spdy_done(&s);
		}
	}
}

static void test_write(void)
{
	static const struct spdy_header headers[] = { { "streamtype", "error" }, { "port", "80" } };
	static const char open1[] = "\x80\3\0\1\1\0\0\x43" "\0\0\0\1\0\0\0\0\0\0" "\x78\xbb\xe3\xc6\xa7\xc2" "\0\x29\0\xd6\xff"
		"\0\0\0\2" "\0\0\0\nstreamtype" "\0\0\0\5error" "\0\0\0\4port" "\0\0\0\2" "80" "\0\0\0\xff\xff";
	auto(buf) struct buf out = BUF_INIT(1 << 20), seen = BUF_INIT(4096);
	struct spdy s;

	spdy_init(&s, &ops, &seen, &out);
	ok(spdy_open(&s, headers, 2, true) == 1, "the first stream is 1");
	ok(out.len == sizeof(open1) - 1 && memcmp(out.data, open1, out.len) == 0, "its opening is a zlib stream of stored blocks (%zu)", out.len);
	buf_reset(&out);
	ok(spdy_open(&s, headers, 2, false) == 3 && out.len == sizeof(open1) - 7 && (uint8_t)out.data[18] == 0, "the next one's goes on with it");
	buf_reset(&out);
	spdy_send(&s, 3, "hi", 2, false);
	spdy_send(&s, 3, NULL, 0, true);
	ok(out.len == 18 && memcmp(out.data, "\0\0\0\3\0\0\0\2hi\0\0\0\3\1\0\0", 18) == 0, "data and an end");
	buf_reset(&out);
	ok(spdy_ping(&s) == 1 && spdy_ping(&s) == 3 && out.len == 24, "pings are counted in odd numbers");
	buf_reset(&out);
	ok(spdy_feed(&s, "\x80\3\0\6\0\0\0\4\0\0\0\2", 12, NULL) == 0 && out.len == 12 && out.data[11] == 2, "a ping of the server is answered");
	buf_reset(&out);
	ok(spdy_feed(&s, "\x80\3\0\7\0\0\0\x8\0\0\0\5\0\0\0\0", 16, NULL) == 0 && !spdy_open(&s, headers, 2, false) && !out.len,
	   "behind a goaway no stream is opened");
	spdy_done(&s);
}

static void test_large(void)
{
	auto(buf) struct buf out = BUF_INIT(1 << 20), seen = BUF_INIT(4096);
	char *big = xcalloc(1, 100000);
	struct spdy s;

	spdy_init(&s, &ops, &seen, &out);
	spdy_send(&s, 1, big, 100000, true);
	ok(out.len == 100016 && out.data[4] == 0 && out.data[8 + SPDY_DATA_MAX + 4] == 1, "large data goes in frames, the last one ends the stream");
	spdy_done(&s);
	free(big);
}

int main(void)
{
	test_read();
	test_write();
	test_large();
	return tap_done();
}
