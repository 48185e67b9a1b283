/* SPDX-License-Identifier: Apache-2.0 */
#include "boot/state.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/loop.h"
#include "base/mem.h"
#include "boot/source.h"

enum { ID_NAME_MAX = 23, ID_HASH_LEN = 8, LOCK_SLICE_MS = 200 };

static char *program_dir(void)
{
	char path[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);

	if (n <= 0)
		return NULL;
	path[n] = '\0';
	return path_dirname(path);
}

static int find_root(struct run *r, const char *program, struct err *err)
{
	const char *given = getenv("FIRESTREAM_ROOT");
	autofree char *shared = program ? path_join(program, "../share/firestream") : NULL;

	free(r->root);
	r->root = path_real(given && *given ? given : shared ? shared : "");
	if (!r->root)
		return err_set(err, -ENOENT,
			       "there is no folder %s%s with charts, catalog and images; was Firestream moved?",
			       given && *given ? given
			       : shared	       ? shared
					       : "share/firestream",
			       given && *given ? ", which FIRESTREAM_ROOT names," : "");
	return 0;
}

static void find_agent_bundle(struct run *r, const char *program)
{
	char *beside = program ? path_join(program, "agent.tar") : NULL;

	free(r->agent_bundle);
	r->agent_bundle = beside && file_exists(beside) ? steal(&beside) : path_join(r->root, "agent.tar");
	free(beside);
}

static int find_workspace(struct run *r, struct err *err)
{
	autofree char *here = path_absolute(".");
	size_t len;

	if (!here)
		return err_set(err, -ENOENT, "the current folder does not exist any more");
	free(r->workspace);
	r->workspace = source_root(here);
	len = strlen(r->workspace);
	while (len > 1 && r->workspace[len - 1] == '/')
		r->workspace[--len] = '\0';
	return 0;
}

static char *project_id(const char *workspace)
{
	autofree char *name = config_label(path_basename(workspace), ID_NAME_MAX);
	struct hash *h = hash_new();
	char hex[HASH_HEX_LEN + 1];

	hash_adds(h, workspace);
	hash_hex(h, hex);
	return xasprintf("%s-%.*s", name, ID_HASH_LEN, hex);
}

static const char *env_path(const char *name)
{
	const char *v = getenv(name);

	return v && v[0] == '/' ? v : NULL;
}

int state_open(struct run *r, struct err *err)
{
	autofree char *program = program_dir(), *state = path_xdg("state");
	const char *inside = getenv("FIRESTREAM_DEVCONTAINER"), *outer = env_path("LOCAL_WORKSPACE_FOLDER");
	int e = find_root(r, program, err);

	if (e == 0)
		e = find_workspace(r, err);
	if (e < 0)
		return e;
	r->inside = streq(inside, "1");
	find_agent_bundle(r, program);
	free(r->id);
	free(r->host_workspace);
	r->host_workspace = xstrdup(r->inside && outer ? outer : r->workspace);
	r->id = project_id(r->host_workspace);
	free(r->cache_dir);
	r->cache_dir = path_xdg("cache");
	free(r->state_dir);
	r->state_dir = path_join(state, r->id);
	return file_mkdirs(r->state_dir, 0700, err);
}

/* "bootstrap up (pid 12)", from what the holder wrote into the lock. Caller owns. */
static char *lock_holder(const char *path)
{
	auto(buf) struct buf b = BUF_INIT(256);

	if (file_read(path, &b, NULL) < 0 || b.len == 0)
		return xstrdup("another bootstrap");
	return xstrndup(buf_str(&b), strcspn(buf_str(&b), "\n"));
}

static int lock_sign(int fd, const char *command)
{
	autofree char *text = xasprintf("bootstrap %s (pid %ld)\n", command, (long)getpid());
	size_t len = strlen(text);

	if (ftruncate(fd, 0) < 0 || pwrite(fd, text, len, 0) != (ssize_t)len)
		return -errno;
	return 0;
}

int state_lock(struct run *r, const char *command, uint64_t wait_ms, struct err *err)
{
	autofree char *path = path_join(r->state_dir, "lock"), *holder = NULL;
	uint64_t deadline = loop_deadline(wait_ms);

	for (;;) {
		uint64_t slice = loop_deadline(LOCK_SLICE_MS);
		int fd = file_lock(path, wait_ms ? MIN(slice, deadline) : 0, err);

		if (fd >= 0) {
			(void)lock_sign(fd, command);
			return fd;
		}
		if (fd != -ETIMEDOUT && fd != -EWOULDBLOCK)
			return fd;
		if (r->loop && loop_cancelled(r->loop))
			return err_set(err, -ECANCELED, "interrupted");
		if (!wait_ms || loop_deadline(0) >= deadline)
			break;
	}
	holder = lock_holder(path);
	return err_set(err, -EBUSY, "%s is changing this project; wait until it has ended", holder);
}
