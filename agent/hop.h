/* SPDX-License-Identifier: Apache-2.0 */
/* hop: does a next hop answer? From probes and answers to a verdict. Pure; time comes as an argument.
 *
 * A hop that answers is probed once a second, one that is late (500 ms) twice. It is dead when three probes in a row
 * have waited for a second each: 3 s after it fell silent at the latest; and alive again after two answers in a row.
 * What the agent slept through does not count: hop_forget(). */
#pragma once

#include "net/addr.h"

#define HOPS_MAX 64
#define HOP_PERIOD_NS UINT64_C(1000000000)
#define HOP_DOUBT_NS UINT64_C(500000000)
#define HOP_TIMEOUT_NS UINT64_C(1000000000)
#define HOP_MISSES 3
#define HOP_ANSWERS 2

enum hop_state { HOP_UNKNOWN, HOP_ALIVE, HOP_DEAD, HOP_STATES };

struct hop {
	struct addr addr;
	enum hop_state state;
	uint64_t due_ns;	/* of the next probe */
	uint64_t sent_ns;	/* the last probe */
	uint64_t third_ns;	/* the third one without an answer */
	uint64_t heard_ns;	/* the last answer; before the first one, when probing began */
	uint64_t rtt_ns;	/* of the last answer to the last probe */
	uint16_t seq;		/* of the last probe */
	unsigned asked;		/* probes after the one that was answered last */
	unsigned answers;	/* in a row, while dead */
};

struct hop_table {
	struct hop v[HOPS_MAX];
	size_t n;
};

const char *hop_state_name(enum hop_state s);
struct hop hop_new(const struct addr *a, uint64_t now_ns, uint64_t due_ns);
/* A probe goes out now; returns its sequence number. */
uint16_t hop_probe(struct hop *h, uint64_t now_ns);
/* Return whether the state has changed. */
bool hop_answer(struct hop *h, uint16_t seq, uint64_t now_ns);
bool hop_judge(struct hop *h, uint64_t now_ns);
/* Nobody was there to count since the last probe; the next one is due then. */
void hop_forget(struct hop *h, uint64_t due_ns);
/* When something is to be done next: a probe or a judgement. */
uint64_t hop_next(const struct hop *h);

/* NULL: it is not probed. t may be NULL. */
struct hop *hop_find(const struct hop_table *t, const struct addr *a);
