/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/scenario/text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/compiler.h"
#include "base/num.h"
#include "base/str.h"
#include "net/addr.h"

#define OPTION_ECS 8
#define OPTION_COOKIE 10
#define OPTION_PADDING 12
#define OPTION_EDE 15

/* ---- words ------------------------------------------------------------------------------------------------------- */

const char *words_next(struct words *w)
{
	return w->at < w->n ? w->v[w->at++] : NULL;
}

bool words_take(struct words *w, const char *word)
{
	bool is = w->at < w->n && streq(w->v[w->at], word);

	w->at += is;
	return is;
}

int words_number(struct words *w, uint64_t max, uint64_t *ret)
{
	const char *word = words_next(w);

	return word ? num_u64(word, max, ret) : -EINVAL;
}

/* "ttl<=5" with prefix "ttl<=". */
static bool words_take_number(struct words *w, const char *prefix, uint64_t *ret)
{
	if (w->at == w->n || !str_starts(w->v[w->at], prefix) || num_u64(w->v[w->at] + strlen(prefix), UINT32_MAX, ret))
		return false;
	w->at++;
	return true;
}

/* ---- names and numbers ------------------------------------------------------------------------------------------- */

static const struct { const char *name; uint16_t number; } types[] = {
	{ "A", 1 }, { "NS", 2 }, { "CNAME", 5 }, { "SOA", 6 }, { "PTR", 12 }, { "HINFO", 13 }, { "MX", 15 }, { "TXT", 16 },
	{ "AAAA", 28 }, { "SRV", 33 }, { "NAPTR", 35 }, { "DNAME", 39 }, { "DS", 43 }, { "RRSIG", 46 }, { "SVCB", 64 },
	{ "HTTPS", 65 }, { "TSIG", 250 }, { "IXFR", 251 }, { "AXFR", 252 }, { "ANY", 255 }, { "CAA", 257 },
};

static const char *const rcodes[] = { "noerror", "formerr", "servfail", "nxdomain", "notimp", "refused" };

static const struct { const char *name; uint16_t bit; } flags[] = {
	{ "aa", DNS_AA }, { "tc", DNS_TC }, { "rd", DNS_RD }, { "ra", DNS_RA }, { "ad", DNS_AD }, { "cd", DNS_CD },
};

static const struct { const char *name; uint16_t code; uint8_t len; } options[] = {
	{ "ecs", OPTION_ECS, 7 }, { "cookie", OPTION_COOKIE, 16 }, { "padding", OPTION_PADDING, 30 },
};

int text_type(const char *word)
{
	uint64_t n;

	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (streq(types[i].name, word))
			return types[i].number;
	return str_starts(word, "TYPE") && !num_u64(word + 4, UINT16_MAX, &n) ? (int)n : -EINVAL;
}

static int text_rcode(const char *word)
{
	for (size_t i = 0; word && i < ARRAY_SIZE(rcodes); i++)
		if (streq(rcodes[i], word))
			return (int)i;
	return streq(word, "badvers") ? DNS_BADVERS : -EINVAL;
}

int text_hex(const char *word, uint8_t *ret, size_t max)
{
	static const char digits[] = "0123456789abcdef";
	size_t n = strlen(word) / 2;

	if (strlen(word) % 2 || n > max || strspn(word, digits) != 2 * n)
		return -EINVAL;
	for (size_t i = 0; i < n; i++)
		ret[i] = (uint8_t)((strchr(digits, word[2 * i]) - digits) << 4 | (strchr(digits, word[2 * i + 1]) - digits));
	return (int)n;
}

/* ---- records out of words ---------------------------------------------------------------------------------------- */

static size_t put16(uint8_t *o, unsigned v)
{
	o[0] = (uint8_t)(v >> 8);
	o[1] = (uint8_t)v;
	return 2;
}

static size_t put32(uint8_t *o, uint32_t v)
{
	put16(o, v >> 16);
	put16(o + 2, v & 0xffff);
	return 4;
}

static int data_numbers(struct words *w, struct record *r, unsigned count)
{
	uint64_t n;

	while (count--) {
		if (words_number(w, UINT16_MAX, &n))
			return -EINVAL;
		r->len += put16(r->rdata + r->len, (unsigned)n);
	}
	return 0;
}

static int data_name(struct words *w, struct record *r)
{
	const char *word = words_next(w);
	struct dns_name n;

	if (!word || dns_name_parse(word, &n))
		return -EINVAL;
	memcpy(r->rdata + r->len, n.b, n.len);
	r->len += n.len;
	return 0;
}

static int data_address(struct words *w, struct record *r)
{
	const char *word = words_next(w);
	struct addr a;

	if (!word || addr_parse(word, &a) || addr_bits(&a) != (r->type == DNS_A ? 32 : 128))
		return -EINVAL;
	r->len = addr_bits(&a) / 8;
	memcpy(r->rdata, a.b, r->len);
	return 0;
}

/* Root names, and numbers of which only the MINIMUM matters. */
static int data_soa(struct words *w, struct record *r)
{
	uint64_t minimum;

	if (words_number(w, UINT32_MAX, &minimum))
		return -EINVAL;
	r->len = 18;
	r->len += put32(r->rdata + r->len, (uint32_t)minimum);
	return 0;
}

static int data_text(struct words *w, struct record *r)
{
	const char *word = words_next(w);
	size_t n = word ? strlen(word) : 0;

	if (!n || n > 255)
		return -EINVAL;
	r->rdata[0] = (uint8_t)n;
	memcpy(r->rdata + 1, word, n);
	r->len = n + 1;
	return 0;
}

static int data_read(struct words *w, struct record *r)
{
	const char *word;
	int n;

	if (words_take(w, "*")) {
		r->any_data = true;
		return 0;
	}
	switch (r->type) {
	case DNS_A: case DNS_AAAA: return data_address(w, r);
	case DNS_NS: case DNS_CNAME: case DNS_PTR: case DNS_DNAME: return data_name(w, r);
	case DNS_MX: return data_numbers(w, r, 1) ? -EINVAL : data_name(w, r);
	case DNS_SRV: return data_numbers(w, r, 3) ? -EINVAL : data_name(w, r);
	case DNS_SOA: return data_soa(w, r);
	case DNS_TXT: return data_text(w, r);
	}
	word = words_next(w);
	n = word ? text_hex(word, r->rdata, sizeof(r->rdata)) : -EINVAL;
	r->len = n < 0 ? 0 : (size_t)n;
	return n < 0 ? n : 0;
}

static int record_read(struct words *w, struct record *ret)
{
	const char *owner = words_next(w), *word;
	uint64_t n = 0;
	int type;

	*ret = (struct record){ .times = 1 };
	if (!owner || (!streq(owner, "@") && dns_name_parse(owner, &ret->owner)))
		return -EINVAL;
	ret->any_ttl = words_take(w, "*");
	if (!ret->any_ttl && words_number(w, UINT32_MAX, &n))
		return -EINVAL;
	ret->ttl = (uint32_t)n;
	word = words_next(w);
	type = word ? text_type(word) : -EINVAL;
	ret->type = (uint16_t)type;
	if (type < 0 || data_read(w, ret))
		return -EINVAL;
	if (words_take_number(w, "x", &n))
		ret->times = (unsigned)n;
	return 0;
}

/* ---- an answer --------------------------------------------------------------------------------------------------- */

struct message {
	uint8_t *p;
	size_t len;
	unsigned count[3];
	const struct dns_query *q;
};

static int record_put(struct message *m, const struct record *r, unsigned section, unsigned nth)
{
	static const struct dns_name to_question = { .len = 2, .b = { 0xc0, DNS_HEADER } };
	const struct dns_name *owner = r->owner.len ? &r->owner : &to_question;
	uint8_t *o = m->p + m->len, *data;
	unsigned last;

	if (m->len + owner->len + 10 + r->len > DNS_MSG_MAX)
		return -EINVAL;
	memcpy(o, owner->b, owner->len);
	o += owner->len;
	o += put16(o, r->type);
	o += put16(o, DNS_IN);
	o += put32(o, r->ttl);
	o += put16(o, (unsigned)r->len);
	data = memcpy(o, r->rdata, r->len);
	if (nth && r->len >= 2) {
		last = (unsigned)(data[r->len - 2] << 8 | data[r->len - 1]) + nth;
		put16(data + r->len - 2, last);
	}
	m->len += owner->len + 10u + r->len;
	m->count[section]++;
	return 0;
}

static int section_put(struct words *w, struct message *m, unsigned section)
{
	struct record r;

	do {
		if (record_read(w, &r))
			return -EINVAL;
		for (unsigned i = 0; i < r.times; i++)
			if (record_put(m, &r, section, i))
				return -EINVAL;
	} while (words_take(w, ","));
	return 0;
}

static void opt_put(struct message *m, unsigned rcode, bool dnssec_ok, const uint8_t *data, size_t n)
{
	uint8_t *o = m->p + m->len;

	o[0] = 0;
	put16(o + 1, DNS_OPT);
	put16(o + 3, DNS_UDP_SIZE);
	put32(o + 5, (uint32_t)(rcode >> 4) << 24 | (dnssec_ok ? 0x8000u : 0));
	put16(o + 9, (unsigned)n);
	memcpy(o + 11, data, n);
	m->len += 11 + n;
	m->count[2]++;
}

/* The flags before the records. What lies in the OPT goes to opt[], and *edns says that there is one. */
static unsigned flags_read(struct words *w, uint8_t *opt, size_t *opt_len, bool *edns, bool *dnssec_ok)
{
	unsigned set = 0, before;

	do {
		before = (unsigned)w->at;
		for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
			if (words_take(w, flags[i].name))
				set |= flags[i].bit;
		*edns |= words_take(w, "edns");
		*dnssec_ok |= words_take(w, "do");
		for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
			if (!words_take(w, options[i].name))
				continue;
			*opt_len += put16(opt + *opt_len, options[i].code);
			*opt_len += put16(opt + *opt_len, options[i].len);
			memset(opt + *opt_len, 1, options[i].len);
			*opt_len += options[i].len;
			*edns = true;
		}
	} while (w->at != before);
	return set;
}

int text_answer(struct words *w, const struct dns_query *q, uint16_t id, uint8_t out[static DNS_MSG_MAX])
{
	struct message m = { .p = out, .len = DNS_HEADER, .q = q };
	bool edns = false, dnssec_ok = false;
	uint8_t opt[512];
	size_t opt_len = 0;
	int rcode = text_rcode(words_next(w));
	unsigned set = flags_read(w, opt, &opt_len, &edns, &dnssec_ok);

	if (rcode < 0)
		return -EINVAL;
	memcpy(out + m.len, q->name.b, q->name.len);
	m.len += q->name.len;
	m.len += put16(out + m.len, q->type);
	m.len += put16(out + m.len, q->class);
	for (unsigned section = 0; section < 3; section++) {
		if (w->at < w->n && !streq(w->v[w->at], "/") && section_put(w, &m, section))
			return -EINVAL;
		if (!words_take(w, "/"))
			break;
	}
	if (edns)
		opt_put(&m, (unsigned)rcode, dnssec_ok, opt, opt_len);
	put16(out, id);
	put16(out + 2, DNS_QR | DNS_RA | (q->flags & (DNS_RD | DNS_CD)) | set | (rcode & 15));
	put16(out + 4, 1);
	for (int i = 0; i < 3; i++)
		put16(out + 6 + 2 * i, m.count[i]);
	return w->at == w->n ? (int)m.len : -EINVAL;
}

/* ---- what is expected -------------------------------------------------------------------------------------------- */

#define GOT_MAX 4000

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

		if (record_read(w, &want))
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
	for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
		if (streq(word + not, flags[i].name)) {
			w->at++;
			return !!(g->flags & flags[i].bit) == not;
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
	len = (size_t)snprintf(ret, size, "%s", g.rcode < ARRAY_SIZE(rcodes) ? rcodes[g.rcode] : "another rcode");
	for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
		if (g.flags & flags[i].bit && len < size)
			len += (size_t)snprintf(ret + len, size - len, " %s", flags[i].name);
	for (size_t i = 0; i < g.n && len < size && i < 8; i++)
		len += (size_t)snprintf(ret + len, size - len, "%s %s %u TYPE%u", i ? "," : "",
					dns_name_text(&g.v[i].name, name), g.v[i].ttl, g.v[i].type);
	if (len < size)
		snprintf(ret + len, size - len, " (%u/%u/%u records, %zu bytes%s)", g.count[0], g.count[1], g.count[2], n,
			 g.opt ? ", OPT" : "");
	return ret;
}
