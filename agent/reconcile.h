/* SPDX-License-Identifier: Apache-2.0 */
/* reconcile: makes the kernel's state what is desired, again and again.
 *
 * Woken by the watch and by the kernel's own notices (50 ms debounce), by a timer (30 s), and after a failure with
 * backoff. Nothing is touched before a full list of nodes has been seen, so that a restart keeps what is there. A run over
 * an unchanged world does nothing. stop() removes what is ours. */
#pragma once

#include "agent/agent.h"

struct reconcile;

int reconcile_start(struct agent *a, struct err *err);
void reconcile_stop(struct agent *a);
void reconcile_status(struct agent *a, json *o);

void reconcile_wanted(struct reconcile *r);		/* NULL is fine */
bool reconcile_is_done(const struct reconcile *r);	/* the last run left nothing to do */
