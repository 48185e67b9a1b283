/* SPDX-License-Identifier: Apache-2.0 */
/* calls: a listener whose connections carry one request and one reply each, of small and known size.
 *
 * At most CALLS_MAX connections, each for CALL_MS, whatever the peer does; one too many is closed at once. After the reply
 * our side is shut and the peer's end awaited, so that the reply arrives also where it did not read all that was sent. */
#pragma once

#include "base/buf.h"
#include "base/loop.h"

#define CALLS_MAX 16
#define CALL_MS 5000

struct calls;

/* More has come in (in->overflow: more than the maximum). Appends the reply to out once the request is whole. */
typedef void (*calls_fn)(void *owner, int fd, const struct buf *in, struct buf *out);

/* Takes listen_fd over. */
struct calls *calls_new(struct loop *l, int listen_fd, size_t request_max, size_t reply_max, calls_fn fn, void *owner);
struct calls *calls_free(struct calls *c);		/* returns NULL */
