/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <sys/utsname.h>

#include "base/file.h"
#include "base/mem.h"
#include "boot/image_priv.h"

void image_plan_done(struct image_plan *p)
{
	recipe_done(&p->recipe);
	free(p->ref);
	p->ref = NULL;
}

/* Adds the key of another recipe. */
int image_key_add(struct images *m, struct step_ctx *c, const char *name, bool registry, unsigned depth, struct hash *h,
		  struct err *err)
{
	struct image_plan p = { 0 };
	int r;

	r = image_plan_load(m, c, name, registry, depth + 1, &p, err);
	if (r == 0)
		hash_adds(h, p.key);
	image_plan_done(&p);
	return r;
}

static int recipe_key(struct images *m, struct step_ctx *c, const struct recipe *rec, bool registry, unsigned depth,
		      struct hash *h, struct err *err)
{
	autofree char *dockerfile = path_join(rec->dir, "Dockerfile");
	struct utsname u;
	int r;

	r = recipe_hash(rec, h, err);
	for (size_t i = 0; i < rec->from.n && r == 0; i++) {
		hash_adds(h, rec->from.v[i]);
		r = image_key_add(m, c, strchr(rec->from.v[i], '=') + 1, registry, depth, h, err);
	}
	if (r == 0 && rec->compile.image)
		r = image_key_add(m, c, rec->compile.image, registry, depth, h, err);
	if (r < 0)
		return r;
	if (rec->kind == RECIPE_DOCKERFILE)
		return image_build_hash(m, c, dockerfile, h, err);
	uname(&u);
	hash_adds(h, u.machine);
	return 0;
}

/* Not recursive without end: depth is bounded. */
int image_plan_load(struct images *m, struct step_ctx *c, const char *name, bool registry, unsigned depth,
		    struct image_plan *ret, struct err *err)
{
	struct image_plan p = { .registry = registry };
	struct hash *h;
	int r;

	if (depth > RECIPE_DEPTH_MAX)
		return err_set(err, -EINVAL, "image recipe \"%s\" is made from itself", name);
	r = recipe_load(m->root, name, &p.recipe, err);
	if (r < 0)
		return r;
	h = hash_new();
	hash_adds(h, "image 1");
	if (registry && p.recipe.published)
		hash_adds(h, p.recipe.published);
	else
		r = recipe_key(m, c, &p.recipe, registry, depth, h, err);
	hash_hex(h, p.key);
	p.key[IMAGE_KEY_LEN] = '\0';
	p.ref = registry && p.recipe.published ? xstrdup(p.recipe.published) : xasprintf("firestream/%s:%s", name, p.key);
	if (r < 0) {
		image_plan_done(&p);
		return r;
	}
	*ret = p;
	return 0;
}
