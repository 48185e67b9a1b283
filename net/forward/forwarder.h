/* SPDX-License-Identifier: Apache-2.0 */
/* forwarder: carries accepted TCP connections to pods, through the API server's port-forward.
 *
 * A `struct forward` is one destination: a service's port, or a pod's. Each connection to it is given an endpoint, and another one
 * when that turns out to be gone; while none is ready it is held, FORWARD_HOLD_MS at most, then reset. Short and idle
 * connections to a pod share one warm session; one that moves much gets no new neighbours, and a thread. All functions are the
 * loop's thread's. The client, the store and the loop are borrowed, and outlive the forwarder (or, the client, its being set). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "net/forward/target.h"
#include "net/kube/client.h"

#define FORWARD_HOLD_MS 30000

struct forwarder;
struct forward;

struct forward_count {
	unsigned open;				/* connections now, those that are held included */
	uint64_t connections, failed;		/* ever */
	uint64_t received, sent;		/* bytes from and to the pods */
};

struct forwarder_count {
	unsigned sessions, warm, threads;	/* connections to the API server; those without streams; bulk threads */
};

struct forwarder *forwarder_new(struct loop *l, struct kube *k, const struct store *s);
struct forwarder *forwarder_free(struct forwarder *f);		/* resets what runs; its forwards are gone too. Returns NULL */
/* The store has changed: connections that are held look again, sessions to endpoints that are gone take no new streams. */
void forwarder_renew(struct forwarder *f);
/* Another client for the sessions from now on; NULL: none, connections are reset. */
void forwarder_set_client(struct forwarder *f, struct kube *k);
/* Can the API server be reached, says the watch? While it cannot, connections are reset at once. At first it can. */
void forwarder_set_connected(struct forwarder *f, bool connected);
void forwarder_count(const struct forwarder *f, struct forwarder_count *ret);

struct forward *forward_new(struct forwarder *f, const struct target_want *want);	/* copied */
void forward_free(struct forward *w);			/* its connections go on; NULL is fine */
/* Takes the socket over, whatever comes: non-blocking, close-on-exec. client may be NULL. */
void forward_carry(struct forward *w, int fd, const struct addr *client);
void forward_count(const struct forward *w, struct forward_count *ret);
/* Why the last connection failed, or "". Borrowed until the next turn of the loop. */
const char *forward_trouble(const struct forward *w);
