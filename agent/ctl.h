/* SPDX-License-Identifier: Apache-2.0 */
/* ctl: the control socket's server side (protocol: net/ctlmsg.h). Everybody may ask for the status; only root or the
 * agent's own user may stop it. Limits: calls.h. */
#pragma once

#include "agent/agent.h"

int ctl_start(struct agent *a, struct err *err);
void ctl_stop(struct agent *a);
