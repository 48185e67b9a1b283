/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "base/file.h"
#include "base/mem.h"
#include "boot/image_priv.h"

/* A builder whose recipe's lock can be had belongs to a run that was killed. */
static bool builder_is_left(struct images *m, const json *container)
{
	const char *recipe = json_str(container, "Labels['" LABEL_RECIPE "']", NULL);
	autofree char *path = recipe ? xasprintf("%s/lock/image-%s", m->cache_dir, recipe) : NULL;
	autoclose int lock = -1;

	if (!path || !file_exists(path))
		return true;
	lock = file_lock(path, 0, NULL);
	return lock >= 0;
}

int image_builders_clear(struct images *m, struct step_ctx *c, const char *name, struct err *err)
{
	auto(strv) struct strv labels = { 0 };
	autojson json *list = NULL;
	int r;

	strv_add(&labels, LABEL_BUILDER "=1");
	strv_addf(&labels, LABEL_CACHE "=%s", m->cache_dir);
	if (name)
		strv_addf(&labels, LABEL_RECIPE "=%s", name);
	r = docker_container_list(c->docker, &labels, &list, err);
	json_each(e, list)
		if (r == 0 && (name || builder_is_left(m, e)))
			r = docker_container_remove(c->docker, json_str(e, "Id", ""), err);
	return r;
}

/* One pass over what is left: images that others are made from are refused until those are gone. Returns how many went. */
static int images_remove_pass(struct step_ctx *c, int *ret_left, struct err *err)
{
	autojson json *list = NULL;
	int r, gone = 0;

	*ret_left = 0;
	r = docker_image_list(c->docker, LABEL_RECIPE, &list, err);
	if (r < 0)
		return r;
	json_each(e, list) {
		bool removed = false;

		json_each(t, json_get(e, "RepoTags"))
			if (t->valuestring && !str_starts(t->valuestring, "<none>"))
				removed |= docker_image_remove(c->docker, t->valuestring, err) == 0;
		if (!removed)
			removed = docker_image_remove(c->docker, json_str(e, "Id", ""), err) == 0;
		gone += removed;
		*ret_left += !removed;
		if (loop_cancelled(c->loop))
			return err_set(err, -ECANCELED, "interrupted while removing images");
	}
	return gone;
}

static int volumes_remove(struct step_ctx *c, struct err *err)
{
	autojson json *list = NULL;
	struct strv labels = { 0 };
	int r;

	strv_add(&labels, LABEL_CACHE "=1");
	r = docker_volume_list(c->docker, &labels, &list, err);
	strv_done(&labels);
	json_each(e, list)
		if (r == 0 && json_str(e, "Name", NULL))
			r = docker_volume_remove(c->docker, json_str(e, "Name", ""), err);
	return r;
}

int images_remove_builders(struct images *m, struct step_ctx *c, struct err *err)
{
	return image_builders_clear(m, c, NULL, err);
}

int images_remove_all(struct images *m, struct step_ctx *c, struct err *err)
{
	static const char *const folders[] = { "out", "tmp" };
	int r, left = 0;

	r = image_builders_clear(m, c, NULL, err);
	while (r == 0 && (r = images_remove_pass(c, &left, err)) > 0 && left)
		r = 0;
	if (r >= 0)
		r = volumes_remove(c, err);
	for (size_t i = 0; i < ARRAY_SIZE(folders) && r == 0; i++) {
		autofree char *path = path_join(m->cache_dir, folders[i]);

		r = file_remove_tree(path, err);
	}
	if (r == 0 && left)
		return err_set(err, -EBUSY, "%d of our images could not be removed: something still uses them", left);
	return r;
}
