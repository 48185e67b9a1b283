/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/hop.h"

static const char *const state_names[] = {
	[HOP_UNKNOWN] = "unknown",
	[HOP_ALIVE] = "alive",
	[HOP_DEAD] = "dead",
};
_Static_assert(ARRAY_SIZE(state_names) == HOP_STATES, "each state has a name");

const char *hop_state_name(enum hop_state s)
{
	return state_names[s];
}

struct hop hop_new(const struct addr *a, uint64_t now_ns, uint64_t due_ns)
{
	return (struct hop){ .addr = *a, .due_ns = due_ns, .heard_ns = now_ns };
}

/* Of the probe behind one that was just sent; an answer puts it off. */
static uint64_t wait_ns(const struct hop *h)
{
	return h->state == HOP_DEAD ? HOP_PERIOD_NS : HOP_DOUBT_NS;
}

uint16_t hop_probe(struct hop *h, uint64_t now_ns)
{
	if (h->asked)
		h->answers = 0;
	if (++h->asked == HOP_MISSES)
		h->third_ns = now_ns;
	h->sent_ns = now_ns;
	h->due_ns = now_ns + wait_ns(h);
	return ++h->seq;
}

bool hop_answer(struct hop *h, uint16_t seq, uint64_t now_ns)
{
	unsigned behind = (uint16_t)(h->seq - seq);
	enum hop_state was = h->state;

	if (behind >= h->asked || behind >= HOP_MISSES)
		return false;		/* a repeated one, one of another time, or too late */
	h->asked = behind;
	h->heard_ns = now_ns;
	if (!behind) {
		h->rtt_ns = now_ns - h->sent_ns;
		h->due_ns = h->sent_ns + HOP_PERIOD_NS;
	}
	if (was != HOP_DEAD || ++h->answers >= HOP_ANSWERS)
		h->state = HOP_ALIVE;
	if (h->state == HOP_ALIVE)
		h->answers = 0;
	return h->state != was;
}

bool hop_judge(struct hop *h, uint64_t now_ns)
{
	if (h->state == HOP_DEAD || h->asked < HOP_MISSES || now_ns < h->third_ns + HOP_TIMEOUT_NS)
		return false;
	h->state = HOP_DEAD;
	h->answers = 0;
	return true;
}

void hop_forget(struct hop *h, uint64_t due_ns)
{
	h->asked = 0;
	h->due_ns = due_ns;
}

uint64_t hop_next(const struct hop *h)
{
	if (h->state != HOP_DEAD && h->asked >= HOP_MISSES)
		return MIN(h->due_ns, h->third_ns + HOP_TIMEOUT_NS);
	return h->due_ns;
}

struct hop *hop_find(const struct hop_table *t, const struct addr *a)
{
	for (size_t i = 0; t && i < t->n; i++)
		if (addr_cmp(&t->v[i].addr, a) == 0)
			return (struct hop *)&t->v[i];
	return NULL;
}
