/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdint.h>
#include <sys/wait.h>

#include "base/mem.h"
#include "tests/tap.h"

static char *pass_on(void)
{
	autofree char *s = xstrdup("kept");

	return steal(&s);
}

static void test_overflow(void)
{
	pid_t pid = fork();
	int status = 0;

	if (pid == 0) {
		autoclose int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

		dup2(null, STDERR_FILENO);
		xrealloc(NULL, SIZE_MAX / 2, 3);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	ok(WIFEXITED(status) && WEXITSTATUS(status) == 1, "a product that overflows ends the program");
}

int main(void)
{
	autofree char *s = xstrdup("text"), *n = xstrndup("text", 2), *f = xasprintf("%d-%s", 7, "x"), *kept = pass_on();
	autofree char *m = xmemdup("a\0b", 3), *none = xmemdup(NULL, 0), *zeros = xcalloc(0, 8);
	int fd;

	is_str(s, "text", "xstrdup copies");
	ok(xstrdup(NULL) == NULL, "xstrdup of NULL is NULL");
	is_str(n, "te", "xstrndup cuts");
	is_str(f, "7-x", "xasprintf formats");
	is_str(kept, "kept", "steal hands over what autofree would free");
	ok(memcmp(m, "a\0b", 3) == 0, "xmemdup copies bytes");
	ok(none && zeros, "nothing at all is still allocated");
	{
		autoclose int own = open("/dev/null", O_RDONLY | O_CLOEXEC);

		fd = own;
	}
	ok(fcntl(fd, F_GETFD) < 0, "autoclose closes");
	{
		autoclose int own = open("/dev/null", O_RDONLY | O_CLOEXEC);

		fd = steal_fd(&own);
		ok(own == -1, "steal_fd leaves -1");
	}
	ok(fcntl(fd, F_GETFD) >= 0, "steal_fd hands over");
	close(fd);
	free_secret(xstrdup("token"));
	free_secret(NULL);
	test_overflow();
	return tap_done();
}
