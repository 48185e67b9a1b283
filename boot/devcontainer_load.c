/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "boot/devcontainer_parts.h"
#include "boot/source.h"

enum { STR_T = 1, BOOL_T = 2, NUM_T = 4, LIST_T = 8, MAP_T = 16, NULL_T = 32, SCALAR_T = STR_T | BOOL_T | NUM_T };

/* What we look at, with the types that it may have, alone and as element of a list or value of a map. Other keys are other tools'. */
static const struct property {
	const char *name;
	unsigned types, in_list, in_map;	/* 0: anything */
	const char *refused;			/* why it cannot be honoured, unless it is empty */
} properties[] = {
	{ "image", STR_T, 0, 0, NULL },
	{ "dockerFile", STR_T, 0, 0, NULL },
	{ "context", STR_T, 0, 0, NULL },
	{ "build", MAP_T, 0, 0, NULL },
	{ "appPort", STR_T | NUM_T | LIST_T, STR_T | NUM_T, 0, NULL },
	{ "runArgs", LIST_T, STR_T, 0, NULL },
	{ "mounts", LIST_T, STR_T | MAP_T, 0, NULL },
	{ "workspaceMount", STR_T, 0, 0, NULL },
	{ "workspaceFolder", STR_T, 0, 0, NULL },
	{ "containerEnv", MAP_T, 0, SCALAR_T, NULL },
	{ "remoteEnv", MAP_T, 0, SCALAR_T | NULL_T, NULL },
	{ "containerUser", STR_T, 0, 0, NULL },
	{ "remoteUser", STR_T, 0, 0, NULL },
	{ "updateRemoteUserUID", BOOL_T, 0, 0, NULL },
	{ "overrideCommand", BOOL_T, 0, 0, NULL },
	{ "init", BOOL_T, 0, 0, NULL },
	{ "privileged", BOOL_T, 0, 0, NULL },
	{ "capAdd", LIST_T, STR_T, 0, NULL },
	{ "securityOpt", LIST_T, STR_T, 0, NULL },
	{ "initializeCommand", STR_T | LIST_T | MAP_T, STR_T, STR_T | LIST_T, NULL },
	{ "onCreateCommand", STR_T | LIST_T | MAP_T, STR_T, STR_T | LIST_T, NULL },
	{ "updateContentCommand", STR_T | LIST_T | MAP_T, STR_T, STR_T | LIST_T, NULL },
	{ "postCreateCommand", STR_T | LIST_T | MAP_T, STR_T, STR_T | LIST_T, NULL },
	{ "postStartCommand", STR_T | LIST_T | MAP_T, STR_T, STR_T | LIST_T, NULL },
	{ "postAttachCommand", STR_T | LIST_T | MAP_T, STR_T, STR_T | LIST_T, NULL },
	{ "features", MAP_T, 0, 0, "features are not supported: install what they bring in the Dockerfile, or use the devcontainer CLI" },
	{ "dockerComposeFile", STR_T | LIST_T, 0, 0, "compose configurations are not supported: use an image or a Dockerfile" },
};

static const struct property build_properties[] = {
	{ "dockerfile", STR_T, 0, 0, NULL },
	{ "context", STR_T, 0, 0, NULL },
	{ "target", STR_T, 0, 0, NULL },
	{ "args", MAP_T, 0, SCALAR_T, NULL },
	{ "options", LIST_T, STR_T, 0, "build options are not supported" },
};

static unsigned type_bit(enum yaml_type t)
{
	switch (t) {
	case YAML_NULL:
		return NULL_T;
	case YAML_BOOL:
		return BOOL_T;
	case YAML_INT:
	case YAML_FLOAT:
		return NUM_T;
	case YAML_STRING:
		return STR_T;
	case YAML_SEQ:
		return LIST_T;
	case YAML_MAP:
		return MAP_T;
	}
	return 0;
}

static void type_names(unsigned types, struct buf *out)
{
	static const char *const names[] = { "a string", "true or false", "a number", "a list", "an object", "null" };

	for (unsigned i = 0; i < ARRAY_SIZE(names); i++)
		if (types & 1u << i)
			buf_addf(out, "%s%s", out->len ? " or " : "", names[i]);
}

static int check_type(const char *file, const char *key, const struct yaml *y, unsigned types, struct err *err)
{
	auto(buf) struct buf want = BUF_INIT(256);

	if (!types || type_bit(y->type) & types)
		return 0;
	type_names(types, &want);
	return err_set(err, -EINVAL, "%s:%u:%u: \"%s\" has to be %s, not %s", file, y->line, y->column, key, buf_str(&want),
		       yaml_type_name(y->type));
}

static int check_property(const char *file, const struct property *p, const struct yaml *y, struct err *err)
{
	int r = check_type(file, p->name, y, p->types, err);

	if (r == 0 && p->refused && (y->n || (y->text && *y->text)))
		return err_set(err, -EINVAL, "%s:%u:%u: \"%s\": %s", file, y->key_line, y->key_column, p->name, p->refused);
	yaml_each(e, y) {
		autofree char *key = e->key ? xasprintf("%s.%s", p->name, e->key) : xstrdup(p->name);

		if (r == 0)
			r = check_type(file, key, e, y->type == YAML_MAP ? p->in_map : p->in_list, err);
	}
	return r;
}

static int check_map(const char *file, const struct yaml *map, const struct property *list, size_t n, struct err *err)
{
	for (size_t i = 0; i < n; i++) {
		const struct yaml *y = yaml_get(map, list[i].name);
		int r = y ? check_property(file, &list[i], y, err) : 0;

		if (r < 0)
			return r;
	}
	return 0;
}

int dc_check(const struct yaml_doc *doc, struct err *err)
{
	int r;

	if (!doc->root || doc->root->type != YAML_MAP)
		return err_set(err, -EINVAL, "%s:1:1: has to be an object", doc->file);
	r = check_map(doc->file, doc->root, properties, ARRAY_SIZE(properties), err);
	return r < 0 ? r : check_map(doc->file, yaml_get(doc->root, "build"), build_properties, ARRAY_SIZE(build_properties), err);
}

/* ---- fields ------------------------------------------------------------------------------------------------------- */

static char *subst_str(const struct dc_vars *v, const json *raw, const char *path)
{
	const char *text = json_str(raw, path, NULL);

	return text ? dc_subst(v, text) : NULL;
}

static char *path_under(const char *dir, const char *path)
{
	autofree char *joined = path_join(dir, path);

	return path_absolute(joined);
}

/* Dockerfile or image; the context is the Dockerfile's folder unless given, both relative to the file's folder. */
static int load_build(struct devcontainer *dc, const struct dc_vars *v, struct err *err)
{
	autofree char *dir = path_dirname(dc->file), *name = subst_str(v, dc->raw, "build.dockerfile"), *context = NULL;

	if (!name)
		name = subst_str(v, dc->raw, "dockerFile");
	if (!name) {
		dc->image = subst_str(v, dc->raw, "image");
		return dc->image && *dc->image ? 0 : err_set(err, -EINVAL, "%s:1:1: neither \"image\" nor \"build.dockerfile\" is given",
							     dc->file);
	}
	dc->dockerfile = path_under(dir, name);
	context = subst_str(v, dc->raw, "build.context");
	if (!context)
		context = subst_str(v, dc->raw, "context");
	dc->context = context ? path_under(dir, context) : path_dirname(dc->dockerfile);
	dc->target = subst_str(v, dc->raw, "build.target");
	dc->build_args = json_is(dc->raw, "build.args") ? dc_subst_json(v, json_get(dc->raw, "build.args")) : json_object();
	if (!file_exists(dc->dockerfile))
		return err_set(err, -EINVAL, "%s: there is no %s", dc->file, dc->dockerfile);
	return 0;
}

/* /workspaces/ROOT/RELATIVE: the git root is what is mounted. */
static void load_folders(struct devcontainer *dc, struct dc_vars *v)
{
	size_t n;

	dc->mount_source = source_root(dc->workspace);
	n = strlen(dc->mount_source);
	dc->workspace_folder = subst_str(v, dc->raw, "workspaceFolder");
	if (!dc->workspace_folder) {
		const char *below = str_starts(dc->workspace, dc->mount_source) && dc->workspace[n] == '/' ? dc->workspace + n : "";

		dc->workspace_folder = xasprintf("/workspaces/%s%s", path_basename(dc->mount_source), below);
	}
	v->workspace_folder = dc->workspace_folder;
}

/* The flags are read once for their faults, so that they are found before anything is touched. */
static int check_run_args(const struct devcontainer *dc, const struct dc_vars *v, struct err *err)
{
	struct dc_create scratch;
	autojson json *args = dc_subst_json(v, json_get(dc->raw, "runArgs"));
	int r;

	dc_create_init(&scratch);
	r = dc_run_args(&scratch, args, yaml_get(dc->doc.root, "runArgs"), dc->file, err);
	dc_create_done(&scratch);
	return r;
}

static int check_mounts(const struct devcontainer *dc, const struct dc_vars *v, struct err *err)
{
	const struct yaml *list = yaml_get(dc->doc.root, "mounts");

	yaml_each(e, list) {
		autofree char *text = e->type == YAML_STRING ? dc_subst(v, e->text) : NULL;
		autojson json *mount = text ? dc_parse_mount(text, err) : NULL;

		if (text && !mount)
			return err_wrap(err, -EINVAL, "%s:%u:%u", dc->file, e->line, e->column);
	}
	return 0;
}

/* With uid 0 on the host, the user of ours whose files the host's user may touch is root. */
static void load_env(struct devcontainer *dc)
{
	if (geteuid() == 0 && !getenv("FIRESTREAM_USER"))
		strv_add(&dc->env, "FIRESTREAM_USER=root");
}

static int load_fields(struct devcontainer *dc, struct err *err)
{
	struct dc_vars v = { .env = &dc->env, .workspace = dc->workspace };
	int r;

	load_env(dc);
	load_folders(dc, &v);
	dc->container_user = subst_str(&v, dc->raw, "containerUser");
	dc->remote_user = subst_str(&v, dc->raw, "remoteUser");
	if (!dc->remote_user)
		dc->remote_user = xstrdup(dc->container_user);
	r = load_build(dc, &v, err);
	if (r == 0)
		r = check_run_args(dc, &v, err);
	return r < 0 ? r : check_mounts(dc, &v, err);
}

static char *find_file(const char *workspace)
{
	static const char *const names[] = { ".devcontainer/devcontainer.json", ".devcontainer.json" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		char *path = path_join(workspace, names[i]);

		if (file_exists(path))
			return path;
		free(path);
	}
	return NULL;
}

int devcontainer_load(const char *workspace, const char *root, struct devcontainer *ret, struct err *err)
{
	struct devcontainer dc = { 0 };
	size_t n;
	int r;

	dc.workspace = path_absolute(workspace);
	for (n = strlen(dc.workspace); n > 1 && dc.workspace[n - 1] == '/'; n--)
		dc.workspace[n - 1] = '\0';
	dc.file = find_file(dc.workspace);
	if (!dc.file && root)
		dc.file = find_file(root);
	if (!dc.file)
		r = err_set(err, -ENOENT, "there is no .devcontainer/devcontainer.json in %s", dc.workspace);
	else
		r = yaml_parse_file(dc.file, YAML_JSONC | YAML_DUP_OK, &dc.doc, err);
	if (r == 0)
		r = dc_check(&dc.doc, err);
	if (r == 0) {
		dc.raw = yaml_to_json(dc.doc.root);
		r = load_fields(&dc, err);
	}
	if (r < 0)
		devcontainer_done(&dc);
	else
		*ret = dc;
	return r;
}

void devcontainer_done(struct devcontainer *dc)
{
	if (!dc)
		return;
	yaml_doc_done(&dc->doc);
	json_free(dc->raw);
	json_free(dc->build_args);
	strv_done(&dc->env);
	free(dc->file);
	free(dc->workspace);
	free(dc->image);
	free(dc->dockerfile);
	free(dc->context);
	free(dc->target);
	free(dc->workspace_folder);
	free(dc->mount_source);
	free(dc->remote_user);
	free(dc->container_user);
	*dc = (struct devcontainer){ 0 };
}
