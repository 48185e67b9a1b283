/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/answer.h"

#include <string.h>

#define AWAY_TTL 2
#define LOCALHOST_TTL 3600

size_t answer_away(const struct dns_query *q, const struct dns_name *zone, uint32_t serial, uint8_t *out)
{
	bool apex = dns_name_eq(&q->name, zone);
	struct dns_build b;

	dns_build_start(&b, q, apex ? DNS_NOERROR : DNS_NXDOMAIN, out, DNS_LOCAL_MAX);
	dns_build_soa(&b, apex && (q->type == DNS_SOA || q->type == DNS_ANY) ? 0 : 1, zone, serial, AWAY_TTL);
	return dns_build_end(&b);
}

size_t answer_localhost(const struct dns_query *q, uint8_t *out)
{
	static const uint8_t v4[4] = { 127, 0, 0, 1 }, v6[16] = { [15] = 1 };
	struct dns_name zone = dns_name_parent(&q->name, dns_name_labels(&q->name) - 1);
	struct dns_build b;

	dns_build_start(&b, q, DNS_NOERROR, out, DNS_LOCAL_MAX);
	if (q->type == DNS_A || q->type == DNS_ANY)
		dns_build_record(&b, 0, NULL, DNS_A, LOCALHOST_TTL, v4, sizeof(v4));
	if (q->type == DNS_AAAA || q->type == DNS_ANY)
		dns_build_record(&b, 0, NULL, DNS_AAAA, LOCALHOST_TTL, v6, sizeof(v6));
	if (!b.count[0])
		dns_build_soa(&b, 1, &zone, 1, LOCALHOST_TTL);
	return dns_build_end(&b);
}

static void records_add(struct dns_build *b, const uint8_t *msg, size_t n)
{
	struct dns_name target;
	struct dns_record rec;
	struct dns_walk w;
	unsigned section;
	int r = dns_walk_start(&w, msg, n);

	while (!r && dns_walk_next(&w, &rec, &section) > 0 && section == 0) {
		if (rec.type == DNS_CNAME && !dns_record_target(&w, &rec, &target))
			dns_build_record(b, 0, &rec.name, rec.type, rec.ttl, target.b, target.len);
		else if (rec.type == DNS_A || rec.type == DNS_AAAA)
			dns_build_record(b, 0, &rec.name, rec.type, rec.ttl, msg + rec.rdata, rec.rdata_len);
	}
}

size_t answer_chase(const struct dns_query *q, const uint8_t *head, size_t head_len, unsigned rcode, const uint8_t *reply,
		    size_t len, uint8_t *out, size_t max)
{
	struct dns_build b;

	dns_build_start(&b, q, rcode, out, max);
	records_add(&b, head, head_len);
	records_add(&b, reply, len);
	return dns_build_end(&b);
}
