/* SPDX-License-Identifier: Apache-2.0 */
/* resolvconf: points the container's resolver at our stub, and back.
 *
 * The file is a bind mount in containers: it is only ever written in place, by one padded pwrite() through a descriptor
 * opened at start, so that no reader sees it empty. The original is saved in the state directory before, and restored
 * byte for byte on stop or undo. Other writers are respected: what they write becomes the new original and is pointed at
 * us again, at most RESOLV_CONTESTS times in a minute; who changes ours in place is left alone. */
#pragma once

#include "agent/agent.h"

#define RESOLV_CONTESTS 5

struct resolvconf;

int resolvconf_start(struct agent *a, struct err *err);		/* also sets the upstreams */
void resolvconf_stop(struct agent *a);
void resolvconf_status(struct agent *a, json *o);

/* Without an agent: restores what a dead one left, forgets the saved original. 0 also when there is nothing to do. */
int resolvconf_undo(const struct config *c, struct err *err) must_check;
