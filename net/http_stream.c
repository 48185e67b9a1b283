/* SPDX-License-Identifier: Apache-2.0 */
/* How it works: curl makes the connection (proxy, TLS) with CONNECT_ONLY and leaves it to us; the handle stays in the
 * multi, which owns the connection. We watch its socket, and call curl_easy_recv() until CURLE_AGAIN, as TLS may hold bytes
 * that the socket no longer shows. Bytes to send are frozen in `sending` until all of them are out, because TLS wants the
 * same buffer again after "again"; new ones gather in `waiting`.
 *
 * connecting → head (request sent, answer's head awaited) → open, or refused (the error's body is read) → dead. */
#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "base/num.h"
#include "net/http_internal.h"

#define SEND_MAX	(4u << 20)
#define RECV_BYTES	(128u << 10)
#define RECV_ROUNDS	16
#define REFUSED_MS	2000	/* for the body of a refusal that does not say its length */

enum stream_state { STREAM_CONNECTING, STREAM_HEAD, STREAM_OPEN, STREAM_REFUSED, STREAM_DEAD };

struct http_stream {
	struct http_handle handle;
	enum stream_state state;
	struct http *http;
	struct http_stream *next;
	const struct http_stream_ops *ops;
	void *owner;
	struct io io;
	int fd;
	struct timer timeout, more;
	struct buf sending, waiting, head;
	size_t sent;			/* of sending */
	struct strv headers;
	int status;
	uint64_t body_len;		/* of a refusal; UINT64_MAX: not said */
	bool paused, hung_up, end, shut, unflushed;
	unsigned busy;			/* callbacks on the stack: memory stays until they return */
};

/* ---- life ---- */

void http_stream_free(struct http_stream *s)
{
	struct http_stream **p = &s->http->streams;

	while (*p != s)
		p = &(*p)->next;
	*p = s->next;
	io_stop(&s->io);
	timer_stop(&s->timeout);
	timer_stop(&s->more);
	curl_multi_remove_handle(s->http->multi, s->handle.easy);
	http_handle_done(&s->handle);
	buf_done(&s->sending);
	buf_done(&s->waiting);
	buf_done(&s->head);
	strv_done(&s->headers);
	free(s);
}

static void stream_kill(struct http_stream *s)
{
	s->state = STREAM_DEAD;
	io_stop(&s->io);
	timer_stop(&s->timeout);
	timer_stop(&s->more);
}

static void stream_release(struct http_stream *s)
{
	if (s->state == STREAM_DEAD && !s->busy && !s->http->in_curl)
		http_stream_free(s);
}

void http_streams_reap(struct http *h)
{
	for (struct http_stream *s = h->streams, *next; s; s = next) {
		next = s->next;
		stream_release(s);
	}
}

static void stream_enter(struct http_stream *s)
{
	s->busy++;
	s->http->busy++;
}

static void stream_leave(struct http_stream *s)
{
	s->busy--;
	s->http->busy--;
	stream_release(s);
}

/* The end, once. */
static void stream_over(struct http_stream *s, int code, const struct err *err)
{
	static const struct err none;

	if (s->state == STREAM_DEAD)
		return;
	stream_kill(s);
	s->busy++;
	s->http->busy++;
	s->ops->on_close(s, s->owner, code, err ? err : &none);
	stream_leave(s);
}

static void stream_fail(struct http_stream *s, CURLcode rc)
{
	struct err err = { 0 };
	int code = http_curl_error(&s->handle, rc, &err);

	stream_over(s, code, &err);
}

static void stream_fail_text(struct http_stream *s, int code, const char *text)
{
	struct err err;

	err_set(&err, code, "%s %s", http_where(s->handle.to), text);
	stream_over(s, code, &err);
}

/* ---- sending ---- */

size_t http_stream_queued(const struct http_stream *s)
{
	return s->sending.len - s->sent + s->waiting.len;
}

/* Bytes or the half-close are still to go out. */
static bool stream_pending(const struct http_stream *s)
{
	return http_stream_queued(s) || s->unflushed || (s->end && !s->shut);
}

static CURLcode stream_flush(struct http_stream *s)
{
	while (http_stream_queued(s)) {
		size_t n = 0;
		CURLcode rc;

		if (s->sent == s->sending.len) {
			struct buf empty = s->sending;

			buf_reset(&empty);
			s->sending = s->waiting;
			s->waiting = empty;
			s->sent = 0;
		}
		rc = curl_easy_send(s->handle.easy, s->sending.data + s->sent, s->sending.len - s->sent, &n);
		if (rc) {
			s->unflushed = !http_tls_flush(&s->handle);
			return rc;
		}
		s->sent += n;
	}
	s->unflushed = !http_tls_flush(&s->handle);
	if (s->unflushed)
		return CURLE_AGAIN;
	if (s->end && !s->shut) {
		s->shut = true;
		(void)shutdown(s->fd, SHUT_WR);
	}
	return CURLE_OK;
}

/* ---- receiving ---- */

static void refused_check(struct http_stream *s, bool over)
{
	struct err err = { 0 };
	int code;

	if (!over && s->head.len < MIN(s->body_len, HTTP_ERROR_BODY))
		return;
	if (s->status >= 400)
		code = http_status_error(s->status, s->head.data, s->head.len, &err);
	else
		code = err_set(&err, -EPROTO, "%s answered HTTP status %d instead of switching to a stream",
			       http_where(s->handle.to), s->status);
	stream_over(s, code, &err);
}

static void on_timeout(struct timer *t)
{
	struct http_stream *s = container_of(t, struct http_stream, timeout);

	if (s->state == STREAM_REFUSED)
		refused_check(s, true);
	else
		stream_fail_text(s, -ETIMEDOUT, "did not answer in time");
}

static void head_refused(struct http_stream *s)
{
	const char *len = http_head_find(&s->headers, "Content-Length");

	s->state = STREAM_REFUSED;
	if (!len || num_u64(len, UINT32_MAX, &s->body_len))
		s->body_len = UINT64_MAX;
	timer_start(s->http->loop, &s->timeout, REFUSED_MS, on_timeout);
	refused_check(s, false);
}

static void head_open(struct http_stream *s)
{
	struct buf rest = s->head;

	s->head = (struct buf){ 0 };
	s->state = STREAM_OPEN;
	timer_stop(&s->timeout);
	s->ops->on_open(s, s->owner);
	if (s->state == STREAM_OPEN && rest.len)
		s->ops->on_data(s, s->owner, rest.data, rest.len);
	buf_done(&rest);
}

static void head_check(struct http_stream *s)
{
	do {
		ssize_t n;

		strv_done(&s->headers);
		n = http_head_parse(s->head.data, s->head.len, &s->status, &s->headers);
		if (n < 0 || (n == 0 && s->head.len > HTTP_HEAD_MAX)) {
			stream_fail_text(s, -EBADMSG, "does not speak HTTP");
			return;
		}
		if (n == 0)
			return;
		buf_consume(&s->head, (size_t)n);
	} while (s->status < 200 && s->status != 101);
	if (s->status == 101 || s->status == 200)
		head_open(s);
	else
		head_refused(s);
}

static void stream_got(struct http_stream *s, const char *p, size_t n)
{
	if (s->state == STREAM_OPEN) {
		s->ops->on_data(s, s->owner, p, n);
		return;
	}
	buf_add(&s->head, p, n);
	if (s->state == STREAM_HEAD)
		head_check(s);
	else if (s->state == STREAM_REFUSED)
		refused_check(s, s->head.overflow);
}

static void stream_eof(struct http_stream *s)
{
	if (s->state == STREAM_OPEN)
		stream_over(s, 0, NULL);
	else if (s->state == STREAM_REFUSED)
		refused_check(s, true);
	else
		stream_fail_text(s, -ECONNRESET, "closed the connection without an answer");
}

static void on_more(struct timer *t);

static void stream_receive(struct http_stream *s)
{
	char p[RECV_BYTES];

	for (int i = 0; i < RECV_ROUNDS; i++) {
		size_t n = 0;
		CURLcode rc;

		if (s->state == STREAM_DEAD || s->paused)
			return;
		rc = curl_easy_recv(s->handle.easy, p, sizeof(p), &n);
		if (rc == CURLE_AGAIN)
			return;
		if (rc && s->state == STREAM_REFUSED)
			refused_check(s, true);
		else if (rc)
			stream_fail(s, rc);
		else if (n == 0)
			stream_eof(s);
		else
			stream_got(s, p, n);
	}
	if (s->state != STREAM_DEAD && !s->paused)
		timer_start(s->http->loop, &s->more, 0, on_more);
}

static void stream_read(struct http_stream *s)
{
	stream_receive(s);
	if (s->state == STREAM_OPEN && s->ops->on_batch)
		s->ops->on_batch(s, s->owner);
}

/* ---- driving ---- */

static void on_ready(struct io *io, unsigned events);

static void stream_watch(struct http_stream *s)
{
	unsigned events = (s->paused ? 0 : IO_IN) | (stream_pending(s) ? IO_OUT : 0);

	if (s->state == STREAM_DEAD || s->state == STREAM_CONNECTING)
		return;
	if (s->hung_up && !events)
		io_stop(&s->io);	/* would be reported for ever */
	else if (!s->io.loop)
		io_start(s->http->loop, &s->io, s->fd, events, on_ready);
	else
		io_set(&s->io, events);
}

static void stream_write(struct http_stream *s)
{
	size_t queued = http_stream_queued(s);
	CURLcode rc = stream_flush(s);

	if (rc && rc != CURLE_AGAIN) {
		/* the peer may have said why before it closed */
		buf_reset(&s->sending);
		buf_reset(&s->waiting);
		s->sent = 0;
		stream_read(s);
		if (s->state != STREAM_DEAD && !s->paused)
			stream_fail(s, rc);
		return;
	}
	if (queued && !http_stream_queued(s) && s->state == STREAM_OPEN && s->ops->on_drain)
		s->ops->on_drain(s, s->owner);
}

static void on_ready(struct io *io, unsigned events)
{
	struct http_stream *s = container_of(io, struct http_stream, io);

	stream_enter(s);
	s->hung_up |= events & IO_ERR;
	if (stream_pending(s))
		stream_write(s);
	if ((events & IO_IN) && s->state != STREAM_DEAD)
		stream_read(s);
	stream_watch(s);
	stream_leave(s);
}

static void on_more(struct timer *t)
{
	struct http_stream *s = container_of(t, struct http_stream, more);

	stream_enter(s);
	stream_read(s);
	stream_watch(s);
	stream_leave(s);
}

/* curl has connected, or could not. */
static void stream_connected(struct http_handle *x, CURLcode rc)
{
	struct http_stream *s = container_of(x, struct http_stream, handle);
	curl_socket_t fd = CURL_SOCKET_BAD;

	if (s->state != STREAM_CONNECTING)
		return;
	if (!rc)
		rc = curl_easy_getinfo(x->easy, CURLINFO_ACTIVESOCKET, &fd);
	if (!rc && fd == CURL_SOCKET_BAD)
		rc = CURLE_COULDNT_CONNECT;
	if (rc) {
		stream_fail(s, rc);
		return;
	}
	s->fd = fd;
	s->state = STREAM_HEAD;
	stream_watch(s);
}

/* ---- opening ---- */

static void request_write(struct buf *b, const struct http_endpoint *to, const char *method, const char *path,
			  const char *const *headers, const void *body, size_t body_len)
{
	const char *scheme = strstr(to->base, "://"), *host = scheme ? scheme + 3 : to->base;
	int host_len = (int)strcspn(host, "/");
	const char *below = host + host_len;		/* what base has besides: an API server behind a proxy */

	buf_addf(b, "%s %s%s HTTP/1.1\r\nHost: ", method, below, path);
	if (to->server_name)
		buf_adds(b, to->server_name);
	else
		buf_addf(b, "%.*s", host_len, host);
	buf_adds(b, "\r\nUser-Agent: firestream\r\n");
	if (to->bearer)
		buf_addf(b, "Authorization: Bearer %s\r\n", to->bearer);
	for (; headers && *headers; headers++)
		buf_addf(b, "%s\r\n", *headers);
	if (body)
		buf_addf(b, "Content-Length: %zu\r\n", body_len);
	buf_adds(b, "\r\n");
	if (body)
		buf_add(b, body, body_len);
}

struct http_stream *http_stream_open(struct http *h, const struct http_endpoint *to, const char *method, const char *path,
				     const char *const *headers, const void *body, size_t body_len, uint64_t timeout_ms,
				     const struct http_stream_ops *ops, void *owner, struct err *err)
{
	struct http_stream *s = xcalloc(1, sizeof(*s));

	assert(!h->in_curl);
	*s = (struct http_stream){
		.http = h, .ops = ops, .owner = owner, .fd = -1, .handle.done = stream_connected,
		.sending = BUF_INIT(2 * SEND_MAX), .waiting = BUF_INIT(2 * SEND_MAX),
		.head = BUF_INIT(HTTP_HEAD_MAX + RECV_BYTES),	/* what follows it may come with it */
	};
	if (http_handle_init(&s->handle, to, path, timeout_ms, err) < 0) {
		free(s);
		return NULL;
	}
	http_tls_prepare(&s->handle);
	request_write(&s->waiting, to, method, path, headers, body, body_len);
	curl_easy_setopt(s->handle.easy, CURLOPT_CONNECT_ONLY, 1l);
	curl_easy_setopt(s->handle.easy, CURLOPT_FRESH_CONNECT, 1l);
	s->next = h->streams;
	h->streams = s;
	timer_start(h->loop, &s->timeout, timeout_ms ? timeout_ms : HTTP_CONNECT_MS, on_timeout);
	curl_multi_add_handle(h->multi, s->handle.easy);
	return s;
}

/* ---- the open stream ---- */

int http_stream_send(struct http_stream *s, const void *p, size_t n)
{
	if (s->state != STREAM_OPEN || s->end)
		return s->end ? -EPIPE : -ENOTCONN;
	if (n > SEND_MAX - MIN(http_stream_queued(s), SEND_MAX))
		return -EAGAIN;
	buf_add(&s->waiting, p, n);
	if (!s->http->in_curl)
		(void)stream_flush(s);	/* an error shows again, and is told, when the loop finds it */
	stream_watch(s);
	return 0;
}

struct buf *http_stream_out(struct http_stream *s)
{
	return &s->waiting;
}

void http_stream_flush(struct http_stream *s)
{
	if (s->state != STREAM_OPEN)
		return;
	if (!s->http->in_curl)
		(void)stream_flush(s);
	stream_watch(s);
}

void http_stream_end(struct http_stream *s)
{
	if (s->state != STREAM_OPEN)
		return;
	s->end = true;
	if (!s->http->in_curl)
		(void)stream_flush(s);
	stream_watch(s);
}

void http_stream_pause(struct http_stream *s, bool pause)
{
	if (s->state != STREAM_OPEN || s->paused == pause)
		return;
	s->paused = pause;
	if (!pause)
		timer_start(s->http->loop, &s->more, 0, on_more);	/* TLS may hold bytes */
	stream_watch(s);
}

void http_stream_close(struct http_stream *s)
{
	if (!s || s->state == STREAM_DEAD)
		return;
	stream_kill(s);
	stream_release(s);
}

unsigned http_stream_unheard_ms(const struct http_stream *s)
{
#ifdef __linux__
	struct tcp_info info = { 0 };
	socklen_t n = sizeof(info);

	if (s->fd >= 0 && getsockopt(s->fd, IPPROTO_TCP, TCP_INFO, &info, &n) == 0 && info.tcpi_unacked + info.tcpi_probes)
		return info.tcpi_last_ack_recv;
#endif
	return 0;
}

/* ---- another loop ---- */

void http_streams_leave(struct http *h)
{
	for (struct http_stream *s = h->streams; s; s = s->next) {
		assert(s->state == STREAM_OPEN || s->state == STREAM_DEAD);
		io_stop(&s->io);
		timer_stop(&s->more);
	}
}

void http_streams_join(struct http *h)
{
	for (struct http_stream *s = h->streams; s; s = s->next) {
		stream_watch(s);
		if (s->state == STREAM_OPEN && !s->paused)
			timer_start(h->loop, &s->more, 0, on_more);
	}
}

const char *http_stream_header(const struct http_stream *s, const char *name)
{
	return http_head_find(&s->headers, name);
}
