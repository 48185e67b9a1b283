/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/child.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/mem.h"
#include "boot/devcontainer_parts.h"
#include "boot/engine.h"

#define STOP_GRACE_S 5
#define SSH_DIR "/run/firestream-ssh"
#define MOUNTINFO_MAX (1u << 20)

/* ---- finding ------------------------------------------------------------------------------------------------------ */

/* Our own container, when we run in one that the engine knows. */
static int find_self(struct docker *d, char **ret_id, struct err *err)
{
	auto(buf) struct buf text = BUF_INIT(MOUNTINFO_MAX);
	autofree char *id = NULL;
	autojson json *inspect = NULL;
	char host[256] = "";
	int r;

	if (file_read("/proc/self/mountinfo", &text, NULL) == 0)
		id = dc_own_id(buf_str(&text));
	if (!id && gethostname(host, sizeof(host) - 1) == 0)
		id = xstrdup(host);
	r = docker_container_inspect(d, id ? id : "-", &inspect, err);
	if (r < 0)
		return err_wrap(err, r, "finding our own container");
	*ret_id = xstrdup(json_str(inspect, "Id", id));
	return 0;
}

/* First that is not on its way out; only_bare: those without the label of a file. */
static const json *pick_container(const json *list, bool only_bare)
{
	json_each(c, list) {
		if (streq(json_str(c, "State", ""), "removing"))
			continue;
		if (!only_bare || !json_str(c, "Labels['" DC_LABEL_FILE "']", NULL))
			return c;
	}
	return NULL;
}

static int find_labelled(struct docker *d, const char *workspace, const char *file, char **ret_id, bool *ret_running, struct err *err)
{
	struct strv labels = { 0 };
	autojson json *list = NULL;
	const json *found;
	int r;

	strv_addf(&labels, DC_LABEL_FOLDER "=%s", workspace);
	if (file)
		strv_addf(&labels, DC_LABEL_FILE "=%s", file);
	r = docker_container_list(d, &labels, &list, err);
	strv_done(&labels);
	if (r < 0)
		return r;
	found = pick_container(list, !file);
	if (!found)
		return err_set(err, -ENOENT, "there is no dev container of %s", workspace);
	*ret_id = xstrdup(json_str(found, "Id", ""));
	*ret_running = streq(json_str(found, "State", ""), "running");
	return 0;
}

int devcontainer_find(struct docker *d, const char *workspace, const char *file, char **ret_id, bool *ret_running, struct err *err)
{
	const char *inside = getenv("FIRESTREAM_DEVCONTAINER");
	int r;

	if (streq(inside, "1")) {
		*ret_running = true;
		return find_self(d, ret_id, err);
	}
	r = find_labelled(d, workspace, file, ret_id, ret_running, err);
	return r == -ENOENT && file ? find_labelled(d, workspace, NULL, ret_id, ret_running, err) : r;
}

/* ---- making ------------------------------------------------------------------------------------------------------- */

/* The environment that ${localEnv} sees: the socket as the engine's host has it, then the loaded overrides. */
static void local_env(const struct devcontainer *dc, struct docker *d, struct strv *ret)
{
	autofree char *socket = getenv("FIRESTREAM_DOCKER_SOCKET") ? NULL : engine_socket(d);

	if (socket)
		strv_addf(ret, "FIRESTREAM_DOCKER_SOCKET=%s", socket);
	strv_copy(ret, &dc->env);
}

static void add_client_proxies(struct dc_create *x, struct docker *d)
{
	const char *dir = getenv("DOCKER_CONFIG"), *home = getenv("HOME");
	autofree char *path = dir ? xasprintf("%s/config.json", dir) : xasprintf("%s/.docker/config.json", home ? home : "");
	auto(buf) struct buf text = BUF_INIT(1 << 20);
	autojson json *config = NULL;

	if (file_read(path, &text, NULL) == 0)
		config = json_parse(text.data, text.len, NULL);
	dc_add_proxies(x, config, docker_host(d));
}

/* A folder of the user's own that holds little but the agent's socket: not a runtime or home directory. */
static bool ssh_dir_is_private(const char *dir)
{
	const char *runtime = getenv("XDG_RUNTIME_DIR"), *home = getenv("HOME");
	struct stat st;

	if (stat(dir, &st) != 0 || st.st_uid != geteuid() || (st.st_mode & 077))
		return false;
	return !streq(dir, runtime) && !streq(dir, home) && !streq(dir, "/root");
}

/* The agent's folder and not its socket, as a bind that may be missing: the socket goes with the session, and a container whose
 * bind source vanished could not be started again. Not part of the hash: it differs from session to session. */
static void add_ssh_agent(struct dc_create *x)
{
	const char *sock = getenv("SSH_AUTH_SOCK");
	autofree char *dir = sock && sock[0] == '/' ? path_dirname(sock) : NULL, *bind = NULL, *env = NULL;
	struct stat st;

	if (!dir || strchr(dir, ':') || stat(sock, &st) != 0 || !S_ISSOCK(st.st_mode) || !ssh_dir_is_private(dir))
		return;
	bind = xasprintf("%s:" SSH_DIR, dir);
	env = xasprintf("SSH_AUTH_SOCK=" SSH_DIR "/%s", path_basename(sock));
	dc_add_unique(x->host, "Binds", bind);
	dc_set_env(x, env);
}

/* Body and hash of what it was made from. */
static int make_config(const struct devcontainer *dc, struct step_ctx *c, const char *image, struct dc_create *x,
		       char hash[static HASH_HEX_LEN + 1], struct err *err)
{
	struct dc_vars v = { .workspace = dc->workspace, .workspace_folder = dc->workspace_folder };
	autojson json *inspect = NULL;
	autofree char *text = NULL;
	struct strv env = { 0 };
	struct hash *h;
	char id[53];
	int r = docker_image_inspect(c->docker, image, &inspect, err);

	if (r < 0)
		return r;
	devcontainer_id(dc->workspace, dc->file, id);
	local_env(dc, c->docker, &env);
	v.id = id;
	v.env = &env;
	r = dc_container(dc, &v, inspect, image, docker_is_podman(c->docker), x, err);
	strv_done(&env);
	if (r < 0)
		return r;
	text = json_text(x->config);
	h = hash_new();
	hash_adds(h, text);
	hash_adds(h, json_str(inspect, "Id", ""));
	hash_hex(h, hash);
	add_client_proxies(x, c->docker);
	add_ssh_agent(x);
	json_set_str(json_get(x->config, "Labels"), LABEL_PROJECT, c->run->id);
	json_set_str(json_get(x->config, "Labels"), LABEL_HASH, hash);
	return 0;
}

static int create(struct step_ctx *c, struct dc_create *x, char **ret_id, struct err *err)
{
	autofree char *name = x->name ? xstrdup(x->name) : xasprintf("%s-dev", c->run->id);
	int r;

	progress_note(c->progress, "creating the container");
	c->changed = true;
	r = docker_container_create(c->docker, name, json_copy(x->config), ret_id, err);
	if (r == -EEXIST && !x->name)	/* the name is only a convenience */
		r = docker_container_create(c->docker, NULL, json_copy(x->config), ret_id, err);
	return r < 0 ? err_wrap(err, r, "creating the dev container") : 0;
}

/* Ours, and made from something else than x. */
static bool is_outdated(struct step_ctx *c, const json *inspect, const char *hash)
{
	const char *project = json_str(inspect, "Config.Labels['" LABEL_PROJECT "']", NULL);
	const char *made_from = json_str(inspect, "Config.Labels['" LABEL_HASH "']", NULL);

	return project && made_from && (c->run->opt->rebuild || !streq(made_from, hash));
}

/* ---- starting ----------------------------------------------------------------------------------------------------- */

/* A network that was removed while the container was stopped keeps it from starting: "network … not found". The default
 * bridge gets a new id with every start of the engine, and harms nothing. */
static int drop_lost_networks(struct step_ctx *c, const char *id, const json *inspect, struct err *err)
{
	json_each(n, json_get(inspect, "NetworkSettings.Networks")) {
		autojson json *network = NULL;
		const char *had = json_str(n, "NetworkID", "");
		int r = docker_network_inspect(c->docker, n->string, &network, err);

		if (r < 0 && r != -ENOENT)
			return r;
		if (!*had || streq(n->string, "bridge") || (r == 0 && streq(had, json_str(network, "Id", ""))))
			continue;
		progress_note(c->progress, "leaving network %s, which is gone", n->string);
		r = docker_network_disconnect(c->docker, n->string, id, err);
		if (r < 0 && r != -ENOENT)
			return err_wrap(err, r, "leaving network %s, which is gone", n->string);
	}
	return 0;
}

static int start(struct step_ctx *c, const char *id, const json *inspect, struct err *err)
{
	int r;

	if (json_bool(inspect, "State.Running", false) && !json_bool(inspect, "State.Paused", false))
		return 0;
	c->changed = true;
	if (json_bool(inspect, "State.Paused", false))
		return docker_container_unpause(c->docker, id, err);
	progress_note(c->progress, "starting the container");
	r = drop_lost_networks(c, id, inspect, err);
	if (r == 0)
		r = docker_container_start(c->docker, id, err);
	return r < 0 ? err_wrap(err, r, "starting the dev container") : 0;
}

static int join(struct step_ctx *c, const char *id, const json *inspect, const char *network, struct err *err)
{
	json_each(n, json_get(inspect, "NetworkSettings.Networks"))
		if (streq(n->string, network) && json_str(n, "NetworkID", "")[0])
			return 0;
	c->changed = true;
	return docker_network_connect(c->docker, network, id, NULL, err);
}

/* ---- the user's id ------------------------------------------------------------------------------------------------ */

/* USER UID GID: the user gets the ids, unless others have them; a group that has the id is left alone. */
static const char fit_script[] =
	"user=$1 uid=$2 gid=$3 n=\n"
	"while IFS=: read -r n _ u g _ h _; do [ \"$n\" != \"$user\" ] || break; n=; done </etc/passwd\n"
	"[ -n \"$n\" ] && [ \"$u\" != 0 ] && [ \"$u:$g\" != \"$uid:$gid\" ] || exit 0\n"
	"while IFS=: read -r o _ i _; do [ \"$i\" != \"$uid\" ] || [ \"$o\" = \"$user\" ] || exit 0; done </etc/passwd\n"
	"while IFS=: read -r o _ i _; do [ \"$i\" != \"$gid\" ] || gid=$g; done </etc/group\n"
	"[ \"$u:$g\" != \"$uid:$gid\" ] || exit 0\n"
	"sed -i \"s/^\\($user:[^:]*\\):$u:$g:/\\1:$uid:$gid:/\" /etc/passwd\n"
	"[ \"$g\" = \"$gid\" ] || sed -i \"s/^\\([^:]*:[^:]*\\):$g:/\\1:$gid:/\" /etc/group\n"
	"chown -R \"$uid:$gid\" \"$h\"\n";

static bool engine_is_rootless(struct docker *d)
{
	autojson json *info = NULL;

	if (docker_call(d, "GET", "/info", NULL, 0, &info, NULL) < 0)
		return false;
	json_each(e, json_get(info, "SecurityOptions"))
		if (e->valuestring && strstr(e->valuestring, "rootless"))
			return true;
	return false;
}

/* updateRemoteUserUID: files that the remote user makes in the workspace belong to the user on the host. */
static int fit_user(const struct devcontainer *dc, struct step_ctx *c, const char *id, struct err *err)
{
#ifdef __linux__
	struct dc_session s = { 0 };
	auto(buf) struct buf out = BUF_INIT(1 << 14);
	autofree char *uid = xasprintf("%u", geteuid()), *gid = xasprintf("%u", getegid());
	const json *wanted;
	int r = geteuid() == 0 ? 0 : dc_session_open(dc, c->docker, id, &s, err);

	if (r < 0 || geteuid() == 0)
		return r;
	wanted = dc_last(s.entries, "updateRemoteUserUID");
	if ((!wanted || cJSON_IsTrue(wanted)) && !streq(s.user, "root") && s.user[strspn(s.user, "0123456789")] &&
	    !docker_is_podman(c->docker) && !engine_is_rootless(c->docker)) {
		const char *const argv[] = { "/bin/sh", "-c", fit_script, "-", s.user, uid, gid, NULL };
		struct docker_exec x = { .argv = argv, .user = "0", .in = -1, .out = -1, .err = -1, .capture = &out,
					 .deadline_ns = c->deadline_ns };

		r = docker_exec(c->docker, id, &x, err);
		if (r > 0)
			r = err_set(err, -EIO, "giving %s the id %s: %.300s", s.user, uid, buf_str(&out));
	}
	dc_session_done(&s);
	return r;
#else
	return 0;	/* the engine's machine maps owners by itself */
#endif
}

/* ---- all of it ---------------------------------------------------------------------------------------------------- */

/* The existing container, unless it is outdated and was removed; *ret_id NULL then. */
static int reuse(const struct devcontainer *dc, struct step_ctx *c, const char *hash, char **ret_id, struct err *err)
{
	autofree char *id = NULL;
	autojson json *inspect = NULL;
	bool running = false;
	int r = devcontainer_find(c->docker, dc->workspace, dc->file, &id, &running, err);

	if (r == 0)
		r = docker_container_inspect(c->docker, id, &inspect, err);
	if (r == -ENOENT && err)
		*err = (struct err){ 0 };
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	if (!is_outdated(c, inspect, hash)) {
		*ret_id = steal(&id);
		return 0;
	}
	progress_say(c->progress, "the dev container is made again: its configuration or image changed");
	r = docker_container_stop(c->docker, id, STOP_GRACE_S, err);
	if (r == 0 || r == -ENOENT)
		r = docker_container_remove(c->docker, id, err);
	return r < 0 ? err_wrap(err, r, "removing the old dev container") : 0;
}

static int find_or_create(const struct devcontainer *dc, struct step_ctx *c, const char *image, char **ret_id, struct err *err)
{
	char hash[HASH_HEX_LEN + 1];
	struct dc_create x;
	int r;

	dc_create_init(&x);
	r = make_config(dc, c, image, &x, hash, err);
	if (r == 0)
		r = reuse(dc, c, hash, ret_id, err);
	if (r == 0 && !*ret_id)
		r = create(c, &x, ret_id, err);
	dc_create_done(&x);
	return r;
}

int devcontainer_start(const struct devcontainer *dc, struct step_ctx *c, const char *image, const char *network, char **ret_id,
		       struct err *err)
{
	autofree char *id = NULL;
	autojson json *before = NULL, *after = NULL;
	bool inside = c->run->inside;
	int r = inside ? find_self(c->docker, &id, err) : find_or_create(dc, c, image, &id, err);

	if (r == 0)
		r = docker_container_inspect(c->docker, id, &before, err);
	if (r == 0 && !inside)
		r = start(c, id, before, err);
	if (r == 0 && !inside)
		r = fit_user(dc, c, id, err);
	if (r == 0 && network)
		r = docker_container_inspect(c->docker, id, &after, err);
	if (r == 0 && network)
		r = join(c, id, after, network, err);
	if (r < 0)
		return r;
	free(c->summary);
	c->summary = xasprintf("container %.12s", id);
	*ret_id = steal(&id);
	return 0;
}

/* ---- image -------------------------------------------------------------------------------------------------------- */

static void on_line(void *arg, const char *line)
{
	progress_output(arg, line);
}

static int run_local(const struct devcontainer *dc, struct step_ctx *c, const json *command, struct err *err)
{
	const char *argv[DC_ARGV_MAX];
	struct child_spec spec = { .argv = argv, .cwd = dc->workspace, .in = -1, .out = -1, .err = -1 };
	int r;

	if (!dc_hook_argv(command, argv))
		return 0;
	r = child_run(c->loop, &spec, NULL, on_line, c->progress, c->deadline_ns, err);
	return r > 0 ? err_set(err, -EIO, "initializeCommand failed with exit code %d", r) : r;
}

static int initialize(const struct devcontainer *dc, struct step_ctx *c, struct err *err)
{
	struct dc_vars v = { .env = &dc->env, .workspace = dc->workspace, .workspace_folder = dc->workspace_folder };
	autojson json *hook = dc_subst_json(&v, json_get(dc->raw, "initializeCommand"));
	int r = 0;

	if (!hook)
		return 0;
	progress_note(c->progress, "initializeCommand");
	if (!cJSON_IsObject(hook))
		return run_local(dc, c, hook, err);
	for (const json *e = hook->child; e && r == 0; e = e->next)
		r = run_local(dc, c, e, err);
	return r;
}

int devcontainer_image(const struct devcontainer *dc, struct step_ctx *c, char **ret_ref, struct err *err)
{
	int r;

	*ret_ref = NULL;
	if (c->run->inside)
		return 0;
	r = initialize(dc, c, err);
	if (r < 0)
		return r;
	if (dc->dockerfile)
		return images_build_folder(c->run->images, c, "devcontainer", dc->context, dc->dockerfile, dc->target, dc->build_args, "base",
					   ret_ref, err);
	r = images_pull(c->run->images, c, dc->image, err);
	if (r == 0)
		*ret_ref = xstrdup(dc->image);
	return r;
}
