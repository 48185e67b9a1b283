/* SPDX-License-Identifier: Apache-2.0 */
#include "boot/engine.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/mem.h"
#include "tests/tap.h"

static char dir[] = "/tmp/test_engine.XXXXXX";

/* A socket at path; closed again when nobody shall listen. */
static int listen_at(const char *path, bool stay)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	autofree char *parent = path_dirname(path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)!file_mkdirs(parent, 0755, NULL);
	snprintf(at.sun_path, sizeof(at.sun_path), "%s", path);
	unlink(path);
	if (bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0 || listen(fd, 5) < 0) {
		close(fd);
		return -1;
	}
	if (stay)
		return fd;
	close(fd);
	return -1;
}

static int find(char **ret_host, char **ret_tls, struct err *err)
{
	free(*ret_host);
	free(*ret_tls);
	*ret_host = *ret_tls = NULL;
	*err = (struct err){ 0 };
	return engine_find(NULL, ret_host, ret_tls, err);
}

static void test_named(void)
{
	autofree char *sock = path_join(dir, "e.sock"), *url = xasprintf("unix://%s", sock), *host = NULL, *tls = NULL;
	autofree char *gone = xasprintf("unix://%s/none.sock", dir);
	struct err err;
	int fd = listen_at(sock, true);

	setenv("DOCKER_HOST", url, 1);
	ok(find(&host, &tls, &err) == 0 && streq(host, url) && !tls, "DOCKER_HOST is taken as it is %s", err.msg);
	close(fd);
	is_int(find(&host, &tls, &err), -ECONNREFUSED, "nobody listens: %s", err.msg);
	setenv("DOCKER_HOST", gone, 1);
	is_int(find(&host, &tls, &err), -ENOENT, "no socket: %s", err.msg);
	setenv("DOCKER_HOST", "ssh://me@host", 1);
	is_int(find(&host, &tls, &err), -ENOPKG, "ssh is refused: %s", err.msg);
	setenv("DOCKER_HOST", "host:2375", 1);
	is_int(find(&host, &tls, &err), -ENOPKG, "so is no address: %s", err.msg);
	setenv("DOCKER_HOST", "tcp://engine.example:2376", 1);
	setenv("DOCKER_TLS_VERIFY", "1", 1);
	setenv("DOCKER_CERT_PATH", "/certs", 1);
	ok(find(&host, &tls, &err) == 0 && streq(tls, "/certs"), "TLS by DOCKER_TLS_VERIFY and DOCKER_CERT_PATH");
	unsetenv("DOCKER_CERT_PATH");
	ok(find(&host, &tls, &err) == 0 && str_ends(tls, "/.docker"), "or from the client's folder");
	unsetenv("DOCKER_TLS_VERIFY");
	unsetenv("DOCKER_HOST");
}

static void put(const char *path, const char *text)
{
	autofree char *full = xasprintf("%s/%s", dir, path);
	autofree char *parent = path_dirname(full);

	(void)!file_mkdirs(parent, 0755, NULL);
	(void)!file_write(full, text, strlen(text), 0600, NULL);
}

static void test_context(void)
{
	/* SHA-256 of "desktop-linux", as the Docker CLI has it */
	static const char id[] = "fe9c6bd7a66301f49ca9b6a70b217107cd1284598bfc254700c989b916da791e";
	autofree char *sock = path_join(dir, "d.sock"), *url = xasprintf("unix://%s", sock), *host = NULL, *tls = NULL;
	autofree char *meta = xasprintf(".docker/contexts/meta/%s/meta.json", id), *ca = xasprintf(".docker/contexts/tls/%s/docker/ca.pem", id);
	autofree char *text = xasprintf("{\"Name\":\"desktop-linux\",\"Endpoints\":{\"docker\":{\"Host\":\"%s\"}}}", url);
	struct err err;
	int fd = listen_at(sock, true);

	put(".docker/config.json", "{\"currentContext\": \"desktop-linux\"}");
	put(meta, text);
	put(ca, "x");
	ok(find(&host, &tls, &err) == 0 && streq(host, url), "the current context is used %s", err.msg);
	ok(tls && str_ends(tls, "/docker"), "with its TLS folder");
	setenv("DOCKER_CONTEXT", "other", 1);
	is_int(find(&host, &tls, &err), -ENOENT, "a context that is not there: %s", err.msg);
	unsetenv("DOCKER_CONTEXT");
	put(meta, "{\"Endpoints\":{}}");
	is_int(find(&host, &tls, &err), -ENOENT, "a context without an endpoint: %s", err.msg);
	put(meta, "{{{");
	is_int(find(&host, &tls, &err), -ENOENT, "a broken one: %s", err.msg);
	put(".docker/config.json", "{}");
	close(fd);
}

static void test_usual(void)
{
	autofree char *sock = path_join(dir, ".colima/work/docker.sock"), *url = xasprintf("unix://%s", sock), *host = NULL, *tls = NULL;
	struct err err;
	int fd;

	if (file_exists("/var/run/docker.sock") || file_exists("/run/podman/podman.sock")) {
		int r = find(&host, &tls, &err);

		/* whether it runs is not ours to say */
		ok((r == 0 && str_starts(host, "unix:///")) || (r == -ECONNREFUSED && strstr(err.msg, "nobody listens on /")),
		   "this machine's own engine is found, or said to be down: %s", err.msg);
		return;
	}
	is_int(find(&host, &tls, &err), -ENOENT, "no engine anywhere: %s", err.msg);
	fd = listen_at(sock, true);
	ok(find(&host, &tls, &err) == 0 && streq(host, url), "a socket at a usual place is found %s", err.msg);
	close(fd);
	is_int(find(&host, &tls, &err), -ECONNREFUSED, "one where nobody listens is told apart: %s", err.msg);
}

int main(void)
{
	if (!mkdtemp(dir))
		return 1;
	setenv("HOME", dir, 1);
	for (const char *const *v = (const char *const[]){ "DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH",
							   "XDG_RUNTIME_DIR", NULL }; *v; v++)
		unsetenv(*v);
	test_named();
	test_context();
	test_usual();
	(void)!file_remove_tree(dir, NULL);
	return tap_done();
}
