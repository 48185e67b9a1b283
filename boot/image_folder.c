/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "base/file.h"
#include "base/mem.h"
#include "boot/context.h"
#include "boot/image_priv.h"

struct folder {
	const char *name, *context, *dockerfile, *target, *base;
	const json *args;
};

static int folder_key(struct images *m, struct step_ctx *c, const struct folder *f, bool registry,
		      char ret[static HASH_HEX_LEN + 1], struct err *err)
{
	size_t n = strlen(f->context);
	bool below = strncmp(f->dockerfile, f->context, n) == 0 && f->dockerfile[n] == '/';
	autofree char *args = f->args ? json_text(f->args) : xstrdup("");
	struct buf text = BUF_INIT(1u << 20);
	struct hash *h = hash_new();
	struct context x = { 0 };
	int r;

	hash_adds(h, "folder 1");
	hash_adds(h, args);
	hash_adds(h, f->target ? f->target : "");
	hash_adds(h, below ? f->dockerfile + n : "");
	r = file_read(f->dockerfile, &text, err);
	hash_adds(h, buf_str(&text));
	if (r == 0)
		r = context_open(f->context, below ? f->dockerfile + n + 1 : NULL, recipe_skip, &x, err);
	if (r == 0)
		r = context_hash(&x, h, err);
	if (r == 0)
		r = image_build_hash(m, c, f->dockerfile, h, err);
	if (r == 0 && f->base && !registry)
		r = image_key_add(m, c, f->base, registry, 0, h, err);
	hash_hex(h, ret);
	ret[IMAGE_KEY_LEN] = '\0';
	context_done(&x);
	buf_done(&text);
	return r;
}

static int folder_build(struct images *m, struct step_ctx *c, const struct folder *f, bool registry, const char *ref,
			const char *key, struct err *err)
{
	autojson json *args = f->args ? json_copy(f->args) : json_object();
	struct image_job job = {
		.name = f->name,
		.ref = ref,
		.key = key,
		.dir = f->context,
		.dockerfile = f->dockerfile,
		.target = f->target,
		.args = args,
		.registry = registry,
	};
	autofree char *base = NULL;
	int r = 0;

	c->changed = true;
	if (f->base && !registry)
		r = image_ensure_as(m, c, f->base, registry, 0, &base, NULL, err);
	if (r < 0)
		return r;
	json_set_str(args, "BASE", base);
	return image_build(m, c, &job, err);
}

static int folder_find(struct images *m, struct step_ctx *c, const struct folder *f, bool registry, char **ret_ref,
		       char ret_key[static HASH_HEX_LEN + 1], struct err *err)
{
	int r = folder_key(m, c, f, registry, ret_key, err);

	if (r < 0)
		return r;
	free(*ret_ref);
	*ret_ref = xasprintf("firestream/%s:%s", f->name, ret_key);
	return image_exists(c->docker, *ret_ref, err);
}

int images_build_folder(struct images *m, struct step_ctx *c, const char *tag_name, const char *context,
			const char *dockerfile, const char *target, const json *args, const char *base, char **ret_ref,
			struct err *err)
{
	struct folder f = { tag_name, context, dockerfile, target, base, args };
	enum registry known = images_registry_known(m);
	char key[HASH_HEX_LEN + 1];
	autofree char *ref = NULL;
	bool registry = false;
	int r = 0;

	if (known != REGISTRY_SILENT)
		r = folder_find(m, c, &f, true, &ref, key, err);
	if (r == 0 && known != REGISTRY_ANSWERS)
		r = folder_find(m, c, &f, false, &ref, key, err);
	if (r == 0)
		r = images_registry_decide(m, c, base, &registry, err);
	if (r == 0)
		r = folder_find(m, c, &f, registry, &ref, key, err);
	if (r == 0) {
		r = image_claim(m, c, ref, err);
		if (r == 0) {
			r = image_exists(c->docker, ref, err);
			if (r == 0)
				r = folder_build(m, c, &f, registry, ref, key, err);
			image_claim_end(m, ref);
		}
	}
	if (r < 0)
		return r;
	*ret_ref = steal(&ref);
	return 0;
}
