/* SPDX-License-Identifier: Apache-2.0 */
/* play: runs scenarios, each a sentence of TAP: usage: play FILE…
 *
 * One line, one step; `#` begins a comment. Lines before the first scenario are played in each. The language:
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
 *   api connected | lost                  the API server's watches
 *   namespace NAME                        what the watches say; `synced` once all is listed
 *   service NS/NAME IP[,IP]|headless|external NAME [PORT:NUMBER/PROTOCOL…]
 *   endpoints NS/NAME IP [host NAME] [not-ready]…
 *   delete namespace NAME | service NS/NAME | endpoints NS/NAME
 *   coredns [none | owns NAME DIRECTIVE…] its Corefile, as k3s makes it, and a line more that is about NAME
 *   advance TIME                          1400ms, 2s
 *   expect answer N[-M] EXPECTED          text.h has EXPECTED
 *   expect no answer N[-M]
 *   expect SERVER asked NAME TYPE [do] [cd] [ad] [nord] [tcp]   the oldest question that no line has named
 *   expect SERVER asked as N              … and its message is that of question N, byte for byte but for its id
 *   expect SERVER not asked               … there is none
 *   expect nothing asked                  of anybody
 *   expect cluster is STATE               up, silent, away
 *   expect waiting N                      clients that wait
 *   expect closed N                       the connection of that question */
#include "tests/scenario/play.h"

#include <errno.h>

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/str.h"
#include "tests/tap.h"

#define WORDS_MAX 200

_Noreturn void play_misread(const struct play *p, const char *what)
{
	printf("Bail out! %s:%u: %s: %s\n", p->file, p->line, what, p->text);
	exit(2);
}

void play_fail(struct play *p, const char *fmt, ...)
{
	va_list ap;

	if (p->failed)
		return;
	p->failed = true;
	va_start(ap, fmt);
	vsnprintf(p->why, sizeof(p->why), fmt, ap);
	va_end(ap);
}

/* ---- parts of a line --------------------------------------------------------------------------------------------- */

uint16_t play_number(struct play *p, struct words *w)
{
	uint64_t n = 0;

	if (words_number(w, UINT16_MAX, &n))
		play_misread(p, "no number");
	return (uint16_t)n;
}

void play_range(struct play *p, struct words *w, unsigned *from, unsigned *to)
{
	const char *word = words_next(w);
	autofree char *first = xstrdup(word ? word : "");
	char *dash = strchr(first, '-');
	uint64_t a, b;

	if (dash)
		*dash++ = '\0';
	if (num_u64(first, UINT16_MAX, &a) || num_u64(dash ? dash : first, UINT16_MAX, &b))
		play_misread(p, "no number");
	*from = (unsigned)a;
	*to = (unsigned)b;
}

uint16_t play_type(struct play *p, struct words *w)
{
	const char *word = words_next(w);
	int type = word ? text_type(word) : -EINVAL;

	if (type < 0)
		play_misread(p, "no type");
	return (uint16_t)type;
}

struct dns_name play_name(struct play *p, const char *word, unsigned number)
{
	struct dns_name n = { 0 };
	const char *mark = word ? strchr(word, '%') : NULL;
	autofree char *text = mark ? xasprintf("%.*s%u%s", (int)(mark - word), word, number, mark + 1) : xstrdup(word);

	if (!text || dns_name_parse(text, &n))
		play_misread(p, "no name");
	return n;
}

struct upstream *play_server(struct play *p, struct words *w)
{
	struct hostport at = p->w.a.config.dns[0];

	if (words_take(w, "cluster"))
		return transport_find(&at);
	if (!words_take(w, "upstream"))
		play_misread(p, "no server");
	at = world_upstream(play_number(p, w));
	return transport_find(&at);
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

static void step_config(struct play *p, struct words *w)
{
	const char *key = words_next(w), *value = words_next(w);

	if (!key || !value || p->open)
		play_misread(p, p->open ? "the world stands already" : "no value");
	buf_addf(&p->settings, strspn(value, "0123456789") == strlen(value) ? ",\"%s\":%s" : ",\"%s\":\"%s\"", key, value);
}

static void step_advance(struct play *p, struct words *w)
{
	const char *word = words_next(w);
	uint64_t ms = 0;

	if (!word || num_duration_ms(word, &ms))
		play_misread(p, "no time");
	world_advance(&p->w, ms);
}

static const struct {
	const char *name;
	void (*fn)(struct play *p, struct words *w);
} commands[] = {
	{ "query", step_query }, { "packet", step_packet }, { "hang-up", step_hang_up }, { "upstreams", step_upstreams },
	{ "upstream", step_upstream }, { "cluster", step_cluster }, { "api", step_api }, { "namespace", step_namespace },
	{ "service", step_service }, { "endpoints", step_endpoints }, { "delete", step_delete }, { "synced", step_synced },
	{ "coredns", step_coredns }, { "advance", step_advance }, { "expect", step_expect },
};

static void step_play(struct play *p, struct words *w)
{
	const char *word = words_next(w);

	if (streq(word, "config")) {
		step_config(p, w);
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		if (!streq(commands[i].name, word))
			continue;
		commands[i].fn(p, w);
		if (w->at < w->n && !p->failed)
			play_misread(p, "more words than the step has");
		if (*p->w.broken)
			play_fail(p, "%s", p->w.broken);
		if (p->failed)
			snprintf(p->why + strlen(p->why), sizeof(p->why) - strlen(p->why), "\n#   at %s:%u: %s", p->file, p->line,
				 p->text);
		return;
	}
	play_misread(p, "no such step");
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
	struct words w = { words, words_split(line, words), 0 };

	p->text = text;
	if (w.n && !p->failed)
		step_play(p, &w);
}

/* At the first line of a scenario that needs it. */
static void world_need(struct play *p)
{
	struct err err = { 0 };

	if (p->open)
		return;
	if (world_open(&p->w, buf_str(&p->settings), &err))
		play_misread(p, err_text(&err));
	p->open = true;
	for (size_t i = 0; i < p->background.n; i++)
		line_play(p, p->background.v[i]);
}

static void scenario_play(struct play *p, const char *text)
{
	if (*text && *text != '#' && !str_starts(text, "config "))
		world_need(p);
	line_play(p, text);
}

static void scenario_begin(struct play *p, const char *sentence)
{
	scenario_end(p);
	snprintf(p->sentence, sizeof(p->sentence), "%s", sentence);
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
		if (str_starts(copy, "scenario "))
			scenario_begin(&p, copy + strlen("scenario "));
		else if (!*p.sentence)
			strv_add(&p.background, copy);
		else
			scenario_play(&p, copy);
	}
	scenario_end(&p);
	strv_done(&p.background);
	buf_done(&p.settings);
}

int main(int argc, char **argv)
{
	log_set_level(LOG_ERROR);
	for (int i = 1; i < argc; i++)
		file_play(argv[i]);
	return tap_done();
}
