/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "base/file.h"
#include "base/mem.h"
#include "boot/image_priv.h"

/* The images it is made from, as build arguments. */
static int bases_ensure(struct images *m, struct step_ctx *c, const struct image_plan *p, unsigned depth, json *args,
			struct err *err)
{
	int r = 0;

	for (size_t i = 0; i < p->recipe.from.n && r == 0; i++) {
		const char *eq = strchr(p->recipe.from.v[i], '=');
		autofree char *arg = xstrndup(p->recipe.from.v[i], (size_t)(eq - p->recipe.from.v[i]));
		autofree char *ref = NULL;

		r = image_ensure_as(m, c, eq + 1, p->registry, depth + 1, &ref, NULL, err);
		if (r == 0)
			json_set_str(args, arg, ref);
	}
	return r;
}

static int compile_ensure(struct images *m, struct step_ctx *c, const struct image_plan *p, unsigned depth, char **ret_tar,
			  struct err *err)
{
	char key[HASH_HEX_LEN + 1];
	autofree char *builder = NULL;
	int r;

	if (!p->recipe.compile.image)
		return 0;
	r = image_ensure_as(m, c, p->recipe.compile.image, p->registry, depth + 1, &builder, key, err);
	return r < 0 ? r : image_compile(m, c, &p->recipe, builder, key, ret_tar, err);
}

static int dockerfile_make(struct images *m, struct step_ctx *c, const struct image_plan *p, unsigned depth, struct err *err)
{
	autofree char *dockerfile = path_join(p->recipe.dir, "Dockerfile");
	autofree char *tar = NULL;
	autojson json *args = json_object();
	struct image_job job = {
		.name = p->recipe.name,
		.ref = p->ref,
		.key = p->key,
		.dir = p->recipe.dir,
		.dockerfile = dockerfile,
		.args = args,
		.registry = p->registry,
	};
	int r;

	r = bases_ensure(m, c, p, depth, args, err);
	if (r == 0)
		r = compile_ensure(m, c, p, depth, &tar, err);
	job.out_tar = tar;
	return r < 0 ? r : image_build(m, c, &job, err);
}

static int make(struct images *m, struct step_ctx *c, const struct image_plan *p, unsigned depth, struct err *err)
{
	autoclose int lock = -1;
	int r;

	if (p->registry && p->recipe.published) {
		c->changed = true;
		return image_pull(c, p->ref, IMAGE_STALL_MS, NULL, err);
	}
	lock = images_lock(m, c, p->recipe.name, err);
	if (lock < 0)
		return lock;
	r = image_exists(c->docker, p->ref, err);
	if (r != 0)
		return MIN(r, 0);
	c->changed = true;
	r = image_builders_clear(m, c, p->recipe.name, err);
	if (r < 0)
		return r;
	if (p->recipe.kind == RECIPE_DEBOOTSTRAP)
		return image_rootfs(m, c, &p->recipe, p->ref, p->key, err);
	return dockerfile_make(m, c, p, depth, err);
}

/* The image in one of the two ways: found, or made. ret_key: HASH_HEX_LEN + 1 bytes, or NULL. */
int image_ensure_as(struct images *m, struct step_ctx *c, const char *name, bool registry, unsigned depth, char **ret_ref,
		    char *ret_key, struct err *err)
{
	struct image_plan p = { 0 };
	int r;

	r = image_plan_load(m, c, name, registry, depth, &p, err);
	if (r < 0)
		return r;
	r = image_exists(c->docker, p.ref, err);
	if (r == 0) {
		r = image_claim(m, c, p.ref, err);
		if (r == 0) {
			r = image_exists(c->docker, p.ref, err);
			if (r == 0)
				r = make(m, c, &p, depth, err);
			image_claim_end(m, p.ref);
		}
	}
	if (r >= 0) {
		*ret_ref = steal(&p.ref);
		if (ret_key)
			memcpy(ret_key, p.key, sizeof(p.key));
	}
	image_plan_done(&p);
	return MIN(r, 0);
}

/* Adds up what is still to be made for `name`; 0 when it is there. */
static uint64_t expects_ms(struct images *m, struct step_ctx *c, const char *name, bool registry, struct strv *seen)
{
	struct image_plan p = { 0 };
	uint64_t ms = 0;

	if (strv_has(seen, name) || image_plan_load(m, c, name, registry, 0, &p, NULL) < 0)
		return 0;
	strv_add(seen, name);
	if (image_exists(c->docker, p.ref, NULL) == 0) {
		ms = p.recipe.expects_ms;
		if (!(registry && p.recipe.published)) {
			for (size_t i = 0; i < p.recipe.from.n; i++)
				ms += expects_ms(m, c, strchr(p.recipe.from.v[i], '=') + 1, registry, seen);
			if (p.recipe.compile.image)
				ms += p.recipe.compile.expects_ms + expects_ms(m, c, p.recipe.compile.image, registry, seen);
		}
	}
	image_plan_done(&p);
	return ms;
}

/* Is it there in either of the ways that are possible? 1, 0, -errno. */
static int find(struct images *m, struct step_ctx *c, const char *name, char **ret_ref, struct err *err)
{
	enum registry known = images_registry_known(m);
	int r = 0;

	for (int registry = 1; registry >= 0 && r == 0; registry--) {
		struct image_plan p = { 0 };

		if (known == (registry ? REGISTRY_SILENT : REGISTRY_ANSWERS))
			continue;
		r = image_plan_load(m, c, name, registry, 0, &p, err);
		if (r == 0)
			r = image_exists(c->docker, p.ref, err);
		if (r == 1)
			*ret_ref = steal(&p.ref);
		image_plan_done(&p);
	}
	return r;
}

int images_ensure(struct images *m, struct step_ctx *c, const char *recipe, char **ret_ref, struct err *err)
{
	struct strv seen = { 0 };
	bool registry;
	int r;

	r = find(m, c, recipe, ret_ref, err);
	if (r != 0)
		return MIN(r, 0);
	r = images_registry_decide(m, c, recipe, &registry, err);
	if (r < 0)
		return r;
	progress_expect(c->progress, expects_ms(m, c, recipe, registry, &seen));
	strv_done(&seen);
	return image_ensure_as(m, c, recipe, registry, 0, ret_ref, NULL, err);
}
