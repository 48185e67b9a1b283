/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fake/httpd.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/num.h"

#define HEAD_MAX (64u << 10)
#define BODY_MAX (64u << 20)

struct conn {
	struct httpd *server;
	struct conn *next;
	pthread_t thread;
	int fd;
	struct buf in;		/* read but not consumed */
};

struct httpd {
	httpd_fn fn;
	void *arg;
	int listen[2], stop[2];
	char dir[64], socket[80];
	unsigned port;
	atomic_uint accepted;
	atomic_bool deaf;
	pthread_t thread;
	struct conn *conns;	/* of the accepting thread, then of httpd_stop */
};

/* ---- bytes ---- */

bool httpd_write(struct httpd_req *q, const void *p, size_t n)
{
	for (size_t done = 0; done < n;) {
		ssize_t r = send(q->fd, (const char *)p + done, n - done, MSG_NOSIGNAL);

		if (r <= 0) {
			q->close = true;
			return false;
		}
		done += (size_t)r;
	}
	return true;
}

bool httpd_puts(struct httpd_req *q, const char *s)
{
	return httpd_write(q, s, strlen(s));
}

ssize_t httpd_read(struct httpd_req *q, void *p, size_t n)
{
	return recv(q->fd, p, n, 0);
}

void httpd_hang(struct httpd_req *q)
{
	struct pollfd p[2] = { { .fd = q->server->stop[0], .events = POLLIN }, { .fd = q->fd, .events = POLLRDHUP } };

	(void)poll(p, 2, -1);
	q->close = true;
}

/* ---- answers ---- */

void httpd_reply(struct httpd_req *q, int status, const char *type, const char *body)
{
	struct buf b = BUF_INIT(BODY_MAX);

	buf_addf(&b, "HTTP/1.1 %d Fake\r\nContent-Type: %s\r\nContent-Length: %zu\r\n\r\n", status,
		 type ? type : "application/json", status == 204 || status == 304 ? 0 : strlen(body));
	if (strcmp(q->method, "HEAD") && status != 204 && status != 304)
		buf_adds(&b, body);
	httpd_write(q, b.data, b.len);
	buf_done(&b);
}

void httpd_stream(struct httpd_req *q, int status, const char *extra)
{
	struct buf b = BUF_INIT(HEAD_MAX);

	buf_addf(&b, "HTTP/1.1 %d Fake\r\nTransfer-Encoding: chunked\r\n%s\r\n", status, extra ? extra : "");
	httpd_write(q, b.data, b.len);
	buf_done(&b);
}

void httpd_chunk(struct httpd_req *q, const void *p, size_t n)
{
	char size[32];

	snprintf(size, sizeof(size), "%zx\r\n", n);
	if (n && httpd_puts(q, size) && httpd_write(q, p, n))
		httpd_puts(q, "\r\n");
}

void httpd_chunks(struct httpd_req *q, const char *text)
{
	httpd_chunk(q, text, strlen(text));
}

void httpd_end(struct httpd_req *q)
{
	httpd_puts(q, "0\r\n\r\n");
}

const char *httpd_header(const struct httpd_req *q, const char *name, char *ret, size_t n)
{
	size_t len = strlen(name);

	ret[0] = '\0';
	for (const char *line = strchr(q->head, '\n'); line && line[1]; line = strchr(line + 1, '\n')) {
		if (strncasecmp(line + 1, name, len) || line[1 + len] != ':')
			continue;
		line += 2 + len;
		line += strspn(line, " ");
		snprintf(ret, n, "%.*s", (int)strcspn(line, "\r\n"), line);
		break;
	}
	return ret;
}

/* ---- requests ---- */

static bool conn_fill(struct conn *c)
{
	char p[16384];
	ssize_t n = recv(c->fd, p, sizeof(p), 0);

	if (n <= 0)
		return false;
	buf_add(&c->in, p, (size_t)n);
	return buf_ok(&c->in);
}

static bool conn_take(struct conn *c, struct buf *to, size_t n)
{
	while (c->in.len < n)
		if (!conn_fill(c))
			return false;
	buf_add(to, c->in.data, n);
	buf_consume(&c->in, n);
	return true;
}

static bool conn_line(struct conn *c, struct buf *to)
{
	char *end;

	while (!(end = c->in.len ? memchr(c->in.data, '\n', c->in.len) : NULL))
		if (!conn_fill(c))
			return false;
	return conn_take(c, to, (size_t)(end - c->in.data) + 1);
}

static bool read_head(struct conn *c, struct buf *head)
{
	size_t before;

	do {
		before = head->len;
		if (!conn_line(c, head))
			return false;
	} while (head->len - before > 2);
	return true;
}

static bool read_chunked(struct conn *c, struct buf *body)
{
	for (;;) {
		struct buf line = BUF_INIT(1024), crlf = BUF_INIT(16);
		unsigned size = 0;
		bool good = conn_line(c, &line) && sscanf(buf_str(&line), "%x", &size) == 1 && conn_take(c, body, size) &&
			    conn_take(c, &crlf, 2);

		buf_done(&line);
		buf_done(&crlf);
		if (!good || size == 0)
			return good;
	}
}

static bool read_request(struct conn *c, struct httpd_req *q, struct buf *head, struct buf *body)
{
	char value[64];
	uint64_t n = 0;

	if (!read_head(c, head))
		return false;
	q->head = head->data;
	if (sscanf(q->head, "%15s %2047s", q->method, q->path) != 2)
		return false;
	if (!strcasecmp(httpd_header(q, "Transfer-Encoding", value, sizeof(value)), "chunked")) {
		if (!read_chunked(c, body))
			return false;
	} else if (num_u64(httpd_header(q, "Content-Length", value, sizeof(value)), BODY_MAX, &n) == 0) {
		if (!conn_take(c, body, n))
			return false;
	}
	buf_add(body, "", 0);
	q->body = (char *)buf_str(body);
	q->body_len = body->len;
	return true;
}

static void *conn_main(void *arg)
{
	struct conn *c = arg;
	bool more = !atomic_load(&c->server->deaf);

	if (!more)
		httpd_hang(&(struct httpd_req){ .fd = c->fd, .server = c->server });
	for (unsigned number = 0; more; number++) {
		struct httpd_req q = { .fd = c->fd, .server = c->server, .number = number };
		struct buf head = BUF_INIT(HEAD_MAX), body = BUF_INIT(BODY_MAX);

		more = read_request(c, &q, &head, &body);
		if (more) {
			c->server->fn(&q, c->server->arg);
			more = !q.close;
		}
		buf_done(&head);
		buf_done(&body);
	}
	shutdown(c->fd, SHUT_RDWR);
	return NULL;
}

/* ---- server ---- */

static void conn_start(struct httpd *d, int fd)
{
	struct conn *c = xcalloc(1, sizeof(*c));

	atomic_fetch_add(&d->accepted, 1);
	*c = (struct conn){ .server = d, .fd = fd, .in = BUF_INIT(BODY_MAX), .next = d->conns };
	d->conns = c;
	if (pthread_create(&c->thread, NULL, conn_main, c))
		abort();
}

static void *accept_main(void *arg)
{
	struct httpd *d = arg;
	struct pollfd p[3] = { { .fd = d->stop[0], .events = POLLIN },
			       { .fd = d->listen[0], .events = POLLIN },
			       { .fd = d->listen[1], .events = POLLIN } };

	while (poll(p, 3, -1) > 0 && !p[0].revents) {
		for (int i = 1; i < 3; i++) {
			int fd = p[i].revents ? accept4(p[i].fd, NULL, NULL, SOCK_CLOEXEC) : -1;

			if (fd >= 0)
				conn_start(d, fd);
		}
	}
	return NULL;
}

static void listen_unix(struct httpd *d)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };

	snprintf(d->dir, sizeof(d->dir), "%s/httpd-XXXXXX", P_tmpdir);
	if (!mkdtemp(d->dir))
		abort();
	snprintf(d->socket, sizeof(d->socket), "%s/sock", d->dir);
	snprintf(a.sun_path, sizeof(a.sun_path), "%s", d->socket);
	d->listen[0] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(d->listen[0], (struct sockaddr *)&a, sizeof(a)) || listen(d->listen[0], 64))
		abort();
}

static void listen_tcp(struct httpd *d)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof(a);

	d->listen[1] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(d->listen[1], (struct sockaddr *)&a, n) || listen(d->listen[1], 64) ||
	    getsockname(d->listen[1], (struct sockaddr *)&a, &n))
		abort();
	d->port = ntohs(a.sin_port);
}

struct httpd *httpd_start(httpd_fn fn, void *arg)
{
	struct httpd *d = xcalloc(1, sizeof(*d));

	d->fn = fn;
	d->arg = arg;
	listen_unix(d);
	listen_tcp(d);
	if (pipe2(d->stop, O_CLOEXEC) || pthread_create(&d->thread, NULL, accept_main, d))
		abort();
	return d;
}

void httpd_stop(struct httpd *d)
{
	if (write(d->stop[1], "", 1) != 1)
		abort();
	pthread_join(d->thread, NULL);
	for (struct conn *c = d->conns, *next; c; c = next) {
		next = c->next;
		shutdown(c->fd, SHUT_RDWR);
		pthread_join(c->thread, NULL);
		close(c->fd);
		buf_done(&c->in);
		free(c);
	}
	for (int i = 0; i < 2; i++) {
		close(d->listen[i]);
		close(d->stop[i]);
	}
	unlink(d->socket);
	rmdir(d->dir);
	free(d);
}

const char *httpd_socket(const struct httpd *d)
{
	return d->socket;
}

unsigned httpd_port(const struct httpd *d)
{
	return d->port;
}

void httpd_set_deaf(struct httpd *d, bool deaf)
{
	atomic_store(&d->deaf, deaf);
}

unsigned httpd_connections(const struct httpd *d)
{
	return atomic_load(&d->accepted);
}
