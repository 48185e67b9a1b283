/* SPDX-License-Identifier: Apache-2.0 */
/* fake dns: a DNS server on the test's own loop, UDP and TCP on one port, that answers by rule or lies by mode.
 *
 * Rules: an A question gets `a` (TTL 30); AAAA no data; names with a first label "nx", or not in `only`, NXDOMAIN; "big" a TXT of 3,000 bytes
 * (truncated over UDP); PTR `host.example`. Answers carry an OPT when asked with one. */
#pragma once

#include "base/loop.h"
#include "net/addr.h"

enum fake_dns_mode {
	FAKE_DNS_ANSWER,
	FAKE_DNS_SILENT,
	FAKE_DNS_SERVFAIL,
	FAKE_DNS_REFUSED,
	FAKE_DNS_NO_EDNS,	/* FORMERR, without OPT, to every question that has one */
	FAKE_DNS_NO_QR,		/* answers without the QR bit */
	FAKE_DNS_OTHER_NAME,	/* answers another question */
	FAKE_DNS_GARBAGE,	/* right header and question, broken records */
	FAKE_DNS_UPPER,		/* the question comes back in capitals */
};

#define FAKE_DNS_CONNS 8

struct fake_dns {
	struct hostport at;
	enum fake_dns_mode mode;
	uint8_t a[4];
	const char *const *only;	/* first labels that exist, NULL-terminated; NULL: every name does */
	unsigned udp_seen, tcp_seen, edns_seen;
	char last[256];		/* the last name asked, as text */
	uint8_t message[512];	/* and the beginning of its message */
	struct loop *loop;
	int udp, tcp;
	struct io udp_io, tcp_io, conn_io[FAKE_DNS_CONNS];
};

/* at->port 0: the kernel's choice, written into f->at. Aborts the test when it cannot bind. */
void fake_dns_start(struct fake_dns *f, struct loop *l, const char *at);
void fake_dns_stop(struct fake_dns *f);
