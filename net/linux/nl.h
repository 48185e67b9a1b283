/* SPDX-License-Identifier: Apache-2.0 */
/* nl: rtnetlink sockets (libnl): requests with the kernel's own words on failure, and change notices on the loop.
 *
 * A request blocks for its acknowledgement: the kernel answers inside of sendmsg(), the 2 s limit is only a belt.
 * A notice says only that something changed (or that notices were lost): the owner looks again, level-triggered. */
#pragma once

#include "base/err.h"
#include "base/loop.h"

struct nl;
struct nl_sock;
struct nl_msg;

struct nl *nl_new(struct err *err);			/* NULL on failure */
struct nl *nl_free(struct nl *n);			/* returns NULL */
struct nl_sock *nl_sock(struct nl *n);			/* borrowed; for dumps by link.c and route.c */
/* Sends msg (consumed) and waits for the acknowledgement; the message has the kernel's extended reason. */
int nl_request(struct nl *n, struct nl_msg *msg, struct err *err) must_check;
/* libnl's own codes → -errno. */
int nl_errno(int nle);

struct nl_watch;
typedef void (*nl_watch_fn)(struct nl_watch *w);

struct nl_watch {
	nl_watch_fn fn;
	struct io io;
	struct nl_sock *sock;	/* owned */
	unsigned lost;		/* times that the kernel dropped notices (ENOBUFS) */
};

/* Links, addresses and routes of both families. */
int nl_watch_start(struct nl_watch *w, struct loop *l, nl_watch_fn fn, struct err *err) must_check;
void nl_watch_stop(struct nl_watch *w);
/* No calls until resumed, which forgets the notices so far: pause when there is one, resume, then look. */
void nl_watch_pause(struct nl_watch *w);
void nl_watch_resume(struct nl_watch *w);
