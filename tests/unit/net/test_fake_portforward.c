/* SPDX-License-Identifier: Apache-2.0 */
/* The fake API server of the forwarder's tests, driven by bytes written by hand: what the forwarder is tested against must itself be
 * right. Then our own SPDY and WebSocket talk with it. */
#include "tests/fake/portforward.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <time.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "net/forward/spdy.h"
#include "net/forward/ws.h"
#include "tests/tap.h"

#define WAIT_MS 3000
#define MORE_MS 20		/* in which what should not come would */

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* ---- a client by hand -------------------------------------------------------------------------------------------- */

#define PATH "/api/v1/namespaces/t/pods/web-1/portforward"
#define POST "POST " PATH " HTTP/1.1\r\nHost: fake\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n" \
	"X-Stream-Protocol-Version: portforward.k8s.io\r\nContent-Length: 0\r\n\r\n"
#define GET(query, protocols) "GET " PATH query " HTTP/1.1\r\nHost: fake\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" \
	"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: " protocols "\r\n\r\n"
#define TUNNEL GET("?ports=7", "SPDY/3.1+portforward.k8s.io, v4.channel.k8s.io")
#define V4(port) GET("?ports=" port, "v4.channel.k8s.io")

/* A pair of streams to port 7: error (id 1, it ends at once) and data (id 3), as pipelined by our client. */
#define HEADERS(type, port) type "\0\0\0\4port" port "\0\0\0\x09requestid\0\0\0\1" "0"
#define SYN_ERROR "\x80\3\0\1" "\1\0\0\x54" "\0\0\0\1" "\0\0\0\0" "\0\0" "\x78\xbb\xe3\xc6\xa7\xc2" "\0\x3a\0\xc5\xff" "\0\0\0\3" \
	HEADERS("\0\0\0\x0astreamtype\0\0\0\5error", "\0\0\0\1" "7") "\0\0\0\xff\xff"
#define SYN_DATA "\x80\3\0\1" "\0\0\0\x4d" "\0\0\0\3" "\0\0\0\0" "\0\0" "\0\x39\0\xc6\xff" "\0\0\0\3" \
	HEADERS("\0\0\0\x0astreamtype\0\0\0\4data", "\0\0\0\1" "7") "\0\0\0\xff\xff"
#define OPEN SYN_ERROR SYN_DATA
#define HELLO "\0\0\0\3" "\0\0\0\5" "hello"
#define END "\0\0\0\3" "\1\0\0\0"
#define RESET "\x80\3\0\3" "\0\0\0\x08" "\0\0\0\3" "\0\0\0\5"
#define PING "\x80\3\0\6" "\0\0\0\4" "\0\0\0\1"

static int dial(const struct fake_pf *f)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons((uint16_t)fake_pf_tcp_port(f)) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof(a)))
		abort();
	return fd;
}

static void say(int fd, const void *p, size_t n)
{
	if (send(fd, p, n, MSG_NOSIGNAL) != (ssize_t)n)
		ok(false, "%zu bytes are sent", n);
}

static bool hear(int fd, struct buf *b, int ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char bytes[65536];
	ssize_t n = poll(&p, 1, ms) > 0 ? recv(fd, bytes, sizeof(bytes), 0) : -1;

	if (n > 0)
		buf_add(b, bytes, (size_t)n);
	return n != 0;
}

/* ---- what it says, as words -------------------------------------------------------------------------------------- */

static uint32_t be32(const char *p)
{
	const uint8_t *b = (const uint8_t *)p;

	return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

static void spdy_words(struct buf *to, const char *p, size_t n)
{
	static const char *const names[] = { "?", "syn", "reply", "reset", "?", "?", "pong", "goaway" };

	while (n >= 8 && n - 8 >= (be32(p + 4) & 0xffffff)) {
		size_t len = be32(p + 4) & 0xffffff;

		if ((uint8_t)p[0] & 0x80) {
			buf_addf(to, " %s%u", (uint8_t)p[3] < ARRAY_SIZE(names) ? names[(uint8_t)p[3]] : "?", len >= 4 ? be32(p + 8) : 0);
		} else {
			if (len)
				buf_addf(to, " data%u:%.*s", be32(p), (int)MIN(len, 300u), p + 8);
			if (p[4] & 1)
				buf_addf(to, " end%u", be32(p));
		}
		p += 8 + len;
		n -= 8 + len;
	}
	if (n)
		buf_addf(to, " rest%zu", n);
}

/* Frames of up to 64 KiB, unmasked. In a tunnel their payload goes to plain. */
static void ws_words(struct buf *to, const char *p, size_t n, struct buf *plain)
{
	while (n >= 2) {
		const uint8_t *b = (const uint8_t *)p;
		size_t head = b[1] == 126 ? 4 : 2, len = head == 4 && n >= 4 ? (size_t)b[2] << 8 | b[3] : b[1];

		if (b[1] > 126 || n < head + len)
			break;
		if (b[0] == 0x88)
			buf_addf(to, " close%u", (unsigned)b[head] << 8 | b[head + 1]);
		else if (b[0] == 0x8a)
			buf_addf(to, " wspong:%.*s", (int)len, p + head);
		else if (plain)
			buf_add(plain, p + head, len);
		else if (len == 3 && b[head + 2] == 0)
			buf_addf(to, " ch%u=%u", b[head], b[head + 1]);
		else
			buf_addf(to, " ch%u:%.*s", b[head], (int)len - 1, p + head + 1);
		p += head + len;
		n -= head + len;
	}
	if (n)
		buf_addf(to, " rest%zu", n);
}

static void words(struct buf *to, const struct buf *heard, const char *request, bool over)
{
	const char *head_end = strstr(buf_str(heard), "\r\n\r\n"), *body = head_end ? head_end + 4 : NULL;
	auto(buf) struct buf plain = BUF_INIT(1 << 20);
	size_t n = body ? heard->len - (size_t)(body - heard->data) : 0;

	buf_reset(to);
	if (!body)
		buf_addf(to, "%s", buf_str(heard));
	else
		buf_addf(to, "%.3s", heard->data + 9);
	if (body && strncmp(heard->data + 9, "101", 3) != 0) {
		buf_addf(to, "%s%s", n ? " " : "", body);
	} else if (body && str_starts(request, "POST")) {
		spdy_words(to, body, n);
	} else if (body) {
		ws_words(to, body, n, strstr(heard->data, "Protocol: SPDY") ? &plain : NULL);
		spdy_words(to, plain.data, plain.len);
	}
	if (over)
		buf_adds(to, " over");
}

static bool is_said(const struct buf *got, const char *want)
{
	return want && str_starts(buf_str(got), want);
}

/* What it says to a request, and behind 101 to bytes: until it begins as wanted, and a moment longer. want NULL: to the end. */
static void talk(const struct fake_pf *f, const char *request, const void *bytes, size_t n, const char *want, struct buf *ret)
{
	auto(buf) struct buf heard = BUF_INIT(1 << 20);
	autoclose int fd = dial(f);
	uint64_t begun = now_ms();
	bool more = true, said = false;

	say(fd, request, strlen(request));
	while (more && now_ms() - begun < WAIT_MS) {
		size_t before = heard.len;

		more = hear(fd, &heard, is_said(ret, want) ? MORE_MS : 50);
		if (!said && strstr(buf_str(&heard), "\r\n\r\n")) {
			said = true;
			if (n)
				say(fd, bytes, n);
		}
		if (more && heard.len == before && is_said(ret, want))
			break;
		words(ret, &heard, request, !more);
	}
}

#define BYTES(s) s, sizeof(s) - 1
#define REFUSED_7(said) "101 reply1 reply3 end3 data1:" said " end1"
#define CASE_MS 30

static const struct {
	const char *what, *request;
	struct fake_pf_fault fault;
	const char *bytes;
	size_t n;
	const char *want;
} talks[] = {
	{ "SPDY: an echo", POST, { 0 }, BYTES(OPEN HELLO), "101 reply1 reply3 data3:hello" },
	{ "two streams of one pair in the other order of bytes", POST, { 0 }, BYTES(OPEN HELLO HELLO), "101 reply1 reply3 data3:hellohello" },
	{ "a half-close ends both sides after a while", POST, { .linger_ms = CASE_MS }, BYTES(OPEN HELLO END), "101 reply1 reply3 data3:hello end3 end1" },
	{ "a ping", POST, { 0 }, BYTES(PING), "101 pong1" },
	{ "a reset", POST, { 0 }, BYTES(OPEN RESET HELLO PING), "101 reply1 reply3 pong1" },
	{ "a tunnel: each write of a frame is a message in fragments", TUNNEL, { 0 },
	  BYTES("\x82\x8c\0\0\0\0" PING), "101 pong1" },
	{ "masked", TUNNEL, { 0 }, BYTES("\x82\x8c\1\2\3\4" "\x81\1\3\2" "\1\2\3\0" "\1\2\3\5"), "101 pong1" },
	{ "frames that messages and fragments split anywhere", TUNNEL, { 0 },
	  BYTES("\x02\x83\0\0\0\0" "\x80\3\0" "\x80\x87\0\0\0\0" "\6\0\0\0\4\0\0" "\x82\x82\0\0\0\0" "\0\1"), "101 pong1" },
	{ "a WebSocket's ping", TUNNEL, { 0 }, BYTES("\x89\x82\0\0\0\0" "hi"), "101 wspong:hi" },
	{ "a WebSocket's close", TUNNEL, { 0 }, BYTES("\x88\x82\0\0\0\0" "\x03\xe8"), "101 close1000 over" },
	{ "v4: the port on both channels, then an echo", V4("7"), { 0 }, BYTES("\x82\x83\0\0\0\0" "\0hi"), "101 ch0=7 ch1=7 ch0:hi" },
	{ "v4: a port that closes", V4("13"), { .linger_ms = CASE_MS }, NULL, 0, "101 ch0=13 ch1=13 close1000 over" },
	{ "v4: a port that refuses", V4("6"), { .refusal = "no" }, NULL, 0, "101 ch0=6 ch1=6 ch1:no close1000 over" },
	{ "v4 without a port", GET("", "v4.channel.k8s.io"), { 0 }, NULL, 0, NULL },
	{ "an old server takes v4", TUNNEL, { .protocol = "v4.channel.k8s.io" }, NULL, 0, "101 ch0=7 ch1=7" },

	{ "a garbled answer", POST, { .garbage = "\x15\x03\x01 no HTTP" }, NULL, 0, "\x15\x03\x01 no HTTP over" },
	{ "silence after 101", POST, { .silent = true }, BYTES(OPEN HELLO PING), "101" },
	{ "cut in the middle of a frame", POST, { .cut_at = 13 }, BYTES(PING PING), "101 pong1 rest1 over" },
	{ "hung in the middle of a frame", POST, { .hang_at = 13 }, BYTES(PING PING), "101 pong1 rest1" },
	{ "an oversized frame", POST, { FAKE_INJECT(FAKE_OVERSIZED_CONTROL) }, NULL, 0, "101 rest8" },
	{ "data of nobody", POST, { FAKE_INJECT(FAKE_DATA_OF_NOBODY) }, BYTES(PING), "101 data9999:stray pong1" },
	{ "bytes after a stream was opened", POST, { FAKE_INJECT(FAKE_WRONG_VERSION), .inject_after = 1 }, BYTES(PING OPEN),
	  "101 pong1 reply1 reply3 pong1" },
	{ "an oversized WebSocket frame", TUNNEL, { FAKE_INJECT(FAKE_OVERSIZED_WS), .inject_ws = true }, NULL, 0, "101 rest10" },
	{ "a stream that is reset", POST, { .reset_nth = 1 }, BYTES(OPEN HELLO), "101 reply1 reply3 reset3" },
	{ "a goaway", POST, { .goaway_after = 1 }, BYTES(OPEN HELLO), "101 reply1 reply3 goaway3 data3:hello" },
	{ "pings that are not answered", POST, { .no_pongs = true }, BYTES(PING OPEN HELLO), "101 reply1 reply3 data3:hello" },
	{ "a connection that takes its time", POST, { .connect_ms = CASE_MS }, BYTES(OPEN HELLO PING), "101 reply1 reply3 pong1 data3:hello" },
	{ "a WebSocket without a protocol", TUNNEL, { .protocol = "" }, NULL, 0, "101" },
	{ "an unauthorized one", POST, { .status = 401, .body = FAKE_EMPTY }, NULL, 0, "401" },
	{ "a refusal of the protocol", POST, { .status = 403, .body = FAKE_TEXT }, NULL, 0,
	  "403 unable to upgrade: unable to negotiate protocol: client supports [foo], server accepts [portforward.k8s.io]" },
	{ "a fault of the other method", POST, { .method = "GET", .status = 500 }, BYTES(PING), "101 pong1" },
	{ "a fault of another pod", POST, { .pod = "web-2", .status = 500 }, BYTES(PING), "101 pong1" },
	{ "late", POST, { .delay_ms = CASE_MS, .status = 401, .body = FAKE_EMPTY }, NULL, 0, "401" },
};

static void test_talks(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(talks); i++) {
		struct fake_pf *f = fake_pf_new();
		auto(buf) struct buf got = BUF_INIT(1 << 20);
		const char *want = talks[i].want ? talks[i].want :
			"400 {\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Failure\",\"message\":\"query parameter "
			"\\\"port\\\" is required\",\"code\":400}\n";

		fake_pf_once(f, &talks[i].fault);
		talk(f, talks[i].request, talks[i].bytes, talks[i].n, want, &got);
		is_str(buf_str(&got), want, "%s", talks[i].what);
		if (fake_pf_complaint(f))
			is_str(fake_pf_complaint(f), NULL, "%s: no complaint", talks[i].what);
		fake_pf_free(f);
	}
}

/* What a real server would not take. */
static void test_complaints(void)
{
	static const struct { const char *what, *request, *bytes; size_t n; const char *want; } t[] = {
		{ "an even id", POST, BYTES("\x80\3\0\1" "\0\0\0\x0a" "\0\0\0\2" "\0\0\0\0" "\0\0"), "a stream has the id 2 after 0" },
		{ "an id twice", POST, BYTES(OPEN "\x80\3\0\1" "\0\0\0\x0a" "\0\0\0\3" "\0\0\0\0" "\0\0"), "a stream has the id 3 after 3" },
		{ "another dictionary", POST, BYTES("\x80\3\0\1" "\0\0\0\x10" "\0\0\0\1" "\0\0\0\0" "\0\0" "\x78\x9c\0\0\0\0"),
		  "the header block of stream 1 cannot be read" },
		{ "a block that is not flushed", POST, BYTES("\x80\3\0\1" "\0\0\0\x19" "\0\0\0\1" "\0\0\0\0" "\0\0" "\x78\xbb\xe3\xc6\xa7\xc2"
		  "\0\4\0\xfb\xff" "\0\0\0\0"), "the header block of stream 1 cannot be read" },
		{ "a stream without a type", POST, BYTES("\x80\3\0\1" "\0\0\0\x1e" "\0\0\0\1" "\0\0\0\0" "\0\0" "\x78\xbb\xe3\xc6\xa7\xc2"
		  "\0\4\0\xfb\xff" "\0\0\0\0" "\0\0\0\xff\xff"), "stream 1 has headers streamtype \"\", port \"\", requestid \"\"" },
		{ "data without a stream", POST, BYTES(HELLO), "data of stream 3, which was never opened" },
		{ "data behind the end", POST, BYTES(OPEN END HELLO), "data of stream 3 behind its end" },
		{ "another version", POST, BYTES("\x80\2\0\6" "\0\0\0\4" "\0\0\0\1"), "a frame of version 2" },
		{ "a ping of the server's", POST, BYTES("\x80\3\0\6" "\0\0\0\4" "\0\0\0\2"), "a ping with the id 2" },
		{ "no mask", TUNNEL, BYTES("\x82\x0c" PING), "a WebSocket frame is not masked" },
		{ "text", TUNNEL, BYTES("\x81\x80\0\0\0\0"), "a WebSocket frame of type 1" },
		{ "data for the error channel", V4("7"), BYTES("\x82\x82\0\0\0\0" "\1x"), "a message of 2 bytes for channel 1" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		struct fake_pf *f = fake_pf_new();
		auto(buf) struct buf got = BUF_INIT(1 << 20);

		talk(f, t[i].request, t[i].bytes, t[i].n, NULL, &got);
		is_str(fake_pf_complaint(f), t[i].want, "complaint: %s", t[i].what);
		if (!str_ends(buf_str(&got), " over"))
			ok(false, "%s ends the connection", t[i].what);
		fake_pf_free(f);
	}
}

/* ---- the whole server -------------------------------------------------------------------------------------------- */

static void test_answers(void)
{
	static const struct { int status; const char *want; } t[] = {
		{ 400, "pod web-1 does not have a host assigned" }, { 401, "Unauthorized" },
		{ 403, "cannot create resource \\\"pods/portforward\\\"" }, { 404, "pods \\\"web-1\\\" not found" },
		{ 405, "does not allow this method" }, { 410, "(410)" }, { 429, "too many requests" }, { 500, "(500)" }, { 503, "(503)" },
	};
	struct fake_pf *f = fake_pf_new();
	struct fake_pf_count n;

	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		auto(buf) struct buf got = BUF_INIT(1 << 20);
		autofree char *begin = xasprintf("%d {\"kind\":\"Status\"", t[i].status);

		fake_pf_always(f, &(struct fake_pf_fault){ .status = t[i].status });
		talk(f, POST, NULL, 0, begin, &got);
		ok(str_starts(buf_str(&got), begin) && strstr(buf_str(&got), t[i].want), "status %d says: %s", t[i].status, t[i].want);
	}
	fake_pf_count(f, &n);
	ok(n.asked_post == ARRAY_SIZE(t) && n.connections == 0 && str_starts(fake_pf_asked(f, 0), "POST " PATH " HTTP/1.1\r\n") &&
	   !fake_pf_asked(f, ARRAY_SIZE(t)), "what was asked is kept");
	fake_pf_free(f);
}

static void test_orders(void)
{
	struct fake_pf *f = fake_pf_new();
	auto(buf) struct buf got = BUF_INIT(1 << 20);

	fake_pf_always(f, &(struct fake_pf_fault){ .status = 401, .body = FAKE_EMPTY });
	fake_pf_always(f, &(struct fake_pf_fault){ .method = "GET" });
	fake_pf_once(f, &(struct fake_pf_fault){ .status = 500, .body = FAKE_EMPTY });
	talk(f, POST, NULL, 0, "500", &got);
	is_str(buf_str(&got), "500", "what is said once comes first");
	buf_reset(&got);
	talk(f, POST, NULL, 0, "401", &got);
	is_str(buf_str(&got), "401", "then what is always");
	buf_reset(&got);
	talk(f, V4("7"), NULL, 0, "101 ch0=7 ch1=7", &got);
	is_str(buf_str(&got), "101 ch0=7 ch1=7", "the last that fits");
	fake_pf_always(f, NULL);
	buf_reset(&got);
	talk(f, POST, BYTES(PING), "101 pong1", &got);
	is_str(buf_str(&got), "101 pong1", "or nothing");
	fake_pf_deaf(f, true);
	buf_reset(&got);
	talk(f, POST, NULL, 0, "", &got);
	ok(!got.len && !fake_pf_asked(f, 4), "a deaf server does not read the request");
	fake_pf_free(f);
}

/* Until the words are these. */
static bool hear_words(int fd, struct buf *heard, const char *request, const char *want)
{
	auto(buf) struct buf got = BUF_INIT(1 << 20);
	uint64_t begun = now_ms();
	bool more = true;

	while (more && now_ms() - begun < WAIT_MS) {
		more = hear(fd, heard, 50);
		words(&got, heard, request, !more);
		if (streq(buf_str(&got), want))
			return true;
	}
	printf("#   got: %s\n#  want: %s\n", buf_str(&got), want);
	return false;
}

static void test_pod(void)
{
	struct fake_pf *f = fake_pf_new();
	auto(buf) struct buf heard = BUF_INIT(1 << 20), got = BUF_INIT(1 << 20);
	autoclose int fd = dial(f);
	struct fake_pf_count n;

	say(fd, POST, strlen(POST));
	say(fd, "", 0);
	ok(hear_words(fd, &heard, POST, "101"), "a session");
	say(fd, BYTES(OPEN HELLO));
	ok(hear_words(fd, &heard, POST, "101 reply1 reply3 data3:hello"), "with a stream");
	fake_pf_count(f, &n);
	ok(n.open == 1 && n.most == 1 && n.streams == 1 && n.streams_open == 1 && n.received == 5 && n.sent == 5, "is counted");
	fake_pf_pod_gone(f, "web-1", true);
	ok(hear_words(fd, &heard, POST, "101 reply1 reply3 data3:hello end3 end1"), "a pod that goes ends its streams");
	say(fd, BYTES(PING));
	ok(hear_words(fd, &heard, POST, "101 reply1 reply3 data3:hello end3 end1 pong1"), "but not the session");
	fake_pf_count(f, &n);
	ok(n.open == 1 && n.streams_open == 0 && n.streams_most == 1 && n.pings == 1, "and is counted");
	talk(f, POST, NULL, 0, "404 ", &got);
	ok(str_starts(buf_str(&got), "404 "), "new ones are not found");
	fake_pf_pod_gone(f, "web-1", false);
	buf_reset(&got);
	talk(f, POST, BYTES(PING), "101 pong1", &got);
	is_str(buf_str(&got), "101 pong1", "until it is there again");
	fake_pf_cut(f);
	ok(hear_words(fd, &heard, POST, "101 reply1 reply3 data3:hello end3 end1 pong1 over"), "all connections can be cut");
	ok(!fake_pf_complaint(f), "without a complaint");
	fake_pf_free(f);
}

/* The reply of one that waits for the end is lost, whoever ends first has a second. */
static void test_half_close(void)
{
	struct fake_pf *f = fake_pf_new();
	auto(buf) struct buf heard = BUF_INIT(1 << 20);
	autoclose int fd = dial(f);
	uint64_t begun = now_ms();
	struct fake_pf_count n;

	say(fd, V4("13"), strlen(V4("13")));
	ok(hear_words(fd, &heard, "GET", "101 ch0=13 ch1=13 close1000 over") && now_ms() - begun >= 1000 && now_ms() - begun < 2000,
	   "a port that closes at once is closed after a second (%d ms)", (int)(now_ms() - begun));
	fake_pf_count(f, &n);
	is_int(n.lost_replies, 0, "which loses nothing");
	fake_pf_free(f);
}

/* ---- our own ----------------------------------------------------------------------------------------------------- */

struct peer {
	struct spdy spdy;
	struct ws ws;
	struct buf out, plain, data, text;
	uint32_t error, stream;
	unsigned ends, pongs;
	bool tunnel;
	int fd;
};

static void on_data(void *owner, uint32_t id, const uint8_t *p, size_t n)
{
	struct peer *r = owner;

	buf_add(id == r->error ? &r->text : &r->data, p, n);
}

static void on_end(void *owner, uint32_t id)
{
	((struct peer *)owner)->ends++;
}

static void on_pong(void *owner, uint32_t id)
{
	((struct peer *)owner)->pongs++;
}

static void on_ws_data(void *owner, const uint8_t *p, size_t n, bool first, bool last)
{
	if (spdy_feed(&((struct peer *)owner)->spdy, p, n, NULL))
		ok(false, "SPDY is understood");
}

static const struct spdy_ops spdy_ops = { .on_data = on_data, .on_end = on_end, .on_pong = on_pong };
static const struct ws_ops ws_ops = { .on_data = on_ws_data };

static void peer_flush(struct peer *r)
{
	if (r->tunnel && r->plain.len)
		ws_send(&r->ws, NULL, 0, r->plain.data, r->plain.len);
	buf_reset(&r->plain);
	if (r->out.len)
		say(r->fd, r->out.data, r->out.len);
	buf_reset(&r->out);
}

static bool peer_hear(struct peer *r)
{
	auto(buf) struct buf b = BUF_INIT(1 << 20);
	bool more = hear(r->fd, &b, 50);

	if (b.len && (r->tunnel ? ws_feed(&r->ws, b.data, b.len, NULL) : spdy_feed(&r->spdy, b.data, b.len, NULL)))
		ok(false, "the server is understood");
	peer_flush(r);
	return more;
}

static void peer_begin(struct peer *r, struct fake_pf *f, bool tunnel)
{
	auto(buf) struct buf head = BUF_INIT(1 << 20);
	const char *request = tunnel ? TUNNEL : POST;

	*r = (struct peer){ .out = BUF_INIT(8 << 20), .plain = BUF_INIT(8 << 20), .data = BUF_INIT(8 << 20), .text = BUF_INIT(65536),
			    .tunnel = tunnel, .fd = dial(f) };
	ws_init(&r->ws, &ws_ops, r, &r->out, true);
	spdy_init(&r->spdy, &spdy_ops, r, tunnel ? &r->plain : &r->out);
	say(r->fd, request, strlen(request));
	if (!hear_words(r->fd, &head, request, "101"))
		ok(false, "the upgrade is answered");
}

static void peer_open(struct peer *r, const char *port, const char *number)
{
	struct spdy_header h[] = { { "streamtype", "error" }, { "port", port }, { "requestid", number } };

	r->error = spdy_open(&r->spdy, h, ARRAY_SIZE(h), true);
	h[0].value = "data";
	r->stream = spdy_open(&r->spdy, h, ARRAY_SIZE(h), false);
}

static void peer_done(struct peer *r)
{
	close(r->fd);
	spdy_done(&r->spdy);
	buf_done(&r->out);
	buf_done(&r->plain);
	buf_done(&r->data);
	buf_done(&r->text);
}

#define MUCH 300000u

static void test_ours(bool tunnel)
{
	const char *way = tunnel ? "in a WebSocket" : "by POST";
	struct fake_pf *f = fake_pf_new();
	uint8_t *much = xcalloc(1, MUCH);
	uint64_t begun = now_ms();
	struct fake_pf_count n;
	struct peer r;
	bool same = true;

	for (size_t i = 0; i < MUCH; i++)
		much[i] = fake_pf_pattern(i);
	fake_pf_always(f, &(struct fake_pf_fault){ .linger_ms = CASE_MS });
	peer_begin(&r, f, tunnel);
	peer_open(&r, "7", "0");
	spdy_send(&r.spdy, r.stream, much, MUCH, false);
	for (peer_flush(&r); r.data.len < MUCH && now_ms() - begun < WAIT_MS;)
		peer_hear(&r);
	ok(r.data.len == MUCH && memcmp(r.data.data, much, MUCH) == 0, "our SPDY %s: %u bytes come back", way, MUCH);
	spdy_send(&r.spdy, r.stream, NULL, 0, true);
	for (peer_flush(&r); r.ends < 2 && now_ms() - begun < WAIT_MS;)
		peer_hear(&r);
	is_int(r.ends, 2, "both streams end");

	buf_reset(&r.data);
	peer_open(&r, "20003", "1");
	for (peer_flush(&r); r.ends < 4 && now_ms() - begun < WAIT_MS;)
		peer_hear(&r);
	for (size_t i = 0; i < r.data.len; i++)
		same &= (uint8_t)r.data.data[i] == fake_pf_pattern(i);
	ok(r.data.len == 3 << 16 && same && r.ends == 4, "a port sends its pattern and closes (%zu bytes)", r.data.len);

	peer_open(&r, "6", "2");
	(void)spdy_ping(&r.spdy);
	for (peer_flush(&r); (r.ends < 6 || !r.pongs) && now_ms() - begun < WAIT_MS;)
		peer_hear(&r);
	ok(r.ends == 6 && r.pongs == 1 && strstr(buf_str(&r.text), "dial tcp4 127.0.0.1:6: connect: connection refused"), "another refuses");
	fake_pf_count(f, &n);
	ok(n.streams == 3 && n.streams_open == 0 && n.refused == 1 && n.received == MUCH && n.sent == MUCH + (3 << 16), "all is counted");
	is_str(fake_pf_complaint(f), NULL, "and nothing wrong with what we sent");
	peer_done(&r);
	free(much);
	fake_pf_free(f);
}

/* Ports whose streams say something of their own: {port, sent, what comes back}. */
static void test_ports(void)
{
	static const struct { const char *what, *port, *send, *want; bool end; } t[] = {
		{ "the name of the pod", "19", "", "web-1", false },
		{ "nothing", "9", "x", "", true },
		{ "nothing, of one that closes", "13", "", "", false },
		{ "an answer that takes its time", "15", "x", "late\n", false },
		{ "the same, to one that has ended", "15", "x", "late\n", true },
		{ "nothing, of one that waits for our end", "17", "x", "", true },
	};
	struct fake_pf *f = fake_pf_new();
	struct fake_pf_count n;

	fake_pf_always(f, &(struct fake_pf_fault){ .linger_ms = 2 * CASE_MS, .late_ms = CASE_MS });
	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		uint64_t begun = now_ms();
		struct peer r;

		peer_begin(&r, f, false);
		peer_open(&r, t[i].port, "0");
		spdy_send(&r.spdy, r.stream, t[i].send, strlen(t[i].send), t[i].end);
		for (peer_flush(&r); r.ends < 2 && now_ms() - begun < WAIT_MS;)
			peer_hear(&r);
		is_str(buf_str(&r.data), t[i].want, "port %s says %s", t[i].port, t[i].what);
		if (r.ends != 2 || now_ms() - begun < 2 * CASE_MS)
			ok(false, "port %s is closed after a while", t[i].port);
		peer_done(&r);
	}
	fake_pf_count(f, &n);
	is_int(n.lost_replies, 1, "and what it would answer then is lost");
	fake_pf_free(f);
}

/* One that never reads: first its worker is stuck, then all. */
static void test_stuck(void)
{
	struct fake_pf *f = fake_pf_new();
	uint8_t much[4096] = { 0 };
	uint64_t begun = now_ms();
	struct peer r;
	uint32_t stuck;

	fake_pf_always(f, &(struct fake_pf_fault){ .stuck_at = 10000 });
	peer_begin(&r, f, false);
	peer_open(&r, "11", "0");		/* ids 1 and 3: its worker is 3 */
	stuck = r.stream;
	for (int i = 0; i < 3; i++)
		spdy_send(&r.spdy, stuck, much, sizeof(much), false);
	peer_open(&r, "7", "1");		/* 5 and 7: 0 and 2 */
	spdy_send(&r.spdy, r.stream, "hi", 2, false);
	for (peer_flush(&r); r.data.len < 2 && now_ms() - begun < WAIT_MS;)
		peer_hear(&r);
	is_str(buf_str(&r.data), "hi", "beside a stream that is stuck others go on");
	for (int i = 0; i < 5; i++)
		(void)spdy_ping(&r.spdy);
	for (peer_flush(&r); r.pongs < 4 && now_ms() - begun < WAIT_MS;)
		peer_hear(&r);
	peer_hear(&r);
	is_int(r.pongs, 4, "but one ping of five is not answered");
	peer_open(&r, "7", "2");		/* 9 and 11 */
	peer_open(&r, "7", "3");		/* 13 is 3's, and waits */
	spdy_send(&r.spdy, r.stream, "ho", 2, false);
	peer_flush(&r);
	peer_hear(&r);
	is_str(buf_str(&r.data), "hi", "nor a stream of the same worker");
	spdy_reset(&r.spdy, stuck, SPDY_CANCEL);
	for (peer_flush(&r); (r.data.len < 4 || r.pongs < 5) && now_ms() - begun < WAIT_MS;)
		peer_hear(&r);
	ok(streq(buf_str(&r.data), "hiho") && r.pongs == 5, "until it is reset");
	peer_open(&r, "11", "4");
	for (int i = 0; i < 60; i++)
		spdy_send(&r.spdy, r.stream, much, sizeof(much), false);
	stuck = r.stream;
	peer_open(&r, "7", "5");
	spdy_send(&r.spdy, r.stream, "no", 2, false);
	spdy_reset(&r.spdy, stuck, SPDY_CANCEL);
	peer_flush(&r);
	for (int i = 0; i < 4; i++)
		peer_hear(&r);
	is_str(buf_str(&r.data), "hiho", "with more under way nothing helps");
	is_str(fake_pf_complaint(f), NULL, "and nothing is wrong with what we sent");
	peer_done(&r);
	fake_pf_free(f);
}

int main(void)
{
	test_talks();
	test_complaints();
	test_answers();
	test_orders();
	test_pod();
	test_half_close();
	test_ours(false);
	test_ours(true);
	test_ports();
	test_stuck();
	return tap_done();
}
