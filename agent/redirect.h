/* SPDX-License-Identifier: Apache-2.0 */
/* redirect: who asks one of the original DNS servers asks us, whatever resolv.conf it has read, and when.
 *
 * Packets to port 53 of an original server are rewritten, without state, to a listener of ours that stands for that server
 * alone, and the answers back; so sockets that are connected already follow at once, both ways. IPv4 servers have
 * 127.0.53.1 …, IPv6 ones ports of ::1. What carries our mark passes. The rules are in a table that ends with this process,
 * however it ends, before our listeners do; a condition in it expires when it is not renewed for 3 s, as when we hang.
 * Without nf_tables there is no redirect, which is told once; resolv.conf has to do then. */
#pragma once

#include "agent/agent.h"

#define REDIRECT_MAX 3
#define REDIRECT_PORT6 53531		/* and following, of ::1 */

struct redirect;

/* From a server's port 53 to a listener of ours. */
struct redirect_row {
	struct addr server;
	struct hostport to;
};

struct redirect_rows {
	struct redirect_row row[REDIRECT_MAX];
	size_t n;
};

int redirect_start(struct agent *a, struct err *err);
void redirect_stop(struct agent *a);
void redirect_status(struct agent *a, json *o);

/* Makes the redirect that of these servers, or removes it (n is 0); the listeners are there before, and it is in place on
 * return. NULL is fine. */
void redirect_set(struct redirect *r, const struct hostport *servers, size_t n);
/* Everybody who asks one of these reaches us. */
bool redirect_covers(const struct redirect *r, const struct hostport *servers, size_t n);
/* An address that we listen at for the redirect: no server. */
bool redirect_is_ours(const struct addr *a);

/* The rows for these servers: those at port 53, each once; true when `have` is not that. Pure. */
bool redirect_plan(const struct hostport *servers, size_t n, const struct redirect_rows *have, struct redirect_rows *ret);
