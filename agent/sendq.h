/* SPDX-License-Identifier: Apache-2.0 */
/* sendq: datagrams of one turn of the loop, sent together at its end.
 *
 * A system call costs as much as all else that an answer takes, so answers wait for their neighbours: until the turn's
 * timers run, the queue is full, or another socket's turn comes. What the kernel does not take is dropped and counted:
 * clients ask again. */
#pragma once

#include <sys/socket.h>

#include "base/loop.h"

#define SENDQ_DATAGRAMS 32
#define SENDQ_BYTES 16384		/* of all; larger ones go alone */

struct sendq;

struct sendq *sendq_new(struct loop *l, uint64_t *dropped);	/* dropped: borrowed counter */
struct sendq *sendq_free(struct sendq *q);			/* sends what waits; NULL is fine; returns NULL */
/* Copies msg and the address (IPv4 or IPv6). fd must stay open until the flush. */
void sendq_add(struct sendq *q, int fd, const struct sockaddr *to, socklen_t to_len, const void *msg, size_t n);
void sendq_flush(struct sendq *q);
