/* SPDX-License-Identifier: Apache-2.0 */
/* forward: services of any cluster of a kubeconfig on this machine: a loopback address and all names for each, the real ports. */
#pragma once

#include "boot/run.h"

int forward_main(struct run *r);
