/* SPDX-License-Identifier: Apache-2.0 */
/* tunnel internal: what tunnel.c (the connection) and tunnel_stream.c (the streams) share; nobody else includes this. */
#pragma once

#include "net/forward/tunnel.h"

#define TUNNEL_PING_BYTES (256u << 10)	/* sent without a ping under way: time for one */

struct tunnel_stream *tunnel_stream_find(struct tunnel *t, uint32_t id);	/* NULL: none, or no more */
void tunnel_each(struct tunnel *t, void (*fn)(struct tunnel_stream *s));	/* fn may end its stream */
/* The far side sends no more on one of the pair. */
void tunnel_stream_ended(struct tunnel_stream *s, bool error);
/* Out of the tunnel, and its owner is told; text NULL: what the node has said. */
void tunnel_stream_over(struct tunnel_stream *s, int code, const char *text);
void tunnel_stream_forget(struct tunnel_stream *s);				/* without a word */
void tunnel_ping(struct tunnel *t);						/* unless one is under way */
void tunnel_room_report(struct tunnel *t);					/* to those who wait for it */
