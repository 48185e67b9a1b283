/* SPDX-License-Identifier: Apache-2.0 */
#include "net/http_internal.h"

#include <errno.h>
#include <pthread.h>

#include "base/json.h"
#include "base/mem.h"

#define DNS_CACHE_S 1l		/* a node that is started again may have another address */
#define BUFFER_BYTES	(128l << 10)
#define FIRST_LINE	200

/* ---- endpoint ---- */

void http_endpoint_done(struct http_endpoint *e)
{
	free(e->unix_path);
	free(e->base);
	free(e->ca_pem);
	free(e->cert_pem);
	free_secret(e->key_pem);
	free(e->server_name);
	free_secret(e->bearer);
	free(e->proxy);
	*e = (struct http_endpoint){ 0 };
}

void http_endpoint_copy(const struct http_endpoint *from, struct http_endpoint *ret)
{
	*ret = (struct http_endpoint){
		.unix_path = xstrdup(from->unix_path), .base = xstrdup(from->base), .ca_pem = xstrdup(from->ca_pem),
		.cert_pem = xstrdup(from->cert_pem), .key_pem = xstrdup(from->key_pem), .server_name = xstrdup(from->server_name),
		.insecure = from->insecure, .bearer = xstrdup(from->bearer), .proxy = xstrdup(from->proxy),
	};
}

const char *http_where(const struct http_endpoint *to)
{
	return to->unix_path ? to->unix_path : to->base;
}

void http_escape(struct buf *b, const char *s)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~";

	for (; *s; s++) {
		if (strchr(plain, *s))
			buf_addc(b, *s);
		else
			buf_addf(b, "%%%02X", (unsigned char)*s);
	}
}

/* ---- easy handle ---- */

static void global_init_once(void)
{
	curl_global_init(CURL_GLOBAL_DEFAULT);
}

void http_global_init(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, global_init_once);
}

static void set_blob(CURL *easy, CURLoption option, const char *pem)
{
	struct curl_blob blob = { .data = (void *)pem, .len = strlen(pem), .flags = CURL_BLOB_COPY };

	curl_easy_setopt(easy, option, &blob);
}

static void set_tls(CURL *easy, const struct http_endpoint *to)
{
	if (to->ca_pem) {
		set_blob(easy, CURLOPT_CAINFO_BLOB, to->ca_pem);
		curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);	/* this CA and none of the system's */
	}
	if (to->cert_pem)
		set_blob(easy, CURLOPT_SSLCERT_BLOB, to->cert_pem);
	if (to->key_pem)
		set_blob(easy, CURLOPT_SSLKEY_BLOB, to->key_pem);
	if (to->insecure) {
		curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0l);
		curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0l);
	}
}

/* To verify another name than the address, the URL carries the name and the connection is sent to the address. */
static int set_url_named(struct http_handle *x, const char *path)
{
	autofree char *url = NULL, *to = NULL;
	char *host = NULL, *port = NULL, *scheme = NULL, *below = NULL;
	CURLU *u = curl_url();
	int r = -EINVAL;

	if (!curl_url_set(u, CURLUPART_URL, x->to->base, 0) && !curl_url_get(u, CURLUPART_HOST, &host, 0) &&
	    !curl_url_get(u, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) && !curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) &&
	    !curl_url_get(u, CURLUPART_PATH, &below, 0)) {
		url = xasprintf("%s://%s:%s%s%s", scheme, x->to->server_name, port, streq(below, "/") ? "" : below, path);
		to = xasprintf("::%s:%s", host, port);
		x->connect_to = curl_slist_append(NULL, to);
		curl_easy_setopt(x->easy, CURLOPT_URL, url);
		curl_easy_setopt(x->easy, CURLOPT_CONNECT_TO, x->connect_to);
		r = 0;
	}
	curl_free(host);
	curl_free(port);
	curl_free(scheme);
	curl_free(below);
	curl_url_cleanup(u);
	return r;
}

static int set_url(struct http_handle *x, const char *path)
{
	autofree char *url = NULL;

	if (x->to->server_name)
		return set_url_named(x, path);
	url = xasprintf("%s%s", x->to->base, path);
	return curl_easy_setopt(x->easy, CURLOPT_URL, url) ? -EINVAL : 0;
}

static void set_connection(struct http_handle *x, uint64_t timeout_ms)
{
	const struct http_endpoint *to = x->to;

	curl_easy_setopt(x->easy, CURLOPT_NOSIGNAL, 1l);
	curl_easy_setopt(x->easy, CURLOPT_QUICK_EXIT, 1l);	/* else the end of a request waits for its resolver's thread */
	curl_easy_setopt(x->easy, CURLOPT_DNS_CACHE_TIMEOUT, DNS_CACHE_S);
	curl_easy_setopt(x->easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(x->easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(x->easy, CURLOPT_USERAGENT, "firestream");
	curl_easy_setopt(x->easy, CURLOPT_TCP_KEEPALIVE, 1l);
	curl_easy_setopt(x->easy, CURLOPT_BUFFERSIZE, BUFFER_BYTES);
	curl_easy_setopt(x->easy, CURLOPT_UPLOAD_BUFFERSIZE, BUFFER_BYTES);
	curl_easy_setopt(x->easy, CURLOPT_ERRORBUFFER, x->error);
	curl_easy_setopt(x->easy, CURLOPT_PRIVATE, x);
	curl_easy_setopt(x->easy, CURLOPT_PROXY, to->proxy ? to->proxy : "");
	curl_easy_setopt(x->easy, CURLOPT_NOPROXY, "");
	curl_easy_setopt(x->easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1l);
	curl_easy_setopt(x->easy, CURLOPT_UNIX_SOCKET_PATH, to->unix_path);
	curl_easy_setopt(x->easy, CURLOPT_CONNECTTIMEOUT_MS,
			 (long)(timeout_ms ? MIN(timeout_ms, HTTP_CONNECT_MS) : HTTP_CONNECT_MS));
	set_tls(x->easy, to);
}

int http_handle_init(struct http_handle *x, const struct http_endpoint *to, const char *path, uint64_t timeout_ms,
		     struct err *err)
{
	x->to = to;
	x->easy = curl_easy_init();
	if (!x->easy)
		return err_set(err, -ENOMEM, "cannot make an HTTP request");
	set_connection(x, timeout_ms);
	if (set_url(x, path) < 0) {
		http_handle_done(x);
		return err_set(err, -EINVAL, "'%s' is not an address", to->base);
	}
	return 0;
}

void http_handle_done(struct http_handle *x)
{
	if (x->easy)
		curl_easy_cleanup(x->easy);
	curl_slist_free_all(x->headers);
	curl_slist_free_all(x->connect_to);
	x->easy = NULL;
	x->headers = x->connect_to = NULL;
}

/* ---- errors ---- */

static int connect_error(const struct http_handle *x, struct err *err)
{
	long os = 0;
	int code;

	curl_easy_getinfo(x->easy, CURLINFO_OS_ERRNO, &os);
	code = os > 0 ? -(int)os : -ECONNREFUSED;
	if (code == -EACCES)
		code = -EPERM;
	if (code == -ETIMEDOUT || code == -EINPROGRESS)
		code = -ETIMEDOUT;
	if (err)
		*err = (struct err){ .code = code };
	return err_wrap(err, code, "cannot connect to %s", http_where(x->to));
}

int http_curl_error(const struct http_handle *x, CURLcode rc, struct err *err)
{
	const char *where = http_where(x->to);
	const char *text = x->error[0] ? x->error : curl_easy_strerror(rc);

	switch ((int)rc) {
	case CURLE_COULDNT_CONNECT:
		return connect_error(x, err);
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_RESOLVE_PROXY:
		return err_set(err, -EHOSTUNREACH, "cannot find the host of %s", where);
	case CURLE_OPERATION_TIMEDOUT:
		return err_set(err, -ETIMEDOUT, "%s did not answer in time", where);
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_CIPHER:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_ISSUER_ERROR:
	case CURLE_SSL_INVALIDCERTSTATUS:
		return err_set(err, -EPROTO, "TLS with %s failed: %s", where, text);
	case CURLE_GOT_NOTHING:
	case CURLE_SEND_ERROR:
	case CURLE_RECV_ERROR:
	case CURLE_PARTIAL_FILE:
	case CURLE_SEND_FAIL_REWIND:
	case CURLE_HTTP2:
	case CURLE_HTTP2_STREAM:
		return err_set(err, -ECONNRESET, "%s cut the connection", where);
	case CURLE_URL_MALFORMAT:
	case CURLE_UNSUPPORTED_PROTOCOL:
		if (x->error[0] && strstr(x->error, "HTTP/0.9"))
			return err_set(err, -EBADMSG, "%s does not speak HTTP", where);
		return err_set(err, -EINVAL, "'%s' is not an address of HTTP", where);
	default:
		return err_set(err, -EBADMSG, "%s: %s", where, text);
	}
}

static int status_code(int status)
{
	switch (status) {
	case 401:
	case 403:
		return -EACCES;
	case 404:
		return -ENOENT;
	case 409:
		return -EEXIST;
	case 410:
		return -ESTALE;
	case 429:
		return -EAGAIN;
	default:
		return status >= 500 ? -EAGAIN : -EINVAL;
	}
}

/* A body may be chunked (read off a raw stream), so the object is looked for in it. */
static json *error_object(const char *body, size_t n)
{
	const char *open = n ? memchr(body, '{', n) : NULL;
	const char *close = n ? memrchr(body, '}', n) : NULL;

	return open && close && close > open ? json_parse(open, (size_t)(close - open) + 1, NULL) : NULL;
}

static int status_say(int status, const void *body, size_t n, struct err *err)
{
	int code = status_code(status);
	autojson json *j = error_object(body, n);
	const char *message = json_str(j, "message", NULL);
	struct str line = { body, n }, first;

	if (message && *message) {
		size_t len = strlen(message);

		while (len && strchr(" \r\n.", message[len - 1]))
			len--;
		return err_set(err, code, "%.*s", (int)len, message);
	}
	if (n && str_split(&line, '\n', &first) && (first = str_trim(first)).len)
		return err_set(err, code, "%.*s (HTTP %d)", (int)MIN(first.len, FIRST_LINE), first.p, status);
	return err_set(err, code, "HTTP status %d", status);
}

int http_status_error(int status, const void *body, size_t n, struct err *err)
{
	int code = status_say(status, body, n, err);

	if (err)
		str_printable(err->msg);
	return code;
}
