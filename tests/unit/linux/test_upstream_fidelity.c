/* SPDX-License-Identifier: Apache-2.0 */
/* What an upstream may send, and what of it arrives: all bytes, or -EBADMSG at once; over TCP as c-ares lets it, of whatever
 * version. */
#include <errno.h>

#include "net/linux/upstream.h"
#include "tests/fake/craft.h"
#include "tests/tap.h"

#define TRY_MS 400
#define AT_ONCE_MS 350

#define BYTES(s) (s), sizeof(s) - 1
#define TAIL(s) .tail = (s), .tail_len = sizeof(s) - 1
#define HEAD(type) "\xc0\x0c" type "\0\1" "\0\0\0\x3c"
#define RR_A HEAD("\0\1") "\0\4\xc0\0\2\1"
#define OPT(ext, version, len) "\0" "\0\x29" "\x04\xd0" ext version "\0\0" len
#define SOA "\0" "\0\6" "\0\1" "\0\0\0\x3c" "\0\x16" "\0" "\0" "\0\0\0\1" "\0\0\0\2" "\0\0\0\3" "\0\0\0\4" "\0\0\0\5"
#define QR 0x8180

/* Over TCP c-ares of one version or another … */
enum by_tcp {
	ARRIVES,	/* does as we do */
	FAILS,		/* refuses it or waits in vain */
	MENDED,		/* drops what is too much */
};

struct row {
	const char *what, *name;
	uint16_t type, asked_flags;
	uint16_t flags;			/* of the answer */
	uint8_t counts[4];		/* questions, answers, authority, additional */
	const char *tail;		/* its records */
	size_t tail_len;
	int code;
	unsigned rcode;
	enum by_tcp by_tcp;
};

static const struct row rows[] = {
	{ "an ordinary answer", "web.example", 1, 0, QR, { 1, 1 }, TAIL(RR_A) },
	{ "an unknown type", "web.example", 4711, 0, QR, { 1, 1 }, TAIL(HEAD("\x12\x67") "\0\3\xff\0\xc0") },
	{ "type 65280", "web.example", 65280, 0, QR, { 1, 1 }, TAIL(HEAD("\xff\0") "\0\5\xc0\x0c\x03zz") },
	{ "SVCB with keys of our time", "web.example", 64, 0, QR, { 1, 1 }, TAIL(HEAD("\0\x40") "\0\x0a\0\1\0\0\1\0\3\2h2") },
	{ "SVCB with keys of no order", "web.example", 65, 0, QR, { 1, 1 }, TAIL(HEAD("\0\x41") "\0\x0b\0\1\0\xfe\0\0\0\0\4\0\0") },
	{ "RRSIG", "web.example", 46, 0, QR, { 1, 1 },
	  TAIL(HEAD("\0\x2e") "\0\x17\0\1\5\2\0\0\0\x3c\x65\0\0\0\x64\0\0\0\x12\x34\0\xaa\xbb\xcc\xdd") },
	{ "ANY", "web.example", 255, 0, QR, { 1, 2 }, TAIL(HEAD("\0\x0d") "\0\x0b\7RFC8482\2no" RR_A) },
	{ "a class that is not IN", "web.example", 16, 0, QR, { 1, 1 }, TAIL("\xc0\x0c\0\x10\0\3\0\0\0\0\0\2\1x") },
	{ "OPT with an extended error", "web.example", 1, 0, QR, { 1, 1, 0, 1 }, TAIL(RR_A OPT("\0", "\0", "\0\6") "\0\x0f\0\2\0\3") },
	{ "OPT with a cookie", "web.example", 1, 0, QR, { 1, 1, 0, 1 },
	  TAIL(RR_A OPT("\0", "\0", "\0\x14") "\0\x0a\0\x10" "01234567" "01234567") },
	{ "OPT with a client's network", "web.example", 1, 0, QR, { 1, 1, 0, 1 },
	  TAIL(RR_A OPT("\0", "\0", "\0\x0b") "\0\x08\0\7\0\1\x18\x18\xc0\0\2") },
	{ "OPT whose option is longer than it", "web.example", 1, 0, QR, { 1, 1, 0, 1 },
	  TAIL(RR_A OPT("\0", "\0", "\0\4") "\0\x0f\0\xff"), .by_tcp = FAILS },
	{ "a record behind OPT", "web.example", 1, 0, QR, { 1, 1, 0, 2 }, TAIL(RR_A OPT("\0", "\0", "\0\0") RR_A) },
	{ "EDNS of another version", "web.example", 1, 0, QR, { 1, 0, 0, 1 }, TAIL(OPT("\1", "\1", "\0\0")), .rcode = 16 },
	{ "the Z bit", "web.example", 1, 0, QR | 0x40, { 1, 1 }, TAIL(RR_A) },
	{ "AA, AD and CD, both ways", "web.example", 1, DNS_AD | DNS_CD, QR | DNS_AA | DNS_AD | DNS_CD, { 1, 1 }, TAIL(RR_A) },
	{ "mixed case", "wEb.eXaMPLE", 1, 0, QR, { 1, 1 }, TAIL(RR_A) },
	{ "a label with a dot and a space", "a\\.b\\032c.example", 1, 0, QR, { 1, 1 }, TAIL(RR_A), .by_tcp = FAILS },
	{ "a label of binary bytes", "\\000\\255\\192\\012.example", 1, 0, QR, { 1, 1 }, TAIL(RR_A), .by_tcp = FAILS },
	{ "the root", ".", 2, 0, QR, { 1, 1 }, TAIL("\0" "\0\2" "\0\1" "\0\0\0\x3c" "\0\3\1x\0") },
	{ "a top bit in the TTL", "web.example", 1, 0, QR, { 1, 1 }, TAIL("\xc0\x0c\0\1\0\1\xff\xff\xff\xff\0\4\1\2\3\4") },
	{ "NXDOMAIN with its SOA", "web.example", 1, 0, QR | 3, { 1, 0, 1 }, TAIL(SOA), .rcode = 3 },
	{ "SERVFAIL with its body", "web.example", 1, 0, QR | 2, { 1, 0, 1, 1 }, TAIL(SOA OPT("\0", "\0", "\0\0")), .rcode = 2 },
	{ "REFUSED with its body", "web.example", 1, 0, QR | 5, { 1, 0, 1 }, TAIL(SOA), .rcode = 5 },
	{ "NOTIMP with its body", "web.example", 1, 0, QR | 4, { 1, 0, 1, 1 }, TAIL(SOA OPT("\0", "\0", "\0\0")), .rcode = 4 },
	{ "an error of dynamic updates", "web.example", 1, 0, QR | 9, { 1 }, TAIL(""), .rcode = 9 },
	{ "a bare SERVFAIL", "web.example", 1, 0, QR | 2, { 0 }, TAIL(""), .rcode = 2, .by_tcp = FAILS },
	{ "a bare REFUSED", "web.example", 1, 0, QR | 5, { 0 }, TAIL(""), .rcode = 5, .by_tcp = FAILS },
	{ "a bare NOERROR is none", "web.example", 1, 0, QR, { 0 }, TAIL(""), .code = -EBADMSG, .by_tcp = FAILS },
	{ "no QR", "web.example", 1, 0, 0x0180, { 1, 1 }, TAIL(RR_A), .code = -EBADMSG },
	{ "another opcode", "web.example", 1, 0, QR | 4 << 11, { 1, 1 }, TAIL(RR_A), .code = -EBADMSG },
	{ "two questions", "web.example", 1, 0, QR, { 2, 0 }, TAIL("\xc0\x0c\0\1\0\1"), .code = -EBADMSG, .by_tcp = FAILS },
	{ "fewer records than said", "web.example", 1, 0, QR, { 1, 2 }, TAIL(RR_A), .code = -EBADMSG },
	{ "bytes behind the last record", "web.example", 1, 0, QR, { 1, 1 }, TAIL(RR_A "\0"), .code = -EBADMSG, .by_tcp = MENDED },
	{ "an owner that points at itself", "web.example", 1, 0, QR, { 1, 1 }, TAIL("\xc0\x1d\0\1\0\1\0\0\0\x3c\0\4\1\2\3\4"), .code = -EBADMSG },
	{ "a CNAME that points forward", "web.example", 1, 0, QR, { 1, 1 }, TAIL(HEAD("\0\5") "\0\2\xc0\x29"), .code = -EBADMSG },
	{ "A of five bytes", "web.example", 1, 0, QR, { 1, 1 }, TAIL(HEAD("\0\1") "\0\5\1\2\3\4\5"), .code = -EBADMSG, .by_tcp = MENDED },
	{ "OPT longer than the message", "web.example", 1, 0, QR, { 1, 1, 0, 1 }, TAIL(RR_A OPT("\0", "\0", "\0\x40")), .code = -EBADMSG },
	{ "two OPT", "web.example", 1, 0, QR, { 1, 0, 0, 2 }, TAIL(OPT("\0", "\0", "\0\0") OPT("\0", "\0", "\0\0")), .code = -EBADMSG },
	{ "OPT among the answers", "web.example", 1, 0, QR, { 1, 1 }, TAIL(OPT("\0", "\0", "\0\0")), .code = -EBADMSG },
};

struct ask {
	struct upstream_query q;
	struct dns_query query;
	struct craft *server;
	bool done, same, same_body;	/* as sent, but for the id; but for the header's flags, too */
	int code;
	unsigned rcode, ms;
	size_t len;
};

static size_t question_len(const uint8_t *q)
{
	size_t n = DNS_HEADER;

	while (q[n])
		n += 1u + q[n];
	return n + 5;
}

/* The question's header and question with other flags and counts, and records. */
static size_t craft_reply(const uint8_t *q, uint16_t flags, const uint8_t counts[static 4], const char *tail, size_t tail_len,
			  uint8_t *out)
{
	size_t n = counts[0] ? question_len(q) : DNS_HEADER;

	memcpy(out, q, n);
	out[2] = (uint8_t)(flags >> 8);
	out[3] = (uint8_t)flags;
	for (int i = 0; i < 4; i++) {
		out[4 + 2 * i] = 0;
		out[5 + 2 * i] = counts[i];
	}
	memcpy(out + n, tail, tail_len);
	return n + tail_len;
}

static size_t make_row(struct craft *c, const uint8_t *q, size_t n, bool tcp, uint8_t *out)
{
	const struct row *r = c->owner;

	return craft_reply(q, r->flags, r->counts, r->tail, r->tail_len, out);
}

static void on_reply(struct upstream_query *q, int code, unsigned rcode, const uint8_t *reply, size_t len)
{
	struct ask *a = q->owner;

	a->code = code;
	a->rcode = rcode;
	a->len = len;
	a->same = !code && len == a->server->sent_len && !memcmp(reply + 2, a->server->sent + 2, len - 2);
	a->same_body = !code && len == a->server->sent_len && !memcmp(reply + 4, a->server->sent + 4, len - 4);
	a->done = true;
}

static void ask(struct ask *a, struct loop *l, struct upstream *u, struct craft *c, const char *name, uint16_t type, uint16_t flags)
{
	uint64_t start = loop_deadline(0);

	*a = (struct ask){ .server = c, .query = { .flags = DNS_RD | flags, .type = type, .class = type == 16 ? DNS_CH : DNS_IN } };
	a->q.owner = a;
	c->udp_seen = c->tcp_seen = 0;
	if (dns_name_parse(name, &a->query.name) || upstream_ask(u, &a->q, &a->query, on_reply) ||
	    loop_run(l, &a->done, loop_deadline(3000)))
		ok(false, "%s completes", name);
	a->ms = (unsigned)((loop_deadline(0) - start) / 1000000);
}

/* Nothing is added to the question, and nothing lost. */
static bool question_is_ours(const struct craft *c, const struct dns_query *q, bool edns)
{
	uint8_t want[DNS_QUERY_MAX];
	size_t n = dns_query_build(q, (uint16_t)(c->question[0] << 8 | c->question[1]), edns, want);

	return n == c->question_len && !memcmp(want, c->question, n);
}

static void test_table(struct loop *l)
{
	struct craft c = { .make = make_row };
	struct upstream *u;
	struct ask a;

	craft_start(&c, l, "127.0.0.1");
	u = upstream_new(l, &c.at, TRY_MS, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct row *r = &rows[i];

		c.owner = (void *)r;
		ask(&a, l, u, &c, r->name, r->type, r->asked_flags);
		if (!ok(a.code == r->code && (r->code || a.rcode == r->rcode) && a.ms < AT_ONCE_MS && c.udp_seen == 1 && !c.tcp_seen,
			"%s: %s", r->what, r->code ? "refused at once" : "arrives"))
			printf("# code %d, rcode %u, %u ms, %u questions, %u by TCP\n", a.code, a.rcode, a.ms, c.udp_seen, c.tcp_seen);
		if (!r->code && r->counts[0])
			ok(a.same, "%s: byte for byte", r->what);
		ok(question_is_ours(&c, &a.query, true), "%s: the question is as we wrote it", r->what);
	}
	is_int(upstream_stats(u)->no_edns, 0, "and the server still has EDNS");
	upstream_free(u);
	craft_stop(&c);
}

static size_t make_row_by_tcp(struct craft *c, const uint8_t *q, size_t n, bool tcp, uint8_t *out)
{
	static const uint8_t question[4] = { 1 };

	return tcp ? make_row(c, q, n, tcp, out) : craft_reply(q, QR | DNS_TC, question, "", 0, out);
}

static bool is_right_by_tcp(const struct row *r, const struct ask *a)
{
	bool same = !a->code && a->same_body && a->rcode == r->rcode;

	switch (r->by_tcp) {
	case ARRIVES: return r->code ? a->code && a->ms < AT_ONCE_MS : same;
	case FAILS: return r->code ? a->code : a->code || same || !r->counts[0];
	case MENDED: return a->code || a->len < a->server->sent_len;
	}
	return false;
}

static void test_table_by_tcp(struct loop *l)
{
	struct craft c = { .make = make_row_by_tcp };
	struct upstream *u;
	struct ask a;

	craft_start(&c, l, "127.0.0.1");
	u = upstream_new(l, &c.at, TRY_MS, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		c.owner = (void *)&rows[i];
		ask(&a, l, u, &c, rows[i].name, rows[i].type, rows[i].asked_flags);
		if (!ok(is_right_by_tcp(&rows[i], &a), "by TCP, %s", rows[i].what))
			printf("# code %d, rcode %u, %u ms, %u by TCP\n", a.code, a.rcode, a.ms, c.tcp_seen);
		if (c.tcp_seen)
			ok(question_is_ours(&c, &a.query, true), "by TCP, %s: the question is as we wrote it", rows[i].what);
	}
	upstream_free(u);
	craft_stop(&c);
}

/* ---- servers without EDNS ---- */

struct old_server {
	unsigned rcode;
	bool bare;
	const char *what;
};

/* To a plain question a TXT above 512 bytes. */
static size_t make_old(struct craft *c, const uint8_t *q, size_t n, bool tcp, uint8_t *out)
{
	const struct old_server *o = c->owner;
	static const char txt[1024] = HEAD("\0\x10") "\3\xf4";
	uint8_t error[4] = { !o->bare }, answer[4] = { 1, 1 };

	if (q[11])
		return craft_reply(q, (uint16_t)(QR | o->rcode), error, "", 0, out);
	return craft_reply(q, QR, answer, txt, sizeof(txt), out);
}

static void test_old(struct loop *l)
{
	static const struct old_server servers[] = {
		{ DNS_FORMERR, false, "FORMERR without OPT" }, { DNS_NOTIMP, false, "NOTIMP without OPT" },
		{ DNS_FORMERR, true, "a bare FORMERR" }, { DNS_NOTIMP, true, "a bare NOTIMP" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(servers); i++) {
		struct craft c = { .make = make_old, .owner = (void *)&servers[i] };
		struct upstream *u;
		struct ask a;

		craft_start(&c, l, "127.0.0.1");
		u = upstream_new(l, &c.at, TRY_MS, NULL);
		ask(&a, l, u, &c, "web.example", 1, 0);
		ok(!a.code && a.same && c.udp_seen == 2 && a.ms < AT_ONCE_MS, "%s: asked again at once", servers[i].what);
		ok(question_is_ours(&c, &a.query, false), "%s: plainly", servers[i].what);
		ask(&a, l, u, &c, "web.example", 1, 0);
		ok(!a.code && a.same && c.udp_seen == 1 && !c.tcp_seen, "%s: then plainly from the start, and not over TCP", servers[i].what);
		upstream_free(u);
		craft_stop(&c);
	}
}

/* ---- sizes ---- */

struct sized {
	size_t udp, tcp;	/* bytes of the answer; 0: silence */
	bool truncated;		/* TC, with the last record cut */
	bool broken;		/* over TCP */
};

static size_t fill(const uint8_t *q, size_t total, uint8_t *out)
{
	static const uint8_t one[4] = { 1, 1 };
	size_t n = craft_reply(q, QR, one, BYTES(HEAD("\xff\0")), out), len = total - n - 2;

	out[n] = (uint8_t)(len >> 8);
	out[n + 1] = (uint8_t)len;
	memset(out + n + 2, 'x', len);
	return total;
}

static size_t make_sized(struct craft *c, const uint8_t *q, size_t n, bool tcp, uint8_t *out)
{
	const struct sized *s = c->owner;

	if (!(tcp ? s->tcp : s->udp))
		return 0;
	fill(q, tcp ? s->tcp : s->udp, out);
	if (!tcp && s->truncated)
		out[2] |= DNS_TC >> 8;
	if (tcp && s->broken)
		out[question_len(q)] = 0xff;
	return tcp ? s->tcp : s->udp - (s->truncated ? 5 : 0);
}

static void test_sizes(struct loop *l)
{
	static const size_t by_udp[] = { 512, 513, 1232, 1233, 4096 };
	static const struct sized by_tcp[] = {
		{ .udp = 400, .tcp = 600, .truncated = true }, { .udp = 4097, .tcp = 4097 }, { .udp = 9000, .tcp = 9000 },
		{ .udp = 512, .tcp = 16384, .truncated = true }, { .udp = 100, .tcp = 65535, .truncated = true },
	};
	struct craft c = { .make = make_sized };
	struct sized s;
	struct upstream *u;
	struct ask a;

	craft_start(&c, l, "127.0.0.1");
	u = upstream_new(l, &c.at, TRY_MS, NULL);
	c.owner = &s;
	for (size_t i = 0; i < ARRAY_SIZE(by_udp); i++) {
		s = (struct sized){ .udp = by_udp[i] };
		ask(&a, l, u, &c, "web.example", 65280, 0);
		ok(!a.code && a.same && !c.tcp_seen, "%zu bytes arrive by UDP", by_udp[i]);
	}
	for (size_t i = 0; i < ARRAY_SIZE(by_tcp); i++) {
		s = by_tcp[i];
		ask(&a, l, u, &c, "web.example", 65280, 0);
		ok(!a.code && a.same && c.udp_seen == 1 && c.tcp_seen == 1, "%s at %zu bytes: %zu by TCP",
		   s.truncated ? "truncated" : "cut by us", s.udp, s.tcp);
	}
	s = (struct sized){ 400, 600, true, true };
	ask(&a, l, u, &c, "web.example", 65280, 0);
	ok(a.code && a.code != -ETIMEDOUT, "a broken answer by TCP is none, which is known at once (%d)", a.code);
	s = (struct sized){ .udp = 400, .truncated = true };
	ask(&a, l, u, &c, "web.example", 65280, 0);
	ok(a.code == -ETIMEDOUT && a.ms < 5 * TRY_MS, "silence by TCP is a timeout (%u ms)", a.ms);
	craft_tcp_close(&c);
	ask(&a, l, u, &c, "web.example", 65280, 0);
	ok(a.code == -ECONNREFUSED && a.ms < AT_ONCE_MS, "nobody at TCP: refused at once (%u ms)", a.ms);
	s = (struct sized){ .udp = 500 };
	ask(&a, l, u, &c, "web.example", 65280, 0);
	ok(!a.code && a.same, "and UDP goes on");
	upstream_free(u);
	craft_stop(&c);
}

int main(void)
{
	struct loop *l = loop_new(LOOP_DEFAULT);

	test_table(l);
	test_table_by_tcp(l);
	test_old(l);
	test_sizes(l);
	loop_free(l);
	return tap_done();
}
