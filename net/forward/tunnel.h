/* SPDX-License-Identifier: Apache-2.0 */
/* tunnel: one connection to a pod's port-forward, by whatever protocol the API server lets through, and the streams in it.
 *
 * First the POST upgrade to SPDY/3.1; where that is refused, hangs or dies, the GET upgrade to a WebSocket, which carries SPDY
 * (Kubernetes 1.30 and later) or, as v4.channel.k8s.io, one single stream. What worked is kept in a tunnel_memory, one an API server.
 *
 * A stream is one TCP connection that the node makes to the pod's port. SPDY has no flow control: what is read is given to the
 * stream at once, and its owner copes. What is sent is clocked by pings: at most a window beyond what the node is known to have
 * read from us. A node that answers no ping is given up within TUNNEL_DEAD_MS + TUNNEL_PING_MS; one stream whose far end does not
 * read, and which keeps others from being heard, is reset alone.
 *
 * A tunnel has an http of its own, so that it can go to another thread: leave, join. Callbacks may do anything to streams but
 * may not free the tunnel. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/loop.h"
#include "net/forward/spdy.h"
#include "net/forward/upgrade.h"
#include "net/forward/ws.h"
#include "net/http.h"

#define TUNNEL_PING_MS 4000
#define TUNNEL_DEAD_MS 8000
#define TUNNEL_TEXT_MAX 4096u		/* kept of what the node says of a stream's failure */
#define TUNNEL_BUCKETS 64u

struct tunnel_memory {
	enum upgrade_way way;		/* to try first */
	enum upgrade_protocol protocol;	/* of the last one that opened */
};

struct tunnel;
struct tunnel_stream;

struct tunnel_ops {
	void (*on_open)(struct tunnel *t);
	/* No streams any more, each was told. It never opened, or is lost. Free it later, not from here. */
	void (*on_close)(struct tunnel *t, const struct err *why);
	void (*on_batch)(struct tunnel *t);	/* what could be read was given to the streams */
};

struct tunnel_stream_ops {
	void (*on_data)(struct tunnel_stream *s, const uint8_t *p, size_t n);
	/* The end, from the far side. code 0: it closed; -ECONNREFUSED: no connection was made, text says why; -ECONNRESET: broken
	 * off. The stream is gone from the tunnel. */
	void (*on_end)(struct tunnel_stream *s, int code, const char *text);
	void (*on_room)(struct tunnel_stream *s);	/* after tunnel_room was 0 */
};

struct tunnel_stream {
	const struct tunnel_stream_ops *ops;
	struct tunnel *tunnel;		/* NULL: none */
	struct tunnel_stream *next;	/* of its bucket */
	uint32_t data, error;		/* ids; v4: channels */
	bool data_over, error_over, finished;
	bool thirsty;			/* wants on_room */
	uint64_t over_ns;		/* when data ended */
	uint64_t sent, unread;		/* ever; since the last answered ping */
	struct buf text;
};

enum tunnel_state { TUNNEL_CONNECTING, TUNNEL_OPEN, TUNNEL_CLOSED };

struct tunnel {
	const struct tunnel_ops *ops;
	struct loop *loop;
	struct http *http;		/* owned */
	struct http_endpoint to;	/* owned: the client may get another credential */
	struct tunnel_memory *memory;	/* borrowed; NULL once it has left its first thread */
	char *path;			/* owned; without the query */
	uint16_t port;			/* for v4 */
	enum tunnel_state state;
	struct upgrade upgrade;
	enum upgrade_protocol protocol;
	bool second;			/* this is the other way */
	bool alone;			/* the owner's: one stream and no new ones, so that what it does is its own affair */
	bool proved;			/* the node has said something */
	bool wedged;			/* new streams would hang */
	bool in_feed, lost, paused;
	struct err first_err, why;
	struct http_stream *stream;
	struct spdy spdy;
	struct ws ws;
	struct buf plain;		/* SPDY for the WebSocket */
	unsigned head_left[2];		/* v4: bytes of the port that come first on each channel */
	uint8_t channel;		/* v4: of the message under way */
	struct tunnel_stream *streams[TUNNEL_BUCKETS];
	unsigned count, next_request;
	struct timer tick, flush;
	uint64_t heard_ns;		/* the last byte */
	uint64_t ping_ns;		/* when the open ping was sent; 0: none is open */
	uint64_t pinged_ns;		/* the last one */
	uint32_t ping_id;
	uint64_t sent, ping_mark, read;	/* payload bytes: given out, at the open ping, known to be read */
};

/* Starts to connect. port: of the first stream (v4 needs it). to is copied, memory borrowed. */
void tunnel_open(struct tunnel *t, struct loop *l, const struct http_endpoint *to, const char *ns, const char *pod, uint16_t port,
		 struct tunnel_memory *memory, const struct tunnel_ops *ops);
void tunnel_done(struct tunnel *t);		/* streams are dropped without a word; a zeroed one is fine */
void tunnel_leave(struct tunnel *t);		/* open ones only; not from a callback of its own */
void tunnel_join(struct tunnel *t, struct loop *l);
/* Can it have a stream more? */
bool tunnel_has_place(const struct tunnel *t);
/* Stop reading: for a tunnel with one stream. */
void tunnel_pause(struct tunnel *t, bool pause);

/* Of an open tunnel. false: no place (v4: for any port but the first one's), on_end is not called. Nothing goes out before tunnel_flush. */
bool tunnel_stream_open(struct tunnel *t, struct tunnel_stream *s, uint16_t port, const struct tunnel_stream_ops *ops) must_check;
/* How much may be sent now; 0: on_room will be called. */
size_t tunnel_room(struct tunnel_stream *s);
void tunnel_stream_send(struct tunnel_stream *s, const void *p, size_t n);
/* No more from us. The node then gives the pod a second to answer, not more: better late than early. */
void tunnel_stream_finish(struct tunnel_stream *s);
void tunnel_stream_reset(struct tunnel_stream *s);	/* no on_end; fine when it is over or was never open */
void tunnel_flush(struct tunnel *t);			/* lets what was sent go out, in the next turn of the loop */

/* Does this say, of a stream's failure, that the pod's port was never reached? Pure. */
bool tunnel_text_is_refusal(const char *text);
