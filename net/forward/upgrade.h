/* SPDX-License-Identifier: Apache-2.0 */
/* upgrade: asks the API server to turn an HTTP connection into a port-forward, in one of two ways, and judges its answer.
 *
 * POST: SPDY/3.1, as kubectl had it until 1.30; wants the verb `create` on pods/portforward. GET: a WebSocket (RFC 6455) that
 * carries SPDY (KEP-4006) or, of servers before 1.30, v4.channel.k8s.io; wants the verb `get`. */
#pragma once

#include <stdint.h>

#include "net/http.h"

enum upgrade_way { UPGRADE_POST, UPGRADE_GET };
enum upgrade_protocol { UPGRADE_NONE, UPGRADE_SPDY, UPGRADE_SPDY_WS, UPGRADE_V4 };

struct upgrade {
	enum upgrade_way way;
	char accept[32];		/* what the server's WebSocket has to answer to our key */
};

const char *upgrade_protocol_name(enum upgrade_protocol p);
/* path: of pods/NAME/portforward. port is said for v4 only, the others do not look. NULL on failure. */
struct http_stream *upgrade_start(struct upgrade *u, struct http *h, const struct http_endpoint *to, const char *path, uint16_t port,
				  uint64_t timeout_ms, const struct http_stream_ops *ops, void *owner, struct err *err);
/* What an opened stream speaks; UPGRADE_NONE: it is no upgrade that we asked for. */
enum upgrade_protocol upgrade_protocol(const struct upgrade *u, const struct http_stream *s);
