/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <sys/socket.h>
#include <time.h>

#include "base/mem.h"
#include "base/str.h"
#include "net/http.h"
#include "net/http_internal.h"
#include "tests/fake/httpd.h"
#include "tests/tap.h"

#define BURST 120000u

static struct loop *l;
static struct http *h;
static struct httpd *d;
static struct http_endpoint sock, tcp;

/* ---- the server ---- */

#define SWITCH "HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\nX-A: b\r\n\r\n"

static void serve_echo(struct httpd_req *q)
{
	char p[65536];
	ssize_t n;

	httpd_puts(q, SWITCH);
	while ((n = httpd_read(q, p, sizeof(p))) > 0)
		httpd_write(q, p, (size_t)n);
	httpd_puts(q, "bye");
}

static void serve_sink(struct httpd_req *q)
{
	char p[65536];
	size_t all = 0;
	ssize_t n;

	httpd_puts(q, SWITCH);
	nanosleep(&(struct timespec){ .tv_nsec = 100000000 }, NULL);
	while ((n = httpd_read(q, p, sizeof(p))) > 0)
		all += (size_t)n;
	snprintf(p, sizeof(p), "%zu", all);
	httpd_puts(q, p);
}

static void serve_flood(struct httpd_req *q)
{
	static char p[65536];

	httpd_puts(q, SWITCH);
	for (int i = 0; i < 320 && !q->close; i++)
		httpd_write(q, p, sizeof(p));
}

/* Much right behind the head, in one piece. */
static void serve_burst(struct httpd_req *q)
{
	autofree char *all = xcalloc(1, sizeof(SWITCH) + BURST);

	memset(all, 'x', sizeof(SWITCH) - 1 + BURST);
	memcpy(all, SWITCH, sizeof(SWITCH) - 1);
	httpd_write(q, all, sizeof(SWITCH) - 1 + BURST);
}

static void serve(struct httpd_req *q, void *arg)
{
	char up[16], host[64];

	if (streq(q->path, "/echo"))
		serve_echo(q);
	else if (streq(q->path, "/k8s/clusters/c/where"))
		httpd_puts(q, strchr(httpd_header(q, "Host", host, sizeof(host)), '/') ? "" : SWITCH "there");
	else if (streq(q->path, "/sink"))
		serve_sink(q);
	else if (streq(q->path, "/flood"))
		serve_flood(q);
	else if (streq(q->path, "/burst"))
		serve_burst(q);
	else if (streq(q->path, "/early"))
		httpd_puts(q, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Type: raw\r\n\r\nearly bird");
	else if (streq(q->path, "/bytes"))
		for (const char *p = SWITCH "x"; *p; p++)
			httpd_write(q, p, 1);
	else if (streq(q->path, "/404"))
		httpd_reply(q, 404, NULL, "{\"message\":\"no such container\"}");
	else if (streq(q->path, "/500"))
		httpd_puts(q, "HTTP/1.1 500 No\r\nTransfer-Encoding: chunked\r\n\r\n14\r\n{\"message\":\"broken\"}\r\n0\r\n\r\n");
	else if (streq(q->path, "/302"))
		httpd_reply(q, 302, NULL, "");
	else if (streq(q->path, "/garbage"))
		httpd_puts(q, "SSH-2.0-OpenSSH_9.2\r\n");
	else if (streq(q->path, "/long"))
		for (int i = 0; i < 3000 && !q->close; i++)
			httpd_puts(q, i ? "X-Line: abcdefghijklmnopqrstuvwxyz\r\n" : "HTTP/1.1 101 OK\r\n");
	else if (streq(q->path, "/hang"))
		httpd_hang(q);
	else if (streq(q->path, "/half") && httpd_puts(q, "HTTP/1.1 101 UPGR"))
		httpd_hang(q);
	else if (streq(q->path, "/headers"))
		httpd_puts(q, streq(httpd_header(q, "Upgrade", up, sizeof(up)), "tcp") && streq(q->body, "{}") ? SWITCH "good" : "");
	else if (streq(q->path, "/reset")) {
		struct linger hard = { 1, 0 };

		httpd_puts(q, SWITCH "x");
		setsockopt(q->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
		(void)!httpd_read(q, (char[1]){ 0 }, 1);
	}
	q->close = true;
}

/* ---- the client ---- */

struct peer {
	struct http_stream *s;
	struct buf got;
	const char *say;		/* sent when it opens */
	size_t say_len, drains;
	bool end, done, opened, pause;
	enum { NOTHING, CLOSE_ON_OPEN, CLOSE_ON_DATA, CLOSE_ON_CLOSE } then;
	int code;
	struct err err;
	char header[32];
};

static void on_open(struct http_stream *s, void *owner)
{
	struct peer *p = owner;

	p->opened = true;
	snprintf(p->header, sizeof(p->header), "%s", http_stream_header(s, "x-a") ? http_stream_header(s, "x-a") : "");
	if (p->then == CLOSE_ON_OPEN) {
		http_stream_close(s);
		p->done = true;
		return;
	}
	if (p->say && http_stream_send(s, p->say, p->say_len) < 0)
		abort();
	if (p->end)
		http_stream_end(s);
	if (p->pause)
		http_stream_pause(s, true);
}

static void on_data(struct http_stream *s, void *owner, const void *data, size_t n)
{
	struct peer *p = owner;

	buf_add(&p->got, data, n);
	if (p->then != CLOSE_ON_DATA)
		return;
	http_stream_close(s);
	p->done = true;
}

static void on_drain(struct http_stream *s, void *owner)
{
	((struct peer *)owner)->drains++;
}

static void on_close(struct http_stream *s, void *owner, int code, const struct err *err)
{
	struct peer *p = owner;

	p->done = true;
	p->code = code;
	p->err = *err;
	p->s = NULL;
	if (p->then == CLOSE_ON_CLOSE)
		http_stream_close(s);
}

static const struct http_stream_ops ops = { on_open, on_data, on_drain, on_close, NULL };
static const char *const upgrade[] = { "Upgrade: tcp", "Connection: Upgrade", "Content-Type: application/json", NULL };

static struct peer peer_start(void)
{
	return (struct peer){ .got = BUF_INIT(64u << 20), .code = 1 };
}

static int peer_run(struct peer *p, const struct http_endpoint *to, const char *path, uint64_t timeout_ms)
{
	p->s = http_stream_open(h, to, "POST", path, upgrade, "{}", 2, timeout_ms, &ops, p, &p->err);
	if (!p->s)
		return p->err.code;
	return loop_run(l, &p->done, loop_deadline(10000));
}

static void test_echo(const struct http_endpoint *to, const char *what)
{
	struct peer p = peer_start();

	p.say = "hello, ";
	p.say_len = 7;
	p.end = true;
	is_int(peer_run(&p, to, "/echo", 5000), 0, "%s: a stream runs", what);
	is_int(p.code, 0, "%s: and ends in order", what);
	is_str(buf_str(&p.got), "hello, bye", "%s: bytes go both ways, also after the half-close", what);
	is_str(p.header, "b", "%s: headers of the answer can be read", what);
	buf_done(&p.got);
}

/* An API server behind another one: https://rancher/k8s/clusters/c. */
static void test_below(void)
{
	struct http_endpoint to = { .base = xasprintf("%s/k8s/clusters/c", tcp.base) };
	struct peer p = peer_start();

	is_int(peer_run(&p, &to, "/where", 5000), 0, "a base with a path: a stream runs");
	is_str(buf_str(&p.got), "there", "and is asked for below it");
	buf_done(&p.got);
	http_endpoint_done(&to);
}

static void test_answers(void)
{
	static const struct {
		const char *path;
		int want;
		const char *msg, *got;
	} rows[] = {
		{ "/early", 0, "", "early bird" },
		{ "/bytes", 0, "", "x" },
		{ "/headers", 0, "", "good" },
		{ "/404", -ENOENT, "no such container", "" },
		{ "/500", -EAGAIN, "broken", "" },
		{ "/302", -EPROTO, "SOCK answered HTTP status 302 instead of switching to a stream", "" },
		{ "/garbage", -EBADMSG, "SOCK does not speak HTTP", "" },
		{ "/long", -EBADMSG, "SOCK does not speak HTTP", "" },
		{ "/cut", -ECONNRESET, "SOCK closed the connection without an answer", "" },
		{ "/hang", -ETIMEDOUT, "SOCK did not answer in time", "" },
		{ "/half", -ETIMEDOUT, "SOCK did not answer in time", "" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct peer p = peer_start();
		autofree char *want = NULL;

		if (str_starts(rows[i].msg, "SOCK"))
			want = xasprintf("%s%s", httpd_socket(d), rows[i].msg + 4);
		is_int(peer_run(&p, &sock, rows[i].path, 200), 0, "%s ends", rows[i].path);
		is_int(p.code, rows[i].want, "%s has its code", rows[i].path);
		is_str(p.err.msg, want ? want : rows[i].msg, "%s says why", rows[i].path);
		is_str(buf_str(&p.got), rows[i].got, "%s gives its bytes", rows[i].path);
		buf_done(&p.got);
	}
}

static void test_burst(const struct http_endpoint *to)
{
	struct peer p = peer_start();

	ok(peer_run(&p, to, "/burst", 200) == 0 && p.code == 0 && p.got.len == BURST, "much that comes with the head is not taken for a head (%zu, %s)",
	   p.got.len, p.err.msg);
	buf_done(&p.got);
}

static void test_connect(void)
{
	struct http_endpoint none = { .unix_path = (char *)"/nonexistent", .base = (char *)"http://x" };
	struct peer p = peer_start();

	is_int(peer_run(&p, &none, "/", 1000), 0, "no socket: the stream ends");
	is_int(p.code, -ENOENT, "with -ENOENT");
	p = peer_start();
	p.say = "x";
	p.say_len = 1;
	is_int(peer_run(&p, &tcp, "/reset", 1000), 0, "a reset peer: the stream ends");
	ok(p.opened, "after it was open");
	buf_done(&p.got);
}

static void test_bulk(void)
{
	enum { ALL = 20 << 20, PIECE = 100000 };
	struct peer p = peer_start(), q = peer_start();
	static char piece[PIECE];
	size_t sent = 0;
	bool refused = false;
	char want[32];

	p.s = http_stream_open(h, &sock, "POST", "/sink", upgrade, NULL, 0, 1000, &ops, &p, NULL);
	is_int(http_stream_send(p.s, "x", 1), -ENOTCONN, "nothing may be sent before it is open");
	while (!p.opened && loop_turn(l, loop_deadline(5000)) == 0)
		;
	while (sent < ALL) {
		if (http_stream_send(p.s, piece, PIECE) == 0) {
			sent += PIECE;
			continue;
		}
		refused = true;
		for (size_t before = p.drains; p.drains == before && loop_turn(l, loop_deadline(5000)) == 0;)
			;
	}
	ok(refused, "a full queue refuses more");
	http_stream_end(p.s);
	is_int(http_stream_send(p.s, "x", 1), -EPIPE, "nothing may be sent after the end");
	is_int(loop_run(l, &p.done, loop_deadline(10000)), 0, "a queue drains");
	snprintf(want, sizeof(want), "%zu", sent);
	is_str(buf_str(&p.got), want, "and all bytes arrive");
	ok(p.drains > 0, "the drain is told");

	q.pause = true;
	q.s = http_stream_open(h, &sock, "POST", "/flood", upgrade, NULL, 0, 1000, &ops, &q, NULL);
	for (int i = 0; i < 50; i++)
		(void)!loop_turn(l, loop_deadline(10));
	ok(q.opened && q.got.len < 1 << 20, "a paused stream does not read");
	http_stream_pause(q.s, false);
	is_int(loop_run(l, &q.done, loop_deadline(10000)), 0, "a flood ends");
	is_int((long long)q.got.len, 20 << 20, "and brings all its bytes");
	buf_done(&p.got);
	buf_done(&q.got);
}

static void test_close(void)
{
	struct peer p = peer_start();

	p.then = CLOSE_ON_OPEN;
	ok(peer_run(&p, &sock, "/echo", 1000) == 0 && p.code == 1, "closed from on_open: no on_close");
	p = peer_start();
	p.then = CLOSE_ON_DATA;
	ok(peer_run(&p, &sock, "/flood", 1000) == 0 && p.code == 1 && p.got.len, "closed from on_data: no on_close");
	buf_done(&p.got);
	p = peer_start();
	p.then = CLOSE_ON_CLOSE;
	ok(peer_run(&p, &sock, "/early", 1000) == 0 && p.code == 0, "closed from on_close: nothing more");
	buf_done(&p.got);
	p = peer_start();
	p.s = http_stream_open(h, &sock, "POST", "/hang", upgrade, NULL, 0, 1000, &ops, &p, NULL);
	(void)!loop_turn(l, loop_deadline(10));
	http_stream_close(p.s);
	http_stream_close(NULL);
	p.s = http_stream_open(h, &sock, "POST", "/hang", upgrade, NULL, 0, 1000, &ops, &p, NULL);
	ok(p.s && !p.done, "a stream left open is freed with its client");
}

static void test_head(void)
{
	static const struct {
		const char *what, *text;
		long want;
		int status;
	} rows[] = {
		{ "a head", "HTTP/1.1 101 X\r\nA: b\r\n\r\nrest", 24, 101 },
		{ "one without a reason", "HTTP/1.1 200\r\n\r\n", 16, 200 },
		{ "half of one", "HTTP/1.1 200 OK\r\nA: b\r\n", 0, 0 },
		{ "nothing", "", 0, 0 },
		{ "another protocol", "SSH-2.0-x", -EBADMSG, 0 },
		{ "a bad number", "HTTP/1.1 2x0 OK\r\n\r\n", -EBADMSG, 0 },
		{ "a low number", "HTTP/1.1 099 OK\r\n\r\n", -EBADMSG, 0 },
		{ "a short line", "HTTP/1.1\r\n\r\n", -EBADMSG, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct strv headers = { 0 };
		int status = 0;

		is_int(http_head_parse(rows[i].text, strlen(rows[i].text), &status, &headers), rows[i].want, "%s", rows[i].what);
		is_int(status, rows[i].status, "%s: status", rows[i].what);
		strv_done(&headers);
	}
}

int main(void)
{
	l = loop_new(LOOP_DEFAULT);
	h = http_new(l);
	d = httpd_start(serve, NULL);
	sock = (struct http_endpoint){ .unix_path = xstrdup(httpd_socket(d)), .base = xstrdup("http://fake") };
	tcp = (struct http_endpoint){ .base = xasprintf("http://127.0.0.1:%u", httpd_port(d)) };
	test_echo(&sock, "unix socket");
	test_echo(&tcp, "TCP");
	test_below();
	test_answers();
	test_burst(&sock);
	test_burst(&tcp);
	test_connect();
	test_bulk();
	test_close();
	test_head();
	http_free(h);
	http_endpoint_done(&sock);
	http_endpoint_done(&tcp);
	httpd_stop(d);
	loop_free(l);
	return tap_done();
}
