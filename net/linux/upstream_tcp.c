/* SPDX-License-Identifier: Apache-2.0 */
#define CARES_NO_DEPRECATED	/* ares_send() is all that c-ares 1.18 has */
#include "net/linux/upstream_tcp.h"

#include <ares.h>
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "net/dnswire.h"
#include "net/linux/upstream_udp.h"

#define TICK_MS 50		/* fixed: ares_timeout() walks all queries on each call */
#define SOCKETS_MAX 8		/* of one channel: the open one, and those just closed */

struct watch {
	struct io io;
	struct upstream_tcp *t;
};

struct upstream_tcp_ask {
	struct upstream_tcp *t;
	upstream_tcp_fn fn;		/* NULL: cancelled */
	void *owner;
	bool sending;
	int code;			/* result that came while sending; 0: none did */
};

struct upstream_tcp {
	struct loop *loop;
	ares_channel channel;
	struct watch sock[SOCKETS_MAX];
	struct timer tick;
	bool marked;
	unsigned inside, asks;		/* depth of calls into c-ares; what it holds */
};

static bool library_ready;		/* set once, before any thread is made */

__attribute__((constructor)) static void library_init(void)
{
	library_ready = ares_library_init(ARES_LIB_INIT_ALL) == ARES_SUCCESS;
}

static int ares_errno(int status)
{
	switch (status) {
	case ARES_SUCCESS: return 0;
	case ARES_ETIMEOUT: return -ETIMEDOUT;
	case ARES_ECONNREFUSED: return -ECONNREFUSED;
	case ARES_EBADRESP: case ARES_EBADQUERY: case ARES_EBADNAME: case ARES_EFORMERR: return -EBADMSG;
	default: return -EIO;
	}
}

/* ---- channel ----------------------------------------------------------------------------------------------------- */

static void channel_process(struct upstream_tcp *t, ares_socket_t in, ares_socket_t out)
{
	t->inside++;
	ares_process_fd(t->channel, in, out);
	t->inside--;
}

static void on_socket(struct io *io, unsigned events)
{
	struct watch *w = container_of(io, struct watch, io);

	channel_process(w->t, events & (IO_IN | IO_ERR) ? io->fd : ARES_SOCKET_BAD, events & IO_OUT ? io->fd : ARES_SOCKET_BAD);
}

static void on_socket_state(void *arg, ares_socket_t fd, int readable, int writable)
{
	struct upstream_tcp *t = arg;
	unsigned events = (readable ? IO_IN : 0u) | (writable ? IO_OUT : 0u);
	struct watch *free_watch = NULL;

	for (int i = 0; i < SOCKETS_MAX; i++) {
		struct watch *w = &t->sock[i];

		if (w->io.loop && w->io.fd == fd) {
			if (events)
				io_set(&w->io, events);
			else
				io_stop(&w->io);
			return;
		}
		if (!w->io.loop)
			free_watch = w;
	}
	if (events && free_watch)
		io_start(t->loop, &free_watch->io, fd, events, on_socket);
}

static int on_socket_new(ares_socket_t fd, int type, void *arg)
{
	struct upstream_tcp *t = arg;

	if (t->marked)
		upstream_socket_prepare(fd);
	return 0;
}

/* Without ARES_FLAG_EDNS: 1.18 would rewrite questions after a FORMERR. */
static int channel_open(struct upstream_tcp *t, const struct hostport *server, unsigned timeout_ms)
{
	struct ares_options o = {
		.flags = ARES_FLAG_USEVC | ARES_FLAG_NOCHECKRESP | ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES,
		.timeout = (int)timeout_ms,
		.tries = 2,
		.lookups = (char *)"b",
		.sock_state_cb = on_socket_state,
		.sock_state_cb_data = t,
		.resolvconf_path = (char *)"/dev/null",
	};
	int mask = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_LOOKUPS | ARES_OPT_SOCK_STATE_CB |
		   ARES_OPT_RESOLVCONF;
	char text[HOSTPORT_STRLEN];
	int r;

#ifdef ARES_OPT_QUERY_CACHE
	mask |= ARES_OPT_QUERY_CACHE;	/* of 0 seconds */
#endif
	r = library_ready ? ares_init_options(&t->channel, &o, mask) : ARES_ENOTINITIALIZED;
	if (r != ARES_SUCCESS)
		return r;
	ares_set_socket_configure_callback(t->channel, on_socket_new, t);
	return ares_set_servers_ports_csv(t->channel, hostport_format(server, text));
}

/* ---- asks -------------------------------------------------------------------------------------------------------- */

static void on_tick(struct timer *timer)
{
	struct upstream_tcp *t = container_of(timer, struct upstream_tcp, tick);

	timer_start(t->loop, timer, TICK_MS, on_tick);
	channel_process(t, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
	if (!t->asks)
		timer_stop(timer);
}

static void on_answer(void *arg, int status, int timeouts, unsigned char *reply, int len)
{
	struct upstream_tcp_ask *a = arg;
	int code = ares_errno(status);

	if (!code && len < DNS_HEADER)
		code = -EBADMSG;
	if (a->sending) {
		a->code = code ? code : -EBADMSG;
		return;
	}
	a->t->asks--;
	if (a->fn)
		a->fn(a->owner, code, reply, code ? 0 : (size_t)len);
	free(a);
}

int upstream_tcp_send(struct upstream_tcp *t, const uint8_t *msg, size_t n, upstream_tcp_fn fn, void *owner,
		      struct upstream_tcp_ask **ret)
{
	struct upstream_tcp_ask *a = xcalloc(1, sizeof(*a));
	int code;

	*a = (struct upstream_tcp_ask){ .t = t, .fn = fn, .owner = owner, .sending = true };
	t->inside++;
	ares_send(t->channel, msg, (int)n, on_answer, a);
	t->inside--;
	a->sending = false;
	code = a->code;
	if (code) {
		free(a);
		return code;
	}
	t->asks++;
	if (!t->tick.loop)
		timer_start(t->loop, &t->tick, TICK_MS, on_tick);
	*ret = a;
	return 0;
}

void upstream_tcp_cancel(struct upstream_tcp_ask *a)
{
	if (a)
		a->fn = NULL;
}

/* ---- life -------------------------------------------------------------------------------------------------------- */

/* c-ares calls back for each ask that it still holds: all must be cancelled. */
struct upstream_tcp *upstream_tcp_free(struct upstream_tcp *t)
{
	if (!t)
		return NULL;
	assert(!t->inside);
	timer_stop(&t->tick);
	if (t->channel)
		ares_destroy(t->channel);
	for (int i = 0; i < SOCKETS_MAX; i++)
		io_stop(&t->sock[i].io);
	free(t);
	return NULL;
}

struct upstream_tcp *upstream_tcp_new(struct loop *l, const struct hostport *server, unsigned timeout_ms, bool marked, struct err *err)
{
	struct upstream_tcp *t = xcalloc(1, sizeof(*t));
	char text[HOSTPORT_STRLEN];
	int r;

	t->loop = l;
	t->marked = marked;
	for (int i = 0; i < SOCKETS_MAX; i++)
		t->sock[i].t = t;
	r = channel_open(t, server, timeout_ms);
	if (r == ARES_SUCCESS)
		return t;
	(void)err_set(err, ares_errno(r), "DNS server %s over TCP: %s", hostport_format(server, text), ares_strerror(r));
	return upstream_tcp_free(t);
}
