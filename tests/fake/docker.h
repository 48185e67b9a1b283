/* SPDX-License-Identifier: Apache-2.0 */
/* fake docker: an engine that answers from a table and remembers what it was asked.
 *
 * A route matches when its call ("POST /build") starts "METHOD path" of the request, its "/vX.Y" taken off; the first one
 * counts. Unmatched: GET /_ping is answered, the rest is 404. */
#pragma once

#include <stddef.h>

enum fake_kind {
	FAKE_REPLY,	/* status and body */
	FAKE_STREAM,	/* 200 and the body in chunks of a byte */
	FAKE_CUT,	/* the same, but the connection is cut before the end */
	FAKE_HANG,	/* no answer */
	FAKE_UPGRADE,	/* 101, the body, the end */
	FAKE_ECHO,	/* 101, every byte of stdin back in a frame of stdout, then the body, the end */
	FAKE_STALL,	/* 101, the body, no end */
};

struct fake_route {
	const char *call;
	enum fake_kind kind;
	int status;
	const char *body;
	size_t len;	/* 0: strlen(body) */
};

struct fake_docker;

struct fake_docker *fake_docker_start(const struct fake_route *routes, size_t n);	/* routes: borrowed */
void fake_docker_stop(struct fake_docker *f);
const char *fake_docker_host(const struct fake_docker *f);	/* "unix://…" */
/* Another table from the next request on. */
void fake_docker_routes(struct fake_docker *f, const struct fake_route *routes, size_t n);
/* The last request: "METHOD path" with its version, and its body. Valid until the next one. */
const char *fake_docker_call(const struct fake_docker *f);
const char *fake_docker_body(const struct fake_docker *f, size_t *ret_len);
