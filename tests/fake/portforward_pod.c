/* SPDX-License-Identifier: Apache-2.0 */
/* The node and its pods. A connection lives as containerd's: when one side has ended, the other one has linger_ms, then both are
 * closed, and what is under way is lost. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "tests/fake/portforward_internal.h"

#define STUCK_AT (4u << 20)
#define LINGER_MS 1000
#define LATE_MS 300
#define MS 1000000ull

#define REFUSED "error forwarding port %u to pod 0123abcd, uid : failed to execute portforward in network namespace " \
	"\"/var/run/netns/cni-fake\": failed to connect to localhost:%u inside namespace \"0123abcd\", IPv4: dial tcp4 127.0.0.1:%u: " \
	"connect: connection refused IPv6 dial tcp6 [::1]:%u: connect: connection refused "
#define GONE "error forwarding port %u to pod 0123abcd, uid : failed to execute portforward in network namespace \"\": " \
	"network namespace for sandbox \"0123abcd\" is closed"

static uint64_t after(unsigned ms, unsigned instead)
{
	return pf_now() + (ms ? ms : instead) * MS;
}

/* ---- ends -------------------------------------------------------------------------------------------------------- */

static void stream_over(struct pf_conn *c, struct pf_stream *s)
{
	if (s->over)
		return;
	s->over = true;
	s->start_at = s->late_at = s->end_at = 0;
	pf_count(c, count->streams_open--);
}

static void stream_end(struct pf_conn *c, struct pf_stream *s, const char *error)
{
	if (s->over)
		return;
	if (s->started && s->port == FAKE_AT_END)
		pf_count(c, count->lost_replies++);
	pf_end(c, s, error);
	stream_over(c, s);
}

static void end_soon(struct pf_conn *c, struct pf_stream *s)
{
	if (!s->end_at && !s->over)
		s->end_at = after(c->fault.linger_ms, LINGER_MS);
}

void pf_client_end(struct pf_conn *c, struct pf_stream *s)
{
	s->client_over = true;
	end_soon(c, s);
}

void pf_client_reset(struct pf_conn *c, struct pf_stream *s)
{
	s->reset = s->client_over = true;
	pf_count(c, count->resets++);
	stream_over(c, s);
}

static void stream_gone(struct pf_conn *c, struct pf_stream *s)
{
	char text[512];

	snprintf(text, sizeof(text), GONE, s->port);
	stream_end(c, s, s->started ? NULL : text);
}

void pf_pod_gone(struct pf_conn *c)
{
	c->gone = true;
	for (struct pf_stream *s = c->streams; s; s = s->next)
		if (s->data && s->error)
			stream_gone(c, s);
}

/* ---- beginnings -------------------------------------------------------------------------------------------------- */

static void stream_refuse(struct pf_conn *c, struct pf_stream *s)
{
	char text[640];

	snprintf(text, sizeof(text), REFUSED, s->port, s->port, s->port, s->port);
	pf_count(c, count->refused++);
	stream_end(c, s, c->fault.refusal ? c->fault.refusal : text);
}

static void stream_start(struct pf_conn *c, struct pf_stream *s)
{
	s->start_at = 0;
	if (c->gone) {
		stream_gone(c, s);
		return;
	}
	if (s->port > FAKE_SEND) {
		s->left = (uint64_t)(s->port - FAKE_SEND) << 16;
	} else if (s->port == FAKE_NAME) {
		pf_data(c, s, c->pod, strlen(c->pod));
		end_soon(c, s);
	} else if (s->port == FAKE_CLOSE) {
		end_soon(c, s);
	} else if (s->port != FAKE_ECHO && s->port != FAKE_DISCARD && s->port != FAKE_NEVER && s->port != FAKE_LATE &&
		   s->port != FAKE_AT_END) {
		stream_refuse(c, s);
		return;
	}
	s->started = true;
}

void pf_open(struct pf_conn *c, struct pf_stream *s)
{
	c->opened++;
	pf_count(c, count->streams++; count->streams_open++;
		 count->streams_most = count->streams_open > count->streams_most ? count->streams_open : count->streams_most);
	if (c->opened == c->fault.reset_nth) {
		pf_break(c, s);
		stream_over(c, s);
	} else if (c->fault.connect_ms) {
		s->start_at = after(c->fault.connect_ms, 0);
	} else {
		stream_start(c, s);
	}
	if (c->opened == c->fault.goaway_after)
		pf_goaway(c);
	pf_inject(c);
}

/* ---- what a port does -------------------------------------------------------------------------------------------- */

void pf_take(struct pf_conn *c, struct pf_stream *s, const void *p, size_t n)
{
	pf_count(c, count->received += n);
	if (s->over)
		return;
	if (!s->started || s->port == FAKE_ECHO)
		buf_add(&s->backlog, p, n);
	else if (s->port == FAKE_NEVER)
		s->unread += n;
	else if (s->port == FAKE_LATE && !s->late_at)
		s->late_at = after(c->fault.late_ms, LATE_MS);
}

bool pf_is_stuck(const struct pf_conn *c, const struct pf_stream *s)
{
	size_t limit = c->fault.stuck_at ? c->fault.stuck_at : STUCK_AT;

	return !s->over && s->unread + s->backlog.len - s->backlog_at > limit;
}

static void echo(struct pf_conn *c, struct pf_stream *s)
{
	size_t n = MIN(s->backlog.len - s->backlog_at, (size_t)PF_CHUNK);

	pf_data(c, s, s->backlog.data + s->backlog_at, n);
	s->backlog_at += n;
	if (s->backlog_at == s->backlog.len) {
		buf_reset(&s->backlog);
		s->backlog_at = 0;
	}
}

static void send_pattern(struct pf_conn *c, struct pf_stream *s)
{
	uint8_t p[PF_CHUNK];
	size_t n = MIN(s->left, sizeof(p));

	for (size_t i = 0; i < n; i++)
		p[i] = fake_pf_pattern(s->at + i);
	pf_data(c, s, p, n);
	s->at += n;
	s->left -= n;
	if (!s->left)
		end_soon(c, s);
}

/* What waited for a connection that took its time. */
static void backlog_take(struct pf_conn *c, struct pf_stream *s)
{
	struct buf b = s->backlog;

	if (s->port == FAKE_ECHO || !b.len)
		return;
	s->backlog = (struct buf)BUF_INIT(b.max);
	pf_count(c, count->received -= b.len);
	pf_take(c, s, b.data, b.len);
	buf_done(&b);
}

/* Returns whether there is more. */
static bool stream_pump(struct pf_conn *c, struct pf_stream *s)
{
	uint64_t now = pf_now();

	if (s->start_at && now >= s->start_at) {
		stream_start(c, s);
		backlog_take(c, s);
	}
	if (s->started && !s->over && s->port == FAKE_ECHO && s->backlog.len)
		echo(c, s);
	if (s->started && !s->over && s->left)
		send_pattern(c, s);
	if (s->late_at && now >= s->late_at && !s->over) {
		s->late_at = UINT64_MAX;
		pf_data(c, s, "late\n", 5);
		end_soon(c, s);
	}
	if (s->end_at && now >= s->end_at)
		stream_end(c, s, NULL);
	return s->started && !s->over && (s->left || (s->port == FAKE_ECHO && s->backlog.len));
}

static void stream_free(struct pf_stream *s)
{
	buf_done(&s->backlog);
	free(s);
}

static void streams_sweep(struct pf_conn *c)
{
	for (struct pf_stream **at = &c->streams; *at;) {
		struct pf_stream *s = *at;

		if (!s->over || !s->client_over) {
			at = &s->next;
			continue;
		}
		*at = s->next;
		stream_free(s);
	}
}

void pf_pump(struct pf_conn *c)
{
	for (bool more = true; more && c->out.len - c->out_at < PF_OUT_MARK;) {
		more = false;
		for (struct pf_stream *s = c->streams; s; s = s->next)
			more |= stream_pump(c, s);
	}
	streams_sweep(c);
}

void pf_streams_free(struct pf_conn *c)
{
	while (c->streams) {
		struct pf_stream *s = c->streams;

		c->streams = s->next;
		if (s->data && s->error)
			stream_over(c, s);
		stream_free(s);
	}
}
