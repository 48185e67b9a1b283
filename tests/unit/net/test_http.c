/* SPDX-License-Identifier: Apache-2.0 */
#include "net/http.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "tests/fake/httpd.h"
#include "tests/tap.h"

static struct loop *l;
static struct http *h;
static struct httpd *d;
static struct http_endpoint sock, tcp;

/* ---- the server ---- */

static bool is(const struct httpd_req *q, const char *path)
{
	return str_starts(q->path, path);
}

static void serve_errors(struct httpd_req *q)
{
	int status = 0;

	sscanf(q->path, "/status/%d", &status);
	if (strstr(q->path, "text"))
		httpd_reply(q, status, "text/plain", "first line\nsecond\n");
	else if (strstr(q->path, "empty"))
		httpd_reply(q, status, NULL, "");
	else
		httpd_reply(q, status, NULL, "{\"message\":\"No such thing: x\\n\"}");
}

static void serve_flood(struct httpd_req *q)
{
	static char page[65536];

	httpd_stream(q, 200, NULL);
	for (int i = 0; i < 1000 && !q->close; i++)
		httpd_chunk(q, page, sizeof(page));
	httpd_end(q);
}

static void serve_echo(struct httpd_req *q)
{
	char type[64], auth[64], expect[64], text[4096];

	snprintf(text, sizeof(text), "%s %s %zu %s|%s|%s", q->method, q->path, q->body_len,
		 httpd_header(q, "Content-Type", type, sizeof(type)), httpd_header(q, "Authorization", auth, sizeof(auth)),
		 httpd_header(q, "Expect", expect, sizeof(expect)));
	httpd_reply(q, 200, "text/plain", text);
}

static void serve(struct httpd_req *q, void *arg)
{
	if (is(q, "/status/"))
		serve_errors(q);
	else if (is(q, "/echo"))
		serve_echo(q);
	else if (is(q, "/body"))
		httpd_reply(q, 200, NULL, q->body);
	else if (is(q, "/hang"))
		httpd_hang(q);
	else if (is(q, "/trickle")) {
		httpd_stream(q, 200, NULL);
		httpd_chunks(q, "one");
		httpd_hang(q);
	} else if (is(q, "/flood"))
		serve_flood(q);
	else if (is(q, "/cut")) {
		httpd_puts(q, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
		q->close = true;
	} else if (is(q, "/garbage")) {
		httpd_puts(q, "220 mail.example ESMTP\r\n\r\n");
		q->close = true;
	} else if (is(q, "/nothing"))
		q->close = true;
	else if (is(q, "/once")) { /* keeps the connection, then drops it at the next request */
		if (q->number > 0)
			q->close = true;
		else
			httpd_reply(q, 200, NULL, "once");
	} else if (is(q, "/headers"))
		httpd_puts(q, "HTTP/1.1 100 Continue\r\nX-A: no\r\n\r\nHTTP/1.1 200 OK\r\nX-A:  yes \r\nx-b: two\r\nContent-Length: 0\r\n\r\n");
	else
		httpd_reply(q, 404, NULL, "{\"message\":\"page not found\"}");
}

/* ---- plain requests ---- */

static struct http_req get(const char *path)
{
	return (struct http_req){ .to = &sock, .method = "GET", .path = path, .timeout_ms = 5000 };
}

static int wait_for(struct http_req *r, struct err *err)
{
	return http_wait(h, r, loop_deadline(10000), err);
}

static void test_status(void)
{
	static const struct {
		const char *path;
		int want;
		const char *msg;
	} rows[] = {
		{ "/status/200", 0, "" },
		{ "/status/304", 0, "" },
		{ "/status/400", -EINVAL, "No such thing: x" },
		{ "/status/401", -EACCES, "No such thing: x" },
		{ "/status/403", -EACCES, "No such thing: x" },
		{ "/status/404", -ENOENT, "No such thing: x" },
		{ "/status/409", -EEXIST, "No such thing: x" },
		{ "/status/410", -ESTALE, "No such thing: x" },
		{ "/status/422", -EINVAL, "No such thing: x" },
		{ "/status/429", -EAGAIN, "No such thing: x" },
		{ "/status/500", -EAGAIN, "No such thing: x" },
		{ "/status/503text", -EAGAIN, "first line (HTTP 503)" },
		{ "/status/404empty", -ENOENT, "HTTP status 404" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct http_req r = get(rows[i].path);
		struct err err = { 0 };

		is_int(wait_for(&r, &err), rows[i].want, "%s gives its errno", rows[i].path);
		is_str(err.msg, rows[i].msg, "%s gives its message", rows[i].path);
		http_req_done(&r);
	}
}

static void test_requests(void)
{
	static const char *const text[] = { "content-type: text/x", NULL };
	const struct {
		const char *what;
		struct http_req r;
		const char *want;
	} rows[] = {
		{ "a GET", { .method = "GET", .path = "/echo?a=1" }, "GET /echo?a=1 0 ||" },
		{ "a DELETE", { .method = "DELETE", .path = "/echo" }, "DELETE /echo 0 ||" },
		{ "a POST without a body", { .method = "POST", .path = "/echo" }, "POST /echo 0 ||" },
		{ "a POST of JSON", { .method = "POST", .path = "/echo", .body = "{}", .body_len = 2 },
		  "POST /echo 2 application/json||" },
		{ "a PATCH with its type",
		  { .method = "PATCH", .path = "/echo", .body = "{}", .body_len = 2,
		    .headers = text }, "PATCH /echo 2 text/x||" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct http_req r = rows[i].r;

		r.to = i % 2 ? &tcp : &sock;
		is_int(wait_for(&r, NULL), 0, "%s is answered", rows[i].what);
		is_str(buf_str(&r.response), rows[i].want, "%s arrives as meant", rows[i].what);
		http_req_done(&r);
	}
}

static void test_bearer(void)
{
	struct http_endpoint e = { .base = tcp.base, .bearer = (char *)"secret" };
	struct http_req r = { .to = &e, .method = "GET", .path = "/echo" };

	setenv("http_proxy", "http://127.0.0.1:1", 1);
	is_int(wait_for(&r, NULL), 0, "a proxy of the environment is not used");
	unsetenv("http_proxy");
	is_str(buf_str(&r.response), "GET /echo 0 |Bearer secret|", "the token is sent");
	http_req_done(&r);
}

static void test_headers(void)
{
	struct http_req r = get("/headers");

	is_int(wait_for(&r, NULL), 0, "an interim answer is passed over");
	is_int(r.status, 200, "the final status counts");
	is_str(http_header(&r, "x-a"), "yes", "headers are those of the final answer, names in any case, values trimmed");
	is_str(http_header(&r, "X-B"), "two", "each of them");
	is_str(http_header(&r, "X"), NULL, "an absent one is NULL");
	http_req_done(&r);
}

/* ---- failures ---- */

static void test_failures(void)
{
	static const struct {
		const char *what;
		struct http_req r;
		int want;
	} rows[] = {
		{ "a hang ends at the timeout", { .path = "/hang", .timeout_ms = 100 }, -ETIMEDOUT },
		{ "silence in the body ends at the idle limit", { .path = "/trickle", .idle_ms = 100 }, -ETIMEDOUT },
		{ "a cut body", { .path = "/cut" }, -ECONNRESET },
		{ "a cut before the head", { .path = "/nothing" }, -ECONNRESET },
		{ "another protocol", { .path = "/garbage" }, -EBADMSG },
		{ "a flood beyond the limit", { .path = "/flood", .max_response = 100000 }, -EFBIG },
		{ "a flood beyond the default limit", { .path = "/flood" }, -EFBIG },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct http_req r = rows[i].r;
		struct err err = { 0 };

		r.to = &sock;
		r.method = "GET";
		is_int(wait_for(&r, &err), rows[i].want, "%s", rows[i].what);
		ok(err.code == rows[i].want && strstr(err.msg, httpd_socket(d)), "%s: said with the address (%s)", rows[i].what, err.msg);
		http_req_done(&r);
	}
}

static void test_connect(void)
{
	struct http_endpoint none = { .unix_path = (char *)"/nonexistent/sock", .base = (char *)"http://x" };
	struct http_endpoint refused = { .base = (char *)"http://127.0.0.1:1" }, bad = { .base = (char *)"http://[" };
	struct http_req r = { .to = &none, .method = "GET", .path = "/" };
	char dead[100];
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	struct err err = { 0 };
	int fd;

	is_int(wait_for(&r, &err), -ENOENT, "no socket is -ENOENT");
	is_str(err.msg, "cannot connect to /nonexistent/sock: No such file or directory", "and said");
	r.to = &refused;
	is_int(wait_for(&r, &err), -ECONNREFUSED, "a closed port is -ECONNREFUSED");
	r.to = &bad;
	is_int(wait_for(&r, &err), -EINVAL, "a bad address is -EINVAL");

	snprintf(dead, sizeof(dead), "%s.dead", httpd_socket(d));
	snprintf(a.sun_path, sizeof(a.sun_path), "%s", dead);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(fd, (struct sockaddr *)&a, sizeof(a)))
		abort();
	close(fd);
	none.unix_path = dead;
	r.to = &none;
	is_int(wait_for(&r, &err), -ECONNREFUSED, "a socket without a server is -ECONNREFUSED");
	http_req_done(&r);
	unlink(dead);
}

static void test_reuse(void)
{
	struct http_req r = get("/echo");
	unsigned before = httpd_connections(d);

	for (int i = 0; i < 5; i++)
		(void)!wait_for(&r, NULL);
	ok(httpd_connections(d) - before <= 1, "connections are kept and reused");
	r.path = "/once";
	for (int i = 0; i < 3; i++)
		is_int(wait_for(&r, NULL), 0, "a kept connection that died is replaced unseen");
	http_req_done(&r);
}

static void test_deadline(void)
{
	struct http_req r = get("/hang");
	struct err err = { 0 };

	is_int(http_wait(h, &r, loop_deadline(50), &err), -ETIMEDOUT, "http_wait keeps its own deadline");
	loop_cancel(l);
	is_int(http_wait(h, &r, loop_deadline(5000), &err), -ECANCELED, "and heeds a cancel of the loop");
	is_str(err.msg, "interrupted", "which is said");
	loop_uncancel(l);
	r.path = "/echo";
	is_int(wait_for(&r, &err), 0, "after which requests work again");
	http_req_done(&r);
}

/* ---- streams ---- */

struct upload {
	struct http_req r;
	struct timer t;
	size_t left;
	bool wait;
};

static void upload_go(struct timer *t)
{
	struct upload *u = container_of(t, struct upload, t);

	u->wait = false;
	http_resume(&u->r);
}

static ssize_t upload_read(struct http_req *r, void *p, size_t n)
{
	struct upload *u = container_of(r, struct upload, r);

	if (u->wait) {
		timer_start(l, &u->t, 1, upload_go);
		return -EAGAIN;
	}
	u->wait = true;
	n = MIN(n, MIN(u->left, 10000u));
	memset(p, 'x', n);
	u->left -= n;
	return (ssize_t)n;
}

static ssize_t fail_read(struct http_req *r, void *p, size_t n)
{
	return -ENOSPC;
}

static void test_upload(void)
{
	struct upload u = { .r = { .to = &sock, .method = "PUT", .path = "/body", .read_fn = upload_read }, .left = 300000 };
	struct http_req bad = { .to = &sock, .method = "PUT", .path = "/body", .read_fn = fail_read };

	is_int(wait_for(&u.r, NULL), 0, "a body is streamed, with pauses");
	ok(u.r.response.len == 300000 && strspn(buf_str(&u.r.response), "x") == 300000, "and arrives whole");
	http_req_done(&u.r);
	is_int(wait_for(&bad, NULL), -ENOSPC, "a failing source ends the request with its error");
	http_req_done(&bad);
}

struct download {
	struct http_req r;
	size_t got, limit;
	int heads, code, dones;
	enum { GO_ON, CANCEL, START } what;
	struct download *other;
};

static void on_head(struct http_req *r)
{
	container_of(r, struct download, r)->heads++;
}

static void on_done(struct http_req *r, int code, const struct err *err)
{
	struct download *x = container_of(r, struct download, r);

	x->code = code;
	x->dones++;
}

static int on_body(struct http_req *r, const void *p, size_t n)
{
	struct download *x = container_of(r, struct download, r);

	x->got += n;
	if (x->got < x->limit)
		return 0;
	if (x->what == CANCEL)
		http_cancel(r);
	if (x->what == START) {
		x->what = GO_ON;
		return http_start(h, &x->other->r, NULL);
	}
	return x->what == GO_ON ? 0 : -ENOBUFS;
}

static struct download download(const char *path)
{
	return (struct download){ .r = { .to = &sock, .method = "GET", .path = path, .body_fn = on_body, .head_fn = on_head,
					 .on_done = on_done, .timeout_ms = 10000 } };
}

static void turns(const int *flag)
{
	uint64_t end = loop_deadline(10000);

	while (!*flag && loop_turn(l, end) == 0)
		;
}

static void test_download(void)
{
	struct download a = download("/flood"), b = download("/echo"), c = download("/flood"), none = download("/status/404");

	a.what = START;
	a.limit = 1;
	a.other = &b;
	is_int(http_start(h, &a.r, NULL), 0, "a stream is started");
	turns(&a.dones);
	ok(a.code == 0 && a.got == 65536000 && a.heads == 1, "it brings all its bytes, one head first");
	turns(&b.dones);
	ok(b.dones == 1 && b.got > 0, "a request may be started from the body of another");

	c.what = CANCEL;
	c.limit = 100000;
	(void)!http_start(h, &c.r, NULL);
	for (uint64_t end = loop_deadline(10000); c.r.transfer && loop_turn(l, end) == 0;)
		;
	b.dones = 0;
	(void)!http_start(h, &b.r, NULL);
	turns(&b.dones);
	ok(c.dones == 0 && c.got >= 100000, "a request may cancel itself within its body; it does not complete");
	(void)!http_start(h, &none.r, NULL);
	turns(&none.dones);
	ok(none.code == -ENOENT && none.got == 0, "the body of a failure is not given to body_fn");
	(void)!http_start(h, &a.r, NULL);
	(void)!loop_turn(l, loop_deadline(100));
	http_cancel(&a.r);
	http_cancel(&a.r);
	is_int(a.dones, 1, "a cancel from outside, twice, leaves nothing");
	http_req_done(&a.r);
	http_req_done(&b.r);
	http_req_done(&c.r);
	http_req_done(&none.r);
}

static void test_free_running(void)
{
	struct http *other = http_new(l);
	struct download a = download("/hang"), b = download("/flood");

	(void)!http_start(other, &a.r, NULL);
	(void)!http_start(other, &b.r, NULL);
	for (int i = 0; i < 10; i++)
		(void)!loop_turn(l, loop_deadline(10));
	http_free(other);
	ok(!a.dones && !b.dones && !a.r.transfer, "a client freed with running requests cancels them");
	http_req_done(&a.r);
	http_req_done(&b.r);
}

static void test_escape(void)
{
	struct buf b = BUF_INIT(100);

	http_escape(&b, "a/b c\xc3\xa9~-._");
	is_str(buf_str(&b), "a%2Fb%20c%C3%A9~-._", "what is not plain is percent-encoded");
	buf_done(&b);
}

int main(void)
{
	l = loop_new(LOOP_DEFAULT);
	h = http_new(l);
	d = httpd_start(serve, NULL);
	sock = (struct http_endpoint){ .unix_path = xstrdup(httpd_socket(d)), .base = xstrdup("http://fake") };
	tcp = (struct http_endpoint){ .base = xasprintf("http://127.0.0.1:%u", httpd_port(d)) };
	test_status();
	test_requests();
	test_bearer();
	test_headers();
	test_failures();
	test_connect();
	test_reuse();
	test_deadline();
	test_upload();
	test_download();
	test_free_running();
	test_escape();
	http_endpoint_done(&sock);
	http_endpoint_done(&tcp);
	http_free(h);
	httpd_stop(d);
	loop_free(l);
	return tap_done();
}
