/* SPDX-License-Identifier: Apache-2.0 */
/* show: `agent status`: the status object of the agent that runs, printed once or for as long as one looks.
 *
 * Watching asks once a second. On a terminal the text is drawn anew in its place; elsewhere, and as JSON (one object per line),
 * it is printed when something has changed besides clocks. It goes on while the agent is away, and ends with its reader. */
#pragma once

#include "agent/config.h"
#include "base/json.h"

struct show {
	bool as_json, watch;
	uint64_t timeout_ms;		/* of one question */
};

/* -ENOENT when no agent runs (not while watching), -ETIMEDOUT when it does not answer. */
int show_status(const struct config *c, const struct show *how, struct err *err) must_check;
/* Do two status objects say the same, clocks aside? Pure. */
bool show_is_same(const json *a, const json *b);
