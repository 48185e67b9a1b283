/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/mem.h"
#include "boot/engine.h"

#define REFUSED "unable to apply caps"
#define NOTE "the engine refuses privileged containers: the node gets explicit capabilities, paths and mounts instead"

static void list_add(json *o, const char *key, const char *const *values)
{
	json *list = json_get(o, key);

	if (!list)
		list = json_set(o, key, json_array());
	for (; *values; values++)
		json_add_str(list, *values);
}

/* Everything that Privileged stands for and a node needs, said one by one, without the one capability that cannot be had. */
static void explicit_set(struct docker *d, json *host)
{
	static const char *const all[] = { "ALL", NULL }, *const resource[] = { "SYS_RESOURCE", NULL };
	static const char *const options[] = { "seccomp=unconfined", "apparmor=unconfined", "label=disable", NULL };
	static const char *const unmask[] = { "unmask=ALL", NULL };
	static const char *const rules[] = { "a *:* rwm", NULL };
	static const char *const binds[] = { "/sys/fs/cgroup:/sys/fs/cgroup:rw", NULL };
	json *devices = json_get(host, "Devices"), *kmsg;

	list_add(host, "CapAdd", all);
	list_add(host, "CapDrop", resource);
	list_add(host, "SecurityOpt", options);
	if (docker_is_podman(d)) /* which ignores the two below */
		list_add(host, "SecurityOpt", unmask);
	json_set(host, "MaskedPaths", json_array());
	json_set(host, "ReadonlyPaths", json_array());
	list_add(host, "DeviceCgroupRules", rules);
	list_add(host, "Binds", binds);
	if (!devices)
		devices = json_set(host, "Devices", json_array());
	kmsg = json_add(devices, json_object());
	json_set_str(kmsg, "PathOnHost", "/dev/kmsg");
	json_set_str(kmsg, "PathInContainer", "/dev/kmsg");
	json_set_str(kmsg, "CgroupPermissions", "rwm");
}

static void privileges_set(struct docker *d, bool privileged, json *host)
{
	if (privileged)
		json_set_bool(host, "Privileged", true);
	else
		explicit_set(d, host);
}

/* Creates, starts and removes a container; what the engine says to that. */
static int privileges_try(struct docker *d, const char *image, const char *cache_dir, bool privileged, struct err *err)
{
	json *config = json_object(), *list, *labels;
	autofree char *id = NULL;
	struct err ignored = { 0 };
	int r, e;

	json_set_str(config, "Image", image);
	list = json_set(config, "Entrypoint", json_array());
	json_add_str(list, "/bin/sh");
	list = json_set(config, "Cmd", json_array());
	json_add_str(list, "-c");
	json_add_str(list, "exit 0");
	labels = json_set(config, "Labels", json_object());
	json_set_str(labels, "firestream.builder", "1"); /* so that one of a killed run is found and removed with those */
	json_set_str(labels, "firestream.cache", cache_dir);
	privileges_set(d, privileged, json_set(config, "HostConfig", json_object()));
	r = docker_container_create(d, NULL, config, &id, err);
	if (r < 0)
		return r;
	r = docker_container_start(d, id, err);
	e = docker_container_remove(d, id, r < 0 ? &ignored : err);
	return r < 0 ? r : e;
}

/* Where the choice for this engine is remembered; NULL when the engine has no identity. Caller owns. */
static char *memory_path(struct docker *d, const char *cache_dir)
{
	char hex[HASH_HEX_LEN + 1];
	autojson json *info = NULL;
	struct hash *h;
	const char *id;

	if (docker_call(d, "GET", "/info", NULL, 0, &info, NULL) < 0)
		return NULL;
	id = json_str(info, "ID", "");
	if (!*id)
		return NULL;
	h = hash_new();
	hash_adds(h, id);
	hash_adds(h, json_str(info, "ServerVersion", ""));
	hash_hex(h, hex);
	hex[16] = '\0';
	return xasprintf("%s/engine/%s", cache_dir, hex);
}

/* 1 privileged, 0 explicit, -ENOENT not known. */
static int memory_read(const char *path)
{
	auto(buf) struct buf text = BUF_INIT(64);

	if (!path || !file_exists(path) || file_read(path, &text, NULL) < 0)
		return -ENOENT;
	return streq(buf_str(&text), "privileged\n") ? 1 : streq(buf_str(&text), "explicit\n") ? 0 : -ENOENT;
}

static void memory_write(const char *path, bool privileged)
{
	const char *text = privileged ? "privileged\n" : "explicit\n";
	autofree char *dir = path ? path_dirname(path) : NULL;

	/* only a hint: the next run tries again when it is lost */
	if (path && file_mkdirs(dir, 0755, NULL) == 0 && file_write(path, text, strlen(text), 0644, NULL) < 0)
		unlink(path);
}

/* 1 privileged, 0 explicit. */
static int privileges_choose(struct docker *d, const char *image, const char *cache_dir, struct err *err)
{
	struct err refused = { 0 };
	int r = privileges_try(d, image, cache_dir, true, &refused);

	if (r == 0)
		return 1;
	if (!strstr(refused.msg, REFUSED)) {
		if (err)
			*err = refused;
		return err_wrap(err, r, "trying a privileged container");
	}
	r = privileges_try(d, image, cache_dir, false, err);
	if (r < 0)
		return err_wrap(err, r, "a node can run neither privileged (%s) nor with explicit capabilities",
				refused.msg);
	return 0;
}

int engine_node_privileges(struct docker *d, const char *image, const char *cache_dir, json *host_config, char **ret_note,
			   struct err *err)
{
	autofree char *path = memory_path(d, cache_dir);
	int r = memory_read(path);

	if (r < 0) {
		r = privileges_choose(d, image, cache_dir, err);
		if (r < 0)
			return r;
		memory_write(path, r);
	}
	privileges_set(d, r, host_config);
	*ret_note = r ? NULL : xstrdup(NOTE);
	return 0;
}
