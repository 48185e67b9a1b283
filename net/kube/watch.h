/* SPDX-License-Identifier: Apache-2.0 */
/* watch: list and watch one collection for ever, decoded item by item.
 *
 * A streamed list that goes on as a watch (sendInitialEvents, KEP-3157), or, where that is refused, a list in pages and a
 * watch from its resourceVersion; with bookmarks. A cut resumes at the last version; 410 or garbage
 * relists; failures back off (0.2 s … 5 s, first retry at once). Level-triggered: on relist, begin → item… → end, so
 * that the owner can drop what was not named; a list that fails midway begins anew, without an end. An event line is at
 * most 12 MiB. Callbacks come from the loop, never from kube_watch_new; each may be NULL, and may free the watch. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "net/kube/client.h"

struct kube_watch;

struct kube_watch_ops {
	void (*on_begin)(void *owner);				/* a full list starts */
	void (*on_item)(void *owner, const json *object);	/* added or modified; borrowed */
	void (*on_delete)(void *owner, const json *object);
	void (*on_end)(void *owner);				/* the list is complete */
	/* state changed: connected (list done, watch open; why is NULL) or not, with the reason (again when its code
	 * changes). The orderly end of one watch request and 410 are not reported unless the retry fails. */
	void (*on_state)(void *owner, bool connected, const struct err *why);
};

/* path: a collection, "/api/v1/nodes". selector: query part ("fieldSelector=…", escaped) or NULL. */
struct kube_watch *kube_watch_new(struct kube *k, const char *path, const char *selector, const struct kube_watch_ops *ops,
				  void *owner);
struct kube_watch *kube_watch_free(struct kube_watch *w);	/* before its kube; returns NULL */
/* A connection without a byte for so long is given up, from the next request on; default 90 s (bookmarks come every
 * minute). */
void kube_watch_set_idle(struct kube_watch *w, uint64_t idle_ms);
/* The longest pause between failures, ± 20 %; default 5 s. */
void kube_watch_set_retry(struct kube_watch *w, uint32_t max_ms);
