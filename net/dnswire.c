/* SPDX-License-Identifier: Apache-2.0 */
#include "net/dnswire.h"

#include <errno.h>
#include <string.h>

#include "base/cur.h"

#define OPTION_EDE 15
#define OPCODE(flags) ((flags) >> 11 & 15)

/* A name at the cursor, pointers followed (RFC 1035 4.1.4): each must lead before the part that it stands in. ret NULL:
 * only whether it is whole. */
static void name_read(struct cur *c, struct dns_name *ret)
{
	struct cur at = *c;
	size_t limit = c->pos;		/* a pointer's target lies below this */
	bool jumped = false;
	unsigned len = 0;

	for (;;) {
		unsigned n = cur_u8(&at);

		if (n >= 0xc0) {
			size_t target = (n & 0x3f) << 8 | cur_u8(&at);

			if (!jumped)
				*c = at;
			jumped = true;
			if (target >= limit || target < DNS_HEADER)
				break;
			limit = target;
			cur_seek(&at, target);
			continue;
		}
		const uint8_t *label = n <= 63 ? cur_take(&at, n) : NULL;

		if (!label || at.bad || len + n + 1 > DNS_NAME_MAX)
			break;
		if (ret) {
			ret->b[len] = (uint8_t)n;
			memcpy(ret->b + len + 1, label, n);
		}
		len += n + 1;
		if (!n) {
			if (ret)
				ret->len = (uint8_t)len;
			if (!jumped)
				*c = at;
			return;
		}
	}
	c->bad = true;
	if (ret)
		ret->len = 0;
}

/* ---- reading ----------------------------------------------------------------------------------------------------- */

static uint16_t u16_at(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static void question_read(struct cur *c, struct dns_query *ret)
{
	name_read(c, &ret->name);
	ret->type = cur_u16(c);
	ret->class = cur_u16(c);
}

/* Names inside of the record data of the types that may compress them (RFC 3597 section 4): all whole? */
static bool rdata_sound(const uint8_t *p, size_t n, const struct dns_record *r)
{
	struct cur c = cur_init(p, r->end);
	unsigned names, before = 0, after = 0;

	switch (r->type) {
	case DNS_A: return r->class != DNS_IN || r->rdata_len == 4;
	case DNS_AAAA: return r->class != DNS_IN || r->rdata_len == 16;
	case DNS_NS: case DNS_CNAME: case DNS_PTR: case DNS_DNAME: names = 1; break;
	case DNS_MX: names = 1, before = 2; break;
	case DNS_SRV: names = 1, before = 6; break;
	case DNS_SOA: names = 2, after = 20; break;
	default: return true;
	}
	cur_seek(&c, r->rdata);
	(void)cur_take(&c, before);
	while (names--)
		name_read(&c, NULL);
	(void)cur_take(&c, after);
	return cur_ok(&c) && c.pos == r->end && r->end <= n;
}

int dns_walk_start(struct dns_walk *w, const void *p, size_t n)
{
	struct cur c = cur_init(p, n);
	unsigned questions;

	cur_seek(&c, 4);
	questions = cur_u16(&c);
	*w = (struct dns_walk){ .p = p, .n = n };
	for (int i = 0; i < 3; i++)
		w->left[i] = cur_u16(&c);
	name_read(&c, NULL);
	(void)cur_take(&c, 4);		/* type and class */
	w->pos = c.pos;
	return cur_ok(&c) && questions == 1 ? 0 : -EBADMSG;
}

int dns_walk_next(struct dns_walk *w, struct dns_record *ret, unsigned *section)
{
	struct cur c = cur_init(w->p, w->n);

	while (w->section < 3 && !w->left[w->section])
		w->section++;
	if (w->section == 3)
		return 0;
	cur_seek(&c, w->pos);
	ret->at = w->pos;
	name_read(&c, &ret->name);
	ret->type = cur_u16(&c);
	ret->class = cur_u16(&c);
	ret->ttl = cur_u32(&c);
	ret->rdata_len = cur_u16(&c);
	ret->rdata = c.pos;
	if (!cur_take(&c, ret->rdata_len) || !cur_ok(&c))
		return -EBADMSG;
	ret->end = c.pos;
	if (!rdata_sound(w->p, w->n, ret))
		return -EBADMSG;
	w->left[w->section]--;
	w->pos = c.pos;
	*section = w->section;
	return 1;
}

int dns_record_target(const struct dns_walk *w, const struct dns_record *r, struct dns_name *ret)
{
	struct cur c = cur_init(w->p, w->n);

	cur_seek(&c, r->rdata);
	name_read(&c, ret);
	return cur_ok(&c) && c.pos == r->end ? 0 : -EBADMSG;
}

/* OPT: root owner, at most one, in the additional section. The upper rcode bits go to *rcode. */
static int opt_read(const struct dns_record *r, unsigned section, struct dns_edns *edns, unsigned *rcode)
{
	if (edns->present || section != 2 || r->name.len != 1)
		return -EBADMSG;
	edns->present = true;
	edns->udp_size = r->class;
	edns->version = (uint8_t)(r->ttl >> 16);
	edns->dnssec_ok = r->ttl >> 15 & 1;
	*rcode |= r->ttl >> 24 << 4;
	return 0;
}

/* TSIG, or SIG(0), which covers no type (RFC 2931). */
static bool is_signature(const uint8_t *p, const struct dns_record *r)
{
	return r->type == DNS_TSIG || (r->type == DNS_SIG && r->rdata_len >= 2 && u16_at(p + r->rdata) == 0);
}

/* Walks all records; noted: OPT, and whether the last one is a signature of the message. */
static int records_read(const void *p, size_t n, struct dns_edns *edns, unsigned *rcode, bool *is_signed)
{
	struct dns_record rec;
	struct dns_walk w;
	unsigned section;
	int r = dns_walk_start(&w, p, n);

	while (!r && (r = dns_walk_next(&w, &rec, &section)) > 0) {
		r = rec.type == DNS_OPT ? opt_read(&rec, section, edns, rcode) : 0;
		*is_signed = section == 2 && is_signature(p, &rec);
	}
	return r ? r : w.pos == n ? 0 : -EBADMSG;
}

int dns_query_read(const void *p, size_t n, struct dns_query *ret)
{
	struct cur c = cur_init(p, n);
	unsigned questions, rcode = 0;

	*ret = (struct dns_query){ 0 };
	ret->id = cur_u16(&c);
	ret->flags = cur_u16(&c);
	questions = cur_u16(&c);
	if (n < DNS_HEADER || ret->flags & DNS_QR)
		return -EBADMSG;
	if (OPCODE(ret->flags))
		return DNS_NOTIMP;
	if (questions != 1)				/* RFC 9619 */
		return DNS_FORMERR;
	cur_seek(&c, DNS_HEADER);
	question_read(&c, ret);
	if (!cur_ok(&c)) {
		ret->name.len = 0;
		return DNS_FORMERR;
	}
	if (records_read(p, n, &ret->edns, &rcode, &ret->is_signed))
		return DNS_FORMERR;
	if (ret->edns.present && ret->edns.version)
		return DNS_BADVERS;
	if (ret->type == DNS_AXFR || ret->type == DNS_IXFR)
		return DNS_REFUSED;
	return 0;
}

static bool question_eq(const struct dns_query *a, const struct dns_query *b)
{
	return dns_name_eq(&a->name, &b->name) && a->type == b->type && a->class == b->class;
}

bool dns_reply_is_to(const struct dns_query *q, const void *p, size_t n)
{
	struct cur c = cur_init(p, n);
	struct dns_query got = { 0 };

	cur_seek(&c, DNS_HEADER);
	question_read(&c, &got);
	return !cur_ok(&c) || question_eq(&got, q);
}

int dns_reply_check(const struct dns_query *q, uint16_t id, const void *p, size_t n, unsigned *rcode, struct dns_edns *edns)
{
	struct cur c = cur_init(p, n);
	struct dns_query got = { 0 };
	bool is_signed = false;

	*edns = (struct dns_edns){ 0 };
	got.id = cur_u16(&c);
	got.flags = cur_u16(&c);
	*rcode = got.flags & 15;
	cur_seek(&c, DNS_HEADER);
	question_read(&c, &got);
	if (!cur_ok(&c) || got.id != id || !(got.flags & DNS_QR) || OPCODE(got.flags))
		return -EBADMSG;
	if (!question_eq(&got, q))
		return -EBADMSG;
	return records_read(p, n, edns, rcode, &is_signed);
}

/* ---- building ---------------------------------------------------------------------------------------------------- */

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

static size_t opt_put(uint8_t *o, bool dnssec_ok, unsigned rcode)
{
	o[0] = 0;
	put16(o + 1, DNS_OPT);
	put16(o + 3, DNS_UDP_SIZE);
	put32(o + 5, (uint32_t)(rcode >> 4) << 24 | (dnssec_ok ? 0x8000u : 0));
	put16(o + 9, 0);
	return DNS_OPT_LEN;
}

static void header_put(uint8_t *o, uint16_t id, unsigned flags, unsigned qd, const unsigned count[static 3])
{
	put16(o, id);
	put16(o + 2, flags);
	put16(o + 4, qd);
	for (int i = 0; i < 3; i++)
		put16(o + 6 + 2 * i, count[i]);
}

static size_t question_put(uint8_t *o, const struct dns_query *q)
{
	if (!q->name.len)
		return 0;
	memcpy(o, q->name.b, q->name.len);
	put16(o + q->name.len, q->type);
	put16(o + q->name.len + 2, q->class);
	return q->name.len + 4u;
}

void dns_id_set(uint8_t *msg, uint16_t id)
{
	put16(msg, id);
}

size_t dns_query_build(const struct dns_query *q, uint16_t id, bool edns, uint8_t out[static DNS_QUERY_MAX])
{
	unsigned count[3] = { 0, 0, edns };
	size_t n = DNS_HEADER + question_put(out + DNS_HEADER, q);

	header_put(out, id, q->flags & (DNS_RD | DNS_AD | DNS_CD), 1, count);
	if (edns)
		n += opt_put(out + n, q->edns.dnssec_ok, 0);
	return n;
}

size_t dns_error_build(const struct dns_query *q, unsigned rcode, unsigned flags, uint8_t out[static DNS_QUERY_MAX])
{
	unsigned count[3] = { 0, 0, q->edns.present };
	size_t n = DNS_HEADER + question_put(out + DNS_HEADER, q);

	header_put(out, q->id, DNS_QR | (q->flags & (0x7800 | DNS_RD | DNS_CD)) | flags | (rcode & 15), n > DNS_HEADER, count);
	if (q->edns.present)
		n += opt_put(out + n, q->edns.dnssec_ok, rcode);
	return n;
}

size_t dns_reply_copy(const struct dns_query *q, unsigned rcode, const uint8_t *reply, size_t n, uint8_t *out)
{
	unsigned count[3] = { u16_at(reply + 6), u16_at(reply + 8), u16_at(reply + 10) + q->edns.present };
	unsigned flags = u16_at(reply + 2) & ~15u;

	memcpy(out, reply, n);
	header_put(out, q->id, flags | (q->flags & DNS_RD) | (rcode & 15), 1, count);
	question_put(out + DNS_HEADER, q);
	if (q->edns.present)
		n += opt_put(out + n, q->edns.dnssec_ok, rcode);
	return n;
}

size_t dns_reply_build(const struct dns_query *q, unsigned rcode, const uint8_t *reply, size_t n, uint8_t *out, size_t limit)
{
	size_t room = limit - (q->edns.present ? DNS_OPT_LEN : 0), len = DNS_HEADER + q->name.len + 4u;
	unsigned flags = u16_at(reply + 2) & ~15u, count[3] = { 0 }, section;
	struct dns_record rec;
	struct dns_walk w;

	if (rcode > 15 && !q->edns.present)
		return dns_error_build(q, DNS_SERVFAIL, DNS_RA, out);
	if (dns_walk_start(&w, reply, n))
		return dns_error_build(q, DNS_SERVFAIL, DNS_RA, out);
	/* Records keep their offsets, since the question has the same length; an OPT ends what is copied. */
	while (dns_walk_next(&w, &rec, &section) > 0 && rec.type != DNS_OPT) {
		if (rec.end > room) {
			flags |= section < 2 ? DNS_TC : 0;
			break;
		}
		count[section]++;
		len = rec.end;
	}
	memcpy(out, reply, len);
	count[2] += q->edns.present;
	header_put(out, q->id, flags | (q->flags & DNS_RD) | (rcode & 15), 1, count);
	question_put(out + DNS_HEADER, q);
	if (q->edns.present)
		len += opt_put(out + len, q->edns.dnssec_ok, rcode);
	return len;
}

size_t dns_ede_put(uint8_t *msg, size_t n, unsigned code)
{
	put16(msg + n - 2, DNS_EDE_LEN);
	n += put16(msg + n, OPTION_EDE);
	n += put16(msg + n, 2);
	return n + put16(msg + n, code);
}

/* Do the bytes of `name`, uncompressed, stand at `at`, pointers followed? */
static bool name_stands(const uint8_t *p, size_t at, const uint8_t *name)
{
	for (;; at += 1u + *name, name += 1u + *name) {
		while (p[at] >= 0xc0)
			at = u16_at(p + at) & 0x3fffu;
		if (memcmp(p + at, name, 1u + *name) != 0)
			return false;
		if (!*name)
			return true;
	}
}

/* A name that is about to be written: so many bytes as they are, then its end, or a pointer to where the rest stands. */
struct placed {
	const uint8_t *name;
	unsigned literal, pointer;
	size_t len;
};

static struct placed name_place(const struct dns_build *b, const uint8_t *name, size_t n)
{
	struct placed ret = { .name = name, .len = n };

	for (size_t i = 0; name[i]; i += 1u + name[i]) {
		for (unsigned k = 0; k < b->name_count; k++) {
			if (b->names[k].len == n - i && name_stands(b->p, b->names[k].at, name + i)) {
				ret.literal = (unsigned)i;
				ret.pointer = b->names[k].at;
				ret.len = i + 2;
				return ret;
			}
		}
	}
	ret.literal = (unsigned)n - 1;
	return ret;
}

/* Each of the labels of a name at `at` begins a name that later ones may point to. */
static void name_note(struct dns_build *b, size_t at, const uint8_t *name, size_t literal, size_t n)
{
	for (size_t i = 0; i < literal && at + i < 0x4000 && b->name_count < DNS_BUILD_NAMES; i += 1u + name[i])
		b->names[b->name_count++] = (struct dns_build_name){ (uint16_t)(at + i), (uint8_t)(n - i) };
}

static size_t name_put(struct dns_build *b, size_t at, const struct placed *n, size_t full)
{
	memcpy(b->p + at, n->name, n->literal);
	if (n->pointer)
		put16(b->p + at + n->literal, 0xc000 | n->pointer);
	else
		b->p[at + n->literal] = 0;
	name_note(b, at, n->name, n->literal, full);
	return n->len;
}

void dns_build_start(struct dns_build *b, const struct dns_query *q, unsigned rcode, uint8_t *out, size_t max)
{
	*b = (struct dns_build){ .p = out, .max = max - (q->edns.present ? DNS_OPT_LEN : 0), .q = q, .rcode = rcode };
	b->len = DNS_HEADER + question_put(out + DNS_HEADER, q);
	if (q->name.len)
		name_note(b, DNS_HEADER, q->name.b, q->name.len - 1u, q->name.len);
}

void dns_build_record(struct dns_build *b, unsigned section, const struct dns_name *owner, uint16_t type, uint32_t ttl,
		      const void *rdata, size_t n)
{
	bool is_name = type == DNS_NS || type == DNS_CNAME || type == DNS_PTR;
	const struct placed to_question = { .name = b->q->name.b, .pointer = DNS_HEADER, .len = 2 };
	struct placed name = owner ? name_place(b, owner->b, owner->len) : to_question;
	struct placed target = is_name ? name_place(b, rdata, n) : (struct placed){ .len = n };
	uint8_t *o = b->p + b->len + name.len;

	if (b->bad || n > DNS_MSG_MAX || b->max - b->len < name.len + 10u + target.len) {
		b->bad = true;
		return;
	}
	name_put(b, b->len, &name, owner ? owner->len : 0);
	o += put16(o, type);
	o += put16(o, DNS_IN);
	o += put32(o, ttl);
	o += put16(o, (unsigned)target.len);
	if (is_name)
		name_put(b, (size_t)(o - b->p), &target, n);
	else
		memcpy(o, rdata, n);
	if (type == DNS_SRV && n > 6)	/* not compressed itself (RFC 2782), but pointed to */
		name_note(b, (size_t)(o - b->p) + 6, (const uint8_t *)rdata + 6, n - 7, n - 6);
	b->len = (size_t)(o - b->p) + target.len;
	b->count[section]++;
}

/* "label.zone" or "a.b.zone" in wire form, cut where a too long zone leaves no room. */
static size_t below_zone(uint8_t *o, const char *labels, size_t n, const struct dns_name *zone)
{
	if (n + zone->len > DNS_NAME_MAX)
		n = 0;
	memcpy(o, labels, n);
	memcpy(o + n, zone->b, zone->len);
	return n + zone->len;
}

void dns_build_soa(struct dns_build *b, unsigned section, const struct dns_name *zone, uint32_t serial, uint32_t ttl)
{
	const uint32_t numbers[5] = { serial, 7200, 1800, 86400, ttl };
	uint8_t rdata[2 * DNS_NAME_MAX + 20];
	size_t n = below_zone(rdata, "\2ns\3dns", 7, zone);

	n += below_zone(rdata + n, "\12hostmaster", 11, zone);
	for (int i = 0; i < 5; i++)
		n += put32(rdata + n, numbers[i]);
	dns_build_record(b, section, zone, DNS_SOA, ttl, rdata, n);
}

size_t dns_build_end(struct dns_build *b)
{
	unsigned flags = DNS_QR | DNS_AA | DNS_RA | (b->bad ? DNS_TC : 0);

	b->count[2] += b->q->edns.present;
	header_put(b->p, b->q->id, flags | (b->q->flags & (DNS_RD | DNS_CD)) | (b->rcode & 15), 1, b->count);
	if (b->q->edns.present)
		b->len += opt_put(b->p + b->len, b->q->edns.dnssec_ok, b->rcode);
	return b->len;
}

size_t dns_client_size(const struct dns_query *q)
{
	size_t n = q->edns.udp_size < 512 ? 512 : q->edns.udp_size;

	return n > DNS_LOCAL_MAX ? DNS_LOCAL_MAX : n;
}
