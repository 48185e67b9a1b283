/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fake/docker.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "tests/fake/httpd.h"

struct fake_docker {
	struct httpd *httpd;
	char host[128];
	pthread_mutex_t lock;
	const struct fake_route *routes;
	size_t n;
	struct buf call, body;
};

static void remember(struct fake_docker *f, const struct httpd_req *q)
{
	buf_reset(&f->call);
	buf_addf(&f->call, "%s %s", q->method, q->path);
	buf_reset(&f->body);
	buf_add(&f->body, q->body, q->body_len);
}

static const struct fake_route *route_find(struct fake_docker *f, const struct httpd_req *q)
{
	const char *path = q->path;
	char call[4096];

	if (str_starts(path, "/v1."))
		path = strchr(path + 1, '/');
	snprintf(call, sizeof(call), "%s %s", q->method, path ? path : "/");
	for (size_t i = 0; i < f->n; i++)
		if (str_starts(call, f->routes[i].call))
			return &f->routes[i];
	return NULL;
}

static void stream(struct httpd_req *q, const char *body, size_t n)
{
	httpd_stream(q, 200, "Content-Type: application/json\r\n");
	for (size_t i = 0; i < n; i++)
		httpd_chunk(q, body + i, 1);
}

static void echo(struct httpd_req *q)
{
	char p[4096 + 8] = { 1 };
	ssize_t n;

	while ((n = httpd_read(q, p + 8, sizeof(p) - 8)) > 0) {
		p[6] = (char)(n >> 8);
		p[7] = (char)n;
		httpd_write(q, p, (size_t)n + 8);
	}
}

static void answer(struct httpd_req *q, const struct fake_route *r)
{
	const char *body = r->body ? r->body : "";
	size_t n = r->len ? r->len : strlen(body);

	switch (r->kind) {
	case FAKE_REPLY:
		httpd_reply(q, r->status ? r->status : 200, NULL, body);
		break;
	case FAKE_STREAM:
		stream(q, body, n);
		httpd_end(q);
		break;
	case FAKE_CUT:
		stream(q, body, n);
		q->close = true;
		break;
	case FAKE_HANG:
		httpd_hang(q);
		break;
	case FAKE_UPGRADE:
	case FAKE_ECHO:
	case FAKE_STALL:
		httpd_puts(q, "HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n");
		if (r->kind == FAKE_ECHO)
			echo(q);
		httpd_write(q, body, n);
		if (r->kind == FAKE_STALL)
			httpd_hang(q);
		q->close = true;
		break;
	}
}

static void serve(struct httpd_req *q, void *arg)
{
	struct fake_docker *f = arg;
	const struct fake_route *r;

	pthread_mutex_lock(&f->lock);
	remember(f, q);
	r = route_find(f, q);
	pthread_mutex_unlock(&f->lock);
	if (r)
		answer(q, r);
	else if (str_starts(q->path, "/_ping"))
		httpd_puts(q, "HTTP/1.1 200 OK\r\nApi-Version: 1.41\r\nServer: Docker/fake\r\nContent-Length: 2\r\n\r\nOK");
	else
		httpd_reply(q, 404, NULL, "{\"message\":\"page not found\"}");
}

struct fake_docker *fake_docker_start(const struct fake_route *routes, size_t n)
{
	struct fake_docker *f = xcalloc(1, sizeof(*f));

	f->routes = routes;
	f->n = n;
	buf_init(&f->call, 64u << 10);
	buf_init(&f->body, 64u << 20);
	pthread_mutex_init(&f->lock, NULL);
	f->httpd = httpd_start(serve, f);
	snprintf(f->host, sizeof(f->host), "unix://%s", httpd_socket(f->httpd));
	return f;
}

void fake_docker_stop(struct fake_docker *f)
{
	httpd_stop(f->httpd);
	pthread_mutex_destroy(&f->lock);
	buf_done(&f->call);
	buf_done(&f->body);
	free(f);
}

const char *fake_docker_host(const struct fake_docker *f)
{
	return f->host;
}

void fake_docker_routes(struct fake_docker *f, const struct fake_route *routes, size_t n)
{
	pthread_mutex_lock(&f->lock);
	f->routes = routes;
	f->n = n;
	pthread_mutex_unlock(&f->lock);
}

const char *fake_docker_call(const struct fake_docker *f)
{
	return buf_str(&f->call);
}

const char *fake_docker_body(const struct fake_docker *f, size_t *ret_len)
{
	if (ret_len)
		*ret_len = f->body.len;
	return buf_str(&f->body);
}
