/* SPDX-License-Identifier: Apache-2.0 */
/* sock: sockets as we use them: close-on-exec and non-blocking from birth, errors in words.
 *
 * All return a descriptor (the caller's) or -errno. */
#pragma once

#include <sys/types.h>

#include "base/err.h"
#include "net/addr.h"

int sock_udp_bind(const struct hostport *at, struct err *err) must_check;
int sock_tcp_listen(const struct hostport *at, struct err *err) must_check;
/* A stale socket file (nobody listens) is replaced; -EADDRINUSE when someone does. The file gets `mode`. */
int sock_unix_listen(const char *path, mode_t mode, struct err *err) must_check;
int sock_unix_connect(const char *path, struct err *err) must_check;
/* The next waiting connection; -EAGAIN when there is none. peer may be NULL. */
int sock_accept(int fd, struct sockaddr_storage *peer) must_check;
/* Marks what fd sends as the agent's own (SO_MARK), which its redirect lets pass. Linux, CAP_NET_ADMIN; else nothing is done. */
#define SOCK_MARK 0x46535452u
void sock_mark(int fd);
/* The bound address of a socket (tests bind port 0). */
int sock_local(int fd, struct hostport *ret) must_check;
