/* SPDX-License-Identifier: Apache-2.0 */
/* How it works: conns wait in their session while its tunnel connects, then each opens its stream. A session takes new conns
 * until one of its own moves much or is slow; such a one is retired, and once nothing of it is undecided (a conn that may still be
 * refused, and then needs the forwarder) it goes to a bulk thread. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "net/forward/forwarder_internal.h"

/* ---- what the tunnel says ---------------------------------------------------------------------------------------- */

static void conns_each(struct session *s, void (*fn)(struct conn *c))
{
	for (struct conn *c = s->conns, *next; c; c = next) {
		next = c->next;
		fn(c);
	}
}

static void conn_lost(struct conn *c, int code, const char *why)
{
	if (forwarder_again(c, code, why))
		return;
	forward_fail(c->to, why);
	conn_reset(c);
}

/* Of those that waited for a v4 tunnel only one has a place in it. */
static void conn_begin(struct conn *c)
{
	if (c->started || conn_start(c))
		return;
	session_retire(c->session);
	conn_lost(c, -EBUSY, "the session has no place");
}

static void conn_unbegun(struct conn *c)
{
	const struct err *why = &c->session->tunnel.why;

	if (!c->started)
		conn_lost(c, why->code, err_text(why));
}

static void on_open(struct tunnel *t)
{
	conns_each(container_of(t, struct session, tunnel), conn_begin);
}

static void on_close(struct tunnel *t, const struct err *why)
{
	struct session *s = container_of(t, struct session, tunnel);

	s->over = true;
	session_retire(s);
	conns_each(s, conn_unbegun);
}

static void conn_flush(struct conn *c)
{
	if (c->queue.len)
		conn_write(c);
}

static void on_batch(struct tunnel *t)
{
	conns_each(container_of(t, struct session, tunnel), conn_flush);
}

static const struct tunnel_ops tunnel_ops = { on_open, on_close, on_batch };

/* ---- taking conns ------------------------------------------------------------------------------------------------ */

static bool session_has_place(const struct session *s)
{
	if (s->retired || s->conn_count >= SESSION_STREAMS_MAX)
		return false;
	if (s->tunnel.state == TUNNEL_CONNECTING)
		return !s->conn_count || s->f->memory.protocol != UPGRADE_V4;
	return tunnel_has_place(&s->tunnel);
}

static struct session *session_new(struct forwarder *f, const struct target *t)
{
	struct session *s = xcalloc(1, sizeof(*s));

	*s = (struct session){ .f = f, .loop = f->loop, .next = f->sessions, .idle_ns = loop_now(f->loop) };
	snprintf(s->ns, sizeof(s->ns), "%s", t->ns);
	snprintf(s->pod, sizeof(s->pod), "%s", t->pod);
	f->sessions = s;
	atomic_fetch_add(&f->session_count, 1);
	tunnel_open(&s->tunnel, f->loop, kube_endpoint(f->kube), t->ns, t->pod, t->port, &f->memory, &tunnel_ops);
	return s;
}

struct session *session_for(struct forwarder *f, const struct target *t, bool own)
{
	for (struct session *s = f->sessions; s; s = s->next)
		if (session_has_place(s) && (!own || !s->conn_count) && streq(s->pod, t->pod) && streq(s->ns, t->ns))
			return s;
	return session_new(f, t);
}

void session_take(struct session *s, struct conn *c)
{
	c->session = s;
	c->started = false;
	conn_move(c, &s->conns);
	s->conn_count++;
	if (s->tunnel.state == TUNNEL_OPEN)
		conn_begin(c);
}

/* ---- leaving it -------------------------------------------------------------------------------------------------- */

static bool is_held(const struct session *s)
{
	for (const struct conn *c = s->conns; c; c = c->next)
		if (c->holds)
			return true;
	return false;
}

/* Is its tunnel one stream's alone, and is it to be read? What is alone says the latter itself. */
void session_alone_check(struct session *s)
{
	s->tunnel.alone = s->retired && s->tunnel.count <= 1;
	if (!s->tunnel.alone)
		tunnel_pause(&s->tunnel, is_held(s));
}

void session_retire(struct session *s)
{
	s->retired = true;
	session_alone_check(s);
	if (!s->bulk)
		forwarder_settle(s->f);
}

void session_conn_gone(struct session *s)
{
	s->conn_count--;
	s->idle_ns = loop_now(s->loop);
	if (s->retired || !session_has_place(s))
		session_retire(s);
}

bool session_is_done(const struct session *s)
{
	return !s->conns && s->retired;
}

void session_free(struct session *s)
{
	while (s->conns)
		conn_reset(s->conns);
	tunnel_done(&s->tunnel);
	atomic_fetch_sub(&s->f->session_count, 1);
	free(s);
}

/* ---- another loop ------------------------------------------------------------------------------------------------ */

void session_leave(struct session *s)
{
	conns_each(s, conn_leave);
	tunnel_leave(&s->tunnel);
}

void session_join(struct session *s, struct loop *l)
{
	s->loop = l;
	tunnel_join(&s->tunnel, l);
	for (struct conn *c = s->conns; c; c = c->next)
		conn_join(c, l);
}
