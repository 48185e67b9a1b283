/* SPDX-License-Identifier: Apache-2.0 */
#ifdef __linux__
#include "base/loop_backend.h"

#include <assert.h>
#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/mem.h"

/* Regular files cannot be in an epoll set (EPERM); they are always ready, as poll() has it. */
struct epoll_be {
	int fd;
	struct epoll_event *ev;
	size_t cap;
	struct io **files;
	size_t n_files, cap_files;
};

static void *be_open(void)
{
	struct epoll_be *be = xcalloc(1, sizeof(*be));

	be->fd = epoll_create1(EPOLL_CLOEXEC);
	assert(be->fd >= 0);
	return be;
}

static void be_close(void *p)
{
	struct epoll_be *be = p;

	close(be->fd);
	free(be->ev);
	free(be->files);
	free(be);
}

static void file_add(struct epoll_be *be, struct io *io)
{
	if (be->n_files == be->cap_files) {
		be->cap_files = be->cap_files ? be->cap_files * 2 : 4;
		be->files = xrealloc(be->files, be->cap_files, sizeof(*be->files));
	}
	be->files[be->n_files++] = io;
}

static bool file_del(struct epoll_be *be, const struct io *io)
{
	for (size_t i = 0; i < be->n_files; i++) {
		if (be->files[i] != io)
			continue;
		be->files[i] = be->files[--be->n_files];
		return true;
	}
	return false;
}

static bool file_has(const struct epoll_be *be, const struct io *io)
{
	for (size_t i = 0; i < be->n_files; i++)
		if (be->files[i] == io)
			return true;
	return false;
}

static int be_ctl(struct epoll_be *be, int op, struct io *io)
{
	struct epoll_event ev = {
		.events = ((io->events & IO_IN) ? EPOLLIN : 0u) | ((io->events & IO_OUT) ? EPOLLOUT : 0u),
		.data.ptr = io,
	};

	return epoll_ctl(be->fd, op, io->fd, &ev) ? -errno : 0;
}

/* A descriptor that was closed and opened again behind our back is found by the other operation. */
static void be_add(void *p, struct io *io)
{
	struct epoll_be *be = p;
	int r = be_ctl(be, EPOLL_CTL_ADD, io);

	if (r == -EEXIST)
		r = be_ctl(be, EPOLL_CTL_MOD, io);
	if (r == -EPERM)
		file_add(be, io);
	else
		assert(r == 0);
}

static void be_change(void *p, struct io *io)
{
	struct epoll_be *be = p;
	int r;

	if (file_has(be, io))
		return;
	r = be_ctl(be, EPOLL_CTL_MOD, io);
	if (r == -ENOENT)
		r = be_ctl(be, EPOLL_CTL_ADD, io);
	assert(r == 0);
}

static void be_del(void *p, struct io *io)
{
	struct epoll_be *be = p;

	if (!file_del(be, io))
		(void)epoll_ctl(be->fd, EPOLL_CTL_DEL, io->fd, NULL);
}

static bool files_ready(const struct epoll_be *be)
{
	for (size_t i = 0; i < be->n_files; i++)
		if (be->files[i]->events & (IO_IN | IO_OUT))
			return true;
	return false;
}

static size_t be_wait(struct loop *l, int timeout_ms)
{
	struct epoll_be *be = l->be;
	size_t n = 0;
	int got;

	if (be->cap < l->n_ios) {
		be->cap = l->n_ios * 2;
		be->ev = xrealloc(be->ev, be->cap, sizeof(*be->ev));
	}
	got = epoll_wait(be->fd, be->ev, (int)l->n_ios, files_ready(be) ? 0 : timeout_ms);
	for (int i = 0; i < got; i++) {
		struct io *io = be->ev[i].data.ptr;
		uint32_t e = be->ev[i].events;

		l->batch[n++] = (struct loop_event){ io, loop_events(io, e & EPOLLIN, e & EPOLLOUT,
								     e & (EPOLLERR | EPOLLHUP)) };
	}
	for (size_t i = 0; i < be->n_files; i++)
		if (be->files[i]->events & (IO_IN | IO_OUT))
			l->batch[n++] = (struct loop_event){ be->files[i], be->files[i]->events };
	return n;
}

const struct loop_ops loop_epoll_ops = {
	.open = be_open, .close = be_close, .add = be_add, .change = be_change, .del = be_del, .wait = be_wait,
};
#endif
