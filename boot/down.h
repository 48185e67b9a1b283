/* SPDX-License-Identifier: Apache-2.0 */
/* down: removes, or stops, what this project made and nothing else: found by label, in safe order (agent, dev container, nodes,
 * network, volumes). Each works on whatever is left of a half-made or half-removed project. */
#pragma once

#include "boot/run.h"

int down_main(struct run *r);	/* `down [--purge [--all]]`; exit code */
int stop_main(struct run *r);	/* `stop` */
