/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/mem.h"
#include "boot/engine.h"

#define CONFIG_MAX (1u << 20)
#define DEFAULT_SOCKET "/var/run/docker.sock"

static const char *home_dir(void)
{
	const char *home = getenv("HOME");

	return home && *home ? home : "/root";
}

/* ---- contexts of the Docker CLI ---- */

static json *config_read(const char *path)
{
	auto(buf) struct buf text = BUF_INIT(CONFIG_MAX);

	if (!file_exists(path) || file_read(path, &text, NULL) < 0)
		return NULL;
	return json_parse(buf_str(&text), text.len, NULL);
}

static char *config_dir(void)
{
	const char *dir = getenv("DOCKER_CONFIG");

	return dir && *dir ? xstrdup(dir) : xasprintf("%s/.docker", home_dir());
}

/* Name of the chosen context, or NULL. Caller owns. */
static char *context_name(const char *dir)
{
	autofree char *path = path_join(dir, "config.json");
	const char *name = getenv("DOCKER_CONTEXT");
	autojson json *config = NULL;

	if (!name || !*name) {
		config = config_read(path);
		name = json_str(config, "currentContext", NULL);
	}
	return name && *name && !streq(name, "default") ? xstrdup(name) : NULL;
}

/* What a context says, in the folder named by the hash of its name. */
static int context_read(const char *dir, const char *name, char **ret_host, char **ret_tls_dir, struct err *err)
{
	char id[HASH_HEX_LEN + 1];
	struct hash *h = hash_new();
	autofree char *meta = NULL, *tls = NULL, *ca = NULL;
	autojson json *j = NULL;
	const char *host;

	hash_add(h, name, strlen(name));
	hash_hex(h, id);
	meta = xasprintf("%s/contexts/meta/%s/meta.json", dir, id);
	tls = xasprintf("%s/contexts/tls/%s/docker", dir, id);
	ca = path_join(tls, "ca.pem");
	j = config_read(meta);
	host = json_str(j, "Endpoints.docker.Host", NULL);
	if (!host || !*host)
		return err_set(err, -ENOENT,
			       "the engine context \"%s\" has no endpoint (%s): choose another with DOCKER_CONTEXT", name,
			       meta);
	*ret_host = xstrdup(host);
	*ret_tls_dir = file_exists(ca) ? steal(&tls) : NULL;
	return 0;
}

/* ---- sockets ---- */

/* 0, or -errno of a connection that is closed at once. */
static int socket_probe(const char *path)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	autoclose int fd = -1;

	if (strlen(path) >= sizeof(to.sun_path))
		return -ENAMETOOLONG;
	memcpy(to.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	if (fd < 0)
		return -errno;
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	fcntl(fd, F_SETFL, O_NONBLOCK);
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0 && errno != EINPROGRESS && errno != EAGAIN)
		return -errno;
	return 0;
}

static void sockets_glob(struct strv *list, const char *pattern)
{
	glob_t g = { 0 };

	if (glob(pattern, 0, NULL, &g) == 0)
		for (size_t i = 0; i < g.gl_pathc; i++)
			strv_add(list, g.gl_pathv[i]);
	globfree(&g);
}

/* The usual places, most usual first: Docker, rootless Docker, Desktop, Colima, OrbStack, Rancher Desktop, Lima, Podman. */
static void sockets_usual(struct strv *list)
{
	static const char *const at_home[] = {
		".docker/run/docker.sock", ".docker/desktop/docker.sock",	 ".colima/default/docker.sock",
		".colima/docker.sock",	   ".config/colima/default/docker.sock", ".orbstack/run/docker.sock",
		".rd/docker.sock"
	};
	static const char *const many[] = { ".colima/*/docker.sock", ".lima/*/sock/docker.sock" };
	const char *runtime = getenv("XDG_RUNTIME_DIR");

	strv_add(list, DEFAULT_SOCKET);
	strv_add(list, "/run/docker.sock");
	if (runtime && *runtime)
		strv_addf(list, "%s/docker.sock", runtime);
	for (size_t i = 0; i < ARRAY_SIZE(at_home); i++)
		strv_addf(list, "%s/%s", home_dir(), at_home[i]);
	for (size_t i = 0; i < ARRAY_SIZE(many); i++) {
		autofree char *pattern = xasprintf("%s/%s", home_dir(), many[i]);

		sockets_glob(list, pattern);
	}
	if (runtime && *runtime)
		strv_addf(list, "%s/podman/podman.sock", runtime);
	strv_add(list, "/run/podman/podman.sock");
}

static int socket_error(int code, const char *path, struct err *err)
{
	switch (code) {
	case -ENOENT:
	case -ENOTDIR:
		return err_set(err, -ENOENT,
			       "there is no container engine (no socket %s): install one, or let `bootstrap up --yes` do it", path);
	case -EACCES:
	case -EPERM:
		return err_set(err, -EPERM,
			       "no permission for the container engine's socket %s: add yourself to the group that owns it "
			       "(\"sudo usermod -aG docker $USER\") and log in again",
			       path);
	case -ECONNREFUSED:
		return err_set(err, -ECONNREFUSED,
			       "the container engine is not running (nobody listens on %s): start it "
			       "(\"sudo systemctl start docker\")",
			       path);
	default:
		return err_set(err, code, "cannot reach the container engine at %s: %s", path,
			       err_text(&(struct err){ .code = code }));
	}
}

static int sockets_try(char **ret_host, struct err *err)
{
	struct strv list = { 0 };
	int worst = -ENOENT;
	autofree char *where = xstrdup(DEFAULT_SOCKET);

	sockets_usual(&list);
	for (size_t i = 0; i < list.n; i++) {
		int r = socket_probe(list.v[i]);

		if (r == 0) {
			*ret_host = xasprintf("unix://%s", list.v[i]);
			strv_done(&list);
			return 0;
		}
		/* the first that is more than absent tells most */
		if (worst == -ENOENT && r != -ENOENT && r != -ENOTDIR) {
			worst = r;
			free(where);
			where = xstrdup(list.v[i]);
		}
	}
	strv_done(&list);
	return socket_error(worst, where, err);
}

/* ---- */

/* An address that was named: only unix sockets are tried here, the client finds out about the others. */
static int host_check(const char *host, struct err *err)
{
	int r;

	if (str_starts(host, "ssh://"))
		return err_set(
			err, -ENOPKG,
			"the engine address %s needs ssh: forward its socket (ssh -nNT -L /tmp/engine.sock:" DEFAULT_SOCKET
			" HOST) and set DOCKER_HOST=unix:///tmp/engine.sock",
			host);
	if (str_starts(host, "npipe://"))
		return err_set(err, -ENOPKG, "the engine address %s works on Windows only: run this inside WSL", host);
	if (str_starts(host, "unix://")) {
		r = socket_probe(host + strlen("unix://"));
		return r < 0 ? socket_error(r, host + strlen("unix://"), err) : 0;
	}
	if (!str_starts(host, "tcp://") && !str_starts(host, "http://") && !str_starts(host, "https://"))
		return err_set(err, -ENOPKG, "the engine address \"%s\" is neither unix:// nor tcp://", host);
	return 0;
}

static int host_named(const char *host, char **ret_host, char **ret_tls_dir, struct err *err)
{
	const char *verify = getenv("DOCKER_TLS_VERIFY"), *certs = getenv("DOCKER_CERT_PATH");
	int r = host_check(host, err);

	if (r < 0)
		return err_wrap(err, r, "DOCKER_HOST");
	*ret_host = xstrdup(host);
	*ret_tls_dir = NULL;
	if (str_starts(host, "tcp://") && verify && *verify)
		*ret_tls_dir = certs && *certs ? xstrdup(certs) : config_dir();
	return 0;
}

int engine_find(struct loop *l, char **ret_host, char **ret_tls_dir, struct err *err)
{
	const char *named = getenv("DOCKER_HOST");
	autofree char *dir = config_dir();
	autofree char *context = NULL, *host = NULL, *tls = NULL;
	int r;

	if (named && *named)
		return host_named(named, ret_host, ret_tls_dir, err);
	context = context_name(dir);
	if (!context) {
		*ret_tls_dir = NULL;
		return sockets_try(ret_host, err);
	}
	r = context_read(dir, context, &host, &tls, err);
	if (r == 0)
		r = host_check(host, err);
	if (r < 0)
		return err_wrap(err, r, "engine context %s", context);
	*ret_host = steal(&host);
	*ret_tls_dir = steal(&tls);
	return 0;
}
