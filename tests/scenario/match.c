/* SPDX-License-Identifier: Apache-2.0 */
/* Is a message what a scenario expects? */
#include "tests/scenario/text.h"

#include <errno.h>
#include <stdio.h>

#include "base/compiler.h"
#include "base/str.h"

#define OPTION_EDE 15
#define GOT_MAX 5000

struct got {
	const uint8_t *msg;
	struct dns_record v[GOT_MAX];
	uint8_t section[GOT_MAX];
	size_t n;
	unsigned count[3], flags, rcode;
	const uint8_t *opt;		/* its data, or NULL */
	size_t opt_len;
	bool dnssec_ok;
};

static int got_read(struct got *g, const uint8_t *msg, size_t n)
{
	struct dns_walk w;
	unsigned section;
	int r = dns_walk_start(&w, msg, n);

	g->msg = msg;
	g->n = g->opt_len = 0;
	g->opt = NULL;
	g->dnssec_ok = false;
	memset(g->count, 0, sizeof(g->count));
	g->flags = (unsigned)(msg[2] << 8 | msg[3]);
	g->rcode = g->flags & 15;
	while (!r && g->n < GOT_MAX && (r = dns_walk_next(&w, &g->v[g->n], &section)) > 0) {
		const struct dns_record *rec = &g->v[g->n];

		r = 0;
		if (rec->type == DNS_OPT) {
			g->opt = msg + rec->rdata;
			g->opt_len = rec->rdata_len;
			g->rcode |= rec->ttl >> 24 << 4;
			g->dnssec_ok = rec->ttl >> 15 & 1;
			continue;
		}
		g->section[g->n++] = (uint8_t)section;
		g->count[section]++;
	}
	return r;
}

/* A sound name at `at`, with pointers followed. */
static size_t name_expand(const uint8_t *msg, size_t *at, uint8_t *o)
{
	size_t n = 0, i = *at;
	bool jumped = false;

	for (;;) {
		if (msg[i] >= 0xc0) {
			if (!jumped)
				*at = i + 2;
			jumped = true;
			i = (size_t)(msg[i] & 0x3f) << 8 | msg[i + 1];
			continue;
		}
		memcpy(o + n, msg + i, msg[i] + 1u);
		n += msg[i] + 1u;
		if (!msg[i])
			break;
		i += msg[i] + 1u;
	}
	if (!jumped)
		*at = i + 1;
	return n;
}

/* The data of a record, the names in it in full. */
static size_t rdata_expand(const uint8_t *msg, const struct dns_record *r, uint8_t *o)
{
	size_t at = r->rdata, n = 0, before = r->type == DNS_MX ? 2 : r->type == DNS_SRV ? 6 : 0;

	switch (r->type) {
	case DNS_NS: case DNS_CNAME: case DNS_PTR: case DNS_DNAME: case DNS_MX: case DNS_SRV:
		memcpy(o, msg + at, before);
		at += before;
		return before + name_expand(msg, &at, o + before);
	}
	n = MIN(r->rdata_len, (size_t)TEXT_RDATA_MAX);
	memcpy(o, msg + at, n);
	return n;
}

static bool name_like(const struct dns_name *owner, const struct dns_name *got, const struct dns_query *q)
{
	return dns_name_eq(owner->len ? owner : &q->name, got);
}

static bool record_like(const struct record *want, const struct got *g, size_t i, const struct dns_query *q)
{
	const struct dns_record *r = &g->v[i];
	uint8_t data[TEXT_RDATA_MAX + DNS_NAME_MAX];
	size_t n;

	if (r->type != want->type || !name_like(&want->owner, &r->name, q) || (!want->any_ttl && r->ttl != want->ttl))
		return false;
	if (want->any_data)
		return true;
	if (r->type == DNS_SOA)
		return memcmp(g->msg + r->end - 4, want->rdata + want->len - 4, 4) == 0;
	n = rdata_expand(g->msg, r, data);
	return n == want->len && memcmp(data, want->rdata, n) == 0;
}

/* The records of one section: 0 as expected, 1 not. */
static int section_expect(struct words *w, struct got *g, const struct dns_query *q, unsigned section, char ret[static 256])
{
	static bool used[GOT_MAX];
	struct record want;
	unsigned count = 0;
	size_t i;

	memset(used, 0, sizeof(used));
	do {
		size_t from = w->at;

		if (text_record(w, &want))
			return -EINVAL;
		for (i = 0; i < g->n && (used[i] || g->section[i] != section || !record_like(&want, g, i, q)); i++)
			;
		if (i == g->n) {
			snprintf(ret, 256, "no record %s %s %s", w->v[from], w->v[from + 1], w->v[from + 2]);
			return 1;
		}
		used[i] = true;
		count++;
	} while (words_take(w, ","));
	if (count != g->count[section])
		snprintf(ret, 256, "%u records, not %u, in section %u", g->count[section], count, section);
	return count != g->count[section];
}

static bool has_ede(const struct got *g, uint64_t code)
{
	for (size_t i = 0; i + 4 <= g->opt_len; i += 4u + (g->opt[i + 2] << 8 | g->opt[i + 3]))
		if (g->opt[i + 1] == OPTION_EDE && i + 6 <= g->opt_len && (g->opt[i + 4] << 8 | g->opt[i + 5]) == (int)code)
			return true;
	return false;
}

/* One word that says something about the message as a whole. 0: it did, and is true; 1: is not; -ENOENT: it did not. */
static int word_expect(struct words *w, const struct got *g, size_t size, char ret[static 256])
{
	const char *word = w->v[w->at];
	bool not = *word == '!', good = true;
	uint64_t n;

	snprintf(ret, 256, "not %s", word);
	for (size_t i = 0; i < TEXT_FLAGS; i++) {
		if (streq(word + not, text_flags[i].name)) {
			w->at++;
			return !!(g->flags & text_flags[i].bit) == not;
		}
	}
	if (streq(word + not, "edns") || streq(word + not, "do")) {
		w->at++;
		return (word[not] == 'e' ? g->opt != NULL : g->dnssec_ok) == not;
	}
	if (words_take_number(w, "ttl<=", &n)) {
		for (size_t i = 0; i < g->n; i++)
			good &= g->v[i].ttl <= n;
		return !good;
	}
	if (words_take_number(w, "size<=", &n))
		return size > n;
	if (words_take(w, "size"))
		return words_number(w, UINT16_MAX, &n) ? -EINVAL : size != n;
	if (words_take(w, "records"))
		return words_number(w, UINT16_MAX, &n) ? -EINVAL : g->count[0] != n;
	if (words_take(w, "ede"))
		return words_number(w, UINT16_MAX, &n) ? -EINVAL : !has_ede(g, n);
	return -ENOENT;
}

static int words_expect(struct words *w, const struct got *g, size_t size, char ret[static 256])
{
	int r = 0;

	while (w->at < w->n && !r)
		r = word_expect(w, g, size, ret);
	return r == -ENOENT ? 0 : r;
}

static int sections_expect(struct words *w, struct got *g, const struct dns_query *q, char ret[static 256])
{
	int r = 0;

	for (unsigned section = 0; !r && section < 3; section++) {
		if (words_take(w, "none")) {
			snprintf(ret, 256, "%u records in section %u", g->count[section], section);
			r = g->count[section] != 0;
		} else if (w->at < w->n && !streq(w->v[w->at], "/")) {
			r = section_expect(w, g, q, section, ret);
		}
		if (!words_take(w, "/"))
			break;
	}
	return !r && w->at < w->n ? -EINVAL : r;
}

/* What holds for every answer. */
static const char *breach(const struct got *g, const struct dns_query *q, const uint8_t *msg, size_t n, bool ede)
{
	if ((msg[0] << 8 | msg[1]) != q->id)
		return "another id";
	if (!(g->flags & DNS_QR) || ((g->flags ^ q->flags) & 0x7800))
		return "no answer: QR, or another opcode";
	if (!q->name.len || !msg[5])
		return NULL;
	if (n < DNS_HEADER + (size_t)q->name.len || memcmp(msg + DNS_HEADER, q->name.b, q->name.len) != 0)
		return "the question is not the client's, byte for byte";
	if (g->opt && !q->edns.present)
		return "an OPT that nobody asked for";
	if (!g->opt && q->edns.present && g->rcode != DNS_FORMERR)	/* it could not be read */
		return "no OPT for one who sent an OPT";
	if (g->opt_len && !ede)
		return "an option in the OPT";
	return g->dnssec_ok == q->edns.dnssec_ok ? NULL : "another DO bit";
}

int text_expect(struct words *w, const struct dns_query *q, const uint8_t *msg, size_t n, char ret[static 256])
{
	static struct got g;
	const char *word = words_next(w), *bad;
	int want = text_rcode(word), r;
	bool ede = false;

	for (size_t i = w->at; i < w->n; i++)
		ede |= streq(w->v[i], "ede");
	if (want < 0)
		return -EINVAL;
	if (got_read(&g, msg, n) && msg[5]) {
		snprintf(ret, 256, "no sound message");
		return 1;
	}
	bad = breach(&g, q, msg, n, ede);
	snprintf(ret, 256, "%s", bad ? bad : "another code");
	if (bad || (int)g.rcode != want)
		return 1;
	r = words_expect(w, &g, n, ret);
	return r ? r : sections_expect(w, &g, q, ret);
}

const char *text_message(const uint8_t *msg, size_t n, char *ret, size_t size)
{
	static struct got g;
	char name[DNS_TEXT_MAX];
	size_t len;

	if (n < DNS_HEADER || got_read(&g, msg, n)) {
		snprintf(ret, size, "%zu bytes, code %u, not sound", n, n > 3 ? msg[3] & 15u : 0);
		return ret;
	}
	len = (size_t)snprintf(ret, size, "%s", g.rcode < TEXT_RCODES ? text_rcodes[g.rcode] : "another rcode");
	for (size_t i = 0; i < TEXT_FLAGS; i++)
		if (g.flags & text_flags[i].bit && len < size)
			len += (size_t)snprintf(ret + len, size - len, " %s", text_flags[i].name);
	for (size_t i = 0; i < g.n && len < size && i < 8; i++)
		len += (size_t)snprintf(ret + len, size - len, "%s %s %u TYPE%u", i ? "," : "",
					dns_name_text(&g.v[i].name, name), g.v[i].ttl, g.v[i].type);
	if (len < size)
		snprintf(ret + len, size - len, " (%u/%u/%u records, %zu bytes%s)", g.count[0], g.count[1], g.count[2], n,
			 g.opt ? ", OPT" : "");
	return ret;
}
