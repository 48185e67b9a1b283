/* SPDX-License-Identifier: Apache-2.0 */
/* Against `openssl s_server`: a server that asks for a client certificate, and a raw TLS stream. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/child.h"
#include "base/file.h"
#include "base/mem.h"
#include "net/http.h"
#include "tests/tap.h"

#define BULK (1u << 20)

static const char keys[] =
	"set -e; ec='-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes'\n"
	"openssl req -x509 $ec -keyout ca.key -out ca.pem -subj /CN=ca -days 2\n"
	"echo subjectAltName=DNS:kube.example,IP:127.0.0.2 > ext\n"
	"for n in server client; do openssl req $ec -keyout $n.key -out $n.csr -subj /CN=$n\n"
	"openssl x509 -req -in $n.csr -CA ca.pem -CAkey ca.key -CAcreateserial -extfile ext -days 2 -out $n.pem; done\n"
	"printf 'HTTP/1.1 200 OK\\r\\nContent-Length: 5\\r\\n\\r\\nhello' > page\n";

static struct loop *l;
static struct http *h;
static char dir[64];
static bool exited;

static void on_exit_child(struct child *c, int status)
{
	exited = true;
}

static unsigned free_port(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (bind(fd, (struct sockaddr *)&a, n) || getsockname(fd, (struct sockaddr *)&a, &n))
		abort();
	close(fd);
	return ntohs(a.sin_port);
}

static char *read_file(const char *name)
{
	autofree char *path = path_join(dir, name);
	struct buf b = BUF_INIT(4u << 20);

	(void)!file_read(path, &b, NULL);
	buf_addc(&b, '\0');
	return buf_steal(&b);
}

/* Waits for the port, then gives the endpoint with everything right. */
static struct http_endpoint endpoint(unsigned port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons((uint16_t)port) };

	for (int i = 0; i < 200; i++) {
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		int r = connect(fd, (struct sockaddr *)&a, sizeof(a));

		close(fd);
		if (r == 0)
			break;
		nanosleep(&(struct timespec){ .tv_nsec = 20000000 }, NULL);
	}
	return (struct http_endpoint){
		.base = xasprintf("https://127.0.0.1:%u", port), .server_name = xstrdup("kube.example"),
		.ca_pem = read_file("ca.pem"), .cert_pem = read_file("client.pem"), .key_pem = read_file("client.key"),
	};
}

static void server_start(struct child *c, const char *const *argv, int in, int out)
{
	struct child_spec spec = { .argv = argv, .cwd = dir, .in = in, .out = out, .err = -1 };
	struct err err;

	exited = false;
	if (child_start(l, c, &spec, on_exit_child, &err) < 0)
		abort();
}

static void server_stop(struct child *c)
{
	child_kill(c, SIGKILL);
	(void)!loop_run(l, &exited, loop_deadline(5000));
}

static int get(const struct http_endpoint *e, struct err *err)
{
	struct http_req r = { .to = e, .method = "GET", .path = "/page", .timeout_ms = 3000 };
	struct http *once = http_new(l);	/* s_server serves one connection after another: none is kept */
	int code = http_wait(once, &r, loop_deadline(5000), err);

	if (code == 0 && strcmp(buf_str(&r.response), "hello"))
		code = 1;
	http_req_done(&r);
	http_free(once);
	return code;
}

static void test_identity(void)
{
	unsigned port = free_port();
	autofree char *accept = xasprintf("127.0.0.1:%u", port);
	const char *const argv[] = { "openssl", "s_server", "-accept", accept, "-cert", "server.pem", "-key", "server.key",
				     "-Verify", "1", "-verify_return_error", "-CAfile", "ca.pem", "-HTTP", "-quiet", NULL };
	struct child c = { 0 };
	struct http_endpoint e, x;
	struct err err = { 0 };

	server_start(&c, argv, -1, -1);
	e = endpoint(port);
	is_int(get(&e, &err), 0, "a server is verified by its name, we by our certificate (%s)", err.msg);
	x = e;
	x.server_name = NULL;
	is_int(get(&x, &err), -EPROTO, "a server with another name is refused");
	ok(strstr(err.msg, "TLS with https://127.0.0.1:") != NULL, "and it is said: %s", err.msg);
	x.insecure = true;
	is_int(get(&x, &err), 0, "unless nothing is verified");
	x = e;
	x.ca_pem = e.cert_pem;
	is_int(get(&x, &err), -EPROTO, "a server of another CA is refused");
	x = e;
	x.cert_pem = x.key_pem = NULL;
	ok(get(&x, &err) < 0, "without our certificate the server refuses us: %s", err.msg);
	http_endpoint_done(&e);
	server_stop(&c);
}

/* ---- stream ---- */

struct peer {
	struct buf got;
	bool opened, done;
	int code;
};

static void on_open(struct http_stream *s, void *owner)
{
	static char bulk[BULK];

	((struct peer *)owner)->opened = true;
	memset(bulk, 'x', sizeof(bulk));
	if (http_stream_send(s, bulk, sizeof(bulk)) < 0)
		abort();
	http_stream_end(s);
}

static void on_data(struct http_stream *s, void *owner, const void *p, size_t n)
{
	buf_add(&((struct peer *)owner)->got, p, n);
}

static void on_close(struct http_stream *s, void *owner, int code, const struct err *err)
{
	((struct peer *)owner)->done = true;
	((struct peer *)owner)->code = code;
}

static void test_stream(void)
{
	static const struct http_stream_ops ops = { .on_open = on_open, .on_data = on_data, .on_close = on_close };
	static const char says[] = "HTTP/1.1 101 Switch\r\n\r\nhello";
	unsigned port = free_port();
	autofree char *accept = xasprintf("127.0.0.1:%u", port), *out = path_join(dir, "out"), *seen = NULL;
	const char *const argv[] = { "openssl", "s_server", "-accept", accept, "-cert", "server.pem", "-key", "server.key",
				     "-naccept", "2", "-quiet", "-alpn", "http/1.1", NULL };
	int fd = open(out, O_CREAT | O_RDWR | O_CLOEXEC, 0600), in[2];
	struct peer p = { .got = BUF_INIT(1000) };
	struct child c = { 0 };
	struct http_endpoint e;
	struct http_stream *s;
	const char *body;

	if (pipe2(in, O_CLOEXEC))
		abort();
	server_start(&c, argv, in[0], fd);
	e = endpoint(port);
	s = http_stream_open(h, &e, "GET", "/exec", NULL, NULL, 0, 5000, &ops, &p, NULL);
	for (int i = 0; i < 30; i++)
		(void)!loop_turn(l, loop_deadline(10));
	ok(!p.opened && write(in[1], says, sizeof(says) - 1) == sizeof(says) - 1, "a TLS stream waits for the answer");
	while (!p.opened && loop_turn(l, loop_deadline(3000)) == 0)
		;
	ok(p.opened, "and opens with it");
	(void)!loop_run(l, &exited, loop_deadline(5000));
	(void)!loop_run(l, &p.done, loop_deadline(1000));
	is_str(buf_str(&p.got), "hello", "bytes behind the head arrive");
	seen = read_file("out");
	body = strstr(seen, "\r\n\r\n");
	is_int(body ? (long long)strspn(body + 4, "x") : -1, BULK, "a megabyte goes the other way");
	ok(!strncmp(seen, "GET /exec HTTP/1.1\r\nHost: kube.example\r\n", 40), "after the request");
	ok(exited, "and the server sees the end of it");
	if (!p.done)
		http_stream_close(s);
	if (!exited)
		server_stop(&c);
	close(in[0]);
	close(in[1]);
	close(fd);
	buf_done(&p.got);
	http_endpoint_done(&e);
}

/* ---- shared ---- */

struct h2 {
	bool done;
	int code;
};

static void on_h2_done(struct http_req *r, int code, const struct err *err)
{
	struct h2 *x = r->owner;

	x->done = true;
	x->code = code;
}

/* The streams that were opened (frames of type HEADERS) in what a client has sent; their number. */
static unsigned h2_streams(const char *name, uint32_t *ret, unsigned max)
{
	autofree char *path = path_join(dir, name);
	auto(buf) struct buf b = BUF_INIT(4u << 20);
	unsigned n = 0;

	if (file_read(path, &b, NULL) || b.len < 24)
		return 0;
	for (size_t at = 24; at + 9 <= b.len;) {
		const uint8_t *f = (const uint8_t *)b.data + at;

		if (f[3] == 1 && n < max)
			ret[n++] = (uint32_t)f[5] << 24 | (uint32_t)f[6] << 16 | (uint32_t)f[7] << 8 | f[8];
		at += 9 + ((size_t)f[0] << 16 | (size_t)f[1] << 8 | f[2]);
	}
	return n;
}

static void h2_wait(const char *name, uint32_t *streams, unsigned n)
{
	uint64_t deadline = loop_deadline(5000);

	while (h2_streams(name, streams, n) < n && loop_deadline(0) < deadline)
		(void)!loop_turn(l, loop_deadline(10));
}

/* Status 200 (entry 8 of the static table), "hello", and the end, or not yet. */
static void h2_answer(int fd, uint32_t stream, bool end)
{
	const uint8_t id = (uint8_t)stream;
	const uint8_t text[] = { 0, 0, 1, 1, 4, 0, 0, 0, id, 0x88, 0, 0, 5, 0, end, 0, 0, 0, id, 'h', 'e', 'l', 'l', 'o' };

	if (write(fd, text, sizeof(text)) != sizeof(text))
		abort();
}

static void h2_start(struct http_req *r, struct h2 *x, const struct http_endpoint *e, uint64_t idle_ms)
{
	*x = (struct h2){ 0 };
	*r = (struct http_req){ .to = e, .method = "GET", .path = "/", .shared = true, .idle_ms = idle_ms, .on_done = on_h2_done, .owner = x };
	if (http_start(h, r, NULL))
		abort();
}

static void test_shared(void)
{
	static const uint8_t settings[] = { 0, 0, 0, 4, 0, 0, 0, 0, 0 };
	unsigned port = free_port();
	autofree char *accept = xasprintf("127.0.0.1:%u", port), *out = path_join(dir, "h2");
	const char *const argv[] = { "openssl", "s_server", "-accept", accept, "-cert", "server.pem", "-key", "server.key",
				     "-quiet", "-alpn", "h2", NULL };
	int fd = open(out, O_CREAT | O_RDWR | O_CLOEXEC, 0600), in[2];
	uint32_t stream[4] = { 0 };
	struct child c = { 0 };
	struct http_endpoint e;
	struct http_req r[2];
	struct h2 x[2];

	if (pipe2(in, O_CLOEXEC))
		abort();
	server_start(&c, argv, in[0], fd);
	e = endpoint(port);
	h2_start(&r[0], &x[0], &e, 0);
	h2_start(&r[1], &x[1], &e, 0);
	h2_wait("h2", stream, 2);
	ok(stream[0] && stream[1] && stream[0] != stream[1], "two requests that may share are streams of one connection");
	(void)!write(in[1], settings, sizeof(settings));	/* now: s_server has left the connection that only tried the port */
	h2_answer(in[1], stream[1], true);
	h2_answer(in[1], stream[0], true);
	(void)!loop_run(l, &x[0].done, loop_deadline(3000));
	(void)!loop_run(l, &x[1].done, loop_deadline(3000));
	ok(x[0].done && x[0].code == 0 && x[1].done && x[1].code == 0 && !strcmp(buf_str(&r[0].response), "hello") &&
	   !strcmp(buf_str(&r[1].response), "hello"), "each has its answer");
	http_req_done(&r[0]);
	http_req_done(&r[1]);
	h2_start(&r[0], &x[0], &e, 300);
	h2_start(&r[1], &x[1], &e, 0);
	h2_wait("h2", stream, 4);
	ok(stream[2] && stream[3], "so are two more");
	h2_answer(in[1], stream[2], false);	/* what has no answer yet libcurl would ask again by itself */
	h2_answer(in[1], stream[3], false);
	(void)!loop_run(l, &x[0].done, loop_deadline(3000));
	is_int(x[0].code, -ETIMEDOUT, "one that is silent for too long is given up");
	(void)!loop_run(l, &x[1].done, loop_deadline(3000));
	is_int(x[1].done ? x[1].code : 1, -ECONNRESET, "and the connection with it, on which another one waits");
	http_req_done(&r[0]);
	http_req_done(&r[1]);
	server_stop(&c);
	close(in[0]);
	close(in[1]);
	close(fd);
	http_endpoint_done(&e);
}

int main(void)
{
	struct child_spec spec = { .argv = (const char *const[]){ "sh", "-c", keys, NULL }, .cwd = dir, .in = -1, .out = -1, .err = -1 };
	struct err err = { 0 };

	snprintf(dir, sizeof(dir), "%s/tls-XXXXXX", P_tmpdir);
	if (!mkdtemp(dir))
		abort();
	l = loop_new(LOOP_DEFAULT);
	h = http_new(l);
	if (child_run(l, &spec, NULL, NULL, NULL, loop_deadline(20000), &err) == 0) {
		test_identity();
		test_stream();
		test_shared();
	} else {
		skip("TLS", "the openssl program is not there");
	}
	http_free(h);
	loop_free(l);
	(void)!file_remove_tree(dir, NULL);
	return tap_done();
}
