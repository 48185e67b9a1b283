/* SPDX-License-Identifier: Apache-2.0 */
/* kube items: cuts a list's `items` and a watch's lines out of a byte stream, one JSON value at a time.
 *
 * Passive: bytes in, in pieces of any size; parsed values out. Only the value under way is held, at most
 * KUBE_ITEM_MAX, so memory does not follow the list. Framing counts brackets and quotes; json_parse judges each
 * value. Items of a list get the list's apiVersion and kind where they carry none, as the API server sends them. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"

#define KUBE_ITEM_MAX ((size_t)12 << 20)

enum kube_items_type { KUBE_ITEMS_LIST, KUBE_ITEMS_WATCH };

/* Gets an item or a watch event (borrowed). A negative result ends the feed with it. */
typedef int (*kube_items_fn)(void *arg, const json *item);

enum kube_items_state {
	ITEMS_START,
	ITEMS_KEY_OR_END,
	ITEMS_KEY,
	ITEMS_IN_KEY,
	ITEMS_COLON,
	ITEMS_VALUE,
	ITEMS_IN_VALUE,
	ITEMS_AFTER_VALUE,
	ITEMS_ITEM_OR_END,
	ITEMS_ITEM,
	ITEMS_IN_ITEM,
	ITEMS_AFTER_ITEM,
	ITEMS_END,
};

struct kube_items {
	enum kube_items_type type;
	kube_items_fn fn;
	void *arg;
	struct buf buf;			/* the beginning of the value under way */
	/* lists */
	enum kube_items_state state;
	size_t depth;			/* brackets open in the value under way */
	bool in_string, escaped, in_scalar;
	bool seen;			/* the list had an `items` */
	char *key;			/* top-level key, owned */
	json *head;			/* apiVersion, kind, metadata; owned */
};

void kube_items_init(struct kube_items *s, enum kube_items_type type, kube_items_fn fn, void *arg);
void kube_items_done(struct kube_items *s);
/* 0, fn's code, -EBADMSG (garbage), -EFBIG (one value too large). After a failure only kube_items_done may follow. */
int kube_items_feed(struct kube_items *s, const void *p, size_t n, struct err *err) must_check;
/* The stream is over: -EBADMSG when it ended inside a list or a line. */
int kube_items_end(const struct kube_items *s, struct err *err) must_check;
/* Of a list, borrowed; NULL when there is none. Complete only after kube_items_end. */
const char *kube_items_version(const struct kube_items *s);
const char *kube_items_continue(const struct kube_items *s);
