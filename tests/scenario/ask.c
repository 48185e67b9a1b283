/* SPDX-License-Identifier: Apache-2.0 */
/* What clients do. */
#include "tests/scenario/play.h"

#include <errno.h>

#include "base/str.h"

#define QUERY_MAX 4096

struct asking {
	struct dns_query q;
	unsigned questions, opts, from;
	bool tcp, opt_owner, tsig;
	uint8_t option[512];
	size_t option_len;
};

static size_t put16(uint8_t *o, unsigned v)
{
	o[0] = (uint8_t)(v >> 8);
	o[1] = (uint8_t)v;
	return 2;
}

static size_t query_build(const struct asking *a, uint8_t *out)
{
	static const uint8_t tsig[] = "\3key\0\0\372\0\377\0\0\0\0\0\41" "\13hmac-sha256\0" "\0\0\0\0\0\0" "\1\54\0\4mac!\0\0\0\0\0\0";
	size_t n = DNS_HEADER;

	put16(out, a->q.id);
	put16(out + 2, a->q.flags);
	put16(out + 4, a->questions);
	put16(out + 6, 0);
	put16(out + 8, 0);
	put16(out + 10, a->opts + a->tsig);
	memcpy(out + n, a->q.name.b, a->q.name.len);
	n += a->q.name.len;
	n += put16(out + n, a->q.type);
	n += put16(out + n, a->q.class);
	for (unsigned i = 0; i < a->opts; i++) {
		memcpy(out + n, "\1x\0", a->opt_owner ? 3 : 1);
		out[n] = a->opt_owner;
		n += a->opt_owner ? 3 : 1;
		n += put16(out + n, DNS_OPT);
		n += put16(out + n, a->q.edns.udp_size);
		n += put16(out + n, a->q.edns.version);
		n += put16(out + n, a->q.edns.dnssec_ok ? 0x8000 : 0);
		n += put16(out + n, (unsigned)a->option_len);
		memcpy(out + n, a->option, a->option_len);
		n += a->option_len;
	}
	if (a->tsig) {
		memcpy(out + n, tsig, sizeof(tsig) - 1);
		n += sizeof(tsig) - 1;
	}
	return n;
}

static void option_read(struct play *p, struct words *w, struct asking *a)
{
	const char *hex;
	int n;

	a->option_len += put16(a->option + a->option_len, play_number(p, w));
	hex = words_next(w);
	n = hex ? text_hex(hex, a->option + a->option_len + 2, 200) : -EINVAL;
	if (n < 0)
		play_misread(p, "no hex digits");
	put16(a->option + a->option_len, (unsigned)n);
	a->option_len += 2 + (size_t)n;
}

static void asking_read(struct play *p, struct words *w, struct asking *a)
{
	static const struct { const char *word; uint16_t set; } bits[] = { { "cd", DNS_CD }, { "ad", DNS_AD } };
	const char *word;

	while ((word = words_next(w))) {
		if (streq(word, "tcp"))
			a->tcp = true;
		else if (streq(word, "from"))
			a->from = play_number(p, w);
		else if (streq(word, "id"))
			a->q.id = play_number(p, w);
		else if (streq(word, "edns"))
			a->q.edns.udp_size = play_number(p, w), a->q.edns.present = true;
		else if (streq(word, "do"))
			a->q.edns.dnssec_ok = true;
		else if (streq(word, "nord"))
			a->q.flags &= (uint16_t)~DNS_RD;
		else if (streq(word, "class"))
			a->q.class = play_number(p, w);
		else if (streq(word, "opcode"))
			a->q.flags |= (uint16_t)(play_number(p, w) << 11);
		else if (streq(word, "version"))
			a->q.edns.version = (uint8_t)play_number(p, w);
		else if (streq(word, "option"))
			option_read(p, w, a);
		else if (streq(word, "two-opts"))
			a->opts = 2;
		else if (streq(word, "opt-owner"))
			a->opt_owner = true;
		else if (streq(word, "questions"))
			a->questions = play_number(p, w);
		else if (streq(word, "tsig"))
			a->tsig = true;
		else if (streq(word, bits[0].word) || streq(word, bits[1].word))
			a->q.flags |= bits[streq(word, bits[1].word)].set;
		else
			play_misread(p, "no option of a query");
	}
	if (a->q.edns.present && !a->opts)
		a->opts = 1;
}

/* The client that a question comes from: number `from`'s, or a new one. */
static struct client *client_of(struct play *p, unsigned from, bool tcp)
{
	struct question *q = from ? world_question(&p->w, from) : NULL;

	if (from && !q)
		play_misread(p, "there is no such question");
	return q ? q->client : world_client(&p->w, tcp);
}

void step_query(struct play *p, struct words *w)
{
	struct asking a = { .q = { .flags = DNS_RD, .class = DNS_IN }, .questions = 1 };
	const char *name;
	struct client *c = NULL;
	uint8_t msg[QUERY_MAX];
	unsigned from, to;

	play_range(p, w, &from, &to);
	name = words_next(w);
	a.q.type = play_type(p, w);
	asking_read(p, w, &a);
	for (unsigned i = from; i <= to; i++) {
		struct asking one = a;

		one.q.name = play_name(p, name, i);
		one.q.id = a.q.id ? a.q.id : (uint16_t)i;
		if (!c)
			c = client_of(p, a.from, a.tcp);
		world_ask(&p->w, c, i, &one.q, msg, query_build(&one, msg));
		if (i % 8 == 0 || i == to)
			world_settle(&p->w);
	}
}

void step_packet(struct play *p, struct words *w)
{
	unsigned number = play_number(p, w);
	const char *hex = words_next(w);
	uint8_t msg[QUERY_MAX];
	int n = hex ? text_hex(hex, msg, sizeof(msg)) : -EINVAL;
	struct dns_query q = { 0 };

	if (n < 0)
		play_misread(p, "no hex digits");
	(void)!dns_query_read(msg, (size_t)n, &q);
	world_ask(&p->w, world_client(&p->w, words_take(w, "tcp")), number, &q, msg, (size_t)n);
	world_settle(&p->w);
}

void step_hang_up(struct play *p, struct words *w)
{
	world_hang_up(&p->w, client_of(p, play_number(p, w), false));
	world_settle(&p->w);
}

