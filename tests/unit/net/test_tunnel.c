/* SPDX-License-Identifier: Apache-2.0 */
/* Each fault of the way to a pod, and what a tunnel makes of it: all cases at once on one loop, each with a server of its own. */
#include "net/forward/tunnel.h"

#include <errno.h>

#include "base/mem.h"
#include "base/str.h"
#include "tests/fake/portforward.h"
#include "tests/tap.h"

#define ALL_MS 20000		/* the slowest: two ways that hang, TUNNEL_DEAD_MS + TUNNEL_PING_MS of silence */
#define LINGER_MS 30

struct talk {
	struct fake_pf *fake;
	struct http_endpoint to;
	struct tunnel_memory memory;
	struct tunnel tunnel;
	struct tunnel_stream stream;
	struct buf got;
	const char *send;
	uint64_t begun, took_ms;
	uint16_t port;
	unsigned *left;
	bool *done;
	bool over;
};

static const char *code_name(int code)
{
	static const struct { int code; const char *name; } names[] = {
		{ -EACCES, "EACCES" }, { -ENOENT, "ENOENT" }, { -ESTALE, "ESTALE" }, { -EAGAIN, "EAGAIN" }, { -ETIMEDOUT, "ETIMEDOUT" },
		{ -EPROTO, "EPROTO" }, { -EBADMSG, "EBADMSG" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (names[i].code == code)
			return names[i].name;
	return "?";
}

static void talk_over(struct talk *t)
{
	if (t->over)
		return;
	t->over = true;
	t->took_ms = (loop_now(t->tunnel.loop) - t->begun) / 1000000;
	*t->done = --*t->left == 0;
}

static void on_data(struct tunnel_stream *s, const uint8_t *p, size_t n)
{
	struct talk *t = container_of(s, struct talk, stream);

	buf_add(&t->got, p, n);
	if (t->port == FAKE_ECHO)
		talk_over(t);
}

static void on_end(struct tunnel_stream *s, int code, const char *text)
{
	struct talk *t = container_of(s, struct talk, stream);

	buf_addf(&t->got, "|%s: %s", code == 0 ? "closed" : code == -ECONNREFUSED ? "refused" : code == -ECONNRESET ? "broken" : "?", text);
	talk_over(t);
}

static void on_room(struct tunnel_stream *s)
{
}

static const struct tunnel_stream_ops stream_ops = { on_data, on_end, on_room };

static void on_open(struct tunnel *tunnel)
{
	struct talk *t = container_of(tunnel, struct talk, tunnel);

	buf_addf(&t->got, "%s|", upgrade_protocol_name(tunnel->protocol));
	if (!tunnel_stream_open(tunnel, &t->stream, t->port, &stream_ops)) {
		buf_adds(&t->got, "no place");
		talk_over(t);
		return;
	}
	tunnel_stream_send(&t->stream, t->send, strlen(t->send));
	tunnel_flush(tunnel);
}

static void on_close(struct tunnel *tunnel, const struct err *why)
{
	struct talk *t = container_of(tunnel, struct talk, tunnel);

	if (!t->over)
		buf_addf(&t->got, "%s: %s", code_name(why->code), err_text(why));
	talk_over(t);
}

static const struct tunnel_ops tunnel_ops = { on_open, on_close, NULL };

#define REFUSED "error forwarding port 6 to pod 0123abcd"

enum { POST = UPGRADE_POST, GET = UPGRADE_GET };

static const struct case_ {
	const char *what;
	uint16_t port;
	const char *send;
	struct fake_pf_fault faults[2];		/* always; the second one before the first where both fit */
	const char *want;			/* begins so */
	unsigned asked_post, asked_get;
	int way;				/* that the next one tries first */
} cases[] = {
	{ "an echo", FAKE_ECHO, "hello", { { 0 } }, "SPDY|hello", 1, 0, POST },
	{ "a port that refuses", 6, "", { { 0 } }, "SPDY||refused: " REFUSED, 1, 0, POST },
	{ "a port that closes", FAKE_NAME, "", { { .linger_ms = LINGER_MS } }, "SPDY|web-1|closed: ", 1, 0, POST },
	{ "a failure as newer kubelets say it", 6, "", { { .refusal = "{\"closeConnection\":false,\"message\":\"read: connection reset by peer\"}" } },
	  "SPDY||broken: read: connection reset by peer", 1, 0, POST },
	{ "a stream that is reset", FAKE_ECHO, "hello", { { .reset_nth = 1 } }, "SPDY||broken: the node broke the stream off", 1, 0, POST },

	{ "SPDY that is not allowed", FAKE_ECHO, "hello", { { .method = "POST", .status = 403 } }, "SPDY in a WebSocket|hello", 1, 1, GET },
	{ "a server that knows no SPDY", FAKE_ECHO, "hello", { { .method = "POST", .status = 400 } }, "SPDY in a WebSocket|hello", 1, 1, GET },
	{ "a proxy that forbids POST", FAKE_ECHO, "hello", { { .method = "POST", .status = 405, .body = FAKE_EMPTY } }, "SPDY in a WebSocket|hello", 1, 1, GET },
	{ "a proxy that ends POST", FAKE_ECHO, "hello", { { .method = "POST", .garbage = "\r\n" } }, "SPDY in a WebSocket|hello", 1, 1, GET },
	{ "a proxy that hangs POST", FAKE_ECHO, "hello", { { .method = "POST", .hang = true } }, "SPDY in a WebSocket|hello", 1, 1, GET },
	{ "a server before 1.30", FAKE_ECHO, "hello", { { .method = "POST", .status = 403 }, { .method = "GET", .protocol = "v4.channel.k8s.io" } },
	  "WebSocket v4|hello", 1, 1, GET },
	{ "v4, a port that closes", FAKE_NAME, "", { { .method = "POST", .status = 403 },
	  { .method = "GET", .protocol = "v4.channel.k8s.io", .linger_ms = LINGER_MS } }, "WebSocket v4|web-1|closed: ", 1, 1, GET },
	{ "v4, a port that refuses", 6, "", { { .method = "POST", .status = 403 }, { .method = "GET", .protocol = "v4.channel.k8s.io" } },
	  "WebSocket v4||refused: " REFUSED, 1, 1, GET },
	{ "the tunnel, a port that refuses", 6, "", { { .method = "POST", .status = 403 } }, "SPDY in a WebSocket||refused: " REFUSED, 1, 1, GET },

	{ "no upgrade both ways", FAKE_ECHO, "", { { .status = 301, .body = FAKE_EMPTY } }, "EPROTO: ", 1, 1, POST },
	{ "unauthorized", FAKE_ECHO, "", { { .status = 401 } }, "EACCES: ", 1, 1, POST },
	{ "not allowed", FAKE_ECHO, "", { { .status = 403 } }, "EACCES: ", 1, 1, POST },
	{ "no such pod", FAKE_ECHO, "", { { .status = 404 } }, "ENOENT: ", 1, 1, POST },
	{ "gone", FAKE_ECHO, "", { { .status = 410 } }, "ESTALE: ", 1, 1, POST },
	{ "too many requests", FAKE_ECHO, "", { { .status = 429 } }, "EAGAIN: ", 1, 1, POST },
	{ "an error of the server", FAKE_ECHO, "", { { .status = 500 } }, "EAGAIN: ", 1, 1, POST },
	{ "an unavailable server", FAKE_ECHO, "", { { .status = 503 } }, "EAGAIN: ", 1, 1, POST },
	{ "garbage", FAKE_ECHO, "", { { .garbage = "\x15\x03\x01 no HTTP\r\n\r\n" } }, "EBADMSG: ", 1, 1, POST },
	{ "a hang both ways", FAKE_ECHO, "", { { .hang = true } }, "ETIMEDOUT: ", 1, 1, POST },
	{ "no protocol", FAKE_ECHO, "", { { .method = "POST", .status = 403 }, { .method = "GET", .protocol = "" } }, "EACCES: ", 1, 1, POST },
	{ "a wrong Sec-WebSocket-Accept", FAKE_ECHO, "", { { .method = "POST", .status = 403 }, { .method = "GET", .bad_accept = true } }, "EACCES: ", 1, 1, POST },

	{ "the end in the middle of a frame", FAKE_ECHO, "hello", { { .cut_at = 20 } }, "SPDY||broken: ", 1, 0, POST },
	{ "a frame of another version", FAKE_ECHO, "hello", { { FAKE_INJECT(FAKE_WRONG_VERSION) } }, "SPDY||broken: ", 1, 0, POST },
	{ "an oversized frame", FAKE_ECHO, "hello", { { FAKE_INJECT(FAKE_OVERSIZED_CONTROL) } }, "SPDY||broken: ", 1, 0, POST },
	{ "a ping without id", FAKE_ECHO, "hello", { { FAKE_INJECT(FAKE_SHORT_PING) } }, "SPDY||broken: ", 1, 0, POST },
	{ "data of no stream of ours", FAKE_ECHO, "hello", { { FAKE_INJECT(FAKE_DATA_OF_NOBODY) } }, "SPDY|hello", 1, 0, POST },
	{ "HTTP in the stream", FAKE_ECHO, "hello", { { FAKE_INJECT("HTTP/1.1 502 Bad Gateway\r\n\r\n") } },
	  "SPDY||broken: the node has gone silent", 1, 0, POST },
	{ "a goaway with the stream", FAKE_ECHO, "hello", { { .goaway_after = 1 } }, "SPDY|hello", 1, 0, POST },
	{ "an oversized WebSocket frame", FAKE_ECHO, "hello", { { .method = "POST", .status = 403 },
	  { .method = "GET", FAKE_INJECT(FAKE_OVERSIZED_WS), .inject_ws = true } }, "SPDY in a WebSocket||broken: ", 1, 1, GET },
	{ "a masked WebSocket frame", FAKE_ECHO, "hello", { { .method = "POST", .status = 403 },
	  { .method = "GET", FAKE_INJECT(FAKE_MASKED_WS), .inject_ws = true } }, "SPDY in a WebSocket||broken: ", 1, 1, GET },
	{ "silence after 101", FAKE_ECHO, "hello", { { .silent = true } }, "SPDY||broken: nothing comes through the upgraded connection", 1, 0, GET },
	{ "silence in the middle of a frame", FAKE_ECHO, "hello", { { .hang_at = 20 } }, "SPDY||broken: the node has gone silent", 1, 0, POST },
	{ "a node that answers no ping", FAKE_ECHO, "hello", { { .no_pongs = true } }, "SPDY|hello", 1, 0, POST },
	{ "nor anything else", FAKE_DISCARD, "hello", { { .no_pongs = true } }, "SPDY||broken: the node has gone silent", 1, 0, POST },
};

static void talk_begin(struct talk *t, const struct case_ *c, struct loop *l)
{
	t->fake = fake_pf_new();
	t->to = fake_pf_endpoint(t->fake);
	t->got = (struct buf)BUF_INIT(1 << 20);
	t->port = c->port;
	t->send = c->send;
	fake_pf_always(t->fake, &c->faults[0]);
	if (c->faults[1].method)
		fake_pf_always(t->fake, &c->faults[1]);
	tunnel_open(&t->tunnel, l, &t->to, "t", "web-1", c->port, &t->memory, &tunnel_ops);
	t->begun = loop_now(l);
}

static void talk_check(struct talk *t, const struct case_ *c)
{
	struct fake_pf_count n;

	fake_pf_count(t->fake, &n);
	ok(t->over && str_starts(buf_str(&t->got), c->want), "%s: %s (%u ms)", c->what, buf_str(&t->got), (unsigned)t->took_ms);
	if (t->over && !str_starts(buf_str(&t->got), c->want))
		printf("#  want: %s\n", c->want);
	if (n.asked_post != c->asked_post || n.asked_get != c->asked_get)
		ok(false, "%s: asked by %u POST, %u GET", c->what, n.asked_post, n.asked_get);
	if ((int)t->memory.way != c->way)
		ok(false, "%s: the next one tries %s first", c->what, c->way == POST ? "POST" : "GET");
	if (fake_pf_complaint(t->fake))
		is_str(fake_pf_complaint(t->fake), NULL, "%s: no complaint", c->what);
	tunnel_done(&t->tunnel);
	buf_done(&t->stream.text);
	fake_pf_free(t->fake);
	http_endpoint_done(&t->to);
	buf_done(&t->got);
}

/* ---- a pod that does not read ------------------------------------------------------------------------------------ */

struct stuck {
	struct fake_pf *fake;
	struct http_endpoint to;
	struct tunnel_memory memory;
	struct tunnel tunnel;
	struct tunnel_stream never, echo;
	struct timer timer;
	char *text;			/* of never's end; owned */
	uint64_t sent, echoed;
	unsigned errors;
	bool done;
};

static void stuck_pour(struct tunnel_stream *s)
{
	static const uint8_t much[65536];
	struct stuck *k = container_of(s, struct stuck, never);

	for (size_t n; (n = MIN(tunnel_room(s), sizeof(much)));) {
		tunnel_stream_send(s, much, n);
		k->sent += n;
	}
}

static void stuck_data(struct tunnel_stream *s, const uint8_t *p, size_t n)
{
}

static void stuck_end(struct tunnel_stream *s, int code, const char *text)
{
	container_of(s, struct stuck, never)->text = xasprintf("%s: %s", code == -ECONNRESET ? "broken" : "?", text);
}

static void echo_data(struct tunnel_stream *s, const uint8_t *p, size_t n)
{
	container_of(s, struct stuck, echo)->echoed += n;
}

static void echo_end(struct tunnel_stream *s, int code, const char *text)
{
	container_of(s, struct stuck, echo)->errors++;
}

static const struct tunnel_stream_ops never_ops = { stuck_data, stuck_end, stuck_pour }, echo_ops = { echo_data, echo_end, on_room };

/* A byte each 100 ms; once the stuck one is gone, ten more. */
static void stuck_tick(struct timer *timer)
{
	struct stuck *k = container_of(timer, struct stuck, timer);
	static unsigned more;

	more += k->text != NULL;
	k->done = more > 10;
	timer_start(k->tunnel.loop, timer, 100, stuck_tick);
	if (k->echo.tunnel)
		tunnel_stream_send(&k->echo, "x", 1);
	tunnel_flush(&k->tunnel);
}

static void stuck_open(struct tunnel *t)
{
	struct stuck *k = container_of(t, struct stuck, tunnel);

	if (!tunnel_stream_open(t, &k->never, FAKE_NEVER, &never_ops) || !tunnel_stream_open(t, &k->echo, FAKE_ECHO, &echo_ops))
		ok(false, "there is place for two streams");
	stuck_pour(&k->never);
	timer_start(t->loop, &k->timer, 0, stuck_tick);
}

static void stuck_close(struct tunnel *t, const struct err *why)
{
	container_of(t, struct stuck, tunnel)->done = true;
}

static void stuck_begin(struct stuck *k, struct loop *l)
{
	static const struct tunnel_ops ops = { stuck_open, stuck_close, NULL };

	k->fake = fake_pf_new();
	k->to = fake_pf_endpoint(k->fake);
	tunnel_open(&k->tunnel, l, &k->to, "t", "web-1", FAKE_NEVER, &k->memory, &ops);
}

static void stuck_check(struct stuck *k)
{
	unsigned sent = (unsigned)(k->sent >> 10);

	ok(k->text && str_starts(k->text, "broken: the pod does not read"), "a stream that is not read is reset: %s", k->text ? k->text : "(no)");
	ok(sent >= 4096 && sent < 6144, "after %u KiB, of which the node has 4 MiB", sent);
	ok(k->tunnel.state == TUNNEL_OPEN && !k->tunnel.wedged && !k->errors && k->echoed > 10, "its neighbour goes on (%u bytes)",
	   (unsigned)k->echoed);
	is_str(fake_pf_complaint(k->fake), NULL, "without a complaint of the server");
	timer_stop(&k->timer);
	tunnel_stream_reset(&k->echo);
	tunnel_done(&k->tunnel);
	free(k->text);
	fake_pf_free(k->fake);
	http_endpoint_done(&k->to);
}

int main(void)
{
	struct loop *l = loop_new(LOOP_DEFAULT);
	static struct talk talks[ARRAY_SIZE(cases)];
	unsigned left = ARRAY_SIZE(cases);
	struct stuck stuck = { 0 };
	bool done = false;

	stuck_begin(&stuck, l);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		talks[i] = (struct talk){ .left = &left, .done = &done };
		talk_begin(&talks[i], &cases[i], l);
	}
	ok(!loop_run(l, &done, loop_deadline(ALL_MS)) && !loop_run(l, &stuck.done, loop_deadline(ALL_MS)), "all come to an end");
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		talk_check(&talks[i], &cases[i]);
	stuck_check(&stuck);
	loop_free(l);
	return tap_done();
}
