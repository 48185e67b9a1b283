/* SPDX-License-Identifier: Apache-2.0 */
/* recipe: images/NAME/image.yaml, which says how one of our images comes to be.
 *
 * kind dockerfile: the folder is a build context, with out/ (what `compile` made) and .host/ (the host's package-client
 * configuration) added. kind debootstrap: a Debian root of `suite` from packages, imported. */
#pragma once

#include <stdint.h>

#include "base/err.h"
#include "base/hash.h"
#include "base/str.h"

enum recipe_kind { RECIPE_DOCKERFILE, RECIPE_DEBOOTSTRAP };

struct recipe_compile {
	char *image;	     /* recipe whose image it runs in; NULL: nothing to compile */
	struct strv command; /* in /src, a copy of the folder; leaves its result in /out */
	struct strv caches;  /* "NAME=/path": volume firestream-cache-NAME */
	uint64_t expects_ms;
};

struct recipe {
	char *name, *dir;
	char *description;
	enum recipe_kind kind;
	char *published;  /* reference pulled instead where a registry answers, or NULL */
	char *suite;	  /* debootstrap: "bookworm" */
	struct strv from; /* "ARGUMENT=recipe" */
	uint64_t expects_ms;
	struct recipe_compile compile;
};

#define RECIPE_CACHE_PREFIX "firestream-cache-"

/* Reads root/images/NAME/image.yaml. -ENOENT with a sentence when there is no such recipe, -EINVAL with all problems in one
 * when it is wrong. */
int recipe_load(const char *root, const char *name, struct recipe *ret, struct err *err) must_check;
void recipe_done(struct recipe *r);
/* Adds everything that decides about the image but what it is made from: all files of the folder. */
int recipe_hash(const struct recipe *r, struct hash *h, struct err *err) must_check;
/* Names that may lie in a recipe's folder and are no part of it; NULL-terminated. */
extern const char *const recipe_skip[];
