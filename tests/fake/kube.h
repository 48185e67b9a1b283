/* SPDX-License-Identifier: Apache-2.0 */
/* fake kube: a small HTTP server in threads that answers by script, in the order of the requests: it can hang, cut, lie
 * and flood. What was asked is kept. Requests beyond the script get 500. Streamed lists (sendInitialEvents) are refused, outside of
 * the script, as by an API server without them, until fake_kube_stream(). */
#pragma once

#include <stddef.h>

#include "net/http.h"

struct fake_kube;

enum fake_end {
	FAKE_WHOLE,	/* with Content-Length; the connection stays */
	FAKE_END,	/* chunked, ended in order */
	FAKE_CUT,	/* chunked, then the connection is closed in the middle */
	FAKE_HOLD,	/* chunked, then silence; more by fake_kube_push() */
	FAKE_HANG,	/* no answer at all */
};

struct fake_kube *fake_kube_new(void);
void fake_kube_free(struct fake_kube *f);
void fake_kube_stream(struct fake_kube *f);
/* An endpoint for it, the caller's. */
struct http_endpoint fake_kube_endpoint(const struct fake_kube *f);
/* The next answer. application/json; say_text: text/plain. */
void fake_kube_say(struct fake_kube *f, int status, enum fake_end end, const char *body);
void fake_kube_say_text(struct fake_kube *f, int status, const char *body);
/* More bytes on the connection that is held. */
void fake_kube_push(struct fake_kube *f, const char *text);
/* The i-th request: line, headers and body. Owned by the fake; NULL when there was none yet. */
const char *fake_kube_asked(struct fake_kube *f, size_t i);
size_t fake_kube_count(struct fake_kube *f);
