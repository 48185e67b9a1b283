/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "boot/devcontainer_parts.h"
#include "boot/source.h"

/* How it works: one exec (the probe) tells the user's home and every marker of the devcontainer CLI (~/.devcontainer) and of VS Code
 * (~/.vscode-server/data/Machine). A stage counts as done when either tool's marker holds the container's creation time (postStart: its
 * start time) or is empty. What was done is then written for both, so that the other tool does not run it again. */

enum stage_key { KEY_CREATED, KEY_STARTED, KEY_ALWAYS };

static const struct stage {
	const char *name;
	enum stage_key key;
} stages[] = {
	{ "onCreateCommand", KEY_CREATED },   { "updateContentCommand", KEY_CREATED }, { "postCreateCommand", KEY_CREATED },
	{ "postStartCommand", KEY_STARTED },  { "postAttachCommand", KEY_ALWAYS },
};

/* USER STAGE…: "home DIR", then "marker N STAGE CONTENT" for those that there are. */
static const char probe_script[] =
	"user=$1 n= ; shift\n"
	"while IFS=: read -r n _ u _ _ h _; do [ \"$n\" != \"$user\" ] && [ \"$u\" != \"$user\" ] || break; n=; done </etc/passwd\n"
	"[ -n \"$n\" ] || h=/\n"
	"echo \"home $h\"\n"
	"i=0; for d in .devcontainer .vscode-server/data/Machine; do i=$((i + 1)); for s; do\n"
	"f=$h/$d/.${s}Marker; [ ! -f \"$f\" ] || echo \"marker $i $s $(cat \"$f\")\"\n"
	"done; done\n";

/* HOME KEY STAGE…, as the remote user. */
static const char mark_script[] =
	"h=$1 key=$2; shift 2; r=0\n"
	"for d in .devcontainer .vscode-server/data/Machine; do mkdir -p \"$h/$d\" || r=1; for s; do\n"
	"echo \"$key\" >\"$h/$d/.${s}Marker\" || r=1\n"
	"done; done; exit $r\n";

/* NAME EMAIL, as the remote user: only what is unset. */
static const char identity_script[] =
	"command -v git >/dev/null || exit 0\n"
	"[ -z \"$1\" ] || git config --global user.name >/dev/null || git config --global user.name \"$1\"\n"
	"[ -z \"$2\" ] || git config --global user.email >/dev/null || git config --global user.email \"$2\"\n";

struct hooks {
	const struct devcontainer *dc;
	struct step_ctx *c;
	const char *id;
	struct dc_session s;
	struct buf probe;
	char *home;
	const char *keys[2];		/* by stage_key; borrowed from the session */
};

bool dc_marker_done(const char *probe, const char *stage, const char *key)
{
	struct str rest = str_from(probe), line;
	size_t n = strlen(stage);

	while (str_split(&rest, '\n', &line)) {
		struct str content;

		if (line.len < 9 + n || strncmp(line.p, "marker ", 7) != 0 || strncmp(line.p + 9, stage, n) != 0)
			continue;
		content = str_trim((struct str){ line.p + 9 + n, line.len - 9 - n });
		if (!content.len || str_eq(content, key))
			return true;
	}
	return false;
}

/* A script with arguments; its output in capture. */
static int script_run(struct hooks *k, const char *script, const char *user, const char *const *args, struct buf *capture, struct err *err)
{
	const char *argv[16] = { "/bin/sh", "-c", script, "-" };
	struct docker_exec x = { .argv = argv, .user = user, .in = -1, .out = -1, .err = -1, .capture = capture,
				 .deadline_ns = k->c->deadline_ns };

	for (size_t i = 0; args[i] && i + 5 < ARRAY_SIZE(argv); i++)
		argv[i + 4] = args[i];
	return docker_exec(k->c->docker, k->id, &x, err);
}

static int probe(struct hooks *k, struct err *err)
{
	const char *args[ARRAY_SIZE(stages) + 2] = { k->s.user };
	struct str rest, line;
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(stages); i++)
		args[i + 1] = stages[i].name;
	r = script_run(k, probe_script, "0", args, &k->probe, err);
	if (r != 0)
		return r < 0 ? r : err_set(err, -EIO, "looking at the dev container's markers: %.300s", buf_str(&k->probe));
	for (rest = str_from(buf_str(&k->probe)); str_split(&rest, '\n', &line);)
		if (line.len > 5 && strncmp(line.p, "home ", 5) == 0 && !k->home)
			k->home = xstrndup(line.p + 5, line.len - 5);
	return k->home ? 0 : err_set(err, -EIO, "the dev container's /bin/sh did not answer");
}

static int mark(struct hooks *k, const struct stage *stage, struct err *err)
{
	const char *const args[] = { k->home, k->keys[stage->key], stage->name, NULL };
	auto(buf) struct buf out = BUF_INIT(1 << 14);
	int r = script_run(k, mark_script, k->s.user, args, &out, err);

	if (r > 0)	/* a home that is not writable: the hook will run again, which it has to bear */
		progress_output(k->c->progress, buf_str(&out));
	return r < 0 ? r : 0;
}

/* ---- one command -------------------------------------------------------------------------------------------------- */

struct drain {
	int fd;
	struct progress_step *to;
};

/* Lines of the command's output to the log while the client's loop is busy with the exec. */
static void *drain_thread(void *arg)
{
	const struct drain *d = arg;
	autofclose FILE *f = fdopen(d->fd, "r");
	char line[2048];

	while (f && fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\r\n")] = '\0';
		progress_output(d->to, line);
	}
	return NULL;
}

static int exec_drained(struct hooks *k, struct docker_exec *x, struct err *err)
{
	int fds[2], r;
	struct drain d;
	pthread_t t;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return err_set(err, -errno, "a pipe: %m");
	d = (struct drain){ .fd = fds[0], .to = k->c->progress };
	if (pthread_create(&t, NULL, drain_thread, &d) != 0) {
		close(fds[0]);
		close(fds[1]);
		return err_set(err, -EAGAIN, "a thread could not be started");
	}
	x->out = x->err = fds[1];
	r = docker_exec(k->c->docker, k->id, x, err);
	close(fds[1]);
	pthread_join(t, NULL);
	return r;
}

bool dc_hook_argv(const json *command, const char *ret[static DC_ARGV_MAX])
{
	size_t n = 0;

	if (!cJSON_IsArray(command)) {
		ret[0] = "/bin/sh";
		ret[1] = "-c";
		ret[2] = command->valuestring;
		ret[3] = NULL;
		return ret[2] && *ret[2];
	}
	json_each(e, command)
		if (e->valuestring && n + 1 < DC_ARGV_MAX)
			ret[n++] = e->valuestring;
	ret[n] = NULL;
	return n > 0;
}

static int run_command(struct hooks *k, const char *stage, const json *command, struct err *err)
{
	const char *argv[DC_ARGV_MAX];
	struct docker_exec x = { .argv = argv, .user = k->s.user, .cwd = k->dc->workspace_folder, .in = -1,
				 .env = (const char *const *)k->s.env.v, .deadline_ns = k->c->deadline_ns };
	const char *member = command->string && !streq(command->string, stage) ? command->string : NULL;
	int r;

	if (!dc_hook_argv(command, argv))
		return 0;
	progress_note(k->c->progress, "%s", stage);
	r = exec_drained(k, &x, err);
	if (r > 0)
		return err_set(err, -EIO, "%s%s%s failed with exit code %d", stage, member ? ": " : "", member ? member : "", r);
	return r < 0 ? err_wrap(err, r, "%s", stage) : 0;
}

/* One hook of every metadata entry, in order; an object's members one after another. */
static int run_stage(struct hooks *k, const char *stage, struct err *err)
{
	json_each(entry, k->s.entries) {
		const json *hook = json_get(entry, stage);
		int r = 0;

		if (!hook)
			continue;
		if (!cJSON_IsObject(hook))
			r = run_command(k, stage, hook, err);
		else
			for (const json *e = hook->child; e && r == 0; e = e->next)
				r = run_command(k, stage, e, err);
		if (r < 0)
			return r;
	}
	return 0;
}

/* ---- all of them -------------------------------------------------------------------------------------------------- */

static int set_identity(struct hooks *k, struct err *err)
{
	autofree char *name = NULL, *email = NULL;
	auto(buf) struct buf out = BUF_INIT(1 << 14);
	int r;

	source_identity(k->dc->workspace, &name, &email);
	if (!name && !email)
		return 0;
	const char *const args[] = { name ? name : "", email ? email : "", NULL };
	r = script_run(k, identity_script, k->s.user, args, &out, err);
	if (r > 0)
		progress_output(k->c->progress, buf_str(&out));
	return r < 0 ? r : 0;
}

static int hooks_run(struct hooks *k, struct err *err)
{
	int r = probe(k, err);

	for (size_t i = 0; i < ARRAY_SIZE(stages) && r == 0; i++) {
		const struct stage *s = &stages[i];
		bool once = s->key != KEY_ALWAYS;

		if (once && dc_marker_done(buf_str(&k->probe), s->name, k->keys[s->key]))
			continue;
		if (once)
			k->c->changed = true;
		if (i == 0)
			r = set_identity(k, err);
		if (r == 0)
			r = run_stage(k, s->name, err);
		if (r == 0 && once)
			r = mark(k, s, err);
	}
	return r;
}

int devcontainer_hooks(const struct devcontainer *dc, struct step_ctx *c, const char *id, struct err *err)
{
	struct hooks k = { .dc = dc, .c = c, .id = id, .probe = BUF_INIT(1 << 16) };
	int r = dc_session_open(dc, c->docker, id, &k.s, err);

	if (r == 0) {
		k.keys[KEY_CREATED] = json_str(k.s.inspect, "Created", "");
		k.keys[KEY_STARTED] = json_str(k.s.inspect, "State.StartedAt", "");
		strv_add(&k.s.env, "FIRESTREAM_HOOK=1");
		r = hooks_run(&k, err);
	}
	buf_done(&k.probe);
	free(k.home);
	dc_session_done(&k.s);
	return r;
}
