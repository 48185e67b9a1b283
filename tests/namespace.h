/* SPDX-License-Identifier: Apache-2.0 */
/* namespace: a network namespace of the test's own (in a user namespace: no root needed), and programs run in it. */
#pragma once

#include <fcntl.h>
#include <sched.h>
#include <string.h>

#include "base/child.h"
#include "base/mem.h"

static bool file_put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool good = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	if (fd >= 0)
		close(fd);
	return good;
}

static bool namespace_enter(void)
{
	autofree char *uid = xasprintf("0 %d 1", (int)getuid()), *gid = xasprintf("0 %d 1", (int)getgid());

	if (unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
		return false;
	(void)file_put("/proc/self/setgroups", "deny");
	return file_put("/proc/self/uid_map", uid) && file_put("/proc/self/gid_map", gid);
}

static bool run(const char *const *argv)
{
	struct child_spec spec = { .argv = argv, .in = -1, .out = -1, .err = -1 };
	struct loop *l = loop_new(LOOP_DEFAULT);
	int r = child_run(l, &spec, NULL, NULL, NULL, loop_deadline(5000), NULL);

	loop_free(l);
	return r == 0;
}

#define RUN(...) run((const char *const[]){ __VA_ARGS__, NULL })
