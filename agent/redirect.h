/* SPDX-License-Identifier: Apache-2.0 */
/* redirect: who asks one of the original DNS servers asks us, whatever resolv.conf it has read, and when.
 *
 * Packets to port 53 of an original server are rewritten, without state, to a listener of ours that stands for that server
 * alone, and the answers back; so sockets that are connected already follow at once, both ways. IPv4 servers have
 * 127.0.53.1 …, IPv6 ones ports of ::1. What carries our mark passes. The rules are in a table that ends with this process,
 * however it ends (before our listeners do, whose descriptors are younger); a condition in it expires when it is not renewed
 * for 3 s, as when we hang. Without nf_tables there is no redirect, which is told once; resolv.conf has to do then. */
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

int redirect_start(struct agent *a, struct err *err);
void redirect_stop(struct agent *a);
void redirect_status(struct agent *a, json *o);

/* Makes the redirect that of these servers, or removes it (n is 0); the listeners are there before, and it is in place on
 * return. NULL is fine. */
void redirect_set(struct redirect *r, const struct hostport *servers, size_t n);
bool redirect_is_in_place(const struct redirect *r);

/* The rows for these servers: those at port 53, each once. Pure; returns how many. */
size_t redirect_rows(const struct hostport *servers, size_t n, struct redirect_row ret[static REDIRECT_MAX]);
