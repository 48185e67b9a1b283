/* SPDX-License-Identifier: Apache-2.0 */
/* http internal: what http.c, http_setup.c and http_stream.c share; nobody else includes this.
 *
 * curl forbids most of its functions inside its own callbacks. `in_curl` is set while such callbacks may run: starts,
 * cancels, resumes and closes asked for there are only noted, and done by http_settle() right after. */
#pragma once

#include <curl/curl.h>

#include "base/str.h"
#include "net/http.h"

#define HTTP_ERROR_BODY		(64u << 10)	/* kept of the body of a failure */
#define HTTP_HEAD_MAX		(64u << 10)
#define HTTP_CONNECT_MS		10000

/* An easy handle in the multi; `done` is called when curl has finished with it. */
struct http_handle {
	CURL *easy;		/* owned; NULL: none */
	struct curl_slist *headers, *connect_to;
	const struct http_endpoint *to;
	void (*done)(struct http_handle *x, CURLcode rc);
	void *gather;		/* http_tls.c's; the connection owns it */
	char error[CURL_ERROR_SIZE];
};

struct http {
	struct loop *loop;
	CURLM *multi;
	struct timer timer;
	struct http_sock *socks;
	struct http_transfer *transfers;	/* pending, running and cancelled ones */
	struct http_stream *streams;
	bool in_curl;
	unsigned busy;				/* in a callback of a user: h must stay */
};

/* http_setup.c */
void http_global_init(void);
/* Makes the easy handle: address, TLS, proxy, timeouts; no method, no callbacks. */
int http_handle_init(struct http_handle *x, const struct http_endpoint *to, const char *path, uint64_t timeout_ms,
		     struct err *err) must_check;
void http_handle_done(struct http_handle *x);		/* must be out of the multi */
int http_curl_error(const struct http_handle *x, CURLcode rc, struct err *err);
int http_status_error(int status, const void *body, size_t n, struct err *err);
const char *http_where(const struct http_endpoint *to);

/* http_tls.c: fewer system calls, for streams. */
void http_tls_prepare(struct http_handle *x);		/* before it connects; what is sent is to be flushed then */
bool http_tls_flush(struct http_handle *x) must_check;	/* false: again when the socket can be written to */

/* http_head.c: the head of an answer, without curl. Returns its length, 0 when it is not complete, -EBADMSG. */
ssize_t http_head_parse(const char *p, size_t n, int *ret_status, struct strv *ret_headers);
/* Adds one "Name: value" line, CR LF cut off. */
void http_head_add(struct strv *headers, const char *p, size_t n);
const char *http_head_find(const struct strv *headers, const char *name);

/* http_stream.c */
void http_streams_reap(struct http *h);
void http_stream_free(struct http_stream *s);
void http_streams_leave(struct http *h);
void http_streams_join(struct http *h);
