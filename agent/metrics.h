/* SPDX-License-Identifier: Apache-2.0 */
/* metrics: the status for Prometheus, at the loopback address of the configuration's "metrics" (none: not at all).
 *
 * GET /metrics, text format 0.0.4, one request per connection. The figures are those of the status object and kept nowhere
 * else: metrics_text() is a table over it. An address that is taken is a trouble, not an end. */
#pragma once

#include "agent/agent.h"

#define METRICS_REQUEST_MAX 8192

int metrics_start(struct agent *a, struct err *err);
void metrics_stop(struct agent *a);

/* Pure. The HTTP status that a request deserves, 0 while it is not whole. */
unsigned metrics_verdict(const char *p, size_t n);
/* The text of a status object. */
void metrics_text(const json *status, struct buf *out);
