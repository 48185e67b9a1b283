/* SPDX-License-Identifier: Apache-2.0 */
/* forward_plan: what `forward` is to do, from what the API servers say. Pure.
 *
 * A row is one address: a service's, or that of one ready pod of a headless service. It has ports, names for the hosts file, or a
 * sentence why there is none. Names never clash: who has one first keeps it, which `notes` say. Rows are sorted, so that the
 * same world gives the same plan, whatever the order of events. */
#pragma once

#include "base/err.h"
#include "base/str.h"
#include "boot/forward_addr.h"
#include "net/kube/store.h"

#define FORWARD_PODS_NAMED 8u	/* of a headless service, whose addresses its own name has */

/* What a store is of: a namespace, or all of them, of one context. All borrowed. */
struct forward_scope {
	const char *context;
	const char *label;	/* the context in names; NULL: it is the only one */
	bool plain;		/* the first context: names without its label are its */
	const char *bare_ns;	/* services of this namespace have their bare name */
	const struct store *store;
};

struct forward_map {
	char *service;		/* owned; NULL: of every service */
	uint16_t from, to;
};

struct forward_reserve {
	char *service, *ns;	/* owned; ns NULL: any */
	struct addr addr;
};

struct forward_rules {
	struct forward_map *maps;		/* owned */
	struct forward_reserve *reserves;	/* owned */
	size_t n_maps, n_reserves;
	const char *domain;			/* borrowed */
	uint16_t low;				/* ports below it are root's; 0: none is */
	bool single;				/* there is no loopback address but 127.0.0.1 */
	bool (*taken)(void *arg, const char *name);	/* is it somebody else's in the hosts file? May be NULL */
	void *arg;
};

struct forward_port {
	uint16_t number, listen;	/* the service's (the pod's); ours */
	char *name;			/* owned; "" */
};

struct forward_row {
	char *key;			/* CONTEXT/NAMESPACE/SERVICE[/POD]; all owned */
	char *ns, *service, *pod;	/* pod NULL: the service's */
	char *hostname;			/* the pod's, or NULL */
	unsigned scope;			/* its number */
	struct forward_port *ports;
	unsigned n_ports, ready;	/* ready: endpoints */
	struct strv names;
	char *refused, *note;		/* why it has no port; what else is to be known; or NULL */
	struct addr reserved, addr;	/* addr: by forward_plan_place() */
};

struct forward_plan {
	struct forward_row *rows;
	size_t n;
	struct strv notes;
};

/* "[NAME:]SRC:DST" and "NAME[.NAMESPACE]=ADDRESS", as the options have them. -EINVAL with a sentence. */
int forward_rules_map(struct forward_rules *r, const char *text, struct err *err) must_check;
int forward_rules_reserve(struct forward_rules *r, const char *text, struct err *err) must_check;
void forward_rules_done(struct forward_rules *r);
/* A context's name as a part of host names. Caller owns. */
char *forward_label(const char *context);

void forward_plan_make(const struct forward_scope *scopes, size_t n, const struct forward_rules *rules, struct forward_plan *ret);
void forward_plan_done(struct forward_plan *p);

/* Gives each row its address (and, with rules.single, its ports); what is given to nobody any more is free. busy: does somebody
 * else listen at that address, at one of the row's ports? May be NULL. */
typedef bool (*forward_busy_fn)(void *arg, const struct forward_row *row, const struct addr *a, uint16_t port);
void forward_plan_place(struct forward_plan *p, const struct forward_rules *rules, struct places *addresses, struct places *ports,
			forward_busy_fn busy, void *arg);
/* The lines of the hosts file. */
void forward_plan_hosts(const struct forward_plan *p, struct buf *lines);

/* One listener, wanted or there. Strings borrowed. */
struct forward_slot {
	const char *key;
	struct addr addr;
	uint16_t number, listen;
	const struct forward_row *row;	/* of a wanted one */
};

struct forward_op {
	bool open;			/* else close */
	size_t slot;			/* index: of wanted, or of those that are there */
};

struct forward_slots {
	struct forward_slot *v;		/* owned */
	size_t n;
};

void forward_plan_slots(const struct forward_plan *p, struct forward_slots *ret);	/* their keys are p's */
/* What makes `there` like `wanted`: closes before opens. Caller frees *ret; returns their number. */
size_t forward_plan_diff(const struct forward_slots *wanted, const struct forward_slots *there, struct forward_op **ret);
