/* SPDX-License-Identifier: Apache-2.0 */
/* source: the workspace as git sees it (the only user of libgit2). */
#pragma once

#include "base/err.h"
#include "base/loop.h"

/* Root of the work tree that holds dir (symlinks in dir kept where possible), or a copy of dir outside git. Caller owns. */
char *source_root(const char *dir);
/* "1a2b3c4d5e6f", "…-dirty", or NULL outside git or without a commit. Caller owns. */
char *source_revision(const char *dir);
/* Initialises and updates submodules that are not there yet; 0 when there are none or outside git. l (may be NULL): a cancel of it
 * ends a transfer, -ECANCELED. */
int source_submodules(const char *dir, const struct loop *l, struct err *err) must_check;
/* user.name and user.email of the user's git configuration; NULL where unset. Caller owns both. */
void source_identity(const char *dir, char **ret_name, char **ret_email);
