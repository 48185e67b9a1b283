/* SPDX-License-Identifier: Apache-2.0 */
/* agentctl: the agent as bootstrap sees it: its credential (a ServiceAccount with just its rights), its configuration, start, stop, status. */
#pragma once

#include "base/err.h"
#include "base/json.h"
#include "boot/run.h"
#include "net/docker.h"

#define AGENT_DIR "/opt/firestream"
#define AGENT_PROGRAM AGENT_DIR "/firestream-agent/agent"
#define AGENT_CONFIG "/etc/firestream/agent.json"
#define AGENT_CREDENTIAL "/etc/firestream/agent"

/* Puts bundle, credential, configuration, kubectl, helm and the developer's kubeconfig into the dev container, starts the agent and waits until
 * it is in sync. */
int agent_up(struct step_ctx *c, struct err *err) must_check;
/* `agent status -o json`; -ENOENT when there is none, -ECONNREFUSED when it does not run. *ret: caller owns. */
int agent_status(struct docker *d, const char *dev_id, json **ret, struct err *err) must_check;
/* Stops it, or undoes what a dead one left. 0 when there is none. */
int agent_stop(struct docker *d, const char *dev_id, struct err *err) must_check;
/* Asks in the dev container, as any program there would: NAME resolves, PORT accepts. target: "name:port". */
int agent_check(struct docker *d, const char *dev_id, const char *target, struct err *err) must_check;
