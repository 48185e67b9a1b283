/* SPDX-License-Identifier: Apache-2.0 */
/* httpd: an HTTP/1.1 server for tests, on a unix socket and on 127.0.0.1, one thread per connection.
 *
 * Each request (body read as a whole) goes to one function, on the connection's thread, which answers with the functions
 * below: properly, or by hanging, cutting, garbage or a raw stream. httpd_stop() ends every connection and joins. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct httpd;

struct httpd_req {
	char method[16], path[2048];	/* path with query */
	char *head;			/* request line and headers */
	char *body;			/* NUL-terminated */
	size_t body_len;
	bool close;			/* set by the handler: cut the connection afterwards */
	unsigned number;		/* of this request on its connection, from 0 */
	struct httpd *server;
	int fd;
};

typedef void (*httpd_fn)(struct httpd_req *q, void *arg);

struct httpd *httpd_start(httpd_fn fn, void *arg);
void httpd_stop(struct httpd *d);
const char *httpd_socket(const struct httpd *d);	/* path of the unix socket */
unsigned httpd_port(const struct httpd *d);
unsigned httpd_connections(const struct httpd *d);	/* accepted so far */
void httpd_set_deaf(struct httpd *d, bool deaf);	/* of new connections nothing is read */

/* A whole answer; type NULL: application/json. */
void httpd_reply(struct httpd_req *q, int status, const char *type, const char *body);
/* The head of a chunked answer, its chunks, its end. extra: "Name: value\r\n…" or NULL. */
void httpd_stream(struct httpd_req *q, int status, const char *extra);
void httpd_chunk(struct httpd_req *q, const void *p, size_t n);
void httpd_chunks(struct httpd_req *q, const char *text);
void httpd_end(struct httpd_req *q);
/* Raw bytes. write: false once the peer is gone; read: 0 at its end. */
bool httpd_write(struct httpd_req *q, const void *p, size_t n);
bool httpd_puts(struct httpd_req *q, const char *s);
ssize_t httpd_read(struct httpd_req *q, void *p, size_t n);
/* Silence until the peer goes or the server stops. */
void httpd_hang(struct httpd_req *q);
/* Value of a request header into ret, or "". */
const char *httpd_header(const struct httpd_req *q, const char *name, char *ret, size_t n);
