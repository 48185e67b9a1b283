/* SPDX-License-Identifier: Apache-2.0 */
/* image_priv: what the files image*.c share. */
#pragma once

#include <pthread.h>

#include "base/json.h"
#include "base/map.h"
#include "boot/hostpkg.h"
#include "boot/image.h"
#include "boot/recipe.h"

#define IMAGE_KEY_LEN 16
#define IMAGE_STALL_MS 60000 /* a pull without news for so long is given up */
#define RECIPE_DEPTH_MAX 16  /* of recipes made from recipes */
#define LABEL_RECIPE "firestream.recipe"
#define LABEL_KEY "firestream.key"
#define LABEL_BUILDER "firestream.builder" /* "1" on builder containers, which are removed after use */
#define LABEL_CACHE "firestream.cache"	   /* on builders: whose (cache_dir); on volumes: "1" */

enum registry { REGISTRY_UNKNOWN, REGISTRY_ANSWERS, REGISTRY_SILENT };

struct images {
	char *root, *cache_dir, *state_dir;
	enum images_source source;
	char *probe;
	uint64_t probe_ms;

	pthread_mutex_t lock; /* of all below */
	pthread_cond_t wake;
	struct map claims; /* reference in the making → its maker's step_ctx (borrowed) */
	enum registry registry;
	bool host_loaded;
	struct hostpkg host;
	char *host_script;
};

/* The host's package configuration, read once. */
int images_host(struct images *m, struct step_ctx *c, const struct hostpkg **ret, struct err *err) must_check;
/* Claims the making of `what` for this thread once nobody else has it; whoever waited must look again whether anything is
 * left to do. */
int image_claim(struct images *m, struct step_ctx *c, const char *what, struct err *err) must_check;
void image_claim_end(struct images *m, const char *what);
/* Exclusive among all processes that use this cache folder; polls, so that a cancel is seen. Returns the descriptor. */
int images_lock(struct images *m, struct step_ctx *c, const char *name, struct err *err) must_check;
/* 1 present, 0 absent, -errno. */
int image_exists(struct docker *d, const char *ref, struct err *err) must_check;
/* Forced, also when the step's loop is cancelled. */
void container_discard(struct docker *d, const char *id);

/* Pulls. stall_ms: no news for so long ends it with -ETIMEDOUT. *answered (may be NULL): a registry knew the image. */
int image_pull(struct step_ctx *c, const char *ref, uint64_t stall_ms, bool *answered, struct err *err) must_check;

/* Result of a recipe's compilation as a tar in the cache; *ret_tar: caller owns. builder: image to run in, builder_key: its
 * key. */
int image_compile(struct images *m, struct step_ctx *c, const struct recipe *r, const char *builder, const char *builder_key,
		  char **ret_tar, struct err *err) must_check;

int image_rootfs(struct images *m, struct step_ctx *c, const struct recipe *r, const char *ref, const char *key,
		 struct err *err) must_check;

struct image_job {
	const char *name; /* for people, and label firestream.recipe */
	const char *ref, *key;
	const char *dir, *dockerfile; /* dockerfile: absolute */
	const char *target;
	const char *out_tar; /* compile result, added as out/; or NULL */
	const json *args;    /* borrowed; or NULL */
	bool registry;	     /* missing base images may be pulled */
};
int image_build(struct images *m, struct step_ctx *c, const struct image_job *job, struct err *err) must_check;
/* Adds to h what of the host decides about a build with this Dockerfile. */
int image_build_hash(struct images *m, struct step_ctx *c, const char *dockerfile, struct hash *h,
		     struct err *err) must_check;

/* What a recipe comes to, in one of the two ways. */
struct image_plan {
	struct recipe recipe;
	bool registry;		    /* whether published images are used */
	char key[HASH_HEX_LEN + 1]; /* cut to IMAGE_KEY_LEN */
	char *ref;
};

/* depth: 0 for the outermost; bounded by RECIPE_DEPTH_MAX. */
int image_plan_load(struct images *m, struct step_ctx *c, const char *name, bool registry, unsigned depth,
		    struct image_plan *ret, struct err *err) must_check;
void image_plan_done(struct image_plan *p);
/* Adds the key of another recipe to h. */
int image_key_add(struct images *m, struct step_ctx *c, const char *name, bool registry, unsigned depth, struct hash *h,
		  struct err *err) must_check;
/* The image in that way: found, or made. ret_key: HASH_HEX_LEN + 1 bytes, or NULL. */
int image_ensure_as(struct images *m, struct step_ctx *c, const char *name, bool registry, unsigned depth, char **ret_ref,
		    char *ret_key, struct err *err) must_check;

enum registry images_registry_known(struct images *m);
/* Decides if it is not yet known. recipe: whose need it is, or NULL. */
int images_registry_decide(struct images *m, struct step_ctx *c, const char *recipe, bool *ret, struct err *err) must_check;
/* Removes builder containers of this cache folder, of one recipe (its lock is held) or of all (NULL). */
int image_builders_clear(struct images *m, struct step_ctx *c, const char *name, struct err *err) must_check;
