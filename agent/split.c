/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/split.h"

#include <errno.h>
#include <string.h>

#define LABELS_V4 6
#define LABELS_V6 34

static const struct dns_name arpa4 = { 14, "\7in-addr\4arpa" }, arpa6 = { 10, "\3ip6\4arpa" };
static const struct dns_name localhost = { 11, "\11localhost" }, invalid = { 9, "\7invalid" };

/* "0" … "255", or one hex digit; -EINVAL. */
static int label_number(const uint8_t *l, bool hex)
{
	int v = 0;

	if (!l[0] || l[0] > (hex ? 1 : 3))
		return -EINVAL;
	for (int i = 1; i <= l[0]; i++) {
		int c = l[i] | 0x20;

		if (l[i] >= '0' && l[i] <= '9')
			v = v * 10 + (l[i] - '0');
		else if (hex && c >= 'a' && c <= 'f')
			v = c - 'a' + 10;
		else
			return -EINVAL;
	}
	return v <= 255 ? v : -EINVAL;
}

int split_reverse(const struct dns_name *n, struct prefix *ret)
{
	bool v6 = dns_name_within(n, &arpa6);
	unsigned labels = dns_name_labels(n) - 2, max = v6 ? 32 : 4, i = 0;
	struct prefix p = { .addr.family = v6 ? AF_INET6 : AF_INET };

	if ((!v6 && !dns_name_within(n, &arpa4)) || labels > max)
		return -EINVAL;
	p.len = (uint8_t)(labels * (v6 ? 4 : 8));
	while (labels--) {	/* the first label is the last byte or nibble */
		int v = label_number(n->b + i, v6);

		if (v < 0)
			return -EINVAL;
		if (v6)
			p.addr.b[labels / 2] |= (uint8_t)(labels % 2 ? v : v << 4);
		else
			p.addr.b[labels] = (uint8_t)v;
		i += 1u + n->b[i];
	}
	*ret = p;
	return 0;
}

/* The prefix that n, or else the longest tail of it that is one, stands for: below an address, too, names are its zone's
 * (RFC 2317). False outside of the reverse zones. */
static bool reverse_tail(const struct dns_name *n, struct prefix *ret)
{
	unsigned labels = dns_name_labels(n), max = dns_name_within(n, &arpa6) ? LABELS_V6 : LABELS_V4;
	unsigned skip = labels > max ? labels - max : 0;

	if (!dns_name_within(n, &arpa4) && !dns_name_within(n, &arpa6))
		return false;
	for (struct dns_name tail = dns_name_parent(n, skip); split_reverse(&tail, ret); tail = dns_name_parent(&tail, 1))
		;
	return true;
}

/* The reverse zone around n that lies inside of `net`: its labels rounded up to whole bytes or nibbles. */
static struct dns_name reverse_zone(const struct dns_name *n, const struct prefix *net)
{
	unsigned unit = net->addr.family == AF_INET6 ? 4 : 8, keep = 2 + (net->len + unit - 1) / unit;
	unsigned labels = dns_name_labels(n);

	return dns_name_parent(n, labels > keep ? labels - keep : 0);
}

static bool in_networks(const struct prefixes *l, const struct dns_name *n, const struct prefix *p, struct dns_name *ret_zone)
{
	for (size_t i = 0; i < l->n; i++) {
		if (l->v[i].len <= p->len && prefix_contains(&l->v[i], &p->addr)) {
			*ret_zone = reverse_zone(n, &l->v[i]);
			return true;
		}
	}
	return false;
}

enum split_kind split_name(const struct config *c, const struct dns_name *n, struct dns_name *ret_zone)
{
	struct prefix p;

	if (dns_name_within(n, &c->domain)) {
		*ret_zone = c->domain;
		return SPLIT_CLUSTER;
	}
	if (dns_name_within(n, &localhost))
		return SPLIT_LOCALHOST;
	if (dns_name_within(n, &invalid)) {
		*ret_zone = invalid;
		return SPLIT_INVALID;
	}
	if (reverse_tail(n, &p) && (in_networks(&c->pods, n, &p, ret_zone) || in_networks(&c->services, n, &p, ret_zone)))
		return SPLIT_CLUSTER;
	return SPLIT_EXTERNAL;
}
