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

bool words_take_number(struct words *w, const char *prefix, uint64_t *ret)
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

const char *const text_rcodes[TEXT_RCODES] = { "noerror", "formerr", "servfail", "nxdomain", "notimp", "refused" };

const struct text_flag text_flags[TEXT_FLAGS] = {
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

int text_rcode(const char *word)
{
	for (size_t i = 0; word && i < TEXT_RCODES; i++)
		if (streq(text_rcodes[i], word))
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

int text_record(struct words *w, struct record *ret)
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
		if (text_record(w, &r))
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
		for (size_t i = 0; i < TEXT_FLAGS; i++)
			if (words_take(w, text_flags[i].name))
				set |= text_flags[i].bit;
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
