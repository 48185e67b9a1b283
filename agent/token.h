/* SPDX-License-Identifier: Apache-2.0 */
/* token: renews the agent's own ServiceAccount token by TokenRequest (authentication.k8s.io/v1) when half of its life is over.
 *
 * Whose token it is and how long it lives is read from its own claims (RFC 7519 section 4.1; "kubernetes.io" is the API server's). The new
 * one replaces the token file as a whole; the watch notices that and uses it. A failure is tried again a minute later. */
#pragma once

#include "agent/agent.h"

struct token;

int token_start(struct agent *a, struct err *err);
void token_stop(struct agent *a);

struct token_claims {
	int64_t issued, expires;	/* seconds since 1970 */
	char namespace[64], account[254];
};

/* Reads the claims of a JWT without verifying it. -EBADMSG when it is none of a ServiceAccount. */
int token_claims_read(const char *jwt, size_t n, struct token_claims *ret) must_check;
/* Seconds from now until it is to be renewed; 0 when that time has come. */
int64_t token_due(const struct token_claims *c, int64_t now);
