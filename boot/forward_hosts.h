/* SPDX-License-Identifier: Apache-2.0 */
/* forward_hosts: our block in /etc/hosts.
 *
 * Each instance of `forward` has a block of its own between two marker lines that carry its id; blocks of instances that are gone are
 * taken out by whoever writes next. All else is kept byte for byte, line ends and a missing last newline included. The file is replaced
 * as a whole, or, where that cannot be (a bind mount), overwritten by one padded write, so that no reader finds half of it. Writers
 * take turns by a lock on the file itself, which leaves nothing behind. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/map.h"

#define HOSTS_MAX ((size_t)8 << 20)
#define HOSTS_ID_MAX 100

/* Does the instance with that id still run? */
typedef bool (*hosts_alive_fn)(void *arg, const char *id);

/* text with the block of id made anew from lines ("" for none; each ends with \n) and the blocks of the dead taken out. Pure. */
void hosts_compose(const char *text, size_t n, const char *id, const char *lines, hosts_alive_fn alive, void *arg, struct buf *out);
/* Adds the names of the text, in lower case, that stand outside of every block of ours; values are not NULL. Some use the file to
 * block a hundred thousand names. */
void hosts_names(const char *text, size_t n, struct map *ret);
/* Adds "ADDRESS NAME NAME…" lines, short enough for musl, which reads 511 bytes of a line. */
void hosts_add_names(struct buf *lines, const char *address, char *const *names, size_t n);

/* This process's id: what tells it from every other one, also of another boot and after its number is used again. */
void hosts_instance(char ret[static HOSTS_ID_MAX]);
/* Whether the process of an id runs; one of another PID namespace counts as alive, as nobody here can tell. */
bool hosts_instance_alive(void *arg, const char *id);

/* Puts this process's block into the file; an unchanged one is not touched. -EROFS, -EACCES: a sentence. */
int hosts_apply(const char *path, const char *lines, struct err *err) must_check;
/* Could hosts_apply() write it? */
bool hosts_writable(const char *path);
