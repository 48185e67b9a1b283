/* SPDX-License-Identifier: Apache-2.0 */
/* ws: the client's side of a WebSocket (RFC 6455) behind its upgrade. Passive: bytes in, calls and bytes out.
 *
 * Messages are handed on as they come, in pieces: fragmented ones (section 5.4) need no room here. Pings are answered, a close is
 * answered once, and then nothing more is sent. What is to be sent gathers in `out`, for the driver to write and consume. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

#define WS_CONTROL_MAX 125u
#define WS_CLOSE_NORMAL 1000

struct ws_ops {
	/* A piece of a message; first and last tell its place (both: the whole). n may be 0. */
	void (*on_data)(void *owner, const uint8_t *p, size_t n, bool first, bool last);
	void (*on_close)(void *owner, unsigned code, const char *reason);	/* 1005: none was said */
	void (*on_pong)(void *owner, const uint8_t *p, size_t n);
};

struct ws {
	const struct ws_ops *ops;	/* each may be NULL */
	void *owner;
	struct buf *out;		/* borrowed */
	bool masked;			/* by random keys; else by key 0, which is as good inside of TLS */
	bool closed;			/* by either side */
	/* the frame that is being read */
	uint8_t head[10];
	size_t have;			/* of head */
	uint64_t left;			/* of its payload */
	bool in_message, fresh;		/* a message is under way; none of its pieces was handed on */
	uint8_t control[WS_CONTROL_MAX];
	size_t control_len;
};

void ws_init(struct ws *w, const struct ws_ops *ops, void *owner, struct buf *out, bool masked);
/* 0; -EBADMSG: against the protocol (a close with 1002 is in `out`). What is behind a close is not looked at. */
int ws_feed(struct ws *w, const void *p, size_t n, struct err *err) must_check;

/* One binary message of the two parts, head and p; either may be empty. */
void ws_send(struct ws *w, const void *head, size_t head_len, const void *p, size_t n);
void ws_ping(struct ws *w, const void *p, size_t n);		/* n ≤ WS_CONTROL_MAX */
void ws_close(struct ws *w, unsigned code);
