/* SPDX-License-Identifier: Apache-2.0 */
/* daemon: one agent per state directory, started once, stopped for good.
 *
 * STATE/agent.lock is flock'ed by the running agent for as long as it lives, and says its pid and identity; STATE/start.lock
 * by a `start` at work, so that two at once start one agent. */
#pragma once

#include "agent/config.h"
#include "base/err.h"
#include "base/json.h"

/* The running agent's lock; -ETIMEDOUT when another agent has it. Returns the descriptor, to be kept. */
int daemon_lock(const struct config *c, const char *identity, struct err *err) must_check;
/* The pid of the agent that holds the lock, 0 when none does. */
long daemon_pid(const struct config *c);
/* What an agent is an agent of: version, program file, configuration. Caller owns. */
char *daemon_identity(const struct config *c);
/* Does an agent run that has another identity than this process would give it? Whether it answers does not matter. */
bool daemon_is_outdated(const struct config *c);
/* Runs `body` in a process of its own session, with stdio on the log file. Returns in the caller: 0 when it was launched. */
int daemon_spawn(const struct config *c, int (*body)(void *arg), void *arg, struct err *err) must_check;
/* Waits until the agent is ready (or only serving) or gone. -ETIMEDOUT: it runs, but is not ready, and why. */
int daemon_wait_ready(const struct config *c, bool only_serving, uint64_t deadline_ns, struct err *err) must_check;
/* Ends a running agent: by its socket, by SIGTERM, by SIGKILL. 1: it ran, 0: none did. */
int daemon_stop(const struct config *c, uint64_t deadline_ns, struct err *err) must_check;
