/* SPDX-License-Identifier: Apache-2.0 */
/* trouble: the last failures, for `agent status`. Noting one also logs it, unless it repeats the module's last. */
#pragma once

#include <stdint.h>
#include <time.h>

#include "base/compiler.h"
#include "base/json.h"

#define TROUBLE_KEPT 16

struct trouble_entry {
	time_t first, last;
	unsigned times;
	const char *module;	/* a literal */
	char text[300];
};

struct trouble {
	struct trouble_entry e[TROUBLE_KEPT];	/* a ring; the oldest is overwritten */
	unsigned next;
	uint64_t noted;		/* in all */
};

void trouble_note(struct trouble *t, const char *module, const char *fmt, ...) printf_like(3, 4);
json *trouble_status(const struct trouble *t);	/* newest first */
