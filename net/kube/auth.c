/* SPDX-License-Identifier: Apache-2.0 */
#include "net/kube/auth.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/child.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "net/kube/kubeconfig.h"

#define RUN_MS 60000
#define LINGER_MS 1000
#define OUTPUT_MAX (256u << 10)
#define EARLY_S 20			/* before it expires */
#define RETRY_MS 10000			/* after a failure, and after a refusal */
#define FILE_MS 60000
#define TOKEN_MAX ((size_t)256 << 10)

extern char **environ;

struct kube_auth {
	struct loop *loop;
	struct kube *kube;		/* borrowed; NULL: nobody yet */
	json *exec, *cluster;		/* owned; exec NULL: a file */
	char *user, *token_file;	/* owned */
	struct kube_credential now;
	struct child child;
	struct io io;
	int fd;				/* of what it prints; -1 */
	struct buf out;
	struct timer again, limit;
	bool ended, closed, done;	/* the program; its output; both, and looked at */
	int status;
	uint64_t ran_ns;		/* when it was started last */
	struct err err;			/* of the last run */
};

void kube_credential_done(struct kube_credential *c)
{
	free_secret(c->token);
	free_secret(c->cert_pem);
	free_secret(c->key_pem);
	*c = (struct kube_credential){ 0 };
}

/* ---- what it printed --------------------------------------------------------------------------------------------- */

/* RFC 3339: "2026-11-27T15:00:00Z", a fraction or an offset may follow. */
static int time_read(const char *text, int64_t *ret)
{
	struct tm tm = { 0 };
	const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
	int hours = 0, minutes = 0, end = 0;
	char sign = '+';

	if (!rest)
		return -EINVAL;
	if (*rest == '.')
		rest += 1 + strspn(rest + 1, "0123456789");
	if (!streq(rest, "Z") && (sscanf(rest, "%c%2d:%2d%n", &sign, &hours, &minutes, &end) != 3 || rest[end] || !strchr("+-", sign)))
		return -EINVAL;
	*ret = (int64_t)timegm(&tm) - (sign == '-' ? -1 : 1) * (hours * 3600 + minutes * 60);
	return 0;
}

int kube_credential_parse(const char *text, size_t n, const char *api_version, struct kube_credential *ret, struct err *err)
{
	autojson json *o = json_parse(text, n, NULL);
	const char *expires = json_str(o, "status.expirationTimestamp", NULL), *token = json_str(o, "status.token", NULL);
	const char *cert = json_str(o, "status.clientCertificateData", NULL), *key = json_str(o, "status.clientKeyData", NULL);
	struct kube_credential c = { 0 };

	if (!o || !streq(json_str(o, "kind", NULL), "ExecCredential"))
		return err_set(err, -EBADMSG, "it printed no ExecCredential");
	if (!streq(json_str(o, "apiVersion", NULL), api_version))
		return err_set(err, -EBADMSG, "it printed %s instead of %s", json_str(o, "apiVersion", "no apiVersion"), api_version);
	if (!token && !cert)
		return err_set(err, -EBADMSG, "it printed neither a token nor a client certificate");
	if (token && !kubeconfig_is_token(token))
		return err_set(err, -EBADMSG, "its token is not one line of printable characters");
	if (!cert != !key)
		return err_set(err, -EBADMSG, "it printed a client %s without its %s", cert ? "certificate" : "key", cert ? "key" : "certificate");
	if (expires && time_read(expires, &c.expires))
		return err_set(err, -EBADMSG, "its expirationTimestamp \"%.60s\" is no time", expires);
	c.token = xstrdup(token);
	c.cert_pem = xstrdup(cert);
	c.key_pem = xstrdup(key);
	*ret = c;
	return 0;
}

/* ---- the program ------------------------------------------------------------------------------------------------- */

static const char *api_version(const struct kube_auth *a)
{
	return json_str(a->exec, "apiVersion", "");
}

static char *exec_info(const struct kube_auth *a, bool interactive)
{
	autojson json *o = json_object();
	json *spec = json_set(o, "spec", json_object()), *cluster;

	json_set_str(o, "apiVersion", api_version(a));
	json_set_str(o, "kind", "ExecCredential");
	json_set_bool(spec, "interactive", interactive);
	if (json_bool(a->exec, "provideClusterInfo", false)) {
		static const char *const same[] = { "server", "tls-server-name", "certificate-authority-data", "proxy-url" };

		cluster = json_set(spec, "cluster", json_object());
		for (size_t i = 0; i < ARRAY_SIZE(same); i++)
			json_set_str(cluster, same[i], json_str(a->cluster, same[i], NULL));
		json_set_bool(cluster, "insecure-skip-tls-verify", json_bool(a->cluster, "insecure-skip-tls-verify", false));
	}
	return json_text(o);
}

/* Ours without what the plugin's own replaces. */
static void env_fill(const struct kube_auth *a, bool interactive, struct strv *env)
{
	autofree char *info = exec_info(a, interactive);
	struct strv own = { 0 };

	json_each(e, json_get(a->exec, "env"))
		strv_addf(&own, "%s=%s", json_str(e, "name", ""), json_str(e, "value", ""));
	strv_addf(&own, "KUBERNETES_EXEC_INFO=%s", info);
	for (char **e = environ; *e; e++) {
		bool replaced = false;

		for (size_t i = 0; i < own.n && !replaced; i++)
			replaced = strncmp(*e, own.v[i], strcspn(own.v[i], "=") + 1) == 0;
		if (!replaced)
			strv_add(env, *e);
	}
	strv_copy(env, &own);
	strv_done(&own);
}

static void auth_take(struct kube_auth *a);

static void run_check(struct kube_auth *a)
{
	if (!a->ended || !a->closed || a->done)
		return;
	a->done = true;
	timer_stop(&a->limit);
	auth_take(a);
}

static void on_limit(struct timer *t);

static void on_exit_status(struct child *c, int status)
{
	struct kube_auth *a = container_of(c, struct kube_auth, child);

	a->ended = true;
	a->status = status;
	if (!a->closed)			/* something that it left behind may hold the pipe */
		timer_start(a->loop, &a->limit, LINGER_MS, on_limit);
	run_check(a);
}

static void on_output(struct io *io, unsigned events)
{
	struct kube_auth *a = container_of(io, struct kube_auth, io);
	char p[4096];
	ssize_t n = read(io->fd, p, sizeof(p));

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0) {
		buf_add(&a->out, p, (size_t)n);
		explicit_bzero(p, (size_t)n);
		return;
	}
	io_stop(io);
	close(steal_fd(&a->fd));
	a->closed = true;
	run_check(a);
}

static void on_limit(struct timer *t)
{
	struct kube_auth *a = container_of(t, struct kube_auth, limit);

	child_kill(&a->child, SIGKILL);
	child_stop(&a->child);
	io_stop(&a->io);
	if (a->fd >= 0)
		close(steal_fd(&a->fd));
	if (!a->ended)
		a->status = -ETIMEDOUT;
	a->ended = a->closed = true;
	run_check(a);
}

static int pipe_make(int fd[static 2])
{
	if (pipe(fd) < 0)
		return -errno;
	for (int i = 0; i < 2; i++)
		(void)fcntl(fd[i], F_SETFD, FD_CLOEXEC);
	(void)fcntl(fd[0], F_SETFL, O_NONBLOCK);
	return 0;
}

static int run_start(struct kube_auth *a, bool may_ask, struct err *err)
{
	const char *mode = json_str(a->exec, "interactiveMode", "IfAvailable"), *command = json_str(a->exec, "command", "");
	bool interactive = may_ask && !streq(mode, "Never") && isatty(STDIN_FILENO);
	struct strv argv = { 0 }, env = { 0 };
	struct child_spec spec;
	int fd[2], r;

	if (streq(mode, "Always") && !interactive)
		return err_set(err, -EINVAL, "%s has to ask something, and there is no terminal", command);
	r = pipe_make(fd);
	if (r < 0)
		return err_set(err, r, "a pipe: %s", strerror(-r));
	strv_add(&argv, command);
	json_each(e, json_get(a->exec, "args"))
		strv_add(&argv, cJSON_IsString(e) ? e->valuestring : "");
	env_fill(a, interactive, &env);
	spec = (struct child_spec){ .argv = (const char *const *)argv.v, .env = (const char *const *)env.v, .in = interactive ? STDIN_FILENO : -1,
				    .out = fd[1], .err = STDERR_FILENO, .foreground = interactive };
	buf_reset(&a->out);
	a->ran_ns = loop_now(a->loop);
	a->ended = a->closed = a->done = false;
	r = child_start(a->loop, &a->child, &spec, on_exit_status, err);
	close(fd[1]);
	strv_done(&argv);
	strv_done(&env);
	if (r < 0) {
		close(fd[0]);
		return r;
	}
	a->fd = fd[0];
	io_start(a->loop, &a->io, a->fd, IO_IN, on_output);
	timer_start(a->loop, &a->limit, RUN_MS, on_limit);
	return 0;
}

static int run_result(struct kube_auth *a, struct kube_credential *ret, struct err *err)
{
	int r;

	if (a->status == -ETIMEDOUT)
		return err_set(err, -ETIMEDOUT, "it did not end within %d s", RUN_MS / 1000);
	if (a->status)
		return err_set(err, -EACCES, "it ended with %d", a->status);
	r = buf_ok(&a->out) ? kube_credential_parse(buf_str(&a->out), a->out.len, api_version(a), ret, err) :
			      err_set(err, -EFBIG, "it printed more than %u bytes", OUTPUT_MAX);
	if (a->out.data)
		explicit_bzero(a->out.data, a->out.len);
	return r;
}

/* ---- again ------------------------------------------------------------------------------------------------------- */

static void on_again(struct timer *t);

static uint64_t left_ms(const struct kube_auth *a)
{
	int64_t left = a->now.expires - (int64_t)time(NULL) - EARLY_S;

	return left > 0 ? (uint64_t)left * 1000 : RETRY_MS;
}

static void again_after(struct kube_auth *a, uint64_t ms)
{
	timer_start(a->loop, &a->again, ms, on_again);
}

/* A run is over. */
static void auth_take(struct kube_auth *a)
{
	struct kube_credential c = { 0 };
	int r = run_result(a, &c, &a->err);

	if (r < 0) {
		if (a->kube)
			again_after(a, RETRY_MS);
		return;
	}
	a->err = (struct err){ 0 };
	kube_credential_done(&a->now);
	a->now = c;
	if (!a->kube)
		return;
	kube_set_credential(a->kube, c.token, c.cert_pem, c.key_pem);
	if (c.expires)
		again_after(a, left_ms(a));
}

static void file_read_again(struct kube_auth *a)
{
	auto(buf) struct buf b = BUF_INIT(TOKEN_MAX);
	struct str token;

	if (file_read(a->token_file, &b, NULL) == 0 && (token = str_trim(str_from(buf_str(&b)))).len) {
		autofree char *text = xstrndup(token.p, token.len);

		if (a->kube && kubeconfig_is_token(text))
			kube_set_bearer(a->kube, text);
		explicit_bzero(text, strlen(text));
	}
	if (b.data)
		explicit_bzero(b.data, b.len);
	again_after(a, FILE_MS);
}

static bool runs(const struct kube_auth *a)
{
	return a->exec && !a->done && (a->child.pid || a->fd >= 0);
}

static void on_again(struct timer *t)
{
	struct kube_auth *a = container_of(t, struct kube_auth, again);

	if (!a->exec)
		file_read_again(a);
	else if (!runs(a) && run_start(a, false, &a->err) < 0)
		again_after(a, RETRY_MS);
}

/* ---- life -------------------------------------------------------------------------------------------------------- */

struct kube_auth *kube_auth_free(struct kube_auth *a)
{
	if (!a)
		return NULL;
	child_kill(&a->child, SIGTERM);
	child_stop(&a->child);
	io_stop(&a->io);
	timer_stop(&a->again);
	timer_stop(&a->limit);
	if (a->fd >= 0)
		close(a->fd);
	kube_credential_done(&a->now);
	buf_done(&a->out);
	json_free(a->exec);
	json_free(a->cluster);
	free(a->user);
	free(a->token_file);
	free(a);
	return NULL;
}

static int exec_refuse(const struct kube_auth *a, struct err *err)
{
	const char *v = api_version(a);

	if (!*json_str(a->exec, "command", ""))
		return err_set(err, -EINVAL, "user \"%s\": exec has no command", a->user);
	if (streq(v, "client.authentication.k8s.io/v1") || streq(v, "client.authentication.k8s.io/v1beta1"))
		return 0;
	return err_set(err, -EINVAL, "user \"%s\": exec's apiVersion is \"%s\" instead of client.authentication.k8s.io/v1", a->user, v);
}

/* The first run, which is waited for. */
static int exec_first(struct kube_auth *a, struct http_endpoint *e, struct err *err)
{
	const char *hint = json_str(a->exec, "installHint", NULL);
	int r = exec_refuse(a, err);

	if (r < 0)
		return r;
	r = run_start(a, true, err);
	if (r == -ENOENT)
		return err_set(err, -ENOPKG, "user \"%s\" signs in through the program %s, which is not there%s%.300s", a->user,
			       json_str(a->exec, "command", ""), hint ? ": " : "", hint ? hint : "");
	if (r == 0)
		r = loop_run(a->loop, &a->done, loop_deadline(RUN_MS + 1000));
	if (r == 0 && a->err.code) {
		*err = a->err;
		r = err->code;
	}
	if (r < 0)
		return err_wrap(err, r, "user \"%s\": %s", a->user, json_str(a->exec, "command", ""));
	e->bearer = xstrdup(a->now.token);
	e->cert_pem = xstrdup(a->now.cert_pem);
	e->key_pem = xstrdup(a->now.key_pem);
	return 0;
}

int kube_auth_open(struct loop *l, const json *config, const char *context, struct kube_auth **ret_auth, struct http_endpoint *ret,
		   struct err *err)
{
	struct err local = { 0 };
	struct kube_auth *a;
	struct kubeconfig_user u;
	int r = kubeconfig_endpoint_exec(config, context, ret, &local);

	*ret_auth = NULL;
	if (r < 0) {
		if (err)
			*err = local;
		return r;
	}
	kubeconfig_user(config, context, &u);
	if (!json_is(u.user, "exec") && !json_is(u.user, "tokenFile"))
		return 0;
	a = xcalloc(1, sizeof(*a));
	*a = (struct kube_auth){ .loop = l, .fd = -1, .out = BUF_INIT(OUTPUT_MAX), .user = xstrdup(u.name), .done = true,
				 .exec = json_is(u.user, "exec") ? json_copy(json_get(u.user, "exec")) : NULL,
				 .cluster = json_copy(u.cluster), .token_file = xstrdup(json_str(u.user, "tokenFile", NULL)) };
	r = a->exec ? exec_first(a, ret, &local) : 0;
	if (r < 0) {
		if (err)
			*err = local;
		http_endpoint_done(ret);
		kube_auth_free(a);
		return r;
	}
	*ret_auth = a;
	return 0;
}

void kube_auth_follow(struct kube_auth *a, struct kube *k)
{
	if (!a)
		return;
	a->kube = k;
	if (!a->exec)
		again_after(a, FILE_MS);
	else if (a->now.expires)
		again_after(a, left_ms(a));
}

void kube_auth_refused(struct kube_auth *a)
{
	uint64_t since_ms;

	if (!a || !a->kube || runs(a))
		return;
	since_ms = (loop_now(a->loop) - a->ran_ns) / 1000000;
	if (!a->again.loop || a->again.at_ns > loop_now(a->loop) + (uint64_t)RETRY_MS * 1000000)
		again_after(a, since_ms < RETRY_MS ? RETRY_MS - since_ms : 0);
}
