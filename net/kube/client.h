/* SPDX-License-Identifier: Apache-2.0 */
/* kube client: Kubernetes API calls. Step-by-step ones run the loop until done (bootstrap); the watch (watch.h) is
 * asynchronous (agent). Errors: codes of net/http.h, the message is the Status object's; -EBADMSG: broken answer. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/json.h"
#include "base/loop.h"
#include "net/http.h"

struct kube;

/* endpoint is taken over (emptied). */
struct kube *kube_new(struct loop *l, struct http_endpoint *endpoint);
struct kube *kube_free(struct kube *k);		/* after its watches */
struct loop *kube_loop(const struct kube *k);
struct http *kube_http(const struct kube *k);
/* For watches, which share one connection: apart, as libcurl confuses HTTP/1.1 and HTTP/2 connections to one host. */
struct http *kube_watches(const struct kube *k);
/* No call is to come for long: connections that are kept for the next are closed. None may be running. */
void kube_rest(struct kube *k);
const struct http_endpoint *kube_endpoint(const struct kube *k);
/* Another token for the requests that start from now on (copied). */
void kube_set_bearer(struct kube *k, const char *token);
/* Another credential; what is NULL is none. Copied. */
void kube_set_credential(struct kube *k, const char *token, const char *cert_pem, const char *key_pem);

/* Any call; body borrowed. timeout_ms 0: 10 s. *ret may be NULL when the answer was not JSON. */
int kube_call(struct kube *k, const char *method, const char *path, const char *content_type, const json *body,
	      uint64_t timeout_ms, json **ret, struct err *err) must_check;
int kube_get(struct kube *k, const char *path, json **ret, struct err *err) must_check;	/* *ret is never NULL after 0 */
/* Plain text answers: "/readyz", pod logs. Appends to out. */
int kube_get_text(struct kube *k, const char *path, struct buf *out, struct err *err) must_check;
/* All items in pages of 500; fn per item (borrowed), a negative result ends the list with it. Items are decoded one by
 * one: memory does not follow the list. fn is called from within the loop, so it makes no calls. -ESTALE: the list
 * changed faster than it was read; call again. *ret_version: resourceVersion, caller owns, may be NULL. */
typedef int (*kube_item_fn)(void *arg, const json *item);
int kube_list(struct kube *k, const char *path, kube_item_fn fn, void *arg, char **ret_version, struct err *err) must_check;
/* Server-side apply (PATCH apply-patch+yaml, force) of one object; its path is worked out from apiVersion and kind.
 * *ret may be NULL. */
int kube_apply(struct kube *k, const json *object, const char *field_manager, json **ret, struct err *err) must_check;
int kube_delete(struct kube *k, const char *path, struct err *err) must_check;		/* with dependents; 0 when absent */
/* Last lines of a pod's container (NULL: the only one). previous: of the run before. Cut to what out can hold. */
int kube_logs(struct kube *k, const char *ns, const char *pod, const char *container, unsigned lines, bool previous,
	      struct buf *out, struct err *err) must_check;
/* "/api/v1/namespaces/NS/services" for a built-in or known kind; name may be NULL. ns NULL: all namespaces for a
 * collection, "default" for one object. Caller owns; NULL for an unknown kind. */
char *kube_path(const char *api_version, const char *kind, const char *ns, const char *name);

/* Calls test until it returns > 0, at most each interval_ms, until the deadline; test < 0 ends. what: for the message:
 * "timed out waiting for WHAT: <last reason test gave>". */
typedef int (*kube_test_fn)(void *arg, struct err *reason);
int kube_poll(struct loop *l, const char *what, kube_test_fn test, void *arg, unsigned interval_ms, uint64_t deadline_ns,
	      struct err *err) must_check;
