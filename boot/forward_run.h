/* SPDX-License-Identifier: Apache-2.0 */
/* forward_run: what the parts of one `forward` share.
 *
 * Contexts are opened (forward_context.c), their services followed into stores, one for each namespace or for all
 * (forward_watch.c); what changes there makes a new plan, and the plan listeners, a hosts block (forward_serve.c) and what the user
 * sees (forward_show.c). All is one thread's, on the run's loop. */
#pragma once

#include <sys/stat.h>

#include "boot/forward_plan.h"
#include "boot/run.h"
#include "net/forward/forwarder.h"
#include "net/kube/auth.h"
#include "net/kube/watch.h"

struct forwarding;
struct forward_view;

struct forward_context {
	char *name, *label, *ns;	/* owned; label: of several contexts; ns: its own namespace */
	struct kube *kube;		/* owned */
	struct kube_auth *auth;		/* owned; renews its credential; or NULL */
};

struct forward_watch {
	struct followed *followed;
	struct kube_watch *watch;	/* owned */
	enum store_kind kind;
	bool listed, connected;
};

/* A namespace of a context, or all of them. */
struct followed {
	struct forwarding *f;
	struct forward_context *context;
	char *ns;			/* owned; NULL: all */
	struct store *store;		/* owned */
	struct forwarder *forwarder;	/* owned */
	struct forward_watch watch[2];	/* Services, EndpointSlices */
	bool connected;			/* as last told */
	struct err why;			/* not connected */
};

struct listener {
	struct forwarding *f;
	struct forward_slot at;		/* its key is owned */
	int fd;				/* -1: see err */
	struct err err;
	struct io io;
	struct forward *forward;	/* of its forwarder, which frees it */
	uint64_t failed;		/* connections, of which the user was told */
};

struct forwarding {
	struct run *run;
	struct loop *loop;
	struct forward_rules rules;
	struct forward_context *contexts;
	struct followed *followed;
	struct forward_scope *scopes;	/* as the plan sees them, one for each followed */
	size_t n_contexts, n_followed;

	struct places addresses, ports;
	struct forward_plan plan;
	struct listener **listeners;	/* owned, each owned */
	size_t n_listeners;
	struct map index;		/* KEY NUMBER → listener; borrowed */
	struct timer change, look, relief;
	bool planned;			/* once at least */
	struct map taken;		/* names that others have in the hosts file */
	const char *hosts_path;
	struct stat hosts_seen;		/* when it was read, or after our last write */
	bool names;			/* the hosts file is written */
	char *nameless;			/* owned: why it is not */

	struct forward_view *view;
	bool failed;			/* the end is error's */
	struct err error;
};

/* ---- forward_context.c */
/* Fills contexts and followed from the options. */
int forward_contexts_open(struct forwarding *f, struct err *err) must_check;
void forward_contexts_close(struct forwarding *f);

/* ---- forward_watch.c */
void forward_follow(struct forwarding *f);
void forward_unfollow(struct forwarding *f);
bool forward_synced(const struct forwarding *f);
const char *forward_waits_for(const struct forwarding *f, char *ret, size_t n);

/* ---- forward_serve.c */
void forward_machine(struct forwarding *f);		/* what can be done here: addresses, ports, hosts file */
void forward_plan_renew(struct forwarding *f);		/* the plan alone */
void forward_serve(struct forwarding *f);		/* the plan, and what it wants */
void forward_changed(struct forwarding *f);		/* soon */
void forward_serve_end(struct forwarding *f);
struct listener *forward_listener(const struct forwarding *f, const struct forward_row *row, uint16_t number);

/* ---- forward_show.c */
enum forward_state { FORWARD_READY, FORWARD_WAITING, FORWARD_BLOCKED, FORWARD_AWAY, FORWARD_REFUSED, FORWARD_STATES };

struct forward_view *forward_view_new(struct forwarding *f);
struct forward_view *forward_view_free(struct forward_view *v);
void forward_view_start(struct forward_view *v);	/* the first plan is carried out */
void forward_view_change(struct forward_view *v);	/* rows may have changed */
void forward_view_context(struct forward_view *v, const struct followed *d);
void forward_view_error(struct forward_view *v, const char *fmt, ...) printf_like(2, 3);
void forward_view_list(struct forwarding *f);		/* --list */
enum forward_state forward_state(const struct forwarding *f, const struct forward_row *row, const char **ret_why);
const char *forward_state_name(enum forward_state s);
char *forward_row_name(const struct forwarding *f, const struct forward_row *row);	/* web.default; caller owns */
char *forward_row_ports(const struct forward_row *row);	/* "80>8080 443"; caller owns */

/* ---- forward_table.c */
/* The table as text, one line for a row. counts: with what connections carry. columns, lines: of the screen; 0: any. */
void forward_table(const struct forwarding *f, bool counts, const char *last, unsigned columns, unsigned lines, struct buf *out);
