/* SPDX-License-Identifier: Apache-2.0 */
/* How it works: OpenSSL reads and writes TLS record by record, 16 kB at most, with one or two system calls for each. For a stream that
 * moves much these cost more than the encryption. So it is told to read what there is, and its records are gathered in a
 * buffering BIO, which is flushed after each write of ours. Where curl has another TLS library, nothing of this is done. */
#include "net/http_internal.h"

#include <openssl/bio.h>
#include <openssl/ssl.h>
#include <string.h>

#define READ_BYTES (128u << 10)
#define WRITE_BYTES (128 << 10)

/* The handshake is over, its own buffering gone: from here on the records are gathered. */
static void on_handshake(const SSL *ssl, int where, int ret)
{
	struct http_handle *x = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
	BIO *below = SSL_get_wbio(ssl), *buffer;

	if (!(where & SSL_CB_HANDSHAKE_DONE) || x->gather || !(buffer = BIO_new(BIO_f_buffer())))
		return;
	BIO_set_write_buffer_size(buffer, WRITE_BYTES);
	BIO_up_ref(below);
	SSL_set0_wbio((SSL *)ssl, BIO_push(buffer, below));
	x->gather = buffer;
}

static CURLcode on_context(CURL *easy, void *context, void *arg)
{
	SSL_CTX_set_app_data(context, arg);
	SSL_CTX_set_info_callback(context, on_handshake);
	SSL_CTX_set_read_ahead(context, 1);
	SSL_CTX_set_default_read_buffer_len(context, READ_BYTES);
	return CURLE_OK;
}

/* SSL_CTX is the connection's own: CURLOPT_FRESH_CONNECT. */
void http_tls_prepare(struct http_handle *x)
{
	const char *tls = curl_version_info(CURLVERSION_NOW)->ssl_version;

	if (!tls || strncmp(tls, "OpenSSL/", 8))
		return;
	curl_easy_setopt(x->easy, CURLOPT_SSL_CTX_FUNCTION, on_context);
	curl_easy_setopt(x->easy, CURLOPT_SSL_CTX_DATA, x);
}

bool http_tls_flush(struct http_handle *x)
{
	return !x->gather || BIO_wpending((BIO *)x->gather) == 0 || BIO_flush((BIO *)x->gather) == 1;
}
