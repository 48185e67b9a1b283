/* SPDX-License-Identifier: Apache-2.0 */
#include "boot/state.h"

#include <errno.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/mem.h"
#include "tests/tap.h"

static char *base;

static void forget(struct run *r)
{
	free(r->root);
	free(r->workspace);
	free(r->host_workspace);
	free(r->id);
	free(r->state_dir);
	free(r->cache_dir);
	free(r->agent_bundle);
	*r = (struct run){ 0 };
}

static void test_open(const char *project)
{
	struct run r = { 0 };
	struct err err = { 0 };
	autofree char *state = path_join(base, "state/firestream"), *want = NULL, *id = NULL;
	struct stat st;

	if (!ok(state_open(&r, &err) == 0, "a folder outside git is a workspace"))
		printf("# %s\n", err_text(&err));
	is_str(r.workspace, project, "it is the current folder");
	is_str(r.root, base, "the root is what the launcher says");
	ok(str_starts(r.id, "my-project-") && strlen(r.id) == strlen("my-project-") + 8,
	   "the id has the folder's name and 8 digits");
	want = path_join(state, r.id);
	is_str(r.state_dir, want, "the state folder is named by it");
	ok(stat(r.state_dir, &st) == 0 && (st.st_mode & 0777) == 0700, "and is there, for the user alone");
	ok(str_ends(r.agent_bundle, "/agent.tar"), "the agent's bundle is known");
	id = xstrdup(r.id);
	ok(state_open(&r, &err) == 0, "a second call is harmless");
	is_str(r.id, id, "and gives the same");
	ok(!r.inside, "this is not the dev container");
	forget(&r);

	setenv("FIRESTREAM_DEVCONTAINER", "1", 1);
	setenv("LOCAL_WORKSPACE_FOLDER", project, 1);
	ok(chdir("/") == 0 && state_open(&r, &err) == 0 && r.inside, "in the dev container");
	is_str(r.id, id, "the project is that of the host's folder");
	forget(&r);
	unsetenv("FIRESTREAM_DEVCONTAINER");
	unsetenv("LOCAL_WORKSPACE_FOLDER");
}

static void test_lock(void)
{
	struct run r = { .state_dir = base };
	struct err err = { 0 };
	autofree char *pid = xasprintf("bootstrap up (pid %d) is changing", (int)getpid());
	int fd = state_lock(&r, "up", 0, &err), again;

	ok(fd >= 0, "a project is locked");
	is_int(state_lock(&r, "down", 0, &err), -EBUSY, "not twice");
	ok(strstr(err_text(&err), pid), "the sentence names who holds it");
	is_int(state_lock(&r, "down", 300, &err), -EBUSY, "waiting ends");
	close(fd);
	again = state_lock(&r, "down", 0, &err);
	ok(again >= 0, "once closed it is free");
	close(again);
}

static void test_root(void)
{
	struct run r = { 0 };
	struct err err = { 0 };

	setenv("FIRESTREAM_ROOT", "/nowhere/at/all", 1);
	is_int(state_open(&r, &err), -ENOENT, "a root that is not there is refused");
	ok(strstr(err_text(&err), "/nowhere/at/all"), "by name");
	forget(&r);
}

int main(void)
{
	char path[] = "/tmp/test_state_XXXXXX";
	autofree char *project = NULL, *state = NULL;

	base = path_real(mkdtemp(path));
	project = path_join(base, "My Project!");
	state = path_join(base, "state");
	setenv("FIRESTREAM_ROOT", base, 1);
	setenv("XDG_STATE_HOME", state, 1);
	unsetenv("FIRESTREAM_DEVCONTAINER");
	if (mkdir(project, 0755) < 0 || chdir(project) < 0)
		return 1;
	test_open(project);
	test_lock();
	test_root();
	(void)!chdir("/");
	(void)!file_remove_tree(base, NULL);
	free(base);
	return tap_done();
}
