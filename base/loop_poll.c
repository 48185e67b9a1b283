/* SPDX-License-Identifier: Apache-2.0 */
#include "base/loop_backend.h"

#include <poll.h>

#include "base/mem.h"

struct poll_be {
	struct pollfd *fds;
	size_t cap;
};

static void *be_open(void)
{
	return xcalloc(1, sizeof(struct poll_be));
}

static void be_close(void *p)
{
	struct poll_be *be = p;

	free(be->fds);
	free(be);
}

static void be_touch(void *p, struct io *io)
{
}

static size_t be_wait(struct loop *l, int timeout_ms)
{
	struct poll_be *be = l->be;
	size_t n = 0;

	if (be->cap < l->n_ios) {
		be->cap = l->n_ios * 2;
		be->fds = xrealloc(be->fds, be->cap, sizeof(*be->fds));
	}
	for (size_t i = 0; i < l->n_ios; i++) {
		unsigned e = l->ios[i]->events;

		be->fds[i] = (struct pollfd){
			.fd = l->ios[i]->fd,
			.events = (short)(((e & IO_IN) ? POLLIN : 0) | ((e & IO_OUT) ? POLLOUT : 0)),
		};
	}
	if (poll(be->fds, (nfds_t)l->n_ios, timeout_ms) <= 0)
		return 0;
	for (size_t i = 0; i < l->n_ios; i++) {
		short e = be->fds[i].revents;

		if (e)
			l->batch[n++] = (struct loop_event){ l->ios[i], loop_events(l->ios[i], e & POLLIN, e & POLLOUT,
									     e & (POLLERR | POLLHUP | POLLNVAL)) };
	}
	return n;
}

const struct loop_ops loop_poll_ops = {
	.open = be_open, .close = be_close, .add = be_touch, .change = be_touch, .del = be_touch, .wait = be_wait,
};
