/* SPDX-License-Identifier: Apache-2.0 */
/* image: images by recipe (images/NAME/image.yaml), from a registry or built from packages.
 *
 * An image's key is the hash of its recipe folder, of the keys of what it is made from and of the extra CA certificates: tag
 * firestream/NAME:KEY (first 16 hex digits), labels firestream.recipe=NAME and firestream.key. An image whose tag exists is
 * never made again. Several threads may ask at once: one makes it, the others wait. */
#pragma once

#include "base/err.h"
#include "boot/config.h"
#include "boot/run.h"

/* root: holds images/ and .devcontainer/. cache_dir: compile results by key. */
struct images *images_new(const char *root, const char *cache_dir, const char *state_dir, const struct config *c);
struct images *images_free(struct images *m);

/* Decides IMAGES_AUTO once (asks the engine to pull the probe image, short deadline): true when a registry answers. */
int images_from_registry(struct images *m, struct step_ctx *c, bool *ret, struct err *err) must_check;
/* Makes sure that the recipe's image exists (pulled when a registry answers and it has `published`, built else). *ret_ref:
 * caller owns. */
int images_ensure(struct images *m, struct step_ctx *c, const char *recipe, char **ret_ref, struct err *err) must_check;
/* An image reference that the user named: pulled if absent. */
int images_pull(struct images *m, struct step_ctx *c, const char *ref, struct err *err) must_check;
/* Builds a foreign Dockerfile (the dev container's): context folder, .dockerignore honoured; args: json object (borrowed);
 * base: recipe passed as build argument BASE when it builds from packages. Tag: firestream/tag_name:KEY. */
int images_build_folder(struct images *m, struct step_ctx *c, const char *tag_name, const char *context,
			const char *dockerfile, const char *target, const json *args, const char *base, char **ret_ref,
			struct err *err) must_check;
/* Builder containers that killed runs of this user left behind. */
int images_remove_builders(struct images *m, struct step_ctx *c, struct err *err) must_check;
/* Everything that recipes made: images by label, cache volumes, cached compile results. For down --purge --all. */
int images_remove_all(struct images *m, struct step_ctx *c, struct err *err) must_check;
