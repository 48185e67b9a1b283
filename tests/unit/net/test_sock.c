/* SPDX-License-Identifier: Apache-2.0 */
#include "net/sock.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "tests/tap.h"

static void test_unix(void)
{
	char dir[] = "/tmp/test_sock.XXXXXX";
	autofree char *path = mkdtemp(dir) ? xasprintf("%s/s", dir) : NULL;
	struct err err = { 0 };
	struct stat st;
	int a, b;

	ok(sock_unix_connect(path, &err) == -ENOENT, "connecting to no socket is -ENOENT");
	a = sock_unix_listen(path, 0640, &err);
	ok(a >= 0, "a unix socket is made");
	ok(stat(path, &st) == 0 && (st.st_mode & 0777) == 0640, "with its mode");
	ok(fcntl(a, F_GETFD) & FD_CLOEXEC && fcntl(a, F_GETFL) & O_NONBLOCK, "close-on-exec and non-blocking");
	ok(sock_unix_listen(path, 0600, &err) == -EADDRINUSE, "a second listener is refused: %s", err_text(&err));
	close(a);
	ok(sock_unix_connect(path, &err) == -ECONNREFUSED, "a dead listener's socket refuses");
	b = sock_unix_listen(path, 0600, &err);
	ok(b >= 0, "and is replaced");
	a = sock_unix_connect(path, &err);
	ok(a >= 0, "one can connect to the new one");
	close(a);
	close(b);
	unlink(path);
	rmdir(dir);
	ok(sock_unix_listen("/tmp/a-path-that-is-much-too-long-for-the-address-of-a-unix-socket-"
			    "which-has-only-room-for-one-hundred-and-eight-bytes", 0600, &err) == -ENAMETOOLONG,
	   "a path that is too long is said to be");
}

static void test_ip(void)
{
	struct hostport at = { 0 };
	struct err err = { 0 };
	int fd, again;

	ok(!hostport_parse("127.0.0.1", 0, &at), "an address");
	fd = sock_tcp_listen(&at, &err);
	ok(fd >= 0 && !sock_local(fd, &at) && at.port, "the kernel's port is told");
	again = sock_tcp_listen(&at, &err);
	ok(again == -EADDRINUSE, "a taken port is -EADDRINUSE: %s", err_text(&err));
	ok(sock_accept(fd, NULL) == -EAGAIN, "nobody waits: -EAGAIN");
	close(fd);
	fd = sock_udp_bind(&at, &err);
	ok(fd >= 0, "UDP binds where TCP was");
	close(fd);
}

int main(void)
{
	test_unix();
	test_ip();
	return tap_done();
}
