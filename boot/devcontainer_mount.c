/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "base/mem.h"
#include "base/num.h"
#include "boot/devcontainer_parts.h"

/* `docker run --mount`: one line of CSV ("a","b=""c""",d) whose fields are key=value. */

enum kind { TEXT, TRUE_ONLY, OCTAL, SIZE, DRIVER_PAIR, LABEL_PAIR };

static const struct mount_key {
	const char *name, *group, *key;	/* group: "BindOptions" …; NULL: the mount itself */
	enum kind kind;
} keys[] = {
	{ "type", NULL, "Type", TEXT },
	{ "source", NULL, "Source", TEXT },
	{ "src", NULL, "Source", TEXT },
	{ "target", NULL, "Target", TEXT },
	{ "destination", NULL, "Target", TEXT },
	{ "dst", NULL, "Target", TEXT },
	{ "readonly", NULL, "ReadOnly", TRUE_ONLY },
	{ "ro", NULL, "ReadOnly", TRUE_ONLY },
	{ "consistency", NULL, "Consistency", TEXT },
	{ "bind-propagation", "BindOptions", "Propagation", TEXT },
	{ "bind-nonrecursive", "BindOptions", "NonRecursive", TRUE_ONLY },
	{ "bind-create-src", "BindOptions", "CreateMountpoint", TRUE_ONLY },
	{ "volume-nocopy", "VolumeOptions", "NoCopy", TRUE_ONLY },
	{ "volume-subpath", "VolumeOptions", "Subpath", TEXT },
	{ "volume-driver", "VolumeOptions.DriverConfig", "Name", TEXT },
	{ "volume-opt", "VolumeOptions.DriverConfig", "Options", DRIVER_PAIR },
	{ "volume-label", "VolumeOptions", "Labels", LABEL_PAIR },
	{ "tmpfs-size", "TmpfsOptions", "SizeBytes", SIZE },
	{ "tmpfs-mode", "TmpfsOptions", "Mode", OCTAL },
	{ "external", NULL, NULL, TEXT },	/* of object mounts; nothing to say to the engine */
};

/* Cuts the next CSV field off *p; caller owns; NULL at the end. */
static char *csv_field(const char **p)
{
	auto(buf) struct buf out = BUF_INIT(1 << 16);
	bool quoted = false;

	if (!**p)
		return NULL;
	for (; **p && (quoted || **p != ','); (*p)++) {
		if (**p != '"')
			buf_addc(&out, **p);
		else if (quoted && (*p)[1] == '"')
			buf_addc(&out, *++*p);
		else
			quoted = !quoted;
	}
	if (**p)
		(*p)++;
	return xstrdup(buf_str(&out));
}

static json *object_at(json *o, const char *path)
{
	struct str rest = str_from(path ? path : ""), name;

	while (str_split(&rest, '.', &name)) {
		autofree char *key = xstrndup(name.p, name.len);
		json *have = json_get(o, key);

		o = have ? have : json_set(o, key, json_object());
	}
	return o;
}

static int set_value(json *mount, const struct mount_key *k, const char *value, struct err *err)
{
	json *o = object_at(mount, k->group);
	uint64_t n = 0, mode = 0;

	switch (k->kind) {
	case TEXT:
		json_set_str(o, k->key, value);
		return 0;
	case TRUE_ONLY:
		json_set_bool(o, k->key, !streq(value, "false") && !streq(value, "0"));
		return 0;
	case SIZE:
		if (num_bytes(value, &n) < 0)
			return err_set(err, -EINVAL, "%s: \"%s\" is not a size", k->name, value);
		json_set_int(o, k->key, (int64_t)n);
		return 0;
	case OCTAL:
		for (const char *p = value; *p; p++) {
			if (*p < '0' || *p > '7' || mode > 0777)
				return err_set(err, -EINVAL, "%s: \"%s\" is not an octal mode", k->name, value);
			mode = mode * 8 + (uint64_t)(*p - '0');
		}
		json_set_int(o, k->key, (int64_t)mode);
		return 0;
	case DRIVER_PAIR:
	case LABEL_PAIR: {
		const char *text = strchr(value, '=');
		autofree char *name = xstrndup(value, strcspn(value, "="));

		json_set_str(object_at(o, k->key), name, text ? text + 1 : "");
		return 0;
	}
	}
	return 0;
}

static int set_field(json *mount, const char *field, struct err *err)
{
	autofree char *name = xstrndup(field, strcspn(field, "="));
	const char *value = strchr(field, '=');
	const char *names[ARRAY_SIZE(keys)], *near;

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		names[i] = keys[i].name;
		if (!streq(name, keys[i].name))
			continue;
		if (!value && keys[i].kind != TRUE_ONLY)
			return err_set(err, -EINVAL, "mount: \"%s\" needs a value", name);
		return keys[i].key ? set_value(mount, &keys[i], value ? value + 1 : "true", err) : 0;
	}
	near = str_nearest(name, names, ARRAY_SIZE(keys));
	if (near)
		return err_set(err, -EINVAL, "mount: unknown key \"%s\"; did you mean \"%s\"?", name, near);
	return err_set(err, -EINVAL, "mount: unknown key \"%s\"", name);
}

json *dc_parse_mount(const char *csv, struct err *err)
{
	autojson json *mount = json_object();
	char *field;

	json_set_str(mount, "Type", "volume");
	while ((field = csv_field(&csv)) != NULL) {
		int r = set_field(mount, field, err);

		free(field);
		if (r < 0)
			return NULL;
	}
	if (json_str(mount, "Target", "")[0] != '/') {
		err_set(err, -EINVAL, "mount: \"target\" has to be an absolute path");
		return NULL;
	}
	if (streq(json_str(mount, "Type", ""), "bind") && !json_str(mount, "Source", "")[0]) {
		err_set(err, -EINVAL, "mount: a bind mount needs a source");
		return NULL;
	}
	return steal(&mount);
}

int dc_add_mount(struct dc_create *x, const char *csv, struct err *err)
{
	json *mount = dc_parse_mount(csv, err), *old = json_get(x->host, "Mounts"), *list;

	if (!mount)
		return -EINVAL;
	list = json_array();
	json_each(e, old)
		if (!streq(json_str(e, "Target", ""), json_str(mount, "Target", "")))
			json_add(list, json_copy(e));
	json_add(list, mount);
	json_set(x->host, "Mounts", list);
	return 0;
}
