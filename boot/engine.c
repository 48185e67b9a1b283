/* SPDX-License-Identifier: Apache-2.0 */
#include "boot/engine.h"

#include <errno.h>

#include "base/file.h"
#include "base/mem.h"
#include "boot/apt.h"
#include "boot/devcontainer_parts.h"
#include "boot/engine_install.h"

#define OPEN_MS 10000
#define INSTALL_EXPECTS_MS 60000
#define START_EXPECTS_MS 5000

/* ---- opening ---- */

/* Everything that leaves us without an engine is a missing prerequisite. */
static int engine_missing(int code, struct err *err)
{
	if (code != -ECANCELED && code != -ETIMEDOUT)
		err->code = code = -ENOPKG;
	return code;
}

static int engine_bring(struct loop *l, const struct options *o, struct progress *p, bool install, struct err *err)
{
	struct progress_step *s;
	int r;

	r = root_obtain(l, o, p, err);
	if (r < 0)
		return r;
	s = progress_start(p, "engine-install", "Container engine from packages",
			   install ? INSTALL_EXPECTS_MS : START_EXPECTS_MS);
	r = install ? engine_install(l, s, err) : 0;
	if (r == 0)
		r = engine_start(l, s, err);
	progress_finish(s,
			r == 0		  ? PROGRESS_DONE
			: r == -ECANCELED ? PROGRESS_CANCELLED
					  : PROGRESS_FAILED,
			install ? "installed and started" : "started", r < 0 ? err : NULL);
	return r;
}

/* code: why there is none. 0 when there is one now; otherwise a code whose sentence is in err. */
static int engine_offer(struct loop *l, const struct options *o, struct progress *p, int code, struct err *err)
{
	bool install = !engine_is_installed();
	struct err may = { 0 };
	bool agreed;

	if (getenv("DOCKER_HOST") || (code != -ENOENT && code != -ECONNREFUSED))
		return engine_missing(code, err);
	if (install && engine_may_install(&may) < 0) {
		if (code == -ENOENT)
			*err = may;
		return engine_missing(code, err);
	}
	progress_pause(p, true);
	agreed = cli_agree(l, o, install ? "There is no container engine. Install Docker from this distribution's packages?"
				      : "The container engine is installed but does not run. Start it?");
	progress_pause(p, false);
	if (loop_cancelled(l))
		return err_set(err, -ECANCELED, "interrupted");
	return agreed ? engine_bring(l, o, p, install, err) : engine_missing(code, err);
}

struct docker *engine_open(struct loop *l, const struct options *o, struct progress *p, struct err *err)
{
	autofree char *host = NULL, *tls_dir = NULL;
	struct err mine = { 0 };
	struct docker *d;
	int r;

	if (!err)
		err = &mine;
	r = engine_find(l, &host, &tls_dir, err);
	if (r < 0) {
		r = engine_offer(l, o, p, r, err);
		if (r == 0)
			r = engine_find(l, &host, &tls_dir, err);
		if (r < 0) {
			engine_missing(r, err);
			return NULL;
		}
	}
	d = docker_open(l, host, tls_dir, OPEN_MS, err);
	if (!d)
		engine_missing(err->code, err);
	return d;
}

int engine_reach(struct loop *l, struct docker **d, struct err *err)
{
	autofree char *host = NULL, *tls_dir = NULL;
	struct err mine = { 0 };
	int r;

	if (*d)
		return 0;
	if (!err)
		err = &mine;
	r = engine_find(l, &host, &tls_dir, err);
	if (r < 0)
		return r;
	*d = docker_open(l, host, tls_dir, OPEN_MS, err);
	return *d ? 0 : err->code;
}

int engine_connect(struct loop *l, struct docker **d, struct err *err)
{
	struct err mine = { 0 };
	int r = engine_reach(l, d, err ? err : &mine);

	return r < 0 ? engine_missing(r, err ? err : &mine) : r;
}

/* ---- paths, seen from the engine's host ---- */

/* Our own container, by its mounts or else by its name. Caller owns; NULL outside of one. */
static char *own_container(void)
{
	auto(buf) struct buf text = BUF_INIT(1u << 20);
	char *id = file_read("/proc/self/mountinfo", &text, NULL) == 0 ? dc_own_id(buf_str(&text)) : NULL;
	const char *host = getenv("HOSTNAME");

	return id ? id : host && *host ? xstrdup(host) : NULL;
}

/* The mount of our own container with the longest destination above path. Borrowed from *ret. */
static const json *own_mount(struct docker *d, const char *path, json **ret)
{
	autofree char *id = own_container();
	const json *best = NULL;
	size_t best_len = 0;

	if (!id || docker_container_inspect(d, id, ret, NULL) < 0)
		return NULL;
	json_each(e, json_get(*ret, "Mounts")) {
		const char *to = json_str(e, "Destination", "");
		size_t n = strlen(to);

		while (n > 1 && to[n - 1] == '/')
			n--;
		if (n >= best_len && strncmp(path, to, n) == 0 && (path[n] == '/' || !path[n])) {
			best = e;
			best_len = n;
		}
	}
	return best;
}

char *engine_host_path(struct docker *d, bool inside, const char *path)
{
	autojson json *self = NULL;
	const json *mount;
	const char *source, *rest;

	if (!inside)
		return xstrdup(path);
	mount = own_mount(d, path, &self);
	source = mount ? json_str(mount, "Source", NULL) : NULL;
	if (!source || streq(json_str(mount, "Type", "bind"), "volume"))
		return NULL;
	rest = path + strlen(json_str(mount, "Destination", ""));
	return xasprintf("%s%s%s", source, *rest && *rest != '/' ? "/" : "", rest);
}

/* Engines in a virtual machine: the path that their clients use does not exist in there. */
static bool socket_is_of_vm(const char *path)
{
	static const char *const parts[] = { "/.docker/", "/.colima/", "/colima/",	 "/.orbstack/",
					     "/.rd/",	  "/.lima/",   "/podman-machine" };

	for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
		if (strstr(path, parts[i]))
			return true;
#ifdef __APPLE__
	return true;
#else
	return false;
#endif
}

char *engine_socket(const struct docker *d)
{
	const char *host = docker_host(d), *path;
	const char *inside = getenv("FIRESTREAM_DEVCONTAINER");
	struct docker *own;
	struct loop *l;
	char *ret;

	if (!str_starts(host, "unix://"))
		return NULL;
	path = host + strlen("unix://");
	if (socket_is_of_vm(path))
		return xstrdup("/var/run/docker.sock");
	if (!inside || !*inside)
		return xstrdup(path);
	l = loop_new(LOOP_DEFAULT);
	own = docker_clone(d, l);
	ret = engine_host_path(own, true, path);
	docker_free(own);
	loop_free(l);
	return ret ? ret : xstrdup("/var/run/docker.sock");
}
