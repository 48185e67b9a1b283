/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <glob.h>
#include <stdio.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/tar.h"
#include "boot/context.h"
#include "boot/image_priv.h"

#define LAST_LINES 12

/* Everything that decides about the result: the folder, the command and the toolchain. */
static int compile_key(const struct recipe *r, const char *builder_key, char ret[static HASH_HEX_LEN + 1], struct err *err)
{
	struct hash *h = hash_new();
	int code;

	hash_adds(h, "compile 1");
	hash_adds(h, builder_key);
	for (size_t i = 0; i < r->compile.command.n; i++)
		hash_adds(h, r->compile.command.v[i]);
	code = recipe_hash(r, h, err);
	hash_hex(h, ret);
	ret[IMAGE_KEY_LEN] = '\0';
	return code;
}

static json *compile_mounts(const struct recipe *r)
{
	json *mounts = json_array();

	for (size_t i = 0; i < r->compile.caches.n; i++) {
		const char *eq = strchr(r->compile.caches.v[i], '=');
		autofree char *source =
			xasprintf(RECIPE_CACHE_PREFIX "%.*s", (int)(eq - r->compile.caches.v[i]), r->compile.caches.v[i]);
		json *mount = json_add(mounts, json_object());

		json_set_str(mount, "Type", "volume");
		json_set_str(mount, "Source", source);
		json_set_str(mount, "Target", eq + 1);
	}
	return mounts;
}

static json *compile_config(const struct images *m, const struct recipe *r, const char *builder)
{
	json *config = json_object(), *labels, *host, *list;

	json_set_str(config, "Image", builder);
	json_set_str(config, "User", "0:0");
	json_set_str(config, "WorkingDir", "/src");
	list = json_set(config, "Entrypoint", json_array());
	json_add_str(list, "/.host/run");
	list = json_set(config, "Cmd", json_array());
	for (size_t i = 0; i < r->compile.command.n; i++)
		json_add_str(list, r->compile.command.v[i]);
	labels = json_set(config, "Labels", json_object());
	json_set_str(labels, LABEL_BUILDER, "1");
	json_set_str(labels, LABEL_RECIPE, r->name);
	json_set_str(labels, LABEL_CACHE, m->cache_dir);
	host = json_set(config, "HostConfig", json_object());
	json_set(host, "Mounts", compile_mounts(r));
	return config;
}

static int volumes_make(struct step_ctx *c, const struct recipe *r, struct err *err)
{
	int code = 0;

	for (size_t i = 0; i < r->compile.caches.n && code == 0; i++) {
		const char *s = r->compile.caches.v[i];
		autofree char *name = xasprintf(RECIPE_CACHE_PREFIX "%.*s", (int)(strchr(s, '=') - s), s);
		json *labels = json_object();

		json_set_str(labels, LABEL_CACHE, "1");
		code = docker_volume_create(c->docker, name, labels, err);
	}
	return code;
}

struct fill {
	const struct images *m;
	const struct hostpkg *host;
	struct context folder;
};

static int compile_fill(struct tar *t, void *arg, struct err *err)
{
	struct fill *f = arg;
	int r;

	r = tar_dir(t, "src", 0755, err);
	if (r == 0)
		r = tar_dir(t, "out", 0755, err);
	if (r == 0)
		r = hostpkg_fill(f->host, t, ".host", f->m->host_script, err);
	return r < 0 ? r : context_fill(&f->folder, t, "src", err);
}

static int compile_put(struct images *m, struct step_ctx *c, const struct recipe *r, const char *id, struct err *err)
{
	struct fill f = { .m = m };
	int code;

	code = images_host(m, c, &f.host, err);
	if (code == 0)
		code = context_open_all(r->dir, recipe_skip, &f.folder, err);
	if (code == 0)
		code = docker_archive_put(c->docker, id, "/", compile_fill, &f, err);
	context_done(&f.folder);
	return code;
}

struct view {
	struct step_ctx *c;
	const char *name;
	char last[LAST_LINES][200];
	unsigned n;
};

static int on_line(void *arg, const char *line)
{
	struct view *v = arg;

	progress_output(v->c->progress, line);
	if (!*line)
		return 0;
	snprintf(v->last[v->n++ % LAST_LINES], sizeof(v->last[0]), "%s", line);
	progress_note(v->c->progress, "compiling %s: %.60s", v->name, line);
	return 0;
}

/* The last line that says what went wrong, rather than that something did. */
static const char *view_cause(const struct view *v)
{
	const char *best = "";

	for (unsigned i = v->n > LAST_LINES ? v->n - LAST_LINES : 0; i < v->n; i++) {
		const char *line = v->last[i % LAST_LINES];

		if (!*best || strstr(line, "rror") || strstr(line, "not found") || strstr(line, "annot"))
			best = line;
	}
	return best;
}

static int compile_run(struct step_ctx *c, const struct recipe *r, const char *id, struct err *err)
{
	struct view v = { .c = c, .name = r->name };
	int code;

	code = docker_container_start(c->docker, id, err);
	if (code == 0)
		code = docker_container_follow(c->docker, id, on_line, &v, c->deadline_ns, err);
	if (code == 0)
		code = docker_container_wait(c->docker, id, c->deadline_ns, err);
	if (code > 0)
		return err_set(err, -EIO, "compiling %s failed with status %d: %s", r->name, code, view_cause(&v));
	return code < 0 ? err_wrap(err, code, "compiling %s", r->name) : 0;
}

/* Keeps the newest result of each recipe. */
static void compile_prune(const struct images *m, const struct recipe *r, const char *keep)
{
	/* sixteen digits, so that "node" does not take "node-base" with it */
	autofree char *pattern = xasprintf("%s/out/%s-????????????????.tar", m->cache_dir, r->name);
	glob_t g = { 0 };

	if (glob(pattern, 0, NULL, &g) == 0)
		for (size_t i = 0; i < g.gl_pathc; i++)
			if (!streq(g.gl_pathv[i], keep))
				unlink(g.gl_pathv[i]);
	globfree(&g);
}

static int compile_fetch(const struct images *m, struct step_ctx *c, const struct recipe *r, const char *id,
			 const char *path, struct err *err)
{
	autofree char *part = xasprintf("%s.part", path);
	autofree char *dir = path_dirname(path);
	int code;

	progress_note(c->progress, "compiling %s: fetching the result", r->name);
	code = file_mkdirs(dir, 0755, err);
	if (code == 0)
		code = docker_archive_get(c->docker, id, "/out", NULL, part, err);
	if (code == 0 && rename(part, path) < 0)
		code = err_set(err, -errno, "cannot write %s: %m", path);
	if (code < 0)
		unlink(part);
	else
		compile_prune(m, r, path);
	return code;
}

static int compile_contained(struct images *m, struct step_ctx *c, const struct recipe *r, const char *builder,
			     const char *path, struct err *err)
{
	autofree char *name = xasprintf("firestream-build-%s-%d", r->name, (int)getpid());
	autofree char *id = NULL;
	int code;

	code = volumes_make(c, r, err);
	if (code == 0)
		code = docker_container_create(c->docker, name, compile_config(m, r, builder), &id, err);
	if (code < 0)
		return err_wrap(err, code, "compiling %s", r->name);
	code = compile_put(m, c, r, id, err);
	if (code == 0)
		code = compile_run(c, r, id, err);
	if (code == 0)
		code = compile_fetch(m, c, r, id, path, err);
	container_discard(c->docker, id);
	return code;
}

int image_compile(struct images *m, struct step_ctx *c, const struct recipe *r, const char *builder, const char *builder_key,
		  char **ret_tar, struct err *err)
{
	char key[HASH_HEX_LEN + 1];
	autofree char *path = NULL;
	int code;

	code = compile_key(r, builder_key, key, err);
	if (code < 0)
		return code;
	path = xasprintf("%s/out/%s-%s.tar", m->cache_dir, r->name, key);
	if (!file_exists(path)) {
		progress_note(c->progress, "compiling %s", r->name);
		code = compile_contained(m, c, r, builder, path, err);
		if (code < 0)
			return code;
	}
	*ret_tar = steal(&path);
	return 0;
}
