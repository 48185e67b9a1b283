/* SPDX-License-Identifier: Apache-2.0 */
/* How it works: the name is taken apart into a request (CoreDNS's parseRequest), the request is looked up as a list of
 * hits (its findServices, findPods, nsAddrs), and the type asked for says which records become of them. Hits are what
 * CoreDNS counts for SRV weights, so they stand once per address and port, and duplicates go when records are made. */
#include "agent/names.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "agent/split.h"
#include "base/fnv.h"
#include "base/mem.h"
#include "base/str.h"

#define TTL 5
#define CHAIN_MAX 11		/* CNAMEs */
#define HOST 256

struct request {
	unsigned labels;	/* of the name, below the zone */
	bool pod, ns_dns;
	char ns[NAMES_LABEL], service[NAMES_LABEL], endpoint[NAMES_LABEL], port[NAMES_LABEL], protocol[NAMES_LABEL];
};

struct hit {
	const struct addr *addr;
	const struct store_endpoint *endpoint;	/* NULL: the service itself, or a pod */
	int32_t port;
};

struct found {
	struct request r;
	struct hit *hits;	/* owned */
	size_t n, cap;
	const struct store_service *external;
	struct addr pod;
};

static void found_done(struct found *f)
{
	free(f->hits);
}

/* ---- the request ------------------------------------------------------------------------------------------------- */

void names_label(const uint8_t *p, char ret[static NAMES_LABEL])
{
	for (unsigned i = 0; i < p[0]; i++) {
		uint8_t c = p[i + 1];

		if (c >= 'A' && c <= 'Z')
			c |= 0x20;
		ret[i] = c <= ' ' || c >= 127 || strchr("./:", c) ? '?' : (char)c;
	}
	ret[p[0]] = '\0';
}

static void strip_underscore(char *s)
{
	if (*s == '_')
		memmove(s, s + 1, strlen(s));
}

/* 0; -ENOENT: no name of this shape exists. */
static int request_parse(const struct names *n, const struct dns_name *name, struct request *ret)
{
	unsigned below = dns_name_labels(name) - dns_name_labels(&n->zone);
	char label[5][NAMES_LABEL], (*top)[NAMES_LABEL];
	const uint8_t *p = name->b;

	*ret = (struct request){ .labels = below };
	if (!below)
		return 0;
	if (below > 5)
		return -ENOENT;
	for (unsigned i = 0; i < below; i++, p += 1u + p[0])
		names_label(p, label[i]);
	top = &label[below - 1];
	ret->ns_dns = below == 2 && streq(label[0], "ns") && streq(label[1], "dns");
	if (ret->ns_dns)
		return 0;
	ret->pod = streq(*top, "pod");
	if (!ret->pod && !streq(*top, "svc"))
		return -ENOENT;
	if (below > 1)
		memcpy(ret->ns, top[-1], NAMES_LABEL);
	if (below > 2)
		memcpy(ret->service, top[-2], NAMES_LABEL);
	if (below == 4)
		memcpy(ret->endpoint, top[-3], NAMES_LABEL);
	if (below == 5) {
		memcpy(ret->protocol, top[-3], NAMES_LABEL);
		memcpy(ret->port, top[-4], NAMES_LABEL);
		strip_underscore(ret->protocol);
		strip_underscore(ret->port);
	}
	return 0;
}

/* ---- looking up -------------------------------------------------------------------------------------------------- */

static void hit_add(struct found *f, const struct addr *a, const struct store_endpoint *e, int32_t port)
{
	if (f->n == f->cap) {
		f->cap = f->cap ? f->cap * 2 : 8;
		f->hits = xrealloc(f->hits, f->cap, sizeof(*f->hits));
	}
	f->hits[f->n++] = (struct hit){ a, e, port };
}

static bool port_matches(const struct request *r, const struct store_port *p)
{
	const char *protocol = p->protocol == IPPROTO_TCP ? "tcp" : p->protocol == IPPROTO_UDP ? "udp" :
			       p->protocol == IPPROTO_SCTP ? "sctp" : "";

	return (!*r->port || streq(r->port, p->name)) && (!*r->protocol || streq(r->protocol, protocol));
}

static const struct store_port no_port = { .name = (char *)"", .number = -1 };

/* The first label of an endpoint's name. */
static const char *endpoint_host(const struct store_endpoint *e, char ret[static HOST])
{
	char text[ADDR_STRLEN];
	size_t n;

	if (e->hostname)
		return e->hostname;
	addr_format(&e->ip.addr, text);
	for (char *c = text; *c; c++)
		if (*c == '.' || *c == ':')
			*c = '-';
	n = strlen(text);
	snprintf(ret, HOST, "%s%s", text, n && text[n - 1] == '-' ? "0" : "");
	return ret;
}

static void slice_find(struct found *f, const struct store_slice *s)
{
	char host[HOST];

	for (unsigned i = 0; i < s->endpoint_count; i++) {
		const struct store_endpoint *e = &s->endpoints[i];

		if (!e->ready || (*f->r.endpoint && !streq(f->r.endpoint, endpoint_host(e, host))))
			continue;
		if (!s->port_count && port_matches(&f->r, &no_port))
			hit_add(f, &e->ip.addr, e, -1);
		for (unsigned p = 0; p < s->port_count; p++)
			if (port_matches(&f->r, &s->ports[p]))
				hit_add(f, &e->ip.addr, e, s->ports[p].number);
	}
}

static void cluster_ip_find(struct found *f, const struct store_service *v, const struct store_port *p)
{
	for (unsigned i = 0; port_matches(&f->r, p) && i < v->ip_count; i++)
		hit_add(f, &v->ips[i].addr, NULL, p->number);
}

static int service_find(const struct names *n, struct found *f)
{
	const struct request *r = &f->r;
	const struct store_service *v = store_service(n->store, r->ns, r->service);
	struct addr a;

	if (!v)
		return -ENOENT;
	if (v->external_name) {
		if (r->labels > 3 || addr_parse(v->external_name, &a) == 0)
			return -ENOENT;
		f->external = v;
		return 0;
	}
	if (v->headless || *r->endpoint) {
		for (const struct store_slice *s = store_slices(n->store, r->ns, r->service); s; s = s->next)
			slice_find(f, s);
	} else {
		if (!v->port_count)
			cluster_ip_find(f, v, &no_port);
		for (unsigned p = 0; p < v->port_count; p++)
			cluster_ip_find(f, v, &v->ports[p]);
	}
	return f->n ? 0 : -ENOENT;
}

/* a-b-c-d, or an IPv6 address with its colons as dashes: any address is a pod's. */
static int pod_find(struct found *f)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	char text[NAMES_LABEL];
	unsigned dashes = 0;
	bool v4;

	snprintf(text, sizeof(text), "%s", f->r.service);
	for (const char *c = text; *c; c++)
		dashes += *c == '-';
	v4 = dashes == 3 && !strstr(text, "--");
	for (char *c = text; *c; c++)
		if (*c == '-')
			*c = v4 ? '.' : ':';
	if (addr_parse(text, &f->pod))
		return -ENOENT;
	if (f->pod.family == AF_INET6 && memcmp(f->pod.b, mapped, 12) == 0)
		f->pod = addr_from_bytes(AF_INET, f->pod.b + 12);
	hit_add(f, &f->pod, NULL, 0);
	return 0;
}

/* 0: the name exists, with what is in ret or without any record; -ENOENT: it does not; -EAGAIN: CoreDNS knows. Free with
 * found_done(). */
static int name_find(const struct names *n, const struct dns_name *name, struct found *ret)
{
	int r;

	*ret = (struct found){ 0 };
	r = request_parse(n, name, &ret->r);
	if (r || ret->r.labels < 2)
		return r;
	if (ret->r.ns_dns) {
		const struct store_service *v = store_service_of(n->store, &n->dns);

		if (v)
			cluster_ip_find(ret, v, &no_port);
		return 0;
	}
	if (!store_namespace(n->store, ret->r.ns))
		return -ENOENT;
	if (ret->r.labels == 2)
		return 0;
	if (ret->r.pod && !n->pods)
		return -EAGAIN;
	return ret->r.pod ? pod_find(ret) : service_find(n, ret);
}

/* ---- records ----------------------------------------------------------------------------------------------------- */

/* "host.service.ns.svc.ZONE"; what does not fit is the root. */
printf_like(2, 3) static struct dns_name name_below(const struct names *n, const char *fmt, ...)
{
	struct dns_name ret;
	char text[4 * HOST];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (dns_name_parse(text, &ret) || ret.len - 1 + n->zone.len > DNS_NAME_MAX)
		return (struct dns_name){ .len = 1 };
	memcpy(ret.b + ret.len - 1, n->zone.b, n->zone.len);
	ret.len = (uint8_t)(ret.len - 1 + n->zone.len);
	return ret;
}

static size_t negative(const struct names *n, const struct dns_query *q, bool exists, uint8_t *out, size_t max)
{
	struct dns_build b;

	if (!exists && n->custom)
		return 0;
	dns_build_start(&b, q, exists ? DNS_NOERROR : DNS_NXDOMAIN, out, max);
	dns_build_soa(&b, 1, &n->zone, n->serial, TTL);
	return dns_build_end(&b);
}

/* Is hit i the first with its key? A table of indexes, so that a service of thousands of endpoints stays cheap. */
struct seen {
	uint32_t *slot;		/* owned; index + 1 */
	size_t slots;
	bool port;		/* the key is host and port, else host and address */
};

static void seen_init(struct seen *s, size_t n, bool port)
{
	*s = (struct seen){ .slots = 16, .port = port };
	while (s->slots < 2 * n)
		s->slots *= 2;
	s->slot = xcalloc(s->slots, sizeof(*s->slot));
}

static uint64_t hit_hash(const struct hit *h, const char *host, bool port)
{
	uint64_t x = fnv_add(FNV_START, host, strlen(host));

	return port ? fnv_add(x, &h->port, sizeof(h->port)) : fnv_add(x, h->addr->b, sizeof(h->addr->b));
}

static const char *hit_host(const struct hit *h, char buf[static HOST])
{
	return h->endpoint ? endpoint_host(h->endpoint, buf) : "";
}

/* names: whether the host is a part of the key, as it is for SRV. */
static bool seen_first(struct seen *s, const struct found *f, size_t i, bool names)
{
	char a[HOST], b[HOST];
	const struct hit *h = &f->hits[i];
	const char *host = names ? hit_host(h, a) : "";
	uint64_t x = hit_hash(h, host, s->port);
	size_t k = fnv_fold(x) & (s->slots - 1);

	for (; s->slot[k]; k = (k + 1) & (s->slots - 1)) {
		const struct hit *o = &f->hits[s->slot[k] - 1];

		if ((s->port ? o->port == h->port : addr_cmp(o->addr, h->addr) == 0) &&
		    (!names || streq(host, hit_host(o, b))))
			return false;
	}
	s->slot[k] = (uint32_t)i + 1;
	return true;
}

static void address_record(struct dns_build *b, unsigned section, const struct dns_name *owner, const struct addr *a)
{
	bool v6 = a->family == AF_INET6;

	dns_build_record(b, section, owner, v6 ? DNS_AAAA : DNS_A, TTL, a->b, v6 ? 16 : 4);
}

static unsigned addresses_add(const struct names *n, struct dns_build *b, const struct dns_name *owner, uint16_t type,
			      const struct found *f)
{
	int family = type == DNS_A ? AF_INET : AF_INET6;
	unsigned count = 0;
	struct seen seen;

	seen_init(&seen, f->n, false);
	for (size_t k = 0; k < f->n; k++) {
		size_t i = (k + n->turn) % f->n;

		if (f->hits[i].addr->family != family || !seen_first(&seen, f, i, false))
			continue;
		address_record(b, 0, owner, f->hits[i].addr);
		count++;
	}
	free(seen.slot);
	return count;
}

/* A or AAAA: through ExternalNames in the zone to addresses. A chain without an end has no records. */
static size_t answer_addresses(const struct names *n, const struct dns_query *q, struct found *f, struct dns_name *ret_outside,
			       uint8_t *out, size_t max)
{
	struct dns_name owner = q->name, target;
	struct dns_build b;
	unsigned chain = 0;

	dns_build_start(&b, q, DNS_NOERROR, out, max);
	while (f->external) {
		if (dns_name_parse(f->external->external_name, &target) || dns_name_within(&target, &owner) || chain++ == CHAIN_MAX)
			return negative(n, q, true, out, max);
		if (!dns_name_within(&target, &n->zone) && !ret_outside)
			return 0;
		dns_build_record(&b, 0, &owner, DNS_CNAME, TTL, target.b, target.len);
		if (!dns_name_within(&target, &n->zone)) {
			*ret_outside = target;
			return dns_build_end(&b);
		}
		owner = target;
		found_done(f);
		if (name_find(n, &owner, f))
			return negative(n, q, true, out, max);
	}
	if (f->r.ns_dns && !f->n)
		return 0;
	if (!addresses_add(n, &b, chain ? &owner : NULL, q->type, f))
		return negative(n, q, true, out, max);
	return dns_build_end(&b);
}

static struct dns_name hit_name(const struct names *n, const struct request *r, const struct hit *h)
{
	char host[HOST];

	if (h->endpoint)
		return name_below(n, "%s.%s.%s.svc", endpoint_host(h->endpoint, host), r->service, r->ns);
	return name_below(n, "%s.%s.%s", r->service, r->ns, r->pod ? "pod" : "svc");
}

static void srv_record(const struct names *n, struct dns_build *b, const struct found *f, const struct hit *h)
{
	unsigned weight = (unsigned)MAX(100 / f->n, 1u);
	struct dns_name target = hit_name(n, &f->r, h);
	uint8_t rdata[6 + DNS_NAME_MAX] = { 0, 0, (uint8_t)(weight >> 8), (uint8_t)weight, (uint8_t)(h->port >> 8), (uint8_t)h->port };

	memcpy(rdata + 6, target.b, target.len);
	dns_build_record(b, 0, NULL, DNS_SRV, TTL, rdata, 6u + target.len);
}

static size_t answer_srv(const struct names *n, const struct dns_query *q, const struct found *f, uint8_t *out, size_t max)
{
	struct dns_build b;
	struct seen seen;

	dns_build_start(&b, q, DNS_NOERROR, out, max);
	seen_init(&seen, f->n, true);
	for (size_t i = 0; i < f->n; i++)
		if (f->hits[i].port >= 0 && seen_first(&seen, f, i, true))
			srv_record(n, &b, f, &f->hits[i]);
	free(seen.slot);
	if (f->r.ns_dns || !b.count[0])
		return negative(n, q, true, out, max);
	seen_init(&seen, f->n, false);
	for (size_t k = 0; k < f->n; k++) {
		size_t i = (k + n->turn) % f->n;

		if (f->hits[i].port >= 0 && seen_first(&seen, f, i, true)) {
			struct dns_name owner = hit_name(n, &f->r, &f->hits[i]);

			address_record(&b, 2, &owner, f->hits[i].addr);
		}
	}
	free(seen.slot);
	return dns_build_end(&b);
}

static size_t answer_cname(const struct names *n, const struct dns_query *q, const struct found *f, uint8_t *out, size_t max)
{
	struct dns_name target;
	struct dns_build b;

	if (!f->external || dns_name_parse(f->external->external_name, &target))
		return negative(n, q, true, out, max);
	dns_build_start(&b, q, DNS_NOERROR, out, max);
	dns_build_record(&b, 0, NULL, DNS_CNAME, TTL, target.b, target.len);
	return dns_build_end(&b);
}

/* The zone's own NS and SOA. */
static size_t answer_apex(const struct names *n, const struct dns_query *q, uint8_t *out, size_t max)
{
	const struct store_service *v = store_service_of(n->store, &n->dns);
	struct dns_name target;
	struct dns_build b;

	dns_build_start(&b, q, DNS_NOERROR, out, max);
	if (q->type == DNS_SOA) {
		dns_build_soa(&b, 0, &n->zone, n->serial, TTL);
		return dns_build_end(&b);
	}
	if (!v)
		return 0;
	target = name_below(n, "%s.%s.svc", v->name, v->ns);
	dns_build_record(&b, 0, NULL, DNS_NS, TTL, target.b, target.len);
	for (unsigned i = 0; i < v->ip_count; i++)
		address_record(&b, 2, &target, &v->ips[i].addr);
	return dns_build_end(&b);
}

static size_t answer_version(const struct names *n, const struct dns_query *q, uint8_t *out, size_t max)
{
	struct dns_build b;

	dns_build_start(&b, q, DNS_NOERROR, out, max);
	dns_build_record(&b, 0, NULL, DNS_TXT, TTL, "\0051.1.0", 6);
	return dns_build_end(&b);
}

/* ---- reverse ----------------------------------------------------------------------------------------------------- */

static bool target_is_new(const struct dns_name *names, unsigned n, const struct dns_name *name)
{
	for (unsigned i = 0; i < n; i++)
		if (dns_name_eq(&names[i], name))
			return false;
	return true;
}

#define PTR_MAX 32

static size_t answer_ptr(const struct names *n, const struct dns_query *q, const struct dns_name *name, uint8_t *out, size_t max)
{
	const struct store_service *v;
	struct dns_name target[PTR_MAX];
	unsigned count = 0;
	struct dns_build b;
	struct prefix p;

	if (split_reverse(name, &p) || p.len != addr_bits(&p.addr))
		return 0;
	v = store_service_of(n->store, &p.addr);
	if (v)
		target[count++] = name_below(n, "%s.%s.svc", v->name, v->ns);
	for (const struct store_endpoint *e = v ? NULL : store_endpoint_of(n->store, &p.addr, NULL); e && count < PTR_MAX;
	     e = store_endpoint_of(n->store, &p.addr, e)) {
		const struct store_slice *s = e->ip.owner;
		char host[HOST];

		target[count] = name_below(n, "%s.%s.%s.svc", endpoint_host(e, host), s->service, s->ns);
		count += e->ready && *s->service && target_is_new(target, count, &target[count]);
	}
	if (!count)
		return 0;
	dns_build_start(&b, q, DNS_NOERROR, out, max);
	for (unsigned i = 0; i < count; i++)
		dns_build_record(&b, 0, NULL, DNS_PTR, TTL, target[i].b, target[i].len);
	return dns_build_end(&b);
}

/* ---- questions --------------------------------------------------------------------------------------------------- */

static size_t answer_found(const struct names *n, const struct dns_query *q, struct found *f, struct dns_name *ret_outside,
			   uint8_t *out, size_t max)
{
	if (q->type == DNS_A || q->type == DNS_AAAA)
		return answer_addresses(n, q, f, ret_outside, out, max);
	if (q->type == DNS_SRV)
		return answer_srv(n, q, f, out, max);
	if (q->type == DNS_CNAME)
		return answer_cname(n, q, f, out, max);
	/* Text is looked for among services alone: a namespace and the zone itself have none. */
	if (q->type == DNS_TXT && (f->r.ns_dns || (!f->n && !f->external)))
		return negative(n, q, false, out, max);
	if (q->type == DNS_PTR && f->r.ns_dns)
		return negative(n, q, false, out, max);
	return negative(n, q, true, out, max);
}

static bool is_version(const struct names *n, const struct dns_query *q, const struct dns_name *name)
{
	struct dns_name version;

	if (q->type != DNS_TXT)
		return false;
	version = name_below(n, "dns-version");
	return dns_name_eq(&version, name);
}

size_t names_answer(const struct names *n, const struct dns_query *q, const struct dns_name *name, struct dns_name *ret_outside,
		    uint8_t *out, size_t max)
{
	__attribute__((cleanup(found_done))) struct found f = { 0 };
	int r;

	if (ret_outside)
		ret_outside->len = 0;
	if (q->class != DNS_IN || !store_synced(n->store))
		return 0;
	if (!dns_name_within(name, &n->zone))
		return q->type == DNS_PTR ? answer_ptr(n, q, name, out, max) : 0;
	if (is_version(n, q, name))
		return answer_version(n, q, out, max);
	if (dns_name_eq(name, &n->zone) && (q->type == DNS_SOA || q->type == DNS_NS))
		return answer_apex(n, q, out, max);
	if (q->type == DNS_SOA)		/* CoreDNS does not look whether the name exists */
		return negative(n, q, true, out, max);
	r = name_find(n, name, &f);
	if (r)
		return r == -EAGAIN ? 0 : negative(n, q, false, out, max);
	return answer_found(n, q, &f, ret_outside, out, max);
}
