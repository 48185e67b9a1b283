/* SPDX-License-Identifier: Apache-2.0 */
/* spdy: the client's side of a SPDY/3.1 session as Kubernetes' port-forward speaks it. Passive: bytes in, calls and bytes out.
 *
 * Frames are those of the SPDY/3.1 draft, section 2.6. Header blocks are "compressed" as stored blocks of one zlib stream,
 * and the server's are not inflated: they say nothing. There is no flow control in this protocol: whoever reads the session
 * must go on reading, whatever one stream does. Which streams there are is the owner's to know. What is to be sent gathers in
 * `out`, for the driver to write and consume. A frame of the server that is not data has at most SPDY_CONTROL_MAX bytes. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

#define SPDY_CONTROL_MAX (64u << 10)
#define SPDY_DATA_MAX (64u << 10)		/* of one frame that we send */

enum { SPDY_CANCEL = 5 };			/* status of a reset */

struct spdy_header {
	const char *name, *value;		/* name in lower case */
};

struct spdy_ops {
	void (*on_data)(void *owner, uint32_t stream, const uint8_t *p, size_t n);
	void (*on_end)(void *owner, uint32_t stream);			/* the server sends no more on it */
	void (*on_reset)(void *owner, uint32_t stream, uint32_t status);
	void (*on_goaway)(void *owner, uint32_t last_good);		/* no new streams; those up to last_good go on */
	void (*on_pong)(void *owner, uint32_t id);
};

struct spdy {
	const struct spdy_ops *ops;		/* each may be NULL; none may end the session */
	void *owner;
	struct buf *out;			/* borrowed */
	uint32_t next_stream, next_ping;
	bool started;				/* the zlib stream has its head */
	bool goaway;
	/* the frame that is being read */
	uint8_t head[8];
	size_t have;				/* of head */
	uint32_t left;				/* of its payload */
	struct buf control;			/* a control frame's payload */
};

void spdy_init(struct spdy *s, const struct spdy_ops *ops, void *owner, struct buf *out);
void spdy_done(struct spdy *s);
/* 0; -EBADMSG: not SPDY/3.1 as we know it, and the session is over. */
int spdy_feed(struct spdy *s, const void *p, size_t n, struct err *err) must_check;

/* Opens a stream; `end`: we send nothing on it. 0 when there can be no more (goaway, or all ids are used). */
uint32_t spdy_open(struct spdy *s, const struct spdy_header *headers, size_t n, bool end);
/* n may be 0, to end it. */
void spdy_send(struct spdy *s, uint32_t stream, const void *p, size_t n, bool end);
void spdy_reset(struct spdy *s, uint32_t stream, uint32_t status);
uint32_t spdy_ping(struct spdy *s);		/* the id that its pong will have */
