/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/spare.h"

#include "base/mem.h"

static bool is_caught(const struct config *c, const struct prefix *p)
{
	return prefixes_cover(&c->pods, p) || prefixes_cover(&c->services, p);
}

static void spare_put(struct spare *s, const struct config *c, const struct prefix *p)
{
	size_t at = 0;

	while (at < s->n && prefix_cmp(&s->v[at], p) < 0)
		at++;
	if (!is_caught(c, p) || s->n == SPARE_MAX || (at < s->n && prefix_cmp(&s->v[at], p) == 0))
		return;
	memmove(&s->v[at + 1], &s->v[at], (s->n - at) * sizeof(s->v[0]));
	s->v[at] = *p;
	s->n++;
}

void spare_addr(struct spare *s, const struct config *c, const struct addr *a)
{
	const struct prefix p = { *a, (uint8_t)addr_bits(a) };

	spare_put(s, c, &p);
}

void spare_own(struct spare *s, const struct config *c, const struct link_addr *own)
{
	struct prefix net = { own->addr, own->len };

	for (unsigned bit = net.len; bit < addr_bits(&net.addr); bit++)
		net.addr.b[bit / 8] &= (uint8_t)~(0x80u >> bit % 8);
	spare_addr(s, c, &own->addr);
	spare_put(s, c, &net);
}

void spare_servers(struct spare *s, const struct config *c, const struct store *store)
{
	for (const struct store_slice *l = store_slices(store, "default", "kubernetes"); l; l = l->next)
		for (unsigned i = 0; i < l->endpoint_count; i++)
			spare_addr(s, c, &l->endpoints[i].ip.addr);
}

bool spare_equal(const struct spare *a, const struct spare *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (prefix_cmp(&a->v[i], &b->v[i]) != 0)
			return false;
	return true;
}
