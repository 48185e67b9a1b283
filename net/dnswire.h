/* SPDX-License-Identifier: Apache-2.0 */
/* dnswire: DNS messages: read, checked, built. Pure functions over bytes; no sockets, no time, no heap.
 *
 * Names are kept uncompressed in wire form, labels 8-bit clean (RFC 2181 section 11), compared without case (RFC 4343).
 * A compression pointer must point strictly backwards, behind the header. EDNS is hop by hop (RFC 6891): what a peer
 * said is noted in the struct, its OPT record is never passed on, ours is added. The question section of an answer is
 * the client's, byte for byte. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"

#define DNS_NAME_MAX 255
#define DNS_TEXT_MAX 1024	/* a name as text with escapes, and its '\0' */
#define DNS_MSG_MAX 65535
#define DNS_HEADER 12
#define DNS_QUERY_MAX (DNS_HEADER + DNS_NAME_MAX + 4 + 11)
#define DNS_OPT_LEN 11		/* of an OPT without options */
#define DNS_UDP_SIZE 1232	/* what we offer in our OPT (flag day 2020) */

enum dns_type {
	DNS_A = 1, DNS_NS = 2, DNS_CNAME = 5, DNS_SOA = 6, DNS_PTR = 12, DNS_MX = 15, DNS_TXT = 16, DNS_SIG = 24, DNS_AAAA = 28,
	DNS_SRV = 33, DNS_DNAME = 39, DNS_OPT = 41, DNS_TSIG = 250, DNS_IXFR = 251, DNS_AXFR = 252, DNS_ANY = 255,
};

enum { DNS_IN = 1, DNS_CH = 3 };

enum dns_rcode {
	DNS_NOERROR, DNS_FORMERR, DNS_SERVFAIL, DNS_NXDOMAIN, DNS_NOTIMP, DNS_REFUSED, DNS_BADVERS = 16,
};

/* header flags as they stand in its second 16-bit word */
enum { DNS_QR = 0x8000, DNS_AA = 0x0400, DNS_TC = 0x0200, DNS_RD = 0x0100, DNS_RA = 0x0080, DNS_AD = 0x0020, DNS_CD = 0x0010 };

struct dns_name {
	uint8_t len;			/* with the root's zero; 0: no name */
	uint8_t b[DNS_NAME_MAX];
};

struct dns_edns {
	bool present, dnssec_ok;
	uint8_t version;
	uint16_t udp_size;		/* as said, 0 without OPT */
};

struct dns_query {
	uint16_t id, flags;
	struct dns_name name;		/* as asked, case kept */
	uint16_t type, class;
	struct dns_edns edns;
	bool is_signed;			/* ends in TSIG or SIG(0): not a byte may be changed but the id (RFC 8945 section 5.1) */
};

struct dns_record {
	struct dns_name name;
	uint16_t type, class;
	uint32_t ttl;
	size_t at, rdata, rdata_len, end;	/* offsets in the message */
};

/* ---- names ------------------------------------------------------------------------------------------------------- */
/* "a.b.c", with or without the last dot, \DDD and \X escapes; "" and "." are the root. -EINVAL */
int dns_name_parse(const char *text, struct dns_name *ret) must_check;
const char *dns_name_text(const struct dns_name *n, char ret[static DNS_TEXT_MAX]);	/* without the last dot; root "." */
bool dns_name_eq(const struct dns_name *a, const struct dns_name *b);
/* Is n equal to zone or below it? */
bool dns_name_within(const struct dns_name *n, const struct dns_name *zone);
unsigned dns_name_labels(const struct dns_name *n);		/* the root has 0 */
/* n without its first `skip` labels. */
struct dns_name dns_name_parent(const struct dns_name *n, unsigned skip);

/* ---- reading ----------------------------------------------------------------------------------------------------- */
/* Reads a client's message. 0: a query to serve. > 0: the rcode to answer with at once (ret holds what dns_error needs).
 * -EBADMSG: drop it (no header, or a response). */
int dns_query_read(const void *p, size_t n, struct dns_query *ret) must_check;
/* Iterates over records: start with pos = 0; fills ret and advances. 1: a record, 0: the end, -EBADMSG.
 * *section: 0 answer, 1 authority, 2 additional. */
struct dns_walk {
	const uint8_t *p;
	size_t n, pos;
	unsigned section, left[3];
};
int dns_walk_start(struct dns_walk *w, const void *p, size_t n) must_check;	/* -EBADMSG; exactly one question */
int dns_walk_next(struct dns_walk *w, struct dns_record *ret, unsigned *section) must_check;
/* The name that a CNAME, NS, PTR or DNAME of this message leads to. */
int dns_record_target(const struct dns_walk *w, const struct dns_record *r, struct dns_name *ret) must_check;	/* -EBADMSG */
/* False when p can be told to be about another question. p has a header; all else may be broken. */
bool dns_reply_is_to(const struct dns_query *q, const void *p, size_t n);
/* Is p a sound answer to q (id, QR, opcode, the one question, every record whole, nothing behind)? 0 or -EBADMSG.
 * *rcode may be extended by an OPT; *edns says what the server's OPT said. */
int dns_reply_check(const struct dns_query *q, uint16_t id, const void *p, size_t n, unsigned *rcode, struct dns_edns *edns) must_check;

/* ---- building ---------------------------------------------------------------------------------------------------- */
/* All return the length written into out, which has at least the space named. */

void dns_id_set(uint8_t *msg, uint16_t id);
/* The question of q for an upstream: id, RD/CD/AD as the client, our bare OPT last when edns. */
size_t dns_query_build(const struct dns_query *q, uint16_t id, bool edns, uint8_t out[static DNS_QUERY_MAX]);
/* Header, question and OPT, without records. */
size_t dns_error_build(const struct dns_query *q, unsigned rcode, unsigned flags, uint8_t out[static DNS_QUERY_MAX]);
/* An answer from a server for the client: id, question and OPT exchanged, whole records cut to `limit` bytes; TC when an
 * answer or authority record had to go, or the server said so. reply has passed dns_reply_check(); out has `limit` bytes
 * ≥ DNS_QUERY_MAX. */
size_t dns_reply_build(const struct dns_query *q, unsigned rcode, const uint8_t *reply, size_t n, uint8_t *out, size_t limit);
/* The same for a reply that is whole, has no OPT, an rcode below 16, and fits with DNS_OPT_LEN to spare. */
size_t dns_reply_copy(const struct dns_query *q, unsigned rcode, const uint8_t *reply, size_t n, uint8_t *out);

/* Adds an Extended DNS Error (RFC 8914) to a message that ends with our bare OPT, in DNS_EDE_LEN bytes; the new length. */
#define DNS_EDE_LEN 6
enum { DNS_EDE_STALE = 3 };
size_t dns_ede_put(uint8_t *msg, size_t n, unsigned code);

/* Local answers: dns_build_start, records, dns_build_end. Records that do not fit set `bad` and TC. Owners and the names
 * that NS, CNAME and PTR lead to are compressed, as long as the table of names has room. */
#define DNS_BUILD_NAMES 64
struct dns_build_name {
	uint16_t at;			/* of a label in the message */
	uint8_t len;			/* of the name from there on, uncompressed */
};
struct dns_build {
	uint8_t *p;
	size_t len, max;
	const struct dns_query *q;
	unsigned rcode, count[3], name_count;
	struct dns_build_name names[DNS_BUILD_NAMES];
	bool bad;
};
#define DNS_LOCAL_MAX 4096
void dns_build_start(struct dns_build *b, const struct dns_query *q, unsigned rcode, uint8_t *out, size_t max);
/* owner NULL: the question's name. section as in dns_walk. */
void dns_build_record(struct dns_build *b, unsigned section, const struct dns_name *owner, uint16_t type, uint32_t ttl,
		      const void *rdata, size_t n);	/* names in it are not compressed yet */
/* The SOA that makes negative answers cacheable: `ns.dns.ZONE hostmaster.ZONE`, minimum = ttl (CoreDNS's shape). */
void dns_build_soa(struct dns_build *b, unsigned section, const struct dns_name *zone, uint32_t serial, uint32_t ttl);
size_t dns_build_end(struct dns_build *b);		/* authoritative, recursion available */

/* The largest UDP answer that this client takes (RFC 6891, at most 4096). */
size_t dns_client_size(const struct dns_query *q);
