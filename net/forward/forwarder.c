/* SPDX-License-Identifier: Apache-2.0 */
/* How it works: a connection is placed: an endpoint is chosen, a session to its pod found or made. Where there is no endpoint it is
 * held, and placed again when the store changes, or a moment later. What turns out never to have reached its pod is placed again,
 * elsewhere; what may have reached it is reset. Sessions without connections stay warm for a minute. */
#include "net/forward/forwarder.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "net/forward/forwarder_internal.h"

#define LOOK_MS 1000
#define WARM_MS 60000
#define AGAIN_MS 500			/* an endpoint that refused may be on its way in or out */
#define LOSSES_MAX 3
#define UNDECIDED_MS 1000
#define AWAY "the API server cannot be reached"

static void look_soon(struct forwarder *f);

/* ---- one destination --------------------------------------------------------------------------------------------- */

struct forward *forward_new(struct forwarder *f, const struct target_want *want)
{
	struct forward *w = xcalloc(1, sizeof(*w));

	*w = (struct forward){ .f = f, .next = f->forwards, .want = *want };
	w->want.ns = xstrdup(want->ns);
	w->want.service = xstrdup(want->service);
	w->want.pod = xstrdup(want->pod);
	f->forwards = w;
	return w;
}

static void forward_destroy(struct forward *w)
{
	free((char *)w->want.ns);
	free((char *)w->want.service);
	free((char *)w->want.pod);
	free(w);
}

void forward_free(struct forward *w)
{
	if (!w)
		return;
	w->freed = true;
	forwarder_settle(w->f);
	look_soon(w->f);		/* its conns may be elsewhere */
}

void forward_fail(struct forward *w, const char *why)
{
	atomic_fetch_add(&w->failed, 1);
	pthread_mutex_lock(&w->f->lock);
	snprintf(w->trouble, sizeof(w->trouble), "%s", why);
	pthread_mutex_unlock(&w->f->lock);
}

const char *forward_trouble(const struct forward *w)
{
	static _Thread_local char copy[FORWARD_TROUBLE_MAX];

	pthread_mutex_lock(&w->f->lock);
	memcpy(copy, w->trouble, sizeof(copy));
	pthread_mutex_unlock(&w->f->lock);
	return copy;
}

void forward_count(const struct forward *w, struct forward_count *ret)
{
	*ret = (struct forward_count){ atomic_load(&w->open), atomic_load(&w->connections), atomic_load(&w->failed),
				       atomic_load(&w->received), atomic_load(&w->sent) };
}

/* ---- placing ----------------------------------------------------------------------------------------------------- */

static void conn_place(struct conn *c);

static void conn_fail(struct conn *c, const char *why)
{
	forward_fail(c->to, why);
	conn_reset(c);
}

static uint64_t age_ms(const struct conn *c)
{
	return (loop_now(c->loop) - c->begun_ns) / 1000000;
}

static void conn_again(struct conn *c)
{
	c->tried.n = 0;
	conn_place(c);
}

static void on_hold(struct timer *t)
{
	conn_again(container_of(t, struct conn, timer));
}

static void conn_hold(struct conn *c)
{
	conn_watch(c);
	timer_start(c->loop, &c->timer, c->tried.n ? AGAIN_MS : FORWARD_HOLD_MS - age_ms(c), on_hold);
}

/* No endpoint: is one to be waited for? When all have refused, once and not for long. */
static bool conn_may_wait(struct conn *c)
{
	return age_ms(c) < FORWARD_HOLD_MS && (!c->refused || (c->rounds++ == 0 && c->tried.n < TARGET_TRIED_MAX));
}

static void conn_place(struct conn *c)
{
	struct forward *w = c->to;
	struct err err = { 0 };
	int r = target_choose(w->f->store, &w->want, c->client.family ? &c->client : NULL, w->turn++, &c->tried, &c->target, &err);

	timer_stop(&c->timer);
	if (!w->f->kube)
		conn_fail(c, AWAY);
	else if (r == 0)
		session_take(session_for(w->f, &c->target, w->moves_much), c);
	else if (r == -EAGAIN && conn_may_wait(c))
		conn_hold(c);
	else
		conn_fail(c, r == -EAGAIN && c->why ? c->why : err_text(&err));
}

void forward_carry(struct forward *w, int fd, const struct addr *client)
{
	struct forwarder *f = w->f;
	struct conn *c = conn_new(w, fd, client, f->loop);

	conn_move(c, &f->held);
	look_soon(f);
	if (f->connected && f->kube)
		conn_place(c);
	else
		conn_fail(c, AWAY);
}

/* ---- again ------------------------------------------------------------------------------------------------------- */

enum fate { FATE_OVER, FATE_REFUSED, FATE_GONE, FATE_LOST, FATE_MOVED };

/* The pod, or its node, is not there any more; a port that nobody listens at is another thing. */
static bool text_says_gone(const char *text)
{
	static const char *const words[] = { "sandbox", "network namespace", "not found", "not running", "no such" };

	if (strstr(text, "connection refused"))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (strstr(text, words[i]))
			return true;
	return false;
}

/* What has become of a connection from which nothing came back? */
static enum fate fate_of(const struct conn *c, int code, const char *why)
{
	switch (code) {
	case -ECONNREFUSED:		/* by the pod's port, when it had a stream; else by the API server */
		return !c->started ? FATE_OVER : text_says_gone(why) ? FATE_GONE : FATE_REFUSED;
	case -ENOENT:			/* no such pod */
	case -EINVAL:			/* it has no node */
	case -EAGAIN:			/* its node cannot be reached */
		return FATE_GONE;
	case -EBUSY:			/* its session takes others no more */
		return FATE_MOVED;
	case -ECONNRESET:		/* not to be repeated when the pod may have read what was sent */
		return !c->started || !c->sent || !c->session->tunnel.proved ? FATE_LOST : FATE_OVER;
	default:
		return FATE_OVER;
	}
}

/* false: all that may be tried was tried. */
static bool tried_add(struct conn *c)
{
	if (c->tried.n == TARGET_TRIED_MAX)
		return false;
	c->tried.v[c->tried.n++] = c->target;
	return true;
}

static void conn_detach(struct conn *c)
{
	struct session *s = c->session;

	c->session = NULL;
	c->started = false;
	conn_move(c, &s->f->held);
	session_conn_gone(s);
}

bool forwarder_again(struct conn *c, int code, const char *why)
{
	struct session *s = c->session;
	enum fate fate = fate_of(c, code, why);

	if (fate == FATE_OVER || s->bulk || !s->f->connected || !s->f->kube || age_ms(c) >= FORWARD_HOLD_MS)
		return false;
	if (fate == FATE_LOST ? ++c->losses > LOSSES_MAX : fate != FATE_MOVED && !tried_add(c))
		return false;
	free(c->why);
	c->why = xstrdup(why);
	c->refused = fate == FATE_REFUSED;
	conn_detach(c);
	if (fate == FATE_GONE)
		session_retire(s);	/* a pod of the same name may come */
	conn_place(c);
	return true;
}

/* ---- settling ---------------------------------------------------------------------------------------------------- */

/* Could a conn of it still need the forwarder? */
static bool session_is_decided(const struct session *s)
{
	for (const struct conn *c = s->conns; c; c = c->next)
		if (!c->started || (c->replayable && !c->far_over && age_ms(c) < UNDECIDED_MS))
			return false;
	return true;
}

static bool session_may_move(const struct session *s)
{
	return s->retired && s->conns && !s->over && s->tunnel.state == TUNNEL_OPEN && !s->tunnel.lost && session_is_decided(s);
}

static void sessions_settle(struct forwarder *f)
{
	for (struct session **at = &f->sessions; *at;) {
		struct session *s = *at;

		if (!session_is_done(s) && !session_may_move(s)) {
			at = &s->next;
			continue;
		}
		*at = s->next;
		if (session_is_done(s))
			session_free(s);
		else
			bulk_take(f, s);
	}
}

static void forwards_settle(struct forwarder *f)
{
	for (struct forward **at = &f->forwards; *at;) {
		struct forward *w = *at;

		if (!w->freed || atomic_load(&w->open)) {
			at = &w->next;
			continue;
		}
		*at = w->next;
		forward_destroy(w);
	}
}

static void on_settle(struct timer *t)
{
	struct forwarder *f = container_of(t, struct forwarder, settle);

	sessions_settle(f);
	forwards_settle(f);
}

void forwarder_settle(struct forwarder *f)
{
	if (!f->settle.loop)
		timer_start(f->loop, &f->settle, 0, on_settle);
}

static bool forwards_wait(const struct forwarder *f)
{
	for (const struct forward *w = f->forwards; w; w = w->next)
		if (w->freed)
			return true;
	return false;
}

static void on_look(struct timer *t);

static void look_soon(struct forwarder *f)
{
	if (!f->look.loop)
		timer_start(f->loop, &f->look, LOOK_MS, on_look);
}

/* Each second while there is anything to look at. */
static void on_look(struct timer *t)
{
	struct forwarder *f = container_of(t, struct forwarder, look);

	for (struct session *s = f->sessions; s; s = s->next)
		if (!s->conns && (loop_now(f->loop) - s->idle_ns) / 1000000 >= WARM_MS)
			session_retire(s);
	on_settle(&f->settle);
	if (f->sessions || f->held || forwards_wait(f))
		look_soon(f);
}

/* ---- the forwarder ----------------------------------------------------------------------------------------------- */

static void held_each(struct forwarder *f, void (*fn)(struct conn *c))
{
	for (struct conn *c = f->held, *next; c; c = next) {
		next = c->next;
		fn(c);
	}
}

static void conn_away(struct conn *c)
{
	conn_fail(c, AWAY);
}

void forwarder_renew(struct forwarder *f)
{
	held_each(f, conn_again);
}

void forwarder_set_client(struct forwarder *f, struct kube *k)
{
	f->kube = k;
}

void forwarder_set_connected(struct forwarder *f, bool connected)
{
	f->connected = connected;
	if (!connected)
		held_each(f, conn_away);
}

void forwarder_count(const struct forwarder *f, struct forwarder_count *ret)
{
	*ret = (struct forwarder_count){ .sessions = atomic_load(&f->session_count), .threads = f->bulk_count };
	for (const struct session *s = f->sessions; s; s = s->next)
		ret->warm += !s->conns;
}

struct forwarder *forwarder_new(struct loop *l, struct kube *k, const struct store *s)
{
	struct forwarder *f = xcalloc(1, sizeof(*f));

	*f = (struct forwarder){ .loop = l, .kube = k, .store = s, .connected = true };
	pthread_mutex_init(&f->lock, NULL);
	return f;
}

struct forwarder *forwarder_free(struct forwarder *f)
{
	if (!f)
		return NULL;
	bulk_stop(f);
	while (f->held)
		conn_reset(f->held);
	while (f->sessions) {
		struct session *s = f->sessions;

		f->sessions = s->next;
		session_free(s);
	}
	while (f->forwards) {
		struct forward *w = f->forwards;

		f->forwards = w->next;
		forward_destroy(w);
	}
	timer_stop(&f->settle);
	timer_stop(&f->look);
	pthread_mutex_destroy(&f->lock);
	free(f);
	return NULL;
}
