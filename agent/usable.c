/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/usable.h"

#include "base/fnv.h"
#include "base/mem.h"
#include "base/str.h"

int usable_cmp(const struct nft_element *a, const struct nft_element *b)
{
	int r = addr_cmp(&a->addr, &b->addr);

	if (!r)
		r = a->protocol - b->protocol;
	return r ? r : a->port - b->port;
}

static int element_cmp(const void *a, const void *b)
{
	return usable_cmp(a, b);
}

static void port_add(struct usable *u, const struct addr *a, uint8_t protocol, uint16_t port)
{
	u->ports = xrealloc(u->ports, u->n + 1, sizeof(*u->ports));
	u->ports[u->n++] = (struct nft_element){ .addr = *a, .protocol = protocol, .port = port };
}

static bool endpoint_counts(const struct store_endpoint *e, int family, bool ready)
{
	return e->ip.addr.family == family && (ready ? e->ready : e->serving && e->terminating);
}

static bool port_is_served(const struct store_slice *slices, const struct store_port *p, int family, bool ready)
{
	for (const struct store_slice *s = slices; s; s = s->next)
		for (unsigned i = 0; store_slice_port(s, p) && i < s->endpoint_count; i++)
			if (endpoint_counts(&s->endpoints[i], family, ready))
				return true;
	return false;
}

/* The endpoint with this rank among those that count; NULL when there are fewer. `keep` is found by its address instead. */
static const struct addr *endpoint_pick(const struct store_slice *slices, int family, bool ready, const struct addr *keep, size_t rank)
{
	size_t at = 0;

	for (const struct store_slice *s = slices; s; s = s->next) {
		for (unsigned i = 0; i < s->endpoint_count; i++) {
			const struct store_endpoint *e = &s->endpoints[i];

			if (!endpoint_counts(e, family, ready))
				continue;
			if (keep ? addr_cmp(&e->ip.addr, keep) == 0 : at++ == rank)
				return &e->ip.addr;
		}
	}
	return NULL;
}

static size_t endpoint_count(const struct store_slice *slices, int family, bool ready)
{
	size_t n = 0;

	for (const struct store_slice *s = slices; s; s = s->next)
		for (unsigned i = 0; i < s->endpoint_count; i++)
			n += endpoint_counts(&s->endpoints[i], family, ready);
	return n;
}

static const struct addr *ping_value(const struct usable *u, const struct addr *a)
{
	for (size_t i = 0; u && i < u->pings; i++)
		if (addr_cmp(&u->ping[i].addr, a) == 0)
			return &u->ping[i].value;
	return NULL;
}

static void ping_add(struct usable *u, const struct store_slice *slices, const struct addr *a, const struct usable *before)
{
	bool ready = endpoint_count(slices, a->family, true) > 0;
	size_t n = endpoint_count(slices, a->family, ready);
	const struct addr *now = ping_value(before, a), *to = NULL;

	if (!n || u->pings == USABLE_PINGS)
		return;
	if (now)
		to = endpoint_pick(slices, a->family, ready, now, 0);
	if (!to)
		to = endpoint_pick(slices, a->family, ready, NULL, fnv_fold(fnv_add(FNV_START, a->b, sizeof(a->b))) % n);
	u->ping[u->pings++] = (struct nft_element){ .addr = *a, .value = *to };
}

void usable_make(const struct config *c, const struct store *s, const char *ns, const char *name, const struct usable *before,
		 struct usable *ret)
{
	const struct store_service *v = store_service(s, ns, name);
	const struct store_slice *slices = store_slices(s, ns, name);

	*ret = (struct usable){ 0 };
	for (unsigned i = 0; v && !v->headless && i < v->ip_count; i++) {
		const struct addr *a = &v->ips[i].addr;

		if (!prefixes_contain(&c->services, a) || store_service_of(s, a) != v)
			continue;
		for (unsigned p = 0; p < v->port_count; p++) {
			const struct store_port *port = &v->ports[p];

			if (port->number > 0 && (port_is_served(slices, port, a->family, true) ||
						 port_is_served(slices, port, a->family, false)))
				port_add(ret, a, port->protocol, (uint16_t)port->number);
		}
		ping_add(ret, slices, a, before);
	}
	if (ret->n)
		qsort(ret->ports, ret->n, sizeof(*ret->ports), element_cmp);
	qsort(ret->ping, ret->pings, sizeof(*ret->ping), element_cmp);
}

void usable_done(struct usable *u)
{
	free(u->ports);
	*u = (struct usable){ 0 };
}
