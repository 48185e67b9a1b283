/* SPDX-License-Identifier: Apache-2.0 */
#include "net/forward/upgrade.h"

#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"
#include "base/str.h"

#define WEBSOCKET_GUID "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"	/* RFC 6455 section 1.3 */
#define SPDY_IN_WS "SPDY/3.1+portforward.k8s.io"
#define V4 "v4.channel.k8s.io"

const char *upgrade_protocol_name(enum upgrade_protocol p)
{
	static const char *const names[] = {
		[UPGRADE_NONE] = "none", [UPGRADE_SPDY] = "SPDY", [UPGRADE_SPDY_WS] = "SPDY in a WebSocket", [UPGRADE_V4] = "WebSocket v4",
	};

	return names[p];
}

/* RFC 6455 section 4.1: a nonce; section 4.2.2: the server proves that it has read it. */
static char *key_make(struct upgrade *u)
{
	auto(buf) struct buf key = BUF_INIT(64), accept = BUF_INIT(64);
	autofree char *both = NULL;
	uint8_t bytes[16], sum[20];

	random_bytes(bytes, sizeof(bytes));
	base64_encode(&key, bytes, sizeof(bytes), false);
	both = xasprintf("%s" WEBSOCKET_GUID, buf_str(&key));
	hash_sha1(both, strlen(both), sum);
	base64_encode(&accept, sum, sizeof(sum), false);
	snprintf(u->accept, sizeof(u->accept), "%s", buf_str(&accept));
	return buf_steal(&key);
}

struct http_stream *upgrade_start(struct upgrade *u, struct http *h, const struct http_endpoint *to, const char *path, uint16_t port,
				  uint64_t timeout_ms, const struct http_stream_ops *ops, void *owner, struct err *err)
{
	static const char *const post[] = { "Connection: Upgrade", "Upgrade: SPDY/3.1",
					    "X-Stream-Protocol-Version: portforward.k8s.io", "Content-Length: 0", NULL };
	autofree char *key = key_make(u), *key_line = xasprintf("Sec-WebSocket-Key: %s", key);
	autofree char *get_path = xasprintf("%s?ports=%u", path, port);
	const char *const get[] = { "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", key_line,
				    "Sec-WebSocket-Protocol: " SPDY_IN_WS ", " V4, NULL };

	if (u->way == UPGRADE_POST)
		return http_stream_open(h, to, "POST", path, post, NULL, 0, timeout_ms, ops, owner, err);
	return http_stream_open(h, to, "GET", get_path, get, NULL, 0, timeout_ms, ops, owner, err);
}

enum upgrade_protocol upgrade_protocol(const struct upgrade *u, const struct http_stream *s)
{
	const char *upgrade = http_stream_header(s, "Upgrade");
	const char *accept = http_stream_header(s, "Sec-WebSocket-Accept");
	const char *chosen = http_stream_header(s, "Sec-WebSocket-Protocol");

	if (!upgrade)
		return UPGRADE_NONE;
	if (u->way == UPGRADE_POST)
		return str_starts(upgrade, "SPDY/3.1") ? UPGRADE_SPDY : UPGRADE_NONE;
	if (!streq(accept, u->accept))
		return UPGRADE_NONE;
	return streq(chosen, SPDY_IN_WS) ? UPGRADE_SPDY_WS : streq(chosen, V4) ? UPGRADE_V4 : UPGRADE_NONE;
}
