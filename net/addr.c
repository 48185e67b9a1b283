/* SPDX-License-Identifier: Apache-2.0 */
#include "net/addr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "base/num.h"

int addr_parse(const char *s, struct addr *ret)
{
	struct addr a = { .family = strchr(s, ':') ? AF_INET6 : AF_INET };

	if (inet_pton(a.family, s, a.b) != 1)
		return -EINVAL;
	*ret = a;
	return 0;
}

const char *addr_format(const struct addr *a, char ret[static ADDR_STRLEN])
{
	if (!a->family || !inet_ntop(a->family, a->b, ret, ADDR_STRLEN))
		snprintf(ret, ADDR_STRLEN, "-");
	return ret;
}

int addr_cmp(const struct addr *a, const struct addr *b)
{
	if (a->family != b->family)
		return a->family < b->family ? -1 : 1;
	return memcmp(a->b, b->b, sizeof(a->b));
}

bool addr_is_loopback(const struct addr *a)
{
	static const uint8_t v6[16] = { [15] = 1 };

	return a->family == AF_INET ? a->b[0] == 127 : a->family == AF_INET6 && memcmp(a->b, v6, 16) == 0;
}

bool addr_is_unspecified(const struct addr *a)
{
	static const uint8_t zero[16];

	return memcmp(a->b, zero, 16) == 0;
}

unsigned addr_bits(const struct addr *a)
{
	return a->family == AF_INET ? 32 : a->family == AF_INET6 ? 128 : 0;
}

struct addr addr_from_bytes(int family, const void *bytes)
{
	struct addr a = { .family = (uint8_t)family };

	memcpy(a.b, bytes, family == AF_INET6 ? 16 : 4);
	return a;
}

/* Do the first len bits agree? */
static bool bits_equal(const uint8_t *a, const uint8_t *b, unsigned len)
{
	unsigned bytes = len / 8, rest = len % 8;

	if (memcmp(a, b, bytes) != 0)
		return false;
	return !rest || (a[bytes] ^ b[bytes]) >> (8 - rest) == 0;
}

static bool has_host_bits(const struct prefix *p)
{
	struct addr net = { .family = p->addr.family };
	unsigned bytes = p->len / 8, rest = p->len % 8;

	memcpy(net.b, p->addr.b, bytes);
	if (rest)
		net.b[bytes] = (uint8_t)(p->addr.b[bytes] & (0xff << (8 - rest)));
	return addr_cmp(&net, &p->addr) != 0;
}

int prefix_parse(const char *s, struct prefix *ret)
{
	const char *slash = strchr(s, '/');
	char host[ADDR_STRLEN];
	struct prefix p;
	uint64_t len;

	if (!slash || (size_t)(slash - s) >= sizeof(host))
		return -EINVAL;
	memcpy(host, s, (size_t)(slash - s));
	host[slash - s] = '\0';
	if (addr_parse(host, &p.addr) || num_u64(slash + 1, addr_bits(&p.addr), &len))
		return -EINVAL;
	p.len = (uint8_t)len;
	if (has_host_bits(&p))
		return -EINVAL;
	*ret = p;
	return 0;
}

const char *prefix_format(const struct prefix *p, char ret[static PREFIX_STRLEN])
{
	char a[ADDR_STRLEN];

	snprintf(ret, PREFIX_STRLEN, "%s/%u", addr_format(&p->addr, a), p->len);
	return ret;
}

int prefix_cmp(const struct prefix *a, const struct prefix *b)
{
	int r = addr_cmp(&a->addr, &b->addr);

	return r ? r : (int)a->len - (int)b->len;
}

bool prefix_contains(const struct prefix *p, const struct addr *a)
{
	return p->addr.family && p->addr.family == a->family && bits_equal(p->addr.b, a->b, p->len);
}

bool prefix_overlaps(const struct prefix *a, const struct prefix *b)
{
	return a->len <= b->len ? prefix_contains(a, &b->addr) : prefix_contains(b, &a->addr);
}

/* Splits "[v6]:port" or "v4:port"; a bare address leaves port empty. */
static int host_split(const char *s, char host[static ADDR_STRLEN], const char **port)
{
	const char *end = s[0] == '[' ? strchr(s, ']') : strchr(s, ':');
	size_t skip = s[0] == '[', n;

	if (s[0] == '[' && !end)
		return -EINVAL;
	if (!end || (!skip && strchr(end + 1, ':')))	/* no colon, or a bare IPv6 address */
		end = s + strlen(s);
	n = (size_t)(end - s) - skip;
	if (n >= ADDR_STRLEN)
		return -EINVAL;
	memcpy(host, s + skip, n);
	host[n] = '\0';
	end += skip;
	if (*end && *end != ':')
		return -EINVAL;
	*port = *end ? end + 1 : NULL;
	return 0;
}

int hostport_parse(const char *s, uint16_t def, struct hostport *ret)
{
	struct hostport h = { .port = def };
	char host[ADDR_STRLEN];
	const char *port;

	if (host_split(s, host, &port) || addr_parse(host, &h.addr))
		return -EINVAL;
	if (port && (num_u16(port, &h.port) || !h.port))
		return -EINVAL;
	*ret = h;
	return 0;
}

bool hostport_eq(const struct hostport *a, const struct hostport *b)
{
	return a->port == b->port && addr_cmp(&a->addr, &b->addr) == 0;
}

const char *hostport_format(const struct hostport *h, char ret[static HOSTPORT_STRLEN])
{
	char a[ADDR_STRLEN];

	snprintf(ret, HOSTPORT_STRLEN, h->addr.family == AF_INET6 ? "[%s]:%u" : "%s:%u", addr_format(&h->addr, a), h->port);
	return ret;
}

socklen_t hostport_to_sockaddr(const struct hostport *h, struct sockaddr_storage *ret)
{
	memset(ret, 0, sizeof(*ret));
	if (h->addr.family == AF_INET6) {
		struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ret;

		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons(h->port);
		memcpy(&in6->sin6_addr, h->addr.b, 16);
		return sizeof(*in6);
	}
	struct sockaddr_in *in = (struct sockaddr_in *)ret;

	in->sin_family = AF_INET;
	in->sin_port = htons(h->port);
	memcpy(&in->sin_addr, h->addr.b, 4);
	return sizeof(*in);
}

int hostport_from_sockaddr(const struct sockaddr *sa, struct hostport *ret)
{
	const struct sockaddr_in *in = (const void *)sa;
	const struct sockaddr_in6 *in6 = (const void *)sa;

	if (sa->sa_family == AF_INET)
		*ret = (struct hostport){ addr_from_bytes(AF_INET, &in->sin_addr), ntohs(in->sin_port) };
	else if (sa->sa_family == AF_INET6)
		*ret = (struct hostport){ addr_from_bytes(AF_INET6, &in6->sin6_addr), ntohs(in6->sin6_port) };
	else
		return -EAFNOSUPPORT;
	return 0;
}
