/* SPDX-License-Identifier: Apache-2.0 */
/* watch: list and watch one collection for ever, decoded item by item.
 *
 * List in pages, then watch from its resourceVersion with bookmarks; a cut resumes at the last version; 410 or garbage
 * relists; failures back off (0.2 s … 5 s, first retry at once). Level-triggered: on relist, begin → item… → end, so that the owner can drop what was
 * not named. An event line is at most 12 MiB. */
#pragma once

#include <stdbool.h>

#include "net/kube/client.h"

struct kube_watch;

struct kube_watch_ops {
	void (*on_begin)(void *owner);				/* a full list starts */
	void (*on_item)(void *owner, const json *object);	/* added or modified; borrowed */
	void (*on_delete)(void *owner, const json *object);
	void (*on_end)(void *owner);				/* the list is complete */
	/* state changed: connected (list done, watch open) or not, with the reason */
	void (*on_state)(void *owner, bool connected, const struct err *why);
};

/* path: a collection, "/api/v1/nodes". selector: query part ("fieldSelector=…", escaped) or NULL. */
struct kube_watch *kube_watch_new(struct kube *k, const char *path, const char *selector, const struct kube_watch_ops *ops,
				  void *owner);
struct kube_watch *kube_watch_free(struct kube_watch *w);
