/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

#include "base/mem.h"
#include "boot/devcontainer_parts.h"

#define LOOK_MS 5000

enum { EXIT_NOT_EXECUTED = 126, EXIT_NOT_FOUND = 127 };

/* ---- session ------------------------------------------------------------------------------------------------------ */

static void env_put(struct strv *env, const json *e)
{
	size_t name = strlen(e->string);
	autofree char *value = e->valuestring ? xstrdup(e->valuestring) : json_text(e), *pair = xasprintf("%s=%s", e->string, value);

	for (size_t i = 0; i < env->n; i++)
		if (strncmp(env->v[i], pair, name + 1) == 0) {
			free(env->v[i]);
			env->v[i] = steal(&pair);
			return;
		}
	strv_take(env, steal(&pair));
}

static void session_env(struct dc_session *s, const json *file_env)
{
	json_each(entry, s->entries)
		json_each(e, json_get(entry, "remoteEnv"))
			if (!cJSON_IsNull(e))
				env_put(&s->env, e);
	json_each(e, file_env)
		if (!cJSON_IsNull(e))
			env_put(&s->env, e);
}

/* The file's word, else the metadata's, else the image's. */
static char *session_user(const struct devcontainer *dc, const struct dc_session *s)
{
	const json *remote = dc_last(s->entries, "remoteUser"), *container = dc_last(s->entries, "containerUser");
	const char *user = dc->remote_user;

	if (!user && remote)
		user = remote->valuestring;
	if (!user && container)
		user = container->valuestring;
	if (!user)
		user = json_str(s->inspect, "Config.User", "");
	return *user ? xstrdup(user) : xstrdup("root");
}

int dc_session_open(const struct devcontainer *dc, struct docker *d, const char *id, struct dc_session *ret, struct err *err)
{
	struct dc_vars v = { .env = &dc->env, .workspace = dc->workspace, .workspace_folder = dc->workspace_folder };
	autojson json *raw = NULL, *env = NULL;
	const char *label;
	char dc_id[53];
	int r = docker_container_inspect(d, id, &ret->inspect, err);

	if (r < 0)
		return r;
	devcontainer_id(dc->workspace, dc->file, dc_id);
	v.id = dc_id;
	v.container_env = json_get(ret->inspect, "Config.Env");
	label = json_str(ret->inspect, "Config.Labels['" DC_LABEL_METADATA "']", NULL);
	raw = dc_metadata(label);
	if (!label)
		json_add(raw, dc_pick(dc->raw));
	ret->entries = dc_subst_json(&v, raw);
	env = dc_subst_json(&v, json_get(dc->raw, "remoteEnv"));
	ret->user = session_user(dc, ret);
	session_env(ret, env);
	return 0;
}

void dc_session_done(struct dc_session *s)
{
	json_free(s->inspect);
	json_free(s->entries);
	strv_done(&s->env);
	free(s->user);
	*s = (struct dc_session){ 0 };
}

/* ---- terminal ----------------------------------------------------------------------------------------------------- */

/* The one terminal of the process: a signal that ends us has to find what to restore. */
static struct termios tty_saved;
static volatile sig_atomic_t tty_raw;
static const int tty_signals[] = { SIGTERM, SIGHUP, SIGINT, SIGQUIT };
static struct sigaction tty_actions[ARRAY_SIZE(tty_signals)];

static void tty_restore(void)
{
	if (tty_raw)
		(void)tcsetattr(STDIN_FILENO, TCSADRAIN, &tty_saved);
	tty_raw = 0;
}

/* Restores, then does what was to be done before we came. */
static void on_signal(int sig, siginfo_t *info, void *context)
{
	int saved = errno;

	tty_restore();
	for (size_t i = 0; i < ARRAY_SIZE(tty_signals); i++) {
		const struct sigaction *before = &tty_actions[i];

		if (tty_signals[i] != sig)
			continue;
		if (before->sa_flags & SA_SIGINFO) {
			before->sa_sigaction(sig, info, context);
		} else if (before->sa_handler == SIG_DFL) {
			(void)signal(sig, SIG_DFL);
			(void)raise(sig);
		} else if (before->sa_handler != SIG_IGN) {
			before->sa_handler(sig);
		}
	}
	errno = saved;
}

static bool tty_enter(void)
{
	struct sigaction action = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_RESTART };
	struct termios raw;

	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO) || tcgetattr(STDIN_FILENO, &tty_saved) != 0)
		return false;
	raw = tty_saved;
	cfmakeraw(&raw);
	(void)sigemptyset(&action.sa_mask);
	for (size_t i = 0; i < ARRAY_SIZE(tty_signals); i++)
		(void)sigaction(tty_signals[i], &action, &tty_actions[i]);
	tty_raw = 1;
	(void)tcsetattr(STDIN_FILENO, TCSADRAIN, &raw);
	return true;
}

static void tty_leave(void)
{
	tty_restore();
	for (size_t i = 0; i < ARRAY_SIZE(tty_signals); i++)
		(void)sigaction(tty_signals[i], &tty_actions[i], NULL);
}

/* ---- exec --------------------------------------------------------------------------------------------------------- */

/* The shell of the user's passwd entry, else bash, else sh; as a login shell. */
static const char shell_script[] =
	"me=$(id -u)\n"
	"while IFS=: read -r n _ u _ _ _ s; do [ \"$u\" != \"$me\" ] || break; n= s=; done </etc/passwd\n"
	"[ -z \"$n\" ] || export USER=\"$n\"\n"
	"[ -x \"$s\" ] || s=$(command -v bash || echo /bin/sh)\n"
	"export SHELL=\"$s\"\n"
	"exec \"$s\" -l\n";

static void terminal_env(struct strv *env)
{
	static const char *const names[] = { "TERM", "COLORTERM", "NO_COLOR" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (getenv(names[i]))
			strv_addf(env, "%s=%s", names[i], getenv(names[i]));
}

/* Engines end with 126 for what cannot be executed, whether it is there or not; shells, and newer docker, have 127 for the latter. */
static int not_executed(struct docker *d, const char *id, const struct docker_exec *x)
{
	const char *const look[] = { "/bin/sh", "-c", "command -v -- \"$1\" >/dev/null", "sh", x->argv[0], NULL };
	auto(buf) struct buf out = BUF_INIT(1 << 12);
	struct docker_exec y = { .argv = look, .cwd = x->cwd, .user = x->user, .env = x->env, .in = -1, .out = -1, .err = -1,
				 .capture = &out, .deadline_ns = loop_deadline(LOOK_MS) };

	return docker_exec(d, id, &y, NULL) > 0 ? EXIT_NOT_FOUND : EXIT_NOT_EXECUTED;
}

int devcontainer_exec(const struct devcontainer *dc, struct docker *d, const char *id, const char *const *argv, const char *user,
		      const char *cwd, struct err *err)
{
	const char *const shell[] = { "/bin/sh", "-c", shell_script, NULL };
	struct dc_session s = { 0 };
	struct docker_exec x = { .argv = argv ? argv : shell, .cwd = cwd ? cwd : dc->workspace_folder, .in = STDIN_FILENO,
				 .out = STDOUT_FILENO, .err = STDERR_FILENO, .deadline_ns = UINT64_MAX };
	int r = dc_session_open(dc, d, id, &s, err);

	if (r < 0)
		return r;
	x.user = user ? user : s.user;
	x.tty = tty_enter();
	if (x.tty)
		terminal_env(&s.env);
	x.env = (const char *const *)s.env.v;
	r = docker_exec(d, id, &x, err);
	if (x.tty)
		tty_leave();
	if (r == EXIT_NOT_EXECUTED)
		r = not_executed(d, id, &x);
	dc_session_done(&s);
	return r;
}
