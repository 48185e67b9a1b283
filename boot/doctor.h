/* SPDX-License-Identifier: Apache-2.0 */
/* doctor: looks at what a run needs of this machine and says for each finding what to do about it. Changes nothing. */
#pragma once

#include "boot/run.h"

/* Text, or with -o json {"ok": …, "findings": [{"check","level","text","fix"}]}, on stdout. Exit code: 0, or 3 when
 * something would fail. */
int doctor_main(struct run *r);
