/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fake/kube.h"

#include <arpa/inet.h>
#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"

#define STEPS 64
#define CONNS 64

struct step {
	int status;
	enum fake_end end;
	const char *type;
	char *body;
};

struct conn {
	struct fake_kube *fake;
	pthread_t thread;
	int fd;
};

struct fake_kube {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	pthread_t acceptor;
	int listener;
	unsigned port;
	bool stop, streams;
	struct step step[STEPS];
	size_t n_steps, next;
	char *asked[STEPS * 2];
	size_t n_asked;
	struct conn conn[CONNS];
	size_t n_conns;
	char *pushed;
};

static bool send_all(int fd, const char *p, size_t n)
{
	while (n) {
		ssize_t done = send(fd, p, n, MSG_NOSIGNAL);

		if (done <= 0)
			return false;
		p += done;
		n -= (size_t)done;
	}
	return true;
}

static bool send_chunk(int fd, const char *body)
{
	size_t n = strlen(body);
	autofree char *head = xasprintf("%zx\r\n", n);

	return !n || (send_all(fd, head, strlen(head)) && send_all(fd, body, n) && send_all(fd, "\r\n", 2));
}

static size_t content_length(const char *head)
{
	const char *p = strcasestr(head, "\r\ncontent-length:");
	unsigned long n = 0;

	return p && sscanf(p + 17, "%lu", &n) == 1 ? n : 0;
}

/* One request, head and body; NULL at the end of the connection. */
static char *request_read(int fd)
{
	struct buf b = BUF_INIT(4 << 20);
	char chunk[4096];
	const char *body;

	for (;;) {
		ssize_t n;

		body = strstr(buf_str(&b), "\r\n\r\n");
		if (body && strlen(body + 4) >= content_length(b.data))
			return buf_steal(&b);
		n = recv(fd, chunk, sizeof(chunk), 0);
		if (n <= 0)
			break;
		buf_add(&b, chunk, (size_t)n);
	}
	buf_done(&b);
	return NULL;
}

static void hold(struct fake_kube *f, int fd)
{
	pthread_mutex_lock(&f->lock);
	while (!f->stop) {
		autofree char *text = steal(&f->pushed);

		if (!text) {
			pthread_cond_wait(&f->changed, &f->lock);
			continue;
		}
		pthread_mutex_unlock(&f->lock);
		(void)send_chunk(fd, text);
		pthread_mutex_lock(&f->lock);
	}
	pthread_mutex_unlock(&f->lock);
}

/* False: the connection is over. */
static bool answer(struct fake_kube *f, int fd, const struct step *s)
{
	bool whole = s->end == FAKE_WHOLE;
	autofree char *length = xasprintf("Content-Length: %zu", strlen(s->body));
	autofree char *head = xasprintf("HTTP/1.1 %d Fake\r\nContent-Type: %s\r\n%s\r\n\r\n", s->status, s->type,
					whole ? length : "Transfer-Encoding: chunked");

	if (s->end == FAKE_HANG) {
		hold(f, fd);
		return false;
	}
	if (!send_all(fd, head, strlen(head)))
		return false;
	if (whole)
		return send_all(fd, s->body, strlen(s->body));
	if (!send_chunk(fd, s->body))
		return false;
	if (s->end == FAKE_HOLD)
		hold(f, fd);
	return s->end == FAKE_END && send_all(fd, "0\r\n\r\n", 5);
}

static void *conn_run(void *arg)
{
	static char none[] = "{\"kind\":\"Status\",\"message\":\"the script is over\"}";
	static char refusal[] = "{\"kind\":\"Status\",\"message\":\"sendInitialEvents is forbidden\"}";
	static const struct step over = { 500, FAKE_WHOLE, "application/json", none };
	static const struct step refused = { 422, FAKE_WHOLE, "application/json", refusal };
	struct conn *c = arg;
	struct fake_kube *f = c->fake;
	char *request;
	bool more = true;

	while (more && (request = request_read(c->fd))) {
		const struct step *s = &over;

		pthread_mutex_lock(&f->lock);
		if (!f->streams && strstr(request, "sendInitialEvents")) {
			pthread_mutex_unlock(&f->lock);
			free(request);
			more = answer(f, c->fd, &refused);
			continue;
		}
		if (f->n_asked < ARRAY_SIZE(f->asked))
			f->asked[f->n_asked++] = request;
		else
			free(request);
		if (f->next < f->n_steps)
			s = &f->step[f->next++];
		pthread_mutex_unlock(&f->lock);
		more = answer(f, c->fd, s);
	}
	shutdown(c->fd, SHUT_RDWR);
	return NULL;
}

static void *accept_run(void *arg)
{
	struct fake_kube *f = arg;

	for (;;) {
		int fd = accept4(f->listener, NULL, NULL, SOCK_CLOEXEC);

		if (fd < 0)
			return NULL;
		pthread_mutex_lock(&f->lock);
		assert(f->n_conns < CONNS);
		f->conn[f->n_conns] = (struct conn){ .fake = f, .fd = fd };
		pthread_create(&f->conn[f->n_conns].thread, NULL, conn_run, &f->conn[f->n_conns]);
		f->n_conns++;
		pthread_mutex_unlock(&f->lock);
	}
}

struct fake_kube *fake_kube_new(void)
{
	struct fake_kube *f = xcalloc(1, sizeof(*f));
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(sin);
	int r;

	pthread_mutex_init(&f->lock, NULL);
	pthread_cond_init(&f->changed, NULL);
	f->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	r = bind(f->listener, (struct sockaddr *)&sin, sizeof(sin));
	assert(r == 0);
	r = listen(f->listener, 16);
	assert(r == 0);
	r = getsockname(f->listener, (struct sockaddr *)&sin, &len);
	assert(r == 0);
	f->port = ntohs(sin.sin_port);
	pthread_create(&f->acceptor, NULL, accept_run, f);
	return f;
}

void fake_kube_stream(struct fake_kube *f)
{
	pthread_mutex_lock(&f->lock);
	f->streams = true;
	pthread_mutex_unlock(&f->lock);
}

void fake_kube_free(struct fake_kube *f)
{
	shutdown(f->listener, SHUT_RDWR);
	pthread_join(f->acceptor, NULL);
	close(f->listener);
	pthread_mutex_lock(&f->lock);
	f->stop = true;
	pthread_cond_broadcast(&f->changed);
	pthread_mutex_unlock(&f->lock);
	for (size_t i = 0; i < f->n_conns; i++) {
		shutdown(f->conn[i].fd, SHUT_RDWR);
		pthread_join(f->conn[i].thread, NULL);
		close(f->conn[i].fd);
	}
	for (size_t i = 0; i < f->n_steps; i++)
		free(f->step[i].body);
	for (size_t i = 0; i < f->n_asked; i++)
		free(f->asked[i]);
	free(f->pushed);
	free(f);
}

struct http_endpoint fake_kube_endpoint(const struct fake_kube *f)
{
	return (struct http_endpoint){ .base = xasprintf("http://127.0.0.1:%u", f->port) };
}

static void step_add(struct fake_kube *f, struct step s)
{
	pthread_mutex_lock(&f->lock);
	assert(f->n_steps < STEPS);
	f->step[f->n_steps++] = s;
	pthread_mutex_unlock(&f->lock);
}

void fake_kube_say(struct fake_kube *f, int status, enum fake_end end, const char *body)
{
	step_add(f, (struct step){ status, end, "application/json", xstrdup(body) });
}

void fake_kube_say_text(struct fake_kube *f, int status, const char *body)
{
	step_add(f, (struct step){ status, FAKE_WHOLE, "text/plain", xstrdup(body) });
}

void fake_kube_push(struct fake_kube *f, const char *text)
{
	pthread_mutex_lock(&f->lock);
	free(f->pushed);
	f->pushed = xstrdup(text);
	pthread_cond_broadcast(&f->changed);
	pthread_mutex_unlock(&f->lock);
}

const char *fake_kube_asked(struct fake_kube *f, size_t i)
{
	const char *s;

	pthread_mutex_lock(&f->lock);
	s = i < f->n_asked ? f->asked[i] : NULL;
	pthread_mutex_unlock(&f->lock);
	return s;
}

size_t fake_kube_count(struct fake_kube *f)
{
	size_t n;

	pthread_mutex_lock(&f->lock);
	n = f->n_asked;
	pthread_mutex_unlock(&f->lock);
	return n;
}
