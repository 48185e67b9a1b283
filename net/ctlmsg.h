/* SPDX-License-Identifier: Apache-2.0 */
/* ctlmsg: the agent's control protocol, the only thing that boot/ and agent/ share.
 *
 * A client connects to the agent's unix socket, sends one request, reads one reply; both are one JSON object on one
 * line: {"op":"status"} → {"ok":true,"status":{…}} or {"ok":false,"error":"a sentence"}.
 * Of the status object these keys are stable: version, pid, state ("starting" "serving" "ready" "stopping"), ready (the
 * cluster is up: nodes listed, routes in place, its DNS answers), uptime_ms, cluster{state,error,dns,api{}}, nodes[],
 * hops{list[]}, routes[], upstreams[], dns{cache{}}, names{}, resolv_conf{}, process{}, errors[]. "serving" means that names
 * outside the cluster work. */
#pragma once

#include "base/err.h"
#include "base/json.h"
#include "base/loop.h"

/* The agent's own user and group once it serves; what is put into the dev container for it to read belongs to them. */
#define AGENT_UID 53053

#define CTLMSG_REQUEST_MAX 4096
#define CTLMSG_REPLY_MAX (4u << 20)

enum ctl_op { CTL_STATUS, CTL_STOP, CTL_OPS };

const char *ctl_op_name(enum ctl_op op);
/* A line with its '\n'; caller owns. */
char *ctl_request_text(enum ctl_op op);
/* -EBADMSG when it is no request, -ENOSYS for an op that we do not know. */
int ctl_request_parse(const void *p, size_t n, enum ctl_op *ret, struct err *err) must_check;

/* Lines with '\n'; caller owns. `body` (may be NULL) goes under `key` and is taken over. */
char *ctl_reply_ok(const char *key, json *body);
char *ctl_reply_error(const char *text);
/* The reply object (caller frees), or -EBADMSG, or -EREMOTEIO with the agent's own sentence. */
int ctl_reply_parse(const void *p, size_t n, json **ret, struct err *err) must_check;

/* One exchange on a loop of its own. -ENOENT/-ECONNREFUSED: nobody listens there; -ETIMEDOUT; else as above. */
int ctl_call(const char *socket_path, enum ctl_op op, uint64_t deadline_ns, json **ret, struct err *err) must_check;
