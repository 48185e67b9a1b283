/* SPDX-License-Identifier: Apache-2.0 */
/* upstream_tcp: asks one DNS server over TCP (the only user of <ares.h>).
 *
 * c-ares holds the connection while something is in flight on it; several questions share one. Its newer versions send an
 * id of their own and write the answer anew: the id of an answer means nothing here, c-ares has looked at it. It knows no
 * cancel: an ask that is cancelled outlives its owner, and is freed when c-ares lets go. Deadlines are the owner's. */
#pragma once

#include "base/err.h"
#include "base/loop.h"
#include "net/addr.h"

struct upstream_tcp;
struct upstream_tcp_ask;

/* code 0: reply of len bytes, at least a header, valid during the call; else -ETIMEDOUT, -ECONNREFUSED, -EBADMSG, -EIO */
typedef void (*upstream_tcp_fn)(void *owner, int code, const uint8_t *reply, size_t len);

/* marked: its packets are the agent's own, which no rule of ours turns elsewhere. NULL on failure. */
struct upstream_tcp *upstream_tcp_new(struct loop *l, const struct hostport *server, unsigned timeout_ms, bool marked, struct err *err);
/* All asks are cancelled before; not from inside of a completion. Returns NULL. */
struct upstream_tcp *upstream_tcp_free(struct upstream_tcp *t);
/* fn is never called from inside of this. */
int upstream_tcp_send(struct upstream_tcp *t, const uint8_t *msg, size_t n, upstream_tcp_fn fn, void *owner,
		      struct upstream_tcp_ask **ret) must_check;
void upstream_tcp_cancel(struct upstream_tcp_ask *a);	/* NULL is fine */
