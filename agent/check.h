/* SPDX-License-Identifier: Apache-2.0 */
/* check: asks as any program in this container would: the first nameserver of resolv.conf by UDP, then a TCP connection.
 * A program of a moment, not part of the daemon: it waits. */
#pragma once

#include "base/err.h"

/* target: "name:port". 0, or what did not work. */
int check_target(const char *target, struct err *err) must_check;
