/* SPDX-License-Identifier: Apache-2.0 */
#include "net/sock.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/mem.h"
#include "base/str.h"

static int fd_prepare(int fd)
{
	if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 || fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) < 0)
		return -errno;
	return 0;
}

static int sock_new(int family, int type, struct err *err)
{
	int fd;

#ifdef SOCK_CLOEXEC
	fd = socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
#else
	fd = socket(family, type, 0);
	if (fd >= 0 && fd_prepare(fd)) {
		close(fd);
		fd = -1;
	}
#endif
	return fd >= 0 ? fd : err_set(err, -errno, "cannot open a socket: %m");
}

static int sock_bind(const struct hostport *at, int type, struct err *err)
{
	autoclose int fd = sock_new(at->addr.family, type, err);
	struct sockaddr_storage sa;
	char text[HOSTPORT_STRLEN];
	int one = 1;

	if (fd < 0)
		return fd;
	if (type == SOCK_STREAM)
		(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&sa, hostport_to_sockaddr(at, &sa)) < 0)
		return err_set(err, -errno, "cannot bind %s %s: %m", type == SOCK_STREAM ? "tcp" : "udp",
			       hostport_format(at, text));
	return steal_fd(&fd);
}

int sock_udp_bind(const struct hostport *at, struct err *err)
{
	return sock_bind(at, SOCK_DGRAM, err);
}

int sock_tcp_listen(const struct hostport *at, struct err *err)
{
	autoclose int fd = sock_bind(at, SOCK_STREAM, err);

	if (fd < 0)
		return fd;
	if (listen(fd, 128) < 0)
		return err_set(err, -errno, "cannot listen: %m");
	return steal_fd(&fd);
}

static int unix_address(const char *path, struct sockaddr_un *ret, struct err *err)
{
	*ret = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (strlen(path) >= sizeof(ret->sun_path))
		return err_set(err, -ENAMETOOLONG, "%s: a socket's path may have at most %zu bytes", path,
			       sizeof(ret->sun_path) - 1);
	memcpy(ret->sun_path, path, strlen(path));
	return 0;
}

int sock_unix_connect(const char *path, struct err *err)
{
	autoclose int fd = -1;
	struct sockaddr_un sa;
	int r = unix_address(path, &sa, err);

	if (r)
		return r;
	fd = sock_new(AF_UNIX, SOCK_STREAM, err);
	if (fd < 0)
		return fd;
	if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0)
		return err_set(err, -errno, "%s: %m", path);
	return steal_fd(&fd);
}

static int unix_clear_stale(const char *path, struct err *err)
{
	autoclose int fd = sock_unix_connect(path, NULL);

	if (fd >= 0 || fd == -EAGAIN)
		return err_set(err, -EADDRINUSE, "%s: another process listens there", path);
	if (fd == -ECONNREFUSED && unlink(path) < 0)
		return err_set(err, -errno, "%s: %m", path);
	return 0;
}

int sock_unix_listen(const char *path, mode_t mode, struct err *err)
{
	autoclose int fd = -1;
	struct sockaddr_un sa;
	int r = unix_address(path, &sa, err);

	if (!r)
		r = unix_clear_stale(path, err);
	if (r)
		return r;
	fd = sock_new(AF_UNIX, SOCK_STREAM, err);
	if (fd < 0)
		return fd;
	/* nobody can connect before listen(), so the mode is never open */
	if (bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 || chmod(path, mode) < 0 || listen(fd, 16) < 0)
		return err_set(err, -errno, "%s: %m", path);
	return steal_fd(&fd);
}

int sock_accept(int fd, struct sockaddr_storage *peer)
{
	socklen_t len = sizeof(*peer);
	int c = accept(fd, (struct sockaddr *)peer, peer ? &len : NULL);

	if (c < 0)
		return errno == EINTR || errno == ECONNABORTED ? -EAGAIN : -errno;
	if (fd_prepare(c)) {
		close(c);
		return -EAGAIN;
	}
	return c;
}

int sock_local(int fd, struct hostport *ret)
{
	struct sockaddr_storage sa;
	socklen_t len = sizeof(sa);

	if (getsockname(fd, (struct sockaddr *)&sa, &len) < 0)
		return -errno;
	return hostport_from_sockaddr((struct sockaddr *)&sa, ret);
}

void sock_mark(int fd)
{
#ifdef SO_MARK
	const uint32_t mark = SOCK_MARK;

	(void)setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, sizeof(mark));
#else
	(void)fd;
#endif
}
