/* SPDX-License-Identifier: Apache-2.0 */
/* context: what a builder is sent: the files of a folder that its .dockerignore leaves, and what they hash to.
 *
 * The engine does not apply .dockerignore to a context that arrives as a tar, so the client does. Rules as moby's
 * patternmatcher has them: in order, last match wins, a match of a parent folder counts, "**" crosses slashes. */
#pragma once

#include <stdbool.h>

#include "base/err.h"
#include "base/hash.h"
#include "base/str.h"
#include "base/tar.h"

struct ignore {
	struct strv patterns; /* cleaned; an exception starts with '!' */
};

/* -EINVAL for a '!' without a pattern. */
int ignore_parse(const char *text, struct ignore *ret, struct err *err) must_check;
void ignore_done(struct ignore *g);
bool ignore_match(const struct ignore *g, const char *path); /* path: relative, with slashes; true: left out */

struct context {
	char *dir;	   /* owned */
	struct strv files; /* relative, sorted; links as links */
};

/* Everything below dir but the names in skip (NULL: none). */
int context_open_all(const char *dir, const char *const *skip, struct context *ret, struct err *err) must_check;
/* What DOCKERFILE.dockerignore or .dockerignore leaves; the Dockerfile (relative to dir, or NULL when it lies elsewhere)
 * always stays. */
int context_open(const char *dir, const char *dockerfile, const char *const *skip, struct context *ret,
		 struct err *err) must_check;
void context_done(struct context *x);
/* Adds names, executable bits, contents and link targets. */
int context_hash(const struct context *x, struct hash *h, struct err *err) must_check;
/* Writes the files below prefix ("" for none). */
int context_fill(const struct context *x, struct tar *t, const char *prefix, struct err *err) must_check;

/* Dockerfile text: is ARG name declared? */
bool dockerfile_has_arg(const char *text, const char *name);
/* Images that it starts from: FROM and COPY --from, stages and scratch left out, ARGs before the first FROM replaced by
 * their defaults or by args ("NAME=value"). A reference that still holds an unknown variable is left out. */
void dockerfile_images(const char *text, const struct strv *args, struct strv *ret);
