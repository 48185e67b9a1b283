/* SPDX-License-Identifier: Apache-2.0 */
/* forwarder internal: what forwarder.c, session.c, conn.c and bulk.c share; nobody else includes this.
 *
 * A conn (an accepted socket) is either held by the forwarder, until there is an endpoint for it, or in a session (a tunnel to one
 * pod). Sessions that move much go to a bulk thread, with all their conns, and stay there. What main thread and bulk threads both
 * touch are the atomics and the trouble of a forward, and the forwarder's counts. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "net/forward/forwarder.h"
#include "net/forward/tunnel.h"

#define CONN_MUCH (1u << 20)		/* a conn that has moved this much is moved away from the others */
#define CONN_REPLAY_MAX (64u << 10)
#define CONN_QUEUE_SLOW (512u << 10)	/* waiting for the client to read */
#define CONN_QUEUE_HOLD (8u << 20)	/* then the session's others wait, if the client does read */
#define CONN_QUEUE_MAX (16u << 20)
#define SESSION_STREAMS_MAX 250u	/* below the 256 pending ones that servers allow */
#define FORWARD_TROUBLE_MAX 400

struct session;
struct bulk;

/* ---- a destination ----------------------------------------------------------------------------------------------- */
struct forward {
	struct forward *next;		/* of the forwarder's */
	struct forwarder *f;		/* borrowed */
	struct target_want want;	/* strings owned */
	uint64_t turn;
	bool freed;			/* by its owner; goes when no conn is left */
	bool moves_much;		/* its last conns did: the next has a session of its own */
	atomic_uint open;
	_Atomic uint64_t connections, failed, received, sent;
	char trouble[FORWARD_TROUBLE_MAX];	/* under f->lock */
};

void forward_fail(struct forward *w, const char *why);		/* any thread */

/* ---- a connection ------------------------------------------------------------------------------------------------ */
struct conn {
	struct conn *next;
	struct conn **list;		/* that it is in: of a session, or of those that are held */
	struct forward *to;		/* borrowed: stays while it has conns */
	struct session *session;	/* borrowed; NULL: held */
	struct loop *loop;
	int fd;				/* owned */
	struct io io;
	struct timer timer;
	struct addr client;
	struct target target;
	struct target_tried tried;
	char *why;			/* owned: why the last attempt failed */
	bool refused;			/* by the pod's port */
	unsigned rounds, losses;
	struct tunnel_stream stream;
	struct buf queue;		/* for the client, */
	size_t queue_at;		/* of which so much is written */
	struct buf replay;		/* what was sent while nothing has come back */
	bool started;			/* has its stream, or had it */
	bool replayable;
	bool client_over, far_over, finishing;
	bool holds;			/* its session's others wait until its client has read more */
	struct timer hold;
	bool was_full, reads;		/* its socket was; and then the client has read */
	uint64_t received, sent;
	uint64_t begun_ns, active_ns, taken_ns;	/* taken: when the client has last read something */
};

struct conn *conn_new(struct forward *w, int fd, const struct addr *client, struct loop *l);
void conn_move(struct conn *c, struct conn **list);	/* to the head of another list */
/* Opens its stream in its session, whose tunnel is open. false: no place there. */
bool conn_start(struct conn *c) must_check;
void conn_write(struct conn *c);			/* to the client, what waits */
void conn_watch(struct conn *c);			/* for what it can do now: a held one, for the client's going away */
void conn_leave(struct conn *c);
void conn_join(struct conn *c, struct loop *l);
void conn_reset(struct conn *c);			/* the client sees a reset; c is gone */
void conn_free(struct conn *c);				/* the client sees an end */

/* ---- a session --------------------------------------------------------------------------------------------------- */
struct session {
	struct session *next;		/* of the forwarder's or the bulk thread's */
	struct forwarder *f;
	struct bulk *bulk;		/* NULL: in the forwarder's own thread */
	struct loop *loop;
	char ns[TARGET_NS_MAX], pod[TARGET_POD_MAX];
	struct tunnel tunnel;
	struct conn *conns;
	unsigned conn_count;
	bool retired;			/* takes no new conns */
	bool over;			/* its tunnel is closed: goes when no conn is left */
	uint64_t idle_ns;		/* since when it has no conns */
};

/* For one conn more to this pod, in the forwarder's thread. own: one without others. */
struct session *session_for(struct forwarder *f, const struct target *t, bool own);
void session_take(struct session *s, struct conn *c);
void session_conn_gone(struct session *s);	/* a conn has left it */
void session_retire(struct session *s);
void session_alone_check(struct session *s);
bool session_is_done(const struct session *s);
void session_free(struct session *s);		/* conns are reset */
void session_leave(struct session *s);
void session_join(struct session *s, struct loop *l);

/* ---- threads ----------------------------------------------------------------------------------------------------- */
#define BULK_THREADS_MAX 4

/* Hands the session over. Made on first use. */
void bulk_take(struct forwarder *f, struct session *s);
void bulk_stop(struct forwarder *f);		/* ends the threads; their sessions are freed */
void bulk_note(struct bulk *b, size_t n);	/* its own thread has read n bytes of a tunnel */

/* ---- all --------------------------------------------------------------------------------------------------------- */
struct forwarder {
	struct loop *loop;
	struct kube *kube;
	const struct store *store;
	struct tunnel_memory memory;
	bool connected;
	struct session *sessions;
	struct conn *held;
	struct forward *forwards;
	struct bulk *bulk[BULK_THREADS_MAX];
	unsigned bulk_count;
	struct timer settle;		/* frees, moves: what no callback may do itself */
	struct timer look;		/* each second, while there is anything */
	atomic_uint session_count;
	pthread_mutex_t lock;
};

/* The conn's session is lost, or its stream was refused. Finds it another endpoint, holds it, or returns false: to be reset. */
bool forwarder_again(struct conn *c, int code, const char *why) must_check;
void forwarder_settle(struct forwarder *f);	/* soon */
