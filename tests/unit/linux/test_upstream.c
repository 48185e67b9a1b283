/* SPDX-License-Identifier: Apache-2.0 */
#include "net/linux/upstream.h"

#include <errno.h>

#include "tests/fake/dns.h"
#include "tests/tap.h"

#define TRY_MS 100

struct ask {
	struct upstream_query q;
	struct dns_query query;
	struct upstream *again;		/* asked once more from inside of the completion */
	bool done;
	int code;
	unsigned rcode, answers, calls;
	size_t len;
};

static void on_reply(struct upstream_query *q, int code, unsigned rcode, const uint8_t *reply, size_t len)
{
	struct ask *a = q->owner;

	a->calls++;
	a->code = code;
	a->rcode = rcode;
	a->len = len;
	a->answers = code ? 0 : (unsigned)(reply[6] << 8 | reply[7]);
	a->done = !a->again;
	if (a->again) {
		struct upstream *u = a->again;

		a->again = NULL;
		if (upstream_ask(u, q, &a->query, on_reply))
			a->done = true;
	}
}

static void ask_start(struct ask *a, struct upstream *u, const char *name, uint16_t type)
{
	*a = (struct ask){ .query = { .flags = DNS_RD, .type = type, .class = DNS_IN } };
	a->q.owner = a;
	if (dns_name_parse(name, &a->query.name) || upstream_ask(u, &a->q, &a->query, on_reply))
		ok(false, "%s is asked", name);
}

static void ask(struct ask *a, struct loop *l, struct upstream *u, const char *name, uint16_t type)
{
	ask_start(a, u, name, type);
	if (loop_run(l, &a->done, loop_deadline(3000)))
		ok(false, "%s completes", name);
}

static void test_modes(struct loop *l)
{
	static const struct { enum fake_dns_mode mode; int code; unsigned rcode; const char *what; } rows[] = {
		{ FAKE_DNS_ANSWER, 0, DNS_NOERROR, "an answer arrives" },
		{ FAKE_DNS_SERVFAIL, 0, DNS_SERVFAIL, "SERVFAIL arrives with its body" },
		{ FAKE_DNS_REFUSED, 0, DNS_REFUSED, "so does REFUSED" },
		{ FAKE_DNS_UPPER, 0, DNS_NOERROR, "the question's case does not matter" },
		{ FAKE_DNS_NO_QR, -EBADMSG, 0, "an answer without QR is none" },
		{ FAKE_DNS_GARBAGE, -EBADMSG, 0, "broken records are not passed on" },
		{ FAKE_DNS_OTHER_NAME, -ETIMEDOUT, 0, "an answer to another question is none" },
		{ FAKE_DNS_SILENT, -ETIMEDOUT, 0, "silence is a timeout" },
	};
	struct err err = { 0 };
	struct fake_dns f;
	struct upstream *u;
	struct ask a;

	fake_dns_start(&f, l, "127.0.0.1");
	u = upstream_new(l, &f.at, TRY_MS, &err);
	ok(u != NULL, "a channel is opened");
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		f.mode = rows[i].mode;
		ask(&a, l, u, "web.example", DNS_A);
		ok(a.code == rows[i].code && (a.code || a.rcode == rows[i].rcode) && a.calls == 1, "%s", rows[i].what);
	}
	is_int(upstream_stats(u)->failures, 4, "failures in a row are counted");
	f.mode = FAKE_DNS_ANSWER;
	ask(&a, l, u, "nx.example", DNS_A);
	is_int(a.rcode, DNS_NXDOMAIN, "NXDOMAIN arrives");
	is_int(upstream_stats(u)->failures, 0, "and ends the row of failures");
	ask(&a, l, u, "big.example", DNS_TXT);
	ok(!a.code && a.len > 3000 && f.tcp_seen == 1, "a truncated answer is fetched over TCP");
	a.again = NULL;
	ask_start(&a, u, "web.example", DNS_A);
	a.again = u;
	ok(!loop_run(l, &a.done, loop_deadline(2000)) && a.calls == 2, "one may ask again from a completion");
	upstream_free(u);
	fake_dns_stop(&f);
}

static void test_no_edns(struct loop *l)
{
	struct err err = { 0 };
	struct fake_dns f;
	struct upstream *u;
	struct ask a;

	fake_dns_start(&f, l, "127.0.0.1");
	f.mode = FAKE_DNS_NO_EDNS;
	u = upstream_new(l, &f.at, TRY_MS, &err);
	ask(&a, l, u, "web.example", DNS_A);
	ok(!a.code && a.rcode == DNS_NOERROR && a.answers == 1, "a server without EDNS is asked again without");
	ok(upstream_stats(u)->no_edns, "which is remembered");
	f.edns_seen = 0;
	ask(&a, l, u, "two.example", DNS_A);
	ok(!a.code && a.answers == 1 && f.edns_seen == 0, "the next question goes plainly at once");
	upstream_free(u);
	fake_dns_stop(&f);
}

static void test_raw(struct loop *l)
{
	static const uint8_t tsig[] = "\0\0\372\0\377\0\0\0\0\0\5mac!!";
	uint8_t msg[DNS_QUERY_MAX + sizeof(tsig)];
	struct err err = { 0 };
	struct fake_dns f;
	struct upstream *u;
	struct ask a = { .query = { .flags = DNS_RD, .type = DNS_A, .class = DNS_IN, .edns = { .dnssec_ok = true } } };
	size_t n;

	fake_dns_start(&f, l, "127.0.0.1");
	u = upstream_new(l, &f.at, TRY_MS, &err);
	ok(!dns_name_parse("web.example", &a.query.name), "a signed question");
	n = dns_query_build(&a.query, 7, true, msg);
	memcpy(msg + n, tsig, sizeof(tsig) - 1);
	msg[11]++;
	n += sizeof(tsig) - 1;
	a.q = (struct upstream_query){ .owner = &a, .raw = msg, .raw_len = n };
	ok(!upstream_ask(u, &a.q, &a.query, on_reply) && !loop_run(l, &a.done, loop_deadline(3000)) && !a.code && a.answers == 1,
	   "is answered");
	ok(memcmp(f.message + 2, msg + 2, n - 2) == 0, "and arrived as it was, but for its id");
	upstream_free(u);
	fake_dns_stop(&f);
}

static void test_ends(struct loop *l)
{
	struct err err = { 0 };
	struct fake_dns f;
	struct upstream *u;
	struct ask a, many[50];
	bool never = false;
	unsigned good = 0;

	fake_dns_start(&f, l, "127.0.0.1");
	f.mode = FAKE_DNS_SILENT;
	u = upstream_new(l, &f.at, TRY_MS, &err);
	ask_start(&a, u, "web.example", DNS_A);
	upstream_cancel(&a.q);
	(void)!loop_run(l, &never, loop_deadline(5 * TRY_MS));
	is_int(a.calls, 0, "a cancelled question does not complete");
	is_int(upstream_stats(u)->in_flight, 0, "and is forgotten");
	ask_start(&a, u, "web.example", DNS_A);
	upstream_free(u);
	is_int(a.calls, 0, "nor does one whose upstream is freed");
	ok(!a.q.flight, "which can tell");

	f.mode = FAKE_DNS_ANSWER;
	u = upstream_new(l, &f.at, TRY_MS, &err);
	for (int i = 0; i < 50; i++)
		ask_start(&many[i], u, "web.example", DNS_A);
	for (int i = 0; i < 50; i++)
		good += !loop_run(l, &many[i].done, loop_deadline(2000)) && !many[i].code;
	is_int(good, 50, "fifty at once");
	fake_dns_stop(&f);
	ask(&a, l, u, "web.example", DNS_A);
	is_int(a.code, -ECONNREFUSED, "nobody there: refused at once");
	upstream_free(u);
}

int main(void)
{
	struct loop *l = loop_new(LOOP_DEFAULT);

	test_modes(l);
	test_no_edns(l);
	test_raw(l);
	test_ends(l);
	loop_free(l);
	return tap_done();
}
