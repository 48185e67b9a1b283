/* SPDX-License-Identifier: Apache-2.0 */
#include "boot/source.h"

#include <errno.h>
#include <git2.h>
#include <pthread.h>
#include <stdbool.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"

#define SUBMODULES_MS (10 * 60 * 1000)
#define DEPTH_MAX 8

static pthread_once_t once = PTHREAD_ONCE_INIT;

/* Ownership is not checked: we run no program that a repository's configuration names, and in a container the owner often differs. */
static void init(void)
{
	git_libgit2_init();
	git_libgit2_opts(GIT_OPT_SET_OWNER_VALIDATION, 0);
}

/* The repository whose work tree holds dir, or NULL. */
static git_repository *repo_open(const char *dir)
{
	git_repository *repo = NULL;

	pthread_once(&once, init);
	if (git_repository_open_ext(&repo, dir, 0, NULL) < 0)
		return NULL;
	if (git_repository_workdir(repo))
		return repo;
	git_repository_free(repo);
	return NULL;
}

static int git_fail(struct err *err, const char *what, const char *name)
{
	const git_error *e = git_error_last();

	return err_set(err, -EIO, "%s %s: %s", what, name, e && e->message ? e->message : "unknown error");
}

/* ---- root --------------------------------------------------------------------------------------------------------- */

/* The ancestor of dir (or dir) whose real path is `root`: keeps the links that lead to it. Caller owns; NULL when none is. */
static char *ancestor_named(const char *dir, const char *root)
{
	autofree char *at = xstrdup(dir);

	for (;;) {
		autofree char *real = path_real(at);
		char *up;

		if (streq(real, root))
			return steal(&at);
		if (streq(at, "/"))
			return NULL;
		up = path_dirname(at);
		free(at);
		at = up;
	}
}

char *source_root(const char *dir)
{
	autofree char *absolute = path_absolute(dir), *root = NULL, *kept = NULL;
	git_repository *repo = repo_open(absolute);

	if (!repo)
		return steal(&absolute);
	root = path_real(git_repository_workdir(repo));
	git_repository_free(repo);
	kept = root ? ancestor_named(absolute, root) : NULL;
	return kept ? steal(&kept) : root ? steal(&root) : steal(&absolute);
}

/* ---- revision ----------------------------------------------------------------------------------------------------- */

/* Tracked files that differ; what git does not know yet makes nothing dirty, as with git describe. */
static bool is_dirty(git_repository *repo)
{
	git_status_options options;
	git_status_list *list = NULL;
	bool dirty;

	git_status_options_init(&options, GIT_STATUS_OPTIONS_VERSION);
	options.show = GIT_STATUS_SHOW_INDEX_AND_WORKDIR;
	options.flags = GIT_STATUS_OPT_EXCLUDE_SUBMODULES;
	if (git_status_list_new(&list, repo, &options) < 0)
		return false;
	dirty = git_status_list_entrycount(list) > 0;
	git_status_list_free(list);
	return dirty;
}

char *source_revision(const char *dir)
{
	git_repository *repo = repo_open(dir);
	char hex[13], *text = NULL;
	git_oid id;

	if (!repo)
		return NULL;
	if (git_reference_name_to_id(&id, repo, "HEAD") == 0) {
		git_oid_tostr(hex, sizeof(hex), &id);
		text = xasprintf("%s%s", hex, is_dirty(repo) ? "-dirty" : "");
	}
	git_repository_free(repo);
	return text;
}

/* ---- submodules --------------------------------------------------------------------------------------------------- */

struct update {
	const struct loop *loop;	/* borrowed, or NULL */
	uint64_t deadline_ns;
	unsigned depth;
	struct err *err;
	int code;
};

static int submodules_of(git_repository *repo, struct update *u);

static bool update_cancelled(const struct update *u)
{
	return u->loop && loop_cancelled(u->loop);
}

static bool update_over(const struct update *u)
{
	return update_cancelled(u) || loop_deadline(0) > u->deadline_ns;
}

static int update_failed(struct update *u, const char *name)
{
	if (update_cancelled(u))
		return err_set(u->err, -ECANCELED, "interrupted while fetching submodule %s", name);
	if (update_over(u))
		return err_set(u->err, -ETIMEDOUT, "submodule %s: not there within %d minutes", name, SUBMODULES_MS / 60000);
	return git_fail(u->err, "submodule", name);
}

static int on_transfer(const git_indexer_progress *stats, void *payload)
{
	return update_over(payload) ? -1 : 0;
}

/* SSH by the user's agent; anything else without credentials. */
static int on_credential(git_credential **ret, const char *url, const char *user, unsigned allowed, void *payload)
{
	if (allowed & GIT_CREDENTIAL_SSH_KEY && !update_over(payload))
		return git_credential_ssh_key_from_agent(ret, user ? user : "git");
	return GIT_EAUTH;
}

static int update_one(git_submodule *sm, const char *name, void *payload)
{
	git_submodule_update_options options;
	struct update *u = payload;
	git_repository *inner = NULL;
	unsigned status = 0;

	git_submodule_update_options_init(&options, GIT_SUBMODULE_UPDATE_OPTIONS_VERSION);
	(void)git_submodule_status(&status, git_submodule_owner(sm), name, GIT_SUBMODULE_IGNORE_ALL);
	options.fetch_opts.callbacks.transfer_progress = on_transfer;
	options.fetch_opts.callbacks.credentials = on_credential;
	options.fetch_opts.callbacks.payload = u;
	if ((status & GIT_SUBMODULE_STATUS_WD_UNINITIALIZED || !(status & GIT_SUBMODULE_STATUS_IN_WD)) &&
	    git_submodule_update(sm, 1, &options) < 0) {
		u->code = update_failed(u, name);
		return -1;
	}
	if (git_submodule_open(&inner, sm) == 0 && u->depth < DEPTH_MAX) {
		u->depth++;
		(void)submodules_of(inner, u);
		u->depth--;
	}
	git_repository_free(inner);
	return u->code;
}

static int submodules_of(git_repository *repo, struct update *u)
{
	if (git_submodule_foreach(repo, update_one, u) < 0 && u->code == 0)
		u->code = git_fail(u->err, "submodules of", git_repository_workdir(repo));
	return u->code;
}

int source_submodules(const char *dir, const struct loop *l, struct err *err)
{
	struct update u = { .loop = l, .deadline_ns = loop_deadline(SUBMODULES_MS), .err = err };
	git_repository *repo = repo_open(dir);

	if (!repo)
		return 0;
	(void)submodules_of(repo, &u);
	git_repository_free(repo);
	return u.code;
}

/* ---- identity ----------------------------------------------------------------------------------------------------- */

static char *config_value(const git_config *config, const char *name)
{
	git_buf value = { 0 };
	char *text = NULL;

	if (git_config_get_string_buf(&value, config, name) == 0 && value.size)
		text = xstrdup(value.ptr);
	git_buf_dispose(&value);
	return text;
}

void source_identity(const char *dir, char **ret_name, char **ret_email)
{
	git_repository *repo = repo_open(dir);
	git_config *config = NULL;

	*ret_name = *ret_email = NULL;
	pthread_once(&once, init);
	if ((repo ? git_repository_config(&config, repo) : git_config_open_default(&config)) == 0) {
		*ret_name = config_value(config, "user.name");
		*ret_email = config_value(config, "user.email");
	}
	git_config_free(config);
	git_repository_free(repo);
}
