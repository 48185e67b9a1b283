/* SPDX-License-Identifier: Apache-2.0 */
/* privilege: the last module: gives up what the agent needs no more once all others have started.
 *
 * Own user and group (AGENT_UID, no entry in passwd is needed), no supplementary groups, capabilities NET_ADMIN and
 * NET_BIND_SERVICE alone, also in the bounding set, no new privileges, no core dumps, a list of system calls (agent/seccomp).
 * Before, the agent's own directories are given to that user. In a user namespace that does not map it, the user stays; started
 * without root, what can be given up is. */
#pragma once

#include "agent/agent.h"

int privilege_start(struct agent *a, struct err *err);
void privilege_stop(struct agent *a);
void privilege_status(struct agent *a, json *o);
