/* SPDX-License-Identifier: Apache-2.0 */
/* http: the one HTTP client, asynchronous, on libcurl's multi interface (the only user of <curl/curl.h>).
 *
 * A `struct http` drives transfers on one loop. An endpoint says where (unix socket or host) and with which TLS
 * identity; connections are kept and reused per endpoint. A request is described by plain data, started with
 * http_start(), and completes exactly once by on_done, or never after http_cancel(). on_done may free and start requests.
 * A status ≥ 400 is a failure: on_done gets the errno of the table below and the server's message (JSON "message",
 * else the first line of the body, at most 200 bytes).
 * 400/422 -EINVAL, 401/403 -EACCES, 404 -ENOENT, 409 -EEXIST, 410 -ESTALE, 429/5xx -EAGAIN; 304 counts as success.
 * Connection: refused -ECONNREFUSED, no socket -ENOENT, no permission -EPERM, deadline -ETIMEDOUT, TLS -EPROTO,
 * cut -ECONNRESET, too large a body -EFBIG, cancelled loop -ECANCELED. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/loop.h"

/* All strings owned by the endpoint; http_endpoint_done frees. */
struct http_endpoint {
	char *unix_path;	/* or NULL */
	char *base;		/* "http://docker", "https://127.0.0.1:6443"; no trailing slash */
	char *ca_pem, *cert_pem, *key_pem;	/* PEM text; NULL: system CAs, no client certificate */
	char *server_name;	/* TLS name to verify instead of base's host, or NULL */
	bool insecure;		/* no verification */
	char *bearer;		/* token, or NULL */
	char *proxy;		/* NULL: none (environment is not looked at) */
};

void http_endpoint_done(struct http_endpoint *e);
void http_endpoint_copy(const struct http_endpoint *from, struct http_endpoint *ret);

struct http;

struct http *http_new(struct loop *l);
struct http *http_free(struct http *h);		/* cancels what runs; returns NULL. Not from a callback of its requests */

/* An http with nothing but open streams may go to another loop, of another thread: leave on the one, join on the other. Not
 * from callbacks of its own. */
void http_leave(struct http *h);
void http_join(struct http *h, struct loop *l);

struct http_req;
typedef void (*http_done_fn)(struct http_req *r, int code, const struct err *err);
/* Bytes of a body. Returns 0, or -errno, which ends the request with that code. */
typedef int (*http_body_fn)(struct http_req *r, const void *p, size_t n);
/* Fills at most n bytes of the request body; returns the count, 0 at the end, -EAGAIN to pause (http_resume), -errno. */
typedef ssize_t (*http_read_fn)(struct http_req *r, void *p, size_t n);
/* Once, before the first body byte, with the final status. */
typedef void (*http_head_fn)(struct http_req *r);

struct http_req {
	/* in: set before http_start, strings and endpoint borrowed until completion */
	const struct http_endpoint *to;
	const char *method;		/* "GET" … */
	const char *path;		/* with query, starts with "/" */
	const char *const *headers;	/* "Name: value", NULL-terminated; or NULL */
	const void *body;		/* or read_fn */
	size_t body_len;
	http_read_fn read_fn;		/* streaming body, chunked; content type through headers */
	http_body_fn body_fn;		/* streaming response; NULL: collected in `response`. Not called for status ≥ 400 */
	http_head_fn head_fn;
	http_done_fn on_done;
	uint64_t timeout_ms;		/* whole request; 0: none (streams) */
	uint64_t idle_ms;		/* no byte for so long → -ETIMEDOUT; 0: none */
	size_t max_response;		/* of a collected body; 0: 16 MiB */
	/* May share a TLS connection with others of this kind, where the server has HTTP/2: many that are long and mostly silent.
	 * Silence beyond idle_ms ends the connection, and so its other requests (-ECONNRESET): else they would wait on a dead one. */
	bool shared;
	void *owner;			/* the caller's */

	/* out */
	int status;			/* HTTP status, 0 before the head */
	struct buf response;		/* collected body; http_req_done frees */

	struct http_transfer *transfer;	/* private */
};

/* 0, or -errno when it could not even start (then on_done is not called). */
int http_start(struct http *h, struct http_req *r, struct err *err) must_check;
void http_cancel(struct http_req *r);		/* no completion afterwards; no-op when not running */
void http_resume(struct http_req *r);		/* after read_fn's -EAGAIN */
void http_req_done(struct http_req *r);		/* cancels and frees `response` */
/* A response header of the running or ended request, or NULL; borrowed until http_req_done. */
const char *http_header(const struct http_req *r, const char *name);

/* Starts r unless it runs already, and runs the loop until it is complete; for programs that work step by step. Returns
 * what on_done would have got (it is not called). After -ETIMEDOUT or -ECANCELED of the loop r is cancelled. */
int http_wait(struct http *h, struct http_req *r, uint64_t deadline_ns, struct err *err) must_check;

/* Percent-encodes for a query value or path segment; appends. */
void http_escape(struct buf *b, const char *s);

/* ---- hijacked byte stream: exec, attach, port-forward ------------------------------------------------------------
 * Connects (CONNECT_ONLY, ALPN http/1.1), sends the request head, reads the answer's head. On 101 (or 200 for
 * Docker) on_open is called and the connection is a raw byte stream; any other status ends with its errno and message.
 * Bytes are only to be sent after on_open. */
struct http_stream;

struct http_stream_ops {
	void (*on_open)(struct http_stream *s, void *owner);
	void (*on_data)(struct http_stream *s, void *owner, const void *p, size_t n);
	void (*on_drain)(struct http_stream *s, void *owner);	/* the send queue became empty; may be NULL */
	/* The end: code 0 when the peer closed in order; the stream is gone after the call. Once, unless closed by us. */
	void (*on_close)(struct http_stream *s, void *owner, int code, const struct err *err);
	void (*on_batch)(struct http_stream *s, void *owner);	/* all that could be read now was given to on_data; may be NULL */
};

struct http_stream *http_stream_open(struct http *h, const struct http_endpoint *to, const char *method, const char *path,
				     const char *const *headers, const void *body, size_t body_len, uint64_t timeout_ms,
				     const struct http_stream_ops *ops, void *owner, struct err *err);
/* Queues bytes (at most 4 MiB may wait: -EAGAIN, nothing taken). */
int http_stream_send(struct http_stream *s, const void *p, size_t n) must_check;
size_t http_stream_queued(const struct http_stream *s);
/* Without a copy: append to the buffer, then flush. Borrowed, valid as long as the stream; the queue's limit is the caller's to keep. */
struct buf *http_stream_out(struct http_stream *s);
void http_stream_flush(struct http_stream *s);
/* Half-close after what is queued: shutdown(SHUT_WR), with TLS too (the peer sees the end, without close_notify). */
void http_stream_end(struct http_stream *s);
void http_stream_pause(struct http_stream *s, bool pause);	/* stop reading */
void http_stream_close(struct http_stream *s);			/* no on_close; NULL is fine */
/* How long, in ms, the peer's kernel has acknowledged nothing of what was sent; 0 where that cannot be told. */
unsigned http_stream_unheard_ms(const struct http_stream *s);
const char *http_stream_header(const struct http_stream *s, const char *name);
