/* SPDX-License-Identifier: Apache-2.0 */
/* play: a scenario under way, and the steps that its lines are. */
#pragma once

#include "base/str.h"
#include "tests/scenario/text.h"
#include "tests/scenario/world.h"

struct play {
	const char *file, *text;	/* the line's */
	unsigned line;
	char sentence[256];
	struct strv background;
	struct buf settings;
	bool open, failed;
	struct world w;
	char why[1500];
};

/* The line cannot be read: the whole run ends. */
_Noreturn void play_misread(const struct play *p, const char *what);
/* The scenario fails here; its other lines are not played. */
void play_fail(struct play *p, const char *fmt, ...) printf_like(2, 3);

/* Parts of a line; what is not there ends the run. */
uint16_t play_number(struct play *p, struct words *w);
void play_range(struct play *p, struct words *w, unsigned *from, unsigned *to);	/* "7" or "1-20" */
uint16_t play_type(struct play *p, struct words *w);
struct dns_name play_name(struct play *p, const char *word, unsigned number);	/* % in it is the number */
struct upstream *play_server(struct play *p, struct words *w);			/* NULL: there is none of this number */

void step_query(struct play *p, struct words *w);
void step_packet(struct play *p, struct words *w);
void step_hang_up(struct play *p, struct words *w);
void step_upstreams(struct play *p, struct words *w);
void step_upstream(struct play *p, struct words *w);
void step_cluster(struct play *p, struct words *w);
void step_api(struct play *p, struct words *w);
void step_namespace(struct play *p, struct words *w);
void step_service(struct play *p, struct words *w);
void step_endpoints(struct play *p, struct words *w);
void step_delete(struct play *p, struct words *w);
void step_synced(struct play *p, struct words *w);
void step_coredns(struct play *p, struct words *w);
void step_expect(struct play *p, struct words *w);
