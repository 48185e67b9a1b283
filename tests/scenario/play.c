/* SPDX-License-Identifier: Apache-2.0 */
/* play: runs scenarios, each a sentence of TAP: usage: play FILE…
 *
 * One line, one step; `#` begins a comment. The language:
 *   scenario SENTENCE                     a new world: upstreams 1 and 2 (192.0.2.1, .2), the cluster away
 *   config KEY VALUE                      of the agent's configuration; before anything else
 *   upstreams [N…]                        other upstreams
 *   query N[-M] NAME TYPE [OPTION…]       a client asks; % in NAME is the number. Its own UDP socket, but for:
 *                                         from N (that one's socket), tcp; id N, edns SIZE, do, cd, ad, nord, class N,
 *                                         opcode N, version N, option CODE HEX, two-opts, opt-owner, questions N, tsig
 *   packet N HEX                          a client sends that
 *   hang-up N                             that client resets its connection
 *   SERVER answers ANSWER                 SERVER: `upstream N` or `cluster`. What it says to the question that was named
 *   SERVER refused | times-out | garbled  last, or the oldest: text.h has ANSWER; ICMP; no answer; broken bytes
 *   SERVER truncates                      it has said TC: the question is asked again over TCP
 *   SERVER serves ANSWER | down | waits   to each question from now on: that, ICMP, nothing (at first)
 *   cluster up | silent | away | alive    routed and answering; not answering; not routed; answering again
 *   api connected | lost                  the API server's watch
 *   advance TIME                          1400ms, 2s
 *   expect answer N[-M] EXPECTED          text.h has EXPECTED
 *   expect no answer N[-M]
 *   expect SERVER asked NAME TYPE [do] [cd] [ad] [nord] [tcp]   the oldest question that no line has named
 *   expect SERVER not asked               … there is none
 *   expect nothing asked                  of anybody
 *   expect cluster is STATE               up, silent, away
 *   expect waiting N                      clients that wait */
#include <errno.h>

#include "agent/cluster.h"
#include "agent/dns.h"
#include "agent/upstreams.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/str.h"
#include "tests/scenario/text.h"
#include "tests/scenario/world.h"
#include "tests/tap.h"

#define WORDS_MAX 200
#define QUERY_MAX 4096

struct play {
	const char *file, *text;
	unsigned line;
	char sentence[256];
	struct buf settings;
	bool open, failed;
	struct world w;
	char why[1500];
};

_Noreturn static void misread(const struct play *p, const char *what)
{
	printf("Bail out! %s:%u: %s: %s\n", p->file, p->line, what, p->text);
	exit(2);
}

/* The scenario fails here; its other lines are not played. */
__attribute__((format(printf, 2, 3))) static void fail(struct play *p, const char *fmt, ...)
{
	va_list ap;

	if (p->failed)
		return;
	p->failed = true;
	va_start(ap, fmt);
	vsnprintf(p->why, sizeof(p->why), fmt, ap);
	va_end(ap);
}

/* "7" or "1-20". */
static void range_read(struct play *p, struct words *w, unsigned *from, unsigned *to)
{
	const char *word = words_next(w);
	autofree char *first = xstrdup(word ? word : "");
	char *dash = strchr(first, '-');
	uint64_t a, b;

	if (dash)
		*dash++ = '\0';
	if (num_u64(first, UINT16_MAX, &a) || num_u64(dash ? dash : first, UINT16_MAX, &b))
		misread(p, "no number");
	*from = (unsigned)a;
	*to = (unsigned)b;
}

/* ---- what clients do --------------------------------------------------------------------------------------------- */

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

static uint16_t number_read(struct play *p, struct words *w)
{
	uint64_t n = 0;

	if (words_number(w, UINT16_MAX, &n))
		misread(p, "no number");
	return (uint16_t)n;
}

static void option_read(struct play *p, struct words *w, struct asking *a)
{
	const char *hex;
	int n;

	a->option_len += put16(a->option + a->option_len, number_read(p, w));
	hex = words_next(w);
	n = hex ? text_hex(hex, a->option + a->option_len + 2, 200) : -EINVAL;
	if (n < 0)
		misread(p, "no hex digits");
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
			a->from = number_read(p, w);
		else if (streq(word, "id"))
			a->q.id = number_read(p, w);
		else if (streq(word, "edns"))
			a->q.edns.udp_size = number_read(p, w), a->q.edns.present = true;
		else if (streq(word, "do"))
			a->q.edns.dnssec_ok = true;
		else if (streq(word, "nord"))
			a->q.flags &= (uint16_t)~DNS_RD;
		else if (streq(word, "class"))
			a->q.class = number_read(p, w);
		else if (streq(word, "opcode"))
			a->q.flags |= (uint16_t)(number_read(p, w) << 11);
		else if (streq(word, "version"))
			a->q.edns.version = (uint8_t)number_read(p, w);
		else if (streq(word, "option"))
			option_read(p, w, a);
		else if (streq(word, "two-opts"))
			a->opts = 2;
		else if (streq(word, "opt-owner"))
			a->opt_owner = true;
		else if (streq(word, "questions"))
			a->questions = number_read(p, w);
		else if (streq(word, "tsig"))
			a->tsig = true;
		else if (streq(word, bits[0].word) || streq(word, bits[1].word))
			a->q.flags |= bits[streq(word, bits[1].word)].set;
		else
			misread(p, "no option of a query");
	}
	if (a->q.edns.present && !a->opts)
		a->opts = 1;
}

/* The client that a question comes from: number `from`'s, or a new one. */
static struct client *client_of(struct play *p, unsigned from, bool tcp)
{
	struct question *q = from ? world_question(&p->w, from) : NULL;

	if (from && !q)
		misread(p, "there is no such question");
	return q ? q->client : world_client(&p->w, tcp);
}

/* NAME with % replaced. */
static struct dns_name name_of(struct play *p, const char *word, unsigned number)
{
	struct dns_name n = { 0 };
	const char *mark = word ? strchr(word, '%') : NULL;
	autofree char *text = mark ? xasprintf("%.*s%u%s", (int)(mark - word), word, number, mark + 1) : xstrdup(word);

	if (!text || dns_name_parse(text, &n))
		misread(p, "no name");
	return n;
}

static void cmd_query(struct play *p, struct words *w)
{
	struct asking a = { .q = { .flags = DNS_RD, .class = DNS_IN }, .questions = 1 };
	const char *name, *type;
	struct client *c = NULL;
	uint8_t msg[QUERY_MAX];
	unsigned from, to;
	int t;

	range_read(p, w, &from, &to);
	name = words_next(w);
	type = words_next(w);
	t = type ? text_type(type) : -EINVAL;
	if (t < 0)
		misread(p, "no type");
	a.q.type = (uint16_t)t;
	asking_read(p, w, &a);
	for (unsigned i = from; i <= to; i++) {
		struct asking one = a;

		one.q.name = name_of(p, name, i);
		one.q.id = a.q.id ? a.q.id : (uint16_t)i;
		if (!c)
			c = client_of(p, a.from, a.tcp);
		world_ask(&p->w, c, i, &one.q, msg, query_build(&one, msg));
		if (i % 8 == 0 || i == to)
			world_settle(&p->w);
	}
}

static void cmd_packet(struct play *p, struct words *w)
{
	unsigned number = number_read(p, w);
	const char *hex = words_next(w);
	uint8_t msg[QUERY_MAX];
	int n = hex ? text_hex(hex, msg, sizeof(msg)) : -EINVAL;
	struct dns_query q = { 0 };

	if (n < 0)
		misread(p, "no hex digits");
	(void)!dns_query_read(msg, (size_t)n, &q);
	world_ask(&p->w, world_client(&p->w, words_take(w, "tcp")), number, &q, msg, (size_t)n);
	world_settle(&p->w);
}

static void cmd_hang_up(struct play *p, struct words *w)
{
	world_hang_up(&p->w, client_of(p, number_read(p, w), false));
	world_settle(&p->w);
}

/* ---- what servers do --------------------------------------------------------------------------------------------- */

static void upstream_address(unsigned number, struct hostport *ret)
{
	*ret = (struct hostport){ { AF_INET, { 192, 0, 2, (uint8_t)number } }, 53 };
}

static void cmd_upstreams(struct play *p, struct words *w)
{
	struct hostport servers[UPSTREAMS_MAX];
	size_t n = 0;

	while (w->at < w->n && n < UPSTREAMS_MAX)
		upstream_address(number_read(p, w), &servers[n++]);
	upstreams_set(&p->w.a, servers, n);
	world_settle(&p->w);
}

static void server_answers(struct play *p, struct upstream_flight *f, struct words *w)
{
	static uint8_t msg[DNS_MSG_MAX];
	int n = text_answer(w, &f->query, f->id, msg);

	if (n < 0)
		misread(p, "no answer");
	flight_answer(f, msg, (size_t)n);
}

static bool server_mode(struct upstream *u, struct words *w)
{
	if (words_take(w, "down"))
		upstream_mode(u, TRANSPORT_DOWN, NULL, 0);
	else if (words_take(w, "waits"))
		upstream_mode(u, TRANSPORT_WAIT, NULL, 0);
	else if (words_take(w, "serves"))
		upstream_mode(u, TRANSPORT_SERVE, w->v + w->at, w->n - w->at);
	else
		return false;
	return true;
}

static void server_acts(struct play *p, struct upstream *u, struct words *w)
{
	struct upstream_flight *f = u ? upstream_flight_named(u) : NULL;

	if (!u)
		misread(p, "no such upstream");
	if (server_mode(u, w))
		return;
	if (!f) {
		fail(p, "nothing was asked of it");
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
		misread(p, "no such thing that a server does");
	world_settle(&p->w);
}

static struct upstream *server_read(struct play *p, struct words *w)
{
	struct hostport at = p->w.a.config.dns[0];

	if (!words_take(w, "cluster")) {
		if (!words_take(w, "upstream"))
			misread(p, "no server");
		upstream_address(number_read(p, w), &at);
	}
	return transport_find(&at);
}

static void cmd_upstream(struct play *p, struct words *w)
{
	w->at--;
	server_acts(p, server_read(p, w), w);
}

static void cmd_cluster(struct play *p, struct words *w)
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
		cmd_upstream(p, w);
	world_settle(&p->w);
}

static void cmd_api(struct play *p, struct words *w)
{
	cluster_set_api(p->w.a.cluster, words_take(w, "connected"), NULL);
	world_settle(&p->w);
}

static void cmd_advance(struct play *p, struct words *w)
{
	const char *word = words_next(w);
	uint64_t ms;

	if (!word || num_duration_ms(word, &ms))
		misread(p, "no time");
	world_advance(&p->w, ms);
}

/* ---- what is expected -------------------------------------------------------------------------------------------- */

static void answer_expect(struct play *p, struct words *w, unsigned number)
{
	const struct question *q = world_question(&p->w, number);
	char why[256], got[1024];
	struct words rest = *w;
	int r;

	if (!q)
		misread(p, "there is no such question");
	if (!q->answer) {
		fail(p, "no answer to %u", number);
		return;
	}
	r = text_expect(&rest, &q->query, q->answer, q->len, why);
	if (r < 0)
		misread(p, "no expectation");
	if (r)
		fail(p, "answer %u: %s\n#   got: %s", number, why, text_message(q->answer, q->len, got, sizeof(got)));
}

static void expect_answers(struct play *p, struct words *w, bool none)
{
	unsigned from, to;

	range_read(p, w, &from, &to);
	for (unsigned i = from; i <= to; i++) {
		const struct question *q = world_question(&p->w, i);

		if (!none)
			answer_expect(p, w, i);
		else if (q && q->answer)
			fail(p, "%u is answered", i);
	}
}

static unsigned unseen(struct play *p, struct upstream *u)
{
	struct upstream_flight *f = u ? upstream_flight_next(u) : NULL;
	char name[DNS_TEXT_MAX];

	if (f)
		fail(p, "asked: %s TYPE%u", dns_name_text(&f->query.name, name), f->query.type);
	return u ? upstream_unseen(u) : 0;
}

static void expect_nothing_asked(struct play *p)
{
	struct hostport at;

	for (unsigned i = 1; i < 10; i++) {
		upstream_address(i, &at);
		unseen(p, transport_find(&at));
	}
	unseen(p, transport_find(&p->w.a.config.dns[0]));
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
			misread(p, "no flag of a question");
	}
	return flags;
}

static void expect_asked(struct play *p, struct words *w, struct upstream *u)
{
	struct upstream_flight *f = u ? upstream_flight_next(u) : NULL;
	struct dns_name name = name_of(p, words_next(w), 0);
	const char *type = words_next(w);
	bool dnssec_ok = false, tcp = false;
	int t = type ? text_type(type) : -EINVAL;
	unsigned flags = flags_read(p, w, &dnssec_ok, &tcp);
	char got[DNS_TEXT_MAX];

	if (t < 0)
		misread(p, "no type");
	if (!f) {
		fail(p, "it is not asked");
		return;
	}
	f->seen = true;
	if (!dns_name_eq(&name, &f->query.name) || f->query.type != t || f->tcp != tcp || f->query.edns.dnssec_ok != dnssec_ok ||
	    (unsigned)(f->msg[2] << 8 | f->msg[3]) != flags)
		fail(p, "it is asked %s TYPE%u%s%s, flags %02x%02x", dns_name_text(&f->query.name, got), f->query.type,
		     f->query.edns.dnssec_ok ? " do" : "", f->tcp ? " tcp" : "", f->msg[2], f->msg[3]);
}

static void expect_state(struct play *p, struct words *w)
{
	static const char *const names[CLUSTER_STATES] = { "away", "silent", "up" };
	const char *word = words_next(w);

	if (!streq(word, names[p->w.a.cluster->state]))
		fail(p, "it is %s", names[p->w.a.cluster->state]);
}

static void cmd_expect(struct play *p, struct words *w)
{
	struct upstream *u;

	if (words_take(w, "answer"))
		expect_answers(p, w, false);
	else if (words_take(w, "no") && words_take(w, "answer"))
		expect_answers(p, w, true);
	else if (words_take(w, "nothing") && words_take(w, "asked"))
		expect_nothing_asked(p);
	else if (words_take(w, "waiting")) {
		unsigned n = number_read(p, w);

		if (p->w.a.dns->in_flight != n)
			fail(p, "%u are waiting", p->w.a.dns->in_flight);
	} else if (w->n - w->at >= 2 && streq(w->v[w->at], "cluster") && streq(w->v[w->at + 1], "is")) {
		w->at += 2;
		expect_state(p, w);
	} else {
		u = server_read(p, w);
		if (words_take(w, "not") && words_take(w, "asked"))
			unseen(p, u);
		else if (words_take(w, "asked"))
			expect_asked(p, w, u);
		else
			misread(p, "no such expectation");
	}
}

/* ---- scenarios --------------------------------------------------------------------------------------------------- */

static void scenario_end(struct play *p)
{
	if (!*p->sentence)
		return;
	ok(!p->failed, "%s", p->sentence);
	if (p->failed)
		printf("# %s\n", p->why);
	if (p->open)
		world_close(&p->w);
	p->open = p->failed = false;
	*p->sentence = '\0';
	buf_reset(&p->settings);
}

static void cmd_config(struct play *p, struct words *w)
{
	const char *key = words_next(w), *value = words_next(w);

	if (!key || !value || p->open)
		misread(p, p->open ? "the world stands already" : "no value");
	buf_addf(&p->settings, ",\"%s\":\"%s\"", key, value);
}

static const struct {
	const char *name;
	void (*fn)(struct play *p, struct words *w);
} commands[] = {
	{ "query", cmd_query }, { "packet", cmd_packet }, { "hang-up", cmd_hang_up }, { "upstreams", cmd_upstreams },
	{ "upstream", cmd_upstream }, { "cluster", cmd_cluster }, { "api", cmd_api }, { "advance", cmd_advance },
	{ "expect", cmd_expect },
};

static void world_need(struct play *p)
{
	struct err err = { 0 };

	if (p->open)
		return;
	if (world_open(&p->w, buf_str(&p->settings), &err))
		misread(p, err_text(&err));
	p->open = true;
}

static void step_play(struct play *p, struct words *w)
{
	const char *word = words_next(w);

	if (streq(word, "config")) {
		cmd_config(p, w);
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		if (!streq(commands[i].name, word))
			continue;
		world_need(p);
		commands[i].fn(p, w);
		if (*p->w.broken)
			fail(p, "%s", p->w.broken);
		if (p->failed)
			snprintf(p->why + strlen(p->why), sizeof(p->why) - strlen(p->why), "\n#   at %s:%u: %s", p->file, p->line,
				 p->text);
		return;
	}
	misread(p, "no such step");
}

/* Words, up to a comment; a comma at the end of one is a word of its own. */
static size_t words_split(char *line, char *words[static WORDS_MAX])
{
	static char comma[] = ",";
	const char *end = line + strlen(line);
	size_t n = 0;

	for (char *at = line + strspn(line, " \t"); *at && *at != '#' && n + 2 < WORDS_MAX; at += strspn(at, " \t")) {
		size_t len = strcspn(at, " \t");
		bool cut = len > 1 && at[len - 1] == ',';

		words[n++] = at;
		if (cut)
			words[n++] = comma;
		at[len - cut] = '\0';
		at += len + (at + len < end);
	}
	return n;
}

static void line_play(struct play *p, const char *text)
{
	autofree char *line = xstrdup(text);
	char *words[WORDS_MAX];
	struct words w = { words, 0, 0 };

	p->text = text;
	if (str_starts(text, "scenario ")) {
		scenario_end(p);
		snprintf(p->sentence, sizeof(p->sentence), "%s", text + strlen("scenario "));
		return;
	}
	w.n = words_split(line, words);
	if (!w.n)
		return;
	if (!*p->sentence)
		misread(p, "no scenario yet");
	if (!p->failed)
		step_play(p, &w);
}

static void file_play(const char *file)
{
	struct play p = { .file = file, .settings = BUF_INIT(4096) };
	auto(buf) struct buf text = BUF_INIT(1 << 20);
	struct err err = { 0 };
	struct str rest, line;

	if (file_read(file, &text, &err)) {
		printf("Bail out! %s\n", err_text(&err));
		exit(2);
	}
	rest = str_from(buf_str(&text));
	while (str_split(&rest, '\n', &line)) {
		struct str trimmed = str_trim(line);
		autofree char *copy = xstrndup(trimmed.p, trimmed.len);

		p.line++;
		line_play(&p, copy);
	}
	scenario_end(&p);
	buf_done(&p.settings);
}

int main(int argc, char **argv)
{
	log_set_level(LOG_ERROR);
	for (int i = 1; i < argc; i++)
		file_play(argv[i]);
	return tap_done();
}
