/* SPDX-License-Identifier: Apache-2.0 */
/* engine_install: the distribution's engine, installed with apt and started the way this machine starts services. Linux
 * only. */
#pragma once

#include <stdbool.h>

#include "base/err.h"
#include "base/loop.h"
#include "boot/cli.h"
#include "boot/progress.h"

bool engine_is_installed(void);
/* Whether it could be done here at all; -ENOPKG with a sentence else. */
int engine_may_install(struct err *err) must_check;
int engine_install(struct loop *l, struct progress_step *s, struct err *err) must_check;
/* Starts it (systemd, sysvinit, or plain dockerd in a session of its own with a log file) and waits until its socket
 * answers. */
int engine_start(struct loop *l, struct progress_step *s, struct err *err) must_check;
