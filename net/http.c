/* SPDX-License-Identifier: Apache-2.0 */
/* How it works: curl says which sockets it waits for and until when (socket and timer callbacks); both become watches of
 * our loop, and each event is handed back by curl_multi_socket_action(), always from the loop. Afterwards http_settle()
 * does what users asked for in the midst of it and completes what has ended. */
#include "net/http.h"

#include <assert.h>
#include <errno.h>
#include <strings.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "net/http_internal.h"
#include "net/sock.h"

#define RESPONSE_MAX (16u << 20)

enum transfer_state {
	TRANSFER_PENDING,	/* started within a callback of curl, not yet in the multi */
	TRANSFER_RUNNING,
	TRANSFER_DEAD,		/* cancelled within a callback of curl; no request any more */
	TRANSFER_ENDED,		/* complete; kept by its request for the headers */
};

struct waiter {
	bool done;
	int code;
	struct err *err;
};

struct http_transfer {
	struct http_handle handle;
	enum transfer_state state;
	struct http_transfer *next;
	struct http *http;
	struct http_req *req;		/* borrowed; NULL: cancelled */
	struct strv headers;
	struct timer idle;
	uint64_t active_ns;
	struct waiter *waiter;
	size_t sent;			/* of req->body */
	int abort;			/* why a callback ended it, or 0 */
	bool head_done, resume;
};

struct http_sock {
	struct io io;
	struct http *http;
	struct http_sock *next;
};

/* ---- transfers: life ---- */

static void transfer_unlink(struct http_transfer *t)
{
	struct http_transfer **p = &t->http->transfers;

	while (*p && *p != t)
		p = &(*p)->next;
	if (*p)
		*p = t->next;
}

/* Out of curl; what remains are the headers. */
static void transfer_detach(struct http_transfer *t)
{
	timer_stop(&t->idle);
	if (t->state == TRANSFER_ENDED)
		return;
	if (t->state != TRANSFER_PENDING)
		curl_multi_remove_handle(t->http->multi, t->handle.easy);
	http_handle_done(&t->handle);
	transfer_unlink(t);
	t->state = TRANSFER_ENDED;
}

static void transfer_free(struct http_transfer *t)
{
	transfer_detach(t);
	strv_done(&t->headers);
	free(t);
}

static int transfer_result(struct http_transfer *t, CURLcode rc, struct err *err)
{
	struct http_req *r = t->req;

	if (r->status >= 400 && t->head_done)
		return http_status_error(r->status, r->response.data, r->response.len, err);
	if (t->abort == -EFBIG)
		return err_set(err, -EFBIG, "the answer of %s is larger than %zu bytes", http_where(r->to), r->response.max);
	if (t->abort == -ETIMEDOUT)
		return err_set(err, -ETIMEDOUT, "%s went silent", http_where(r->to));
	if (t->abort) {
		if (err)
			*err = (struct err){ .code = t->abort };
		return err_wrap(err, t->abort, "%s", http_where(r->to));
	}
	return rc ? http_curl_error(&t->handle, rc, err) : 0;
}

/* The request's one completion. It may free or restart the request: nothing is touched after. */
static void transfer_end(struct http_transfer *t, CURLcode rc)
{
	struct http_req *r = t->req;
	struct http *h = t->http;
	struct err err = { 0 };
	int code = transfer_result(t, rc, &err);

	transfer_detach(t);
	if (t->waiter) {
		t->waiter->done = true;
		t->waiter->code = code;
		if (t->waiter->err && code < 0)
			*t->waiter->err = err;
		return;
	}
	h->busy++;
	if (r->on_done)
		r->on_done(r, code, &err);
	h->busy--;
}

static void transfer_done(struct http_handle *x, CURLcode rc)
{
	struct http_transfer *t = container_of(x, struct http_transfer, handle);

	if (t->state == TRANSFER_RUNNING)
		transfer_end(t, rc);
}

/* curl keeps the connection of an HTTP/2 stream that is given up, and would use it again. Which socket that is it tells only at a
 * transfer's end, but its local port before. */
static void connection_cut(const struct http_transfer *t)
{
	long port = 0;

	if (!t->req->shared || curl_easy_getinfo(t->handle.easy, CURLINFO_LOCAL_PORT, &port))
		return;
	for (const struct http_sock *s = t->http->socks; s && port; s = s->next) {
		struct hostport at;

		if (sock_local(s->io.fd, &at) == 0 && at.port == port)
			(void)shutdown(s->io.fd, SHUT_RDWR);
	}
}

static void transfer_idle(struct timer *timer)
{
	struct http_transfer *t = container_of(timer, struct http_transfer, idle);
	uint64_t limit = t->req->idle_ms * 1000000, gone = loop_now(t->http->loop) - t->active_ns;

	if (gone < limit) {
		timer_start(t->http->loop, &t->idle, (limit - gone) / 1000000 + 1, transfer_idle);
		return;
	}
	connection_cut(t);
	t->abort = -ETIMEDOUT;
	transfer_end(t, CURLE_OPERATION_TIMEDOUT);
}

/* ---- callbacks of curl ---- */

static size_t on_head_line(char *p, size_t one, size_t n, void *arg)
{
	struct http_transfer *t = arg;
	long status = 0;

	if (!t->req)
		return 0;
	t->active_ns = loop_now(t->http->loop);
	if (n >= 5 && !memcmp(p, "HTTP/", 5) && !t->head_done)
		strv_done(&t->headers);
	else
		http_head_add(&t->headers, p, n);
	if (t->head_done || (n > 0 && p[0] != '\r' && p[0] != '\n'))
		return n;
	curl_easy_getinfo(t->handle.easy, CURLINFO_RESPONSE_CODE, &status);
	if (status < 200)
		return n;
	t->head_done = true;
	t->req->status = (int)status;
	if (t->req->head_fn)
		t->req->head_fn(t->req);
	return t->req ? n : 0;
}

static size_t on_body(char *p, size_t one, size_t n, void *arg)
{
	struct http_transfer *t = arg;
	struct http_req *r = t->req;
	int code = 0;

	if (!r || n == 0)
		return 0;
	t->active_ns = loop_now(t->http->loop);
	if (r->status >= 400) {
		buf_add(&r->response, p, MIN(n, HTTP_ERROR_BODY - MIN(r->response.len, HTTP_ERROR_BODY)));
		return n;
	}
	if (r->body_fn)
		code = r->body_fn(r, p, n);
	else
		buf_add(&r->response, p, n);
	if (!t->req)
		return 0;
	t->abort = code < 0 ? code : r->body_fn || buf_ok(&r->response) ? 0 : -EFBIG;
	return t->abort ? 0 : n;
}

static size_t on_read(char *p, size_t one, size_t n, void *arg)
{
	struct http_transfer *t = arg;
	ssize_t got;

	if (!t->req)
		return CURL_READFUNC_ABORT;
	t->active_ns = loop_now(t->http->loop);
	got = t->req->read_fn(t->req, p, n);
	if (!t->req)
		return CURL_READFUNC_ABORT;
	if (got == -EAGAIN)
		return CURL_READFUNC_PAUSE;
	if (got < 0) {
		t->abort = (int)got;
		return CURL_READFUNC_ABORT;
	}
	return (size_t)got;
}

/* ---- sockets and time ---- */

static void complete_all(struct http *h)
{
	CURLMsg *m;
	int left;

	while ((m = curl_multi_info_read(h->multi, &left))) {
		struct http_handle *x = NULL;
		CURLcode rc = m->data.result;

		if (m->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &x);
		x->done(x, rc);
	}
}

static void transfer_add(struct http_transfer *t)
{
	t->state = TRANSFER_RUNNING;
	curl_multi_add_handle(t->http->multi, t->handle.easy);
}

static void transfer_resume(struct http_transfer *t)
{
	t->resume = false;
	t->http->in_curl = true;
	curl_easy_pause(t->handle.easy, CURLPAUSE_CONT);
	t->http->in_curl = false;
}

static bool settle_one(struct http *h)
{
	for (struct http_transfer *t = h->transfers; t; t = t->next) {
		if (t->state == TRANSFER_DEAD)
			transfer_free(t);
		else if (t->state == TRANSFER_PENDING)
			transfer_add(t);
		else if (t->resume)
			transfer_resume(t);
		else
			continue;
		return true;
	}
	return false;
}

static void http_settle(struct http *h)
{
	while (settle_one(h))
		;
	http_streams_reap(h);
	complete_all(h);
}

static void http_act(struct http *h, curl_socket_t fd, int mask)
{
	int running;

	h->in_curl = true;
	curl_multi_socket_action(h->multi, fd, mask, &running);
	h->in_curl = false;
	http_settle(h);
}

static void on_time(struct timer *t)
{
	http_act(container_of(t, struct http, timer), CURL_SOCKET_TIMEOUT, 0);
}

static int on_timer_set(CURLM *multi, long ms, void *arg)
{
	struct http *h = arg;

	if (ms < 0)
		timer_stop(&h->timer);
	else
		timer_start(h->loop, &h->timer, (uint64_t)ms, on_time);
	return 0;
}

static void on_sock_ready(struct io *io, unsigned events)
{
	int mask = ((events & IO_IN) ? CURL_CSELECT_IN : 0) | ((events & IO_OUT) ? CURL_CSELECT_OUT : 0) |
		   ((events & IO_ERR) ? CURL_CSELECT_ERR : 0);

	http_act(container_of(io, struct http_sock, io)->http, io->fd, mask);
}

static void sock_free(struct http_sock *s)
{
	struct http_sock **p = &s->http->socks;

	while (*p != s)
		p = &(*p)->next;
	*p = s->next;
	io_stop(&s->io);
	free(s);
}

static int on_sock_set(CURL *easy, curl_socket_t fd, int what, void *arg, void *sock)
{
	struct http *h = arg;
	struct http_sock *s = sock;
	unsigned events = ((what & CURL_POLL_IN) ? IO_IN : 0) | ((what & CURL_POLL_OUT) ? IO_OUT : 0);

	if (what == CURL_POLL_REMOVE) {
		if (s)
			sock_free(s);
		return 0;
	}
	if (s) {
		io_set(&s->io, events);
		return 0;
	}
	s = xcalloc(1, sizeof(*s));
	s->http = h;
	s->next = h->socks;
	h->socks = s;
	io_start(h->loop, &s->io, fd, events, on_sock_ready);
	curl_multi_assign(h->multi, fd, s);
	return 0;
}

/* ---- client ---- */

struct http *http_new(struct loop *l)
{
	struct http *h = xcalloc(1, sizeof(*h));

	http_global_init();
	h->loop = l;
	h->multi = curl_multi_init();
	assert(h->multi);
	curl_multi_setopt(h->multi, CURLMOPT_SOCKETFUNCTION, on_sock_set);
	curl_multi_setopt(h->multi, CURLMOPT_SOCKETDATA, h);
	curl_multi_setopt(h->multi, CURLMOPT_TIMERFUNCTION, on_timer_set);
	curl_multi_setopt(h->multi, CURLMOPT_TIMERDATA, h);
	curl_multi_setopt(h->multi, CURLMOPT_MAXCONNECTS, 16l);
	return h;
}

struct http *http_free(struct http *h)
{
	if (!h)
		return NULL;
	assert(!h->in_curl && !h->busy);
	while (h->streams)
		http_stream_free(h->streams);
	while (h->transfers) {
		struct http_transfer *t = h->transfers;

		if (t->req)
			t->req->transfer = NULL;
		transfer_free(t);
	}
	curl_multi_cleanup(h->multi);
	while (h->socks)
		sock_free(h->socks);
	timer_stop(&h->timer);
	free(h);
	return NULL;
}

void http_leave(struct http *h)
{
	assert(!h->in_curl && !h->busy && !h->transfers);
	for (struct http_sock *s = h->socks; s; s = s->next)
		io_stop(&s->io);
	timer_stop(&h->timer);
	http_streams_leave(h);
}

void http_join(struct http *h, struct loop *l)
{
	h->loop = l;
	for (struct http_sock *s = h->socks; s; s = s->next)
		io_start(l, &s->io, s->io.fd, s->io.events, on_sock_ready);
	timer_start(l, &h->timer, 0, on_time);
	http_streams_join(h);
}

/* ---- requests ---- */

static bool has_header(const struct http_req *r, const char *name)
{
	size_t n = strlen(name);

	for (const char *const *h = r->headers; h && *h; h++)
		if (!strncasecmp(*h, name, n) && (*h)[n] == ':')
			return true;
	return false;
}

static void add_header(struct http_transfer *t, const char *line)
{
	t->handle.headers = curl_slist_append(t->handle.headers, line);
}

static void set_headers(struct http_transfer *t, const struct http_req *r)
{
	for (const char *const *h = r->headers; h && *h; h++)
		add_header(t, *h);
	add_header(t, "Expect:");
	if (!has_header(r, "Content-Type") && !r->read_fn)
		add_header(t, r->body ? "Content-Type: application/json" : "Content-Type:");
	if (r->to->bearer) {
		autofree char *line = xasprintf("Authorization: Bearer %s", r->to->bearer);

		add_header(t, line);
		explicit_bzero(line, strlen(line));
	}
	curl_easy_setopt(t->handle.easy, CURLOPT_HTTPHEADER, t->handle.headers);
}

static void set_body(struct http_transfer *t, const struct http_req *r)
{
	CURL *easy = t->handle.easy;

	if (r->read_fn) {
		curl_easy_setopt(easy, CURLOPT_UPLOAD, 1l);
		curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_read);
		curl_easy_setopt(easy, CURLOPT_READDATA, t);
		/* cannot be sent a second time, as curl does when a kept connection turns out to be dead */
		curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1l);
	} else if (r->body || streq(r->method, "POST") || streq(r->method, "PUT")) {
		curl_easy_setopt(easy, CURLOPT_POST, 1l);
		curl_easy_setopt(easy, CURLOPT_POSTFIELDS, r->body ? r->body : "");
		curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)(r->body ? r->body_len : 0));
	} else if (streq(r->method, "HEAD")) {
		curl_easy_setopt(easy, CURLOPT_NOBODY, 1l);
		return;
	}
	curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, r->method);
}

static void set_callbacks(struct http_transfer *t)
{
	CURL *easy = t->handle.easy;

	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_head_line);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, t);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, t);
}

/* Whether the server has HTTP/2 is known once TLS stands: the second request waits for that. Without TLS nothing would say it. */
static void set_shared(struct http_transfer *t, const struct http_req *r)
{
	if (!r->shared || !str_starts(r->to->base, "https:"))
		return;
	curl_easy_setopt(t->handle.easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
	curl_easy_setopt(t->handle.easy, CURLOPT_PIPEWAIT, 1l);
}

int http_start(struct http *h, struct http_req *r, struct err *err)
{
	struct http_transfer *t = xcalloc(1, sizeof(*t));
	int code;

	http_req_done(r);
	r->status = 0;
	buf_init(&r->response, r->max_response ? r->max_response : RESPONSE_MAX);
	t->http = h;
	t->req = r;
	t->handle.done = transfer_done;
	code = http_handle_init(&t->handle, r->to, r->path, r->timeout_ms, err);
	if (code < 0) {
		free(t);
		return code;
	}
	set_headers(t, r);
	set_body(t, r);
	set_callbacks(t);
	set_shared(t, r);
	curl_easy_setopt(t->handle.easy, CURLOPT_TIMEOUT_MS, (long)MIN(r->timeout_ms, (uint64_t)INT32_MAX));
	t->active_ns = loop_now(h->loop);
	if (r->idle_ms)
		timer_start(h->loop, &t->idle, r->idle_ms, transfer_idle);
	t->next = h->transfers;
	h->transfers = t;
	r->transfer = t;
	if (!h->in_curl)
		transfer_add(t);
	return 0;
}

void http_cancel(struct http_req *r)
{
	struct http_transfer *t = r->transfer;

	if (!t || t->state == TRANSFER_ENDED)
		return;
	r->transfer = NULL;
	t->req = NULL;
	timer_stop(&t->idle);
	if (t->http->in_curl && t->state == TRANSFER_RUNNING)
		t->state = TRANSFER_DEAD;
	else
		transfer_free(t);
}

void http_resume(struct http_req *r)
{
	struct http_transfer *t = r->transfer;

	if (!t || t->state == TRANSFER_ENDED)
		return;
	if (t->http->in_curl || t->state != TRANSFER_RUNNING)
		t->resume = true;
	else
		transfer_resume(t);
}

void http_req_done(struct http_req *r)
{
	http_cancel(r);
	if (r->transfer)
		transfer_free(r->transfer);
	r->transfer = NULL;
	buf_done(&r->response);
}

const char *http_header(const struct http_req *r, const char *name)
{
	return r->transfer ? http_head_find(&r->transfer->headers, name) : NULL;
}

int http_wait(struct http *h, struct http_req *r, uint64_t deadline_ns, struct err *err)
{
	struct waiter w = { .err = err };
	int code;

	if (!r->transfer || r->transfer->state == TRANSFER_ENDED) {
		code = http_start(h, r, err);
		if (code < 0)
			return code;
	}
	r->transfer->waiter = &w;
	code = loop_run(h->loop, &w.done, deadline_ns);
	if (code == 0)
		return w.code;
	http_cancel(r);
	if (code == -ETIMEDOUT)
		return err_set(err, code, "%s did not answer in time", http_where(r->to));
	return err_set(err, code, "interrupted");
}
