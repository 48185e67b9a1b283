/* SPDX-License-Identifier: Apache-2.0 */
#include "boot/recipe.h"

#include <errno.h>
#include <stddef.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/schema.h"
#include "base/yaml.h"
#include "boot/context.h"

const char *const recipe_skip[] = { "out", ".host", NULL };

static const char *const kinds[] = { "dockerfile", "debootstrap", NULL };

/* What the table fills; the enum is an int for schema's sake. */
struct recipe_file {
	char *description, *published, *suite;
	int kind;
	struct strv from;
	uint64_t expects_ms;
	struct recipe_compile compile;
};

#define AT(member) offsetof(struct recipe_file, member)
#define COMPILE_AT(member) offsetof(struct recipe_compile, member)

static const struct schema_key compile_schema[] = {
	{ "image", SCHEMA_STRING, COMPILE_AT(image), .required = true, .help = "recipe of the image it runs in" },
	{ "command", SCHEMA_STRINGS, COMPILE_AT(command), .required = true, .help = "command, in a copy of the folder" },
	{ "caches", SCHEMA_STRING_MAP, COMPILE_AT(caches), .help = "cache volumes: name → path" },
	{ "expects", SCHEMA_DURATION, COMPILE_AT(expects_ms), .help = "how long it takes the first time" },
	{ 0 },
};

static const struct schema_key recipe_schema[] = {
	{ "description", SCHEMA_STRING, AT(description), .required = true, .help = "one line" },
	{ "kind", SCHEMA_ENUM, AT(kind), .names = kinds, .def = "dockerfile", .help = "how it is made" },
	{ "published", SCHEMA_STRING, AT(published), .help = "reference pulled instead where a registry answers" },
	{ "suite", SCHEMA_STRING, AT(suite), .def = "bookworm", .help = "debootstrap: release of Debian" },
	{ "from", SCHEMA_STRING_MAP, AT(from), .help = "build argument → recipe whose image it names" },
	{ "expects", SCHEMA_DURATION, AT(expects_ms), .def = "60s", .help = "how long it takes the first time" },
	{ "compile", SCHEMA_OBJECT, AT(compile), .keys = compile_schema, .help = "what runs before the build" },
	{ 0 },
};

/* Checks that are beyond the table. */
static void recipe_check(const struct recipe_file *f, const char *file, struct strv *problems)
{
	for (size_t i = 0; i < f->from.n; i++)
		if (!str_is_label(strchr(f->from.v[i], '=') + 1))
			strv_addf(problems, "%s: from: \"%s\" does not name a recipe", file, f->from.v[i]);
	for (size_t i = 0; i < f->compile.caches.n; i++) {
		const char *path = strchr(f->compile.caches.v[i], '=') + 1;

		if (*path != '/')
			strv_addf(problems, "%s: compile.caches: \"%s\" is not an absolute path", file, path);
	}
	if (f->kind == RECIPE_DEBOOTSTRAP && (!f->suite || !str_is_label(f->suite)))
		strv_addf(problems, "%s: suite: \"%s\" is not the name of a Debian release", file, f->suite ? f->suite : "");
}

static int recipe_read(const char *file, struct recipe_file *ret, struct err *err)
{
	struct strv problems = { 0 };
	struct yaml_doc doc = { 0 };
	int r;

	r = yaml_parse_file(file, 0, &doc, err);
	if (r < 0)
		return r;
	r = schema_read(&doc, doc.root, recipe_schema, ret, &problems);
	if (r == 0)
		recipe_check(ret, file, &problems);
	if (r < 0 || problems.n) {
		autofree char *text = strv_join(&problems, "; ");

		r = err_set(err, -EINVAL, "%s", *text ? text : file);
	}
	strv_done(&problems);
	yaml_doc_done(&doc);
	return r;
}

int recipe_load(const char *root, const char *name, struct recipe *ret, struct err *err)
{
	struct recipe_file f = { 0 };
	autofree char *file = NULL;
	int r;

	if (!str_is_label(name))
		return err_set(err, -EINVAL, "\"%s\" is not the name of an image recipe", name);
	file = xasprintf("%s/images/%s/image.yaml", root, name);
	if (!file_exists(file))
		return err_set(err, -ENOENT, "there is no image recipe \"%s\" (%s is missing)", name, file);
	r = recipe_read(file, &f, err);
	if (r < 0) {
		schema_done(recipe_schema, &f);
		return r;
	}
	*ret = (struct recipe){
		.name = xstrdup(name),
		.dir = path_dirname(file),
		.description = f.description,
		.kind = (enum recipe_kind)f.kind,
		.published = f.published,
		.suite = f.suite,
		.from = f.from,
		.expects_ms = f.expects_ms,
		.compile = f.compile,
	};
	return 0;
}

void recipe_done(struct recipe *r)
{
	free(r->name);
	free(r->dir);
	free(r->description);
	free(r->published);
	free(r->suite);
	strv_done(&r->from);
	free(r->compile.image);
	strv_done(&r->compile.command);
	strv_done(&r->compile.caches);
	*r = (struct recipe){ 0 };
}

int recipe_hash(const struct recipe *r, struct hash *h, struct err *err)
{
	struct context x;
	int code;

	code = context_open_all(r->dir, recipe_skip, &x, err);
	if (code < 0)
		return code;
	hash_adds(h, r->name);
	code = context_hash(&x, h, err);
	context_done(&x);
	return code;
}
