/* SPDX-License-Identifier: Apache-2.0 */
/* worker: what the agent owes its supervisor: a beat each second, and an end when the supervisor is gone. */
#pragma once

#include "agent/agent.h"

int worker_start(struct agent *a, struct err *err);
void worker_stop(struct agent *a);
void worker_status(struct agent *a, json *o);

/* Ends this worker in order, for one that has root's rights again; without a supervisor nothing is done. */
void worker_again(struct agent *a, const char *why);
