/* SPDX-License-Identifier: Apache-2.0 */
/* What servers, the cluster and its API do. */
#include "tests/scenario/play.h"

#include <errno.h>

#include "agent/cluster.h"
#include "agent/upstreams.h"
#include "agent/zone.h"

void step_upstreams(struct play *p, struct words *w)
{
	struct hostport servers[UPSTREAMS_MAX];
	size_t n = 0;

	while (w->at < w->n && n < UPSTREAMS_MAX)
		servers[n++] = world_upstream(play_number(p, w));
	upstreams_set(&p->w.a, servers, n);
	world_settle(&p->w);
}

static void server_answers(struct play *p, struct upstream_flight *f, struct words *w)
{
	static uint8_t msg[DNS_MSG_MAX];
	int n = text_answer(w, &f->query, f->id, msg);

	if (n < 0)
		play_misread(p, "no answer");
	flight_answer(f, msg, (size_t)n);
}

static bool server_mode(struct upstream *u, struct words *w)
{
	if (words_take(w, "down"))
		upstream_mode(u, TRANSPORT_DOWN, NULL, 0);
	else if (words_take(w, "waits"))
		upstream_mode(u, TRANSPORT_WAIT, NULL, 0);
	else if (words_take(w, "serves"))
		upstream_mode(u, TRANSPORT_SERVE, w->v + w->at, w->n - w->at), w->at = w->n;
	else
		return false;
	return true;
}

static void server_acts(struct play *p, struct upstream *u, struct words *w)
{
	struct upstream_flight *f = u ? upstream_flight_named(u) : NULL;

	if (!u)
		play_misread(p, "no such upstream");
	if (server_mode(u, w))
		return;
	if (!f) {
		play_fail(p, "nothing was asked of it");
		return;
	}
	if (words_take(w, "answers"))
		server_answers(p, f, w);
	else if (words_take(w, "refused"))
		flight_fail(f, -ECONNREFUSED);
	else if (words_take(w, "times-out"))
		flight_fail(f, -ETIMEDOUT);
	else if (words_take(w, "garbled"))
		flight_answer(f, f->msg, f->len);
	else if (words_take(w, "truncates"))
		f->tcp = true, f->seen = false;
	else
		play_misread(p, "no such thing that a server does");
	world_settle(&p->w);
}

void step_upstream(struct play *p, struct words *w)
{
	w->at--;
	server_acts(p, play_server(p, w), w);
}

void step_cluster(struct play *p, struct words *w)
{
	struct cluster *c = p->w.a.cluster;

	if (words_take(w, "up"))
		p->w.alive = true, cluster_set_routed(c, true);
	else if (words_take(w, "routed"))
		cluster_set_routed(c, true);
	else if (words_take(w, "away"))
		cluster_set_routed(c, false);
	else if (words_take(w, "silent"))
		p->w.alive = false;
	else if (words_take(w, "alive"))
		p->w.alive = true;
	else
		step_upstream(p, w);
	world_settle(&p->w);
}

void step_api(struct play *p, struct words *w)
{
	bool connected = words_take(w, "connected");

	if (!connected && !words_take(w, "lost"))
		play_misread(p, "connected or lost");
	cluster_set_api(p->w.a.cluster, connected, NULL);
	zone_set_live(p->w.a.zone, connected, false);
	world_settle(&p->w);
}
