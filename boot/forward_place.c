/* SPDX-License-Identifier: Apache-2.0 */
/* From the plan to the machine: addresses, lines of the hosts file, listeners and their difference. Pure. */
#include "base/mem.h"
#include "boot/forward_hosts.h"
#include "boot/forward_plan.h"

struct asking {
	const struct forward_row *row;
	forward_busy_fn busy;
	void *arg;
};

static bool address_busy(void *arg, uint32_t place)
{
	const struct asking *q = arg;
	struct addr a = forward_addr_at(place);

	for (unsigned i = 0; i < q->row->n_ports; i++)
		if (q->busy(q->arg, q->row, &a, q->row->ports[i].listen))
			return true;
	return false;
}

static bool port_busy(void *arg, uint32_t place)
{
	const struct asking *q = arg;

	return q->busy(q->arg, q->row, &q->row->addr, (uint16_t)(FORWARD_PORT_FIRST + place));
}

/* What is held for rows that are no more is given back, before others look for a place. */
static void release_others(struct places *p, const struct strv *keys)
{
	struct map wanted = { 0 };

	for (size_t i = 0; i < keys->n; i++)
		map_set(&wanted, keys->v[i], (void *)keys);
	map_foreach(&p->held, it)
		if (!map_get(&wanted, it->key))
			places_release(p, it->key);
	map_done(&wanted);
}

static void place_single(struct forward_plan *p, struct places *ports, forward_busy_fn busy, void *arg)
{
	static const uint8_t b[4] = { 127, 0, 0, 1 };
	struct strv keys = { 0 };

	for (size_t i = 0; i < p->n; i++)
		for (unsigned k = 0; k < p->rows[i].n_ports; k++)
			strv_addf(&keys, "%s:%u", p->rows[i].key, p->rows[i].ports[k].number);
	release_others(ports, &keys);
	for (size_t i = 0, at = 0; i < p->n; i++) {
		struct forward_row *row = &p->rows[i];
		struct asking q = { row, busy, arg };

		row->addr = addr_from_bytes(AF_INET, b);
		for (unsigned k = 0; k < row->n_ports; k++) {
			int64_t place = places_take(ports, keys.v[at++], busy ? port_busy : NULL, &q);

			row->ports[k].listen = place < 0 ? 0 : (uint16_t)(FORWARD_PORT_FIRST + (uint32_t)place);
		}
	}
	strv_done(&keys);
}

void forward_plan_place(struct forward_plan *p, const struct forward_rules *rules, struct places *addresses, struct places *ports,
			forward_busy_fn busy, void *arg)
{
	struct strv keys = { 0 };
	uint32_t place;

	if (rules->single) {
		place_single(p, ports, busy, arg);
		return;
	}
	for (size_t i = 0; i < rules->n_reserves; i++)
		if (forward_addr_place(&rules->reserves[i].addr, &place))
			places_reserve(addresses, place);
	for (size_t i = 0; i < p->n; i++)
		if (p->rows[i].n_ports && !p->rows[i].refused && !p->rows[i].reserved.family)
			strv_add(&keys, p->rows[i].key);
	release_others(addresses, &keys);
	for (size_t i = 0; i < p->n; i++) {
		struct forward_row *row = &p->rows[i];
		struct asking q = { row, busy, arg };
		int64_t at;

		if (!row->n_ports || row->refused || row->reserved.family) {
			row->addr = row->reserved;
			continue;
		}
		at = places_take(addresses, row->key, busy ? address_busy : NULL, &q);
		if (at >= 0)
			row->addr = forward_addr_at((uint32_t)at);
	}
	strv_done(&keys);
}

void forward_plan_hosts(const struct forward_plan *p, struct buf *lines)
{
	char text[ADDR_STRLEN];

	for (size_t i = 0; i < p->n; i++)
		if (p->rows[i].addr.family && !p->rows[i].refused)
			hosts_add_names(lines, addr_format(&p->rows[i].addr, text), p->rows[i].names.v, p->rows[i].names.n);
}

/* ---- listeners --------------------------------------------------------------------------------------------------- */

void forward_plan_slots(const struct forward_plan *p, struct forward_slots *ret)
{
	size_t max = 0;

	for (size_t i = 0; i < p->n; i++)
		max += p->rows[i].n_ports;
	*ret = (struct forward_slots){ .v = xcalloc(max + 1, sizeof(*ret->v)) };
	for (size_t i = 0; i < p->n; i++) {
		const struct forward_row *row = &p->rows[i];

		for (unsigned k = 0; k < row->n_ports && row->addr.family && !row->refused; k++)
			if (row->ports[k].listen)
				ret->v[ret->n++] = (struct forward_slot){ row->key, row->addr, row->ports[k].number, row->ports[k].listen, row };
	}
}

static char *slot_key(const struct forward_slot *s)
{
	char text[ADDR_STRLEN];

	return xasprintf("%s %u %s %u", s->key, s->number, addr_format(&s->addr, text), s->listen);
}

static void slots_index(const struct forward_slots *s, struct map *ret)
{
	for (size_t i = 0; i < s->n; i++) {
		autofree char *key = slot_key(&s->v[i]);

		map_set(ret, key, (void *)s);
	}
}

/* Those of a that are not in b. */
static size_t slots_missing(const struct forward_slots *a, const struct map *b, bool open, struct forward_op *ret)
{
	size_t n = 0;

	for (size_t i = 0; i < a->n; i++) {
		autofree char *key = slot_key(&a->v[i]);

		if (!map_get(b, key))
			ret[n++] = (struct forward_op){ open, i };
	}
	return n;
}

size_t forward_plan_diff(const struct forward_slots *wanted, const struct forward_slots *there, struct forward_op **ret)
{
	struct forward_op *ops = xcalloc(wanted->n + there->n + 1, sizeof(*ops));
	struct map of_wanted = { 0 }, of_there = { 0 };
	size_t n;

	slots_index(wanted, &of_wanted);
	slots_index(there, &of_there);
	n = slots_missing(there, &of_wanted, false, ops);
	n += slots_missing(wanted, &of_there, true, ops + n);
	map_done(&of_wanted);
	map_done(&of_there);
	*ret = ops;
	return n;
}
