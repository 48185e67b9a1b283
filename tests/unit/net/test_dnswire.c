/* SPDX-License-Identifier: Apache-2.0 */
#include "net/dnswire.h"

#include <errno.h>

#include "tests/tap.h"

static struct dns_name name(const char *text)
{
	struct dns_name n = { 0 };

	if (dns_name_parse(text, &n))
		n.len = 0;
	return n;
}

static struct dns_query query(const char *text, uint16_t type)
{
	return (struct dns_query){ .id = 0x1234, .flags = DNS_RD, .name = name(text), .type = type, .class = DNS_IN };
}

static void test_names(void)
{
	static const struct { const char *in, *out; } rows[] = {
		{ "web.default.svc.cluster.local", "web.default.svc.cluster.local" },
		{ "Web.Example.", "Web.Example" },
		{ ".", "." },
		{ "", "." },
		{ "a\\.b.c", "a\\.b.c" },
		{ "sp\\032ace.x", "sp\\032ace.x" },
		{ "\\000.x", "\\000.x" },
		{ "a..b", NULL },
		{ ".a", NULL },
		{ "a\\", NULL },
		{ "a\\25", NULL },
		{ "a\\999", NULL },
		{ "0123456789012345678901234567890123456789012345678901234567890123", NULL },
	};
	char text[DNS_TEXT_MAX], longest[600] = "";
	struct dns_name n, zone = name("Cluster.Local"), p;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		bool good = !dns_name_parse(rows[i].in, &n);

		if (ok(good == (rows[i].out != NULL), "name \"%s\" is %s", rows[i].in, rows[i].out ? "read" : "refused") && good)
			is_str(dns_name_text(&n, text), rows[i].out, "and written as \"%s\"", rows[i].out);
	}
	for (int i = 0; i < 127; i++)
		memcpy(longest + 2 * i, i < 126 ? "a." : "a", i < 126 ? 3 : 2);
	ok(!dns_name_parse(longest, &n) && n.len == 255, "a name may have 255 bytes");
	memcpy(longest + 253, ".a", 3);
	ok(dns_name_parse(longest, &n) == -EINVAL, "and not more");
	n = name("a.b.CLUSTER.local");
	ok(dns_name_within(&n, &zone), "within is label-wise and without case");
	n = name("acluster.local");
	ok(!dns_name_within(&n, &zone), "a longer label is another label");
	n = name("local");
	ok(!dns_name_within(&n, &zone), "the parent is not within");
	n = name("a.b.c");
	is_int(dns_name_labels(&n), 3, "labels are counted");
	p = dns_name_parent(&n, 2);
	is_str(dns_name_text(&p, text), "c", "and cut off");
	p = dns_name_parent(&n, 9);
	is_str(dns_name_text(&p, text), ".", "down to the root");
}

static void test_queries(void)
{
	static const struct { const char *what; size_t n; uint8_t b[64]; int code; } rows[] = {
		{ "nothing", 0, { 0 }, -EBADMSG },
		{ "half a header", 11, { 0 }, -EBADMSG },
		{ "a response", 12, { 0, 1, 0x80, 0, 0, 1 }, -EBADMSG },
		{ "no question", 12, { 0, 1, 1, 0 }, DNS_FORMERR },
		{ "two questions", 12, { 0, 1, 1, 0, 0, 2 }, DNS_FORMERR },
		{ "opcode NOTIFY", 12, { 0, 1, 0x21, 0, 0, 1 }, DNS_NOTIMP },
		{ "a name without end", 14, { 0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 5, 'a' }, DNS_FORMERR },
		{ "a name that points at itself", 18, { 0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0xc0, 12, 0, 1, 0, 1 }, DNS_FORMERR },
		{ "a name that points into the header", 18, { 0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0xc0, 4, 0, 1, 0, 1 }, DNS_FORMERR },
		{ "the root's address", 17, { 0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1 }, 0 },
		{ "trailing bytes", 18, { 0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1, 9 }, DNS_FORMERR },
		{ "a record that is announced only", 17, { 0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0, 1 }, DNS_FORMERR },
		{ "AXFR", 17, { 0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 252, 0, 1 }, DNS_REFUSED },
		{ "EDNS version 1", 28, { 0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0, 1, 0, 0, 41, 16, 0, 0, 1, 0, 0, 0, 0 }, DNS_BADVERS },
		{ "two OPT", 39, { 0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 2, 0, 0, 1, 0, 1, 0, 0, 41, 16, 0, 0, 0, 0, 0, 0, 0,
				   0, 0, 41, 16, 0, 0, 0, 0, 0, 0, 0 }, DNS_FORMERR },
	};
	struct dns_query q;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		is_int(dns_query_read(rows[i].b, rows[i].n, &q), rows[i].code, "query: %s", rows[i].what);
}

static void test_signed(void)
{
	uint8_t msg[30] = { 0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0, 1, 0, 0, 250, 0, 255, 0, 0, 0, 0, 0, 2, 0, 0 };
	struct dns_query q;

	ok(!dns_query_read(msg, sizeof(msg), &q) && q.is_signed, "TSIG signs a message");
	msg[19] = DNS_SIG;
	ok(!dns_query_read(msg, sizeof(msg), &q) && q.is_signed, "so does a SIG that covers no type");
	msg[29] = 1;
	ok(!dns_query_read(msg, sizeof(msg), &q) && !q.is_signed, "one that covers A is data");
}

static void test_round_trip(void)
{
	struct dns_query q = query("WeB.example", DNS_AAAA), got;
	uint8_t msg[DNS_QUERY_MAX];
	size_t n;

	q.edns = (struct dns_edns){ .present = true, .dnssec_ok = true, .udp_size = 4096 };
	q.flags |= DNS_CD | DNS_AA | DNS_TC;
	n = dns_query_build(&q, 77, true, msg);
	ok(!dns_query_read(msg, n, &got) && got.id == 77 && got.type == DNS_AAAA, "what is built is read");
	ok(got.edns.present && got.edns.dnssec_ok && got.edns.udp_size == DNS_UDP_SIZE, "with our OPT and the client's DO");
	is_int(got.flags, DNS_RD | DNS_CD, "and only RD, AD, CD of its flags");
	ok(memcmp(got.name.b, q.name.b, q.name.len) == 0, "and the name's case");
	n = dns_query_build(&q, 77, false, msg);
	ok(!dns_query_read(msg, n, &got) && !got.edns.present, "no OPT where none is wanted");
	n = dns_error_build(&q, DNS_BADVERS, DNS_RA, msg);
	ok((msg[3] & 15) == 0 && msg[n - 11 + 5] == 1, "an extended rcode goes into the OPT");
}

/* An answer with `records` addresses to q, over `max` bytes. */
static size_t answer(const struct dns_query *q, unsigned records, uint8_t *out, size_t max)
{
	static const uint8_t a[4] = { 192, 0, 2, 7 };
	struct dns_name zone = name("example");
	struct dns_build b;

	dns_build_start(&b, q, DNS_NOERROR, out, max);
	for (unsigned i = 0; i < records; i++)
		dns_build_record(&b, 0, NULL, DNS_A, 60, a, 4);
	dns_build_soa(&b, 1, &zone, 1, 60);
	dns_build_record(&b, 2, &zone, DNS_A, 60, a, 4);
	return dns_build_end(&b);
}

static unsigned count(const uint8_t *msg, size_t n, unsigned want_section)
{
	struct dns_record rec;
	struct dns_walk w;
	unsigned section, found = 0;
	int r = dns_walk_start(&w, msg, n);

	while (!r && (r = dns_walk_next(&w, &rec, &section)) > 0) {
		found += section == want_section;
		r = 0;
	}
	return r ? 9999 : found;
}

static void test_replies(void)
{
	struct dns_query up = query("web.EXAMPLE", DNS_A), client = query("WEB.example", DNS_A);
	uint8_t reply[4096], out[4096];
	struct dns_edns edns;
	unsigned rcode;
	size_t n, len;

	up.edns.present = true;
	client.id = 0x9999;
	n = answer(&up, 40, reply, sizeof(reply));
	ok(!dns_reply_check(&up, 0x1234, reply, n, &rcode, &edns) && edns.present && !rcode, "a sound answer is taken");
	ok(dns_reply_check(&up, 0x1235, reply, n, &rcode, &edns) == -EBADMSG, "another id is not");
	ok(dns_reply_check(&client, 0x1234, reply, n, &rcode, &edns) == 0, "the name's case does not matter");
	ok(dns_reply_check(&up, 0x1234, reply, n - 1, &rcode, &edns) == -EBADMSG, "a cut answer is not");
	for (size_t i = DNS_HEADER; i < n; i += 7) {
		uint8_t kept = reply[i];

		reply[i] ^= 0xff;	/* whatever it becomes: no crash, checked under the sanitizers */
		if (!dns_reply_check(&up, 0x1234, reply, n, &rcode, &edns))
			(void)dns_reply_build(&client, rcode, reply, n, out, 512);
		reply[i] = kept;
	}

	len = dns_reply_build(&client, 0, reply, n, out, sizeof(out));
	ok(memcmp(out + DNS_HEADER, client.name.b, client.name.len) == 0, "the client gets its own question back, byte for byte");
	ok(out[0] == 0x99 && out[1] == 0x99, "and its id");
	is_int(count(out, len, 0), 40, "and every record");
	is_int(count(out, len, 2), 1, "without the OPT that it did not ask for");
	ok(!(out[2] & DNS_TC >> 8), "not truncated");
	reply[2] |= DNS_TC >> 8;
	len = dns_reply_build(&client, 0, reply, n, out, sizeof(out));
	ok(out[2] & DNS_TC >> 8, "unless the server had truncated it");
	reply[2] &= (uint8_t)~(DNS_TC >> 8);

	len = dns_reply_build(&client, 0, reply, n, out, 512);
	ok(len <= 512 && out[2] & DNS_TC >> 8, "512 bytes are too few for 40 records: truncated");
	is_int(count(out, len, 0), 30, "as many whole records as fit are kept");
	client.edns = (struct dns_edns){ .present = true, .udp_size = 512 };
	len = dns_reply_build(&client, 0, reply, n, out, dns_client_size(&client));
	ok(len <= 512 && count(out, len, 2) == 1 && out[len - 11] == 0 && out[len - 9] == 41, "its OPT stays when it is truncated");
	client.edns.present = false;
	len = dns_reply_build(&client, 16, reply, n, out, 512);
	is_int(out[3] & 15, DNS_SERVFAIL, "an extended rcode without EDNS is SERVFAIL");
	n = answer(&up, 2, reply, sizeof(reply));
	for (size_t limit = DNS_QUERY_MAX; limit < n; limit++) {
		len = dns_reply_build(&client, 0, reply, n, out, limit);
		if (len > limit || count(out, len, 0) == 9999)
			ok(false, "a limit of %zu bytes is kept", limit);
	}
}

static void test_sizes(void)
{
	struct dns_query q = query("a", DNS_A);

	is_int(dns_client_size(&q), 512, "without EDNS 512 bytes");
	q.edns.udp_size = 100;
	is_int(dns_client_size(&q), 512, "less is 512");
	q.edns.udp_size = 65535;
	is_int(dns_client_size(&q), 4096, "at most 4096");
}

/* Ten reverse names, an SRV record and its address. */
static void test_compression(void)
{
	static const uint8_t a[4] = { 192, 0, 2, 7 };
	struct dns_query q = query("13.0.42.10.in-addr.arpa", DNS_PTR);
	struct dns_name seen = { 0 }, host = name("ten.namespace.svc.cluster.local");
	uint8_t out[512], srv[6 + DNS_NAME_MAX] = { 0 };
	struct dns_record rec;
	struct dns_build b;
	struct dns_walk w;
	unsigned section;
	char text[DNS_TEXT_MAX];
	size_t n;

	dns_build_start(&b, &q, DNS_NOERROR, out, sizeof(out));
	for (int i = 0; i < 10; i++) {
		struct dns_name target = name((char[]){ (char)('a' + i), '\0' });

		target.len = (uint8_t)(2 + host.len);
		memcpy(target.b + 2, host.b, host.len);
		dns_build_record(&b, 0, NULL, DNS_PTR, 5, target.b, target.len);
	}
	memcpy(srv + 6, host.b, host.len);
	dns_build_record(&b, 0, &host, DNS_SRV, 5, srv, 6u + host.len);
	dns_build_record(&b, 2, &host, DNS_A, 5, a, 4);
	n = dns_build_end(&b);
	ok(!(out[2] & DNS_TC >> 8) && n < 300, "names that stand there already are pointed to (%zu bytes)", n);
	is_int(count(out, n, 0), 11, "all records are there");
	if (!dns_walk_start(&w, out, n) && dns_walk_next(&w, &rec, &section) > 0 && dns_walk_next(&w, &rec, &section) > 0)
		(void)!dns_record_target(&w, &rec, &seen);
	is_str(dns_name_text(&seen, text), "b.ten.namespace.svc.cluster.local", "and read as what they were");
	for (size_t max = DNS_QUERY_MAX; max < 400; max++) {
		dns_build_start(&b, &q, DNS_NOERROR, out, max);
		for (int i = 0; i < 20; i++)
			dns_build_record(&b, 0, NULL, DNS_PTR, 5, host.b, host.len);
		if (dns_build_end(&b) > max || count(out, b.len, 0) == 9999)
			ok(false, "a maximum of %zu bytes is kept", max);
	}
}

int main(void)
{
	test_names();
	test_queries();
	test_signed();
	test_round_trip();
	test_replies();
	test_sizes();
	test_compression();
	return tap_done();
}
