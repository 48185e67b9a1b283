/* SPDX-License-Identifier: Apache-2.0 */
#include "net/kube/lockfile.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/loop.h"
#include "base/mem.h"

#define POLL_NS 20000000

static const char mark[] = "firestream\n";

static int lock_create(const char *path)
{
	autoclose int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0)
		return -errno;
	/* the flock comes before the mark, so that nobody takes over what is still being made */
	if (flock(fd, LOCK_EX | LOCK_NB) < 0 || write(fd, mark, sizeof(mark) - 1) != (ssize_t)sizeof(mark) - 1) {
		int r = -errno;

		(void)unlink(path);
		return r;
	}
	return steal_fd(&fd);
}

/* A marked file that nobody holds a flock on was left by a process that is gone. */
static int lock_adopt(const char *path)
{
	autoclose int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct stat there, held;
	char text[sizeof(mark)];

	if (fd < 0 || read(fd, text, sizeof(text)) != (ssize_t)sizeof(mark) - 1 || memcmp(text, mark, sizeof(mark) - 1) != 0)
		return -EEXIST;
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return -EEXIST;
	if (fstat(fd, &held) < 0 || lstat(path, &there) < 0 || held.st_ino != there.st_ino || held.st_dev != there.st_dev)
		return -EEXIST;		/* removed by its owner meanwhile */
	return steal_fd(&fd);
}

static int lock_refused(const char *file, const char *path, struct err *err)
{
	struct stat st;
	long long age = lstat(path, &st) == 0 ? (long long)(time(NULL) - st.st_mtime) : 0;

	return err_set(err, -EBUSY, "%s is locked by another program since %lld s (if none is at work, remove %s)", file, age,
		       path);
}

int lockfile_take(const char *file, uint64_t deadline_ns, struct lockfile *ret, struct err *err)
{
	autofree char *path = xasprintf("%s.lock", file);

	for (;;) {
		const struct timespec pause = { .tv_nsec = POLL_NS };
		int fd = lock_create(path);

		if (fd == -EEXIST)
			fd = lock_adopt(path);
		if (fd >= 0) {
			*ret = (struct lockfile){ .path = steal(&path), .fd = fd };
			return 0;
		}
		if (fd != -EEXIST) {
			errno = -fd;
			return err_set(err, fd, "cannot create %s: %m", path);
		}
		if (loop_deadline(0) >= deadline_ns)
			return lock_refused(file, path, err);
		(void)nanosleep(&pause, NULL);
	}
}

void lockfile_done(struct lockfile *l)
{
	if (!l->path)
		return;
	(void)unlink(l->path);
	close(l->fd);
	free(l->path);
	*l = (struct lockfile){ .fd = -1 };
}
