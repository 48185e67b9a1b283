/* SPDX-License-Identifier: Apache-2.0 */
/* What is expected. */
#include "tests/scenario/play.h"

#include <errno.h>

#include "agent/cluster.h"
#include "agent/dns.h"
#include "base/str.h"

static void answer_expect(struct play *p, struct words *w, unsigned number)
{
	const struct question *q = world_question(&p->w, number);
	char why[256], got[1024];
	struct words rest = *w;
	int r;

	if (!q)
		play_misread(p, "there is no such question");
	if (!q->answer) {
		play_fail(p, "no answer to %u", number);
		return;
	}
	r = text_expect(&rest, &q->query, q->answer, q->len, why);
	if (r < 0)
		play_misread(p, "no expectation");
	if (r)
		play_fail(p, "answer %u: %s\n#   got: %s", number, why, text_message(q->answer, q->len, got, sizeof(got)));
}

static void expect_answers(struct play *p, struct words *w, bool none)
{
	unsigned from, to;

	play_range(p, w, &from, &to);
	for (unsigned i = from; i <= to; i++) {
		const struct question *q = world_question(&p->w, i);

		if (!none)
			answer_expect(p, w, i);
		else if (q && q->answer)
			play_fail(p, "%u is answered", i);
	}
	if (!none)
		w->at = w->n;
}

static void expect_not_asked(struct play *p, struct upstream *u)
{
	struct upstream_flight *f = u ? upstream_flight_next(u) : NULL;
	char name[DNS_TEXT_MAX];

	if (f)
		play_fail(p, "asked: %s TYPE%u", dns_name_text(&f->query.name, name), f->query.type);
}

static void expect_nothing_asked(struct play *p)
{
	for (unsigned i = 1; i < 10; i++) {
		struct hostport at = world_upstream(i);

		expect_not_asked(p, transport_find(&at));
	}
	expect_not_asked(p, transport_find(&p->w.a.config.dns[0]));
}

/* The message of question `number`, byte for byte, but for its id. */
static void expect_message(struct play *p, const struct upstream_flight *f, unsigned number)
{
	const struct question *q = world_question(&p->w, number);

	if (!q || q->sent_len != f->len || memcmp(q->sent + 2, f->msg + 2, f->len - 2) != 0)
		play_fail(p, "it is not question %u as it was sent", number);
}

static unsigned flags_read(struct play *p, struct words *w, bool *dnssec_ok, bool *tcp)
{
	unsigned flags = DNS_RD;

	while (w->at < w->n) {
		if (words_take(w, "do"))
			*dnssec_ok = true;
		else if (words_take(w, "tcp"))
			*tcp = true;
		else if (words_take(w, "cd"))
			flags |= DNS_CD;
		else if (words_take(w, "ad"))
			flags |= DNS_AD;
		else if (words_take(w, "nord"))
			flags &= ~(unsigned)DNS_RD;
		else
			play_misread(p, "no flag of a question");
	}
	return flags;
}

static void expect_question(struct play *p, struct words *w, const struct upstream_flight *f)
{
	struct dns_name name = play_name(p, words_next(w), 0);
	uint16_t type = play_type(p, w);
	bool dnssec_ok = false, tcp = false;
	unsigned flags = flags_read(p, w, &dnssec_ok, &tcp);
	char got[DNS_TEXT_MAX];

	if (!dns_name_eq(&name, &f->query.name) || f->query.type != type || f->tcp != tcp || f->query.edns.dnssec_ok != dnssec_ok ||
	    (unsigned)(f->msg[2] << 8 | f->msg[3]) != flags)
		play_fail(p, "it is asked %s TYPE%u%s%s, flags %02x%02x", dns_name_text(&f->query.name, got), f->query.type,
		     f->query.edns.dnssec_ok ? " do" : "", f->tcp ? " tcp" : "", f->msg[2], f->msg[3]);
}

static void expect_asked(struct play *p, struct words *w, struct upstream *u)
{
	struct upstream_flight *f = u ? upstream_flight_next(u) : NULL;

	if (!f) {
		play_fail(p, "it is not asked");
		return;
	}
	f->seen = true;
	if (words_take(w, "as"))
		expect_message(p, f, play_number(p, w));
	else
		expect_question(p, w, f);
}

static void expect_state(struct play *p, struct words *w)
{
	static const char *const names[CLUSTER_STATES] = { "away", "silent", "up" };
	const char *word = words_next(w);

	if (!streq(word, names[p->w.a.cluster->state]))
		play_fail(p, "it is %s", names[p->w.a.cluster->state]);
}

static void expect_waiting(struct play *p, unsigned n)
{
	if (p->w.a.dns->in_flight != n)
		play_fail(p, "%u are waiting", p->w.a.dns->in_flight);
}

static void expect_closed(struct play *p, unsigned number)
{
	const struct question *q = world_question(&p->w, number);

	if (!q || !q->client->closed)
		play_fail(p, "the connection of %u is open", number);
}

void step_expect(struct play *p, struct words *w)
{
	struct upstream *u;

	if (words_take(w, "answer"))
		expect_answers(p, w, false);
	else if (words_take(w, "no") && words_take(w, "answer"))
		expect_answers(p, w, true);
	else if (words_take(w, "nothing") && words_take(w, "asked"))
		expect_nothing_asked(p);
	else if (words_take(w, "waiting"))
		expect_waiting(p, play_number(p, w));
	else if (words_take(w, "closed"))
		expect_closed(p, play_number(p, w));
	else if (w->n - w->at >= 2 && streq(w->v[w->at], "cluster") && streq(w->v[w->at + 1], "is")) {
		w->at += 2;
		expect_state(p, w);
	} else {
		u = play_server(p, w);
		if (words_take(w, "not") && words_take(w, "asked"))
			expect_not_asked(p, u);
		else if (words_take(w, "asked"))
			expect_asked(p, w, u);
		else
			play_misread(p, "no such expectation");
	}
}

