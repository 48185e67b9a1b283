/* SPDX-License-Identifier: Apache-2.0 */
#include "net/kube/watch.h"

#include <errno.h>
#include <string.h>

#include "base/backoff.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "net/kube/items.h"

/* How it works: one request at a time. Without a version it is a streamed list (a watch that begins with all objects as
 * ADDED events and says by a bookmark where they end; KEP-3157) or, where the API server does not do that, a page of the
 * list; with one it is a watch that resumes there. Every request is started by the timer, so that failures cannot recurse.
 * A failure that a resume cannot mend (410, garbage), or the third in a row, forgets the version, which means: list again.
 * A watch freed from one of its own callbacks is destroyed by the timer, when nobody stands on its memory any more. */

#define IDLE_MS		90000
#define PAGE_ITEMS	500
#define PAGE_MS		60000
#define WATCH_MIN_S	240		/* + 0…255: the API server ends the request then */
#define GRACE_MS	30000
#define STOOD_NS	UINT64_C(2000000000)	/* a watch that stood so long ends the row of failures */
#define RESUMES		3		/* failures in a row before the list is read again */
#define STREAM_MS	15000		/* without an event: a server that does not say where a streamed list ends */
#define STREAM_END	"metadata.annotations['k8s.io/initial-events-end']"

enum request { REQUEST_PAGE, REQUEST_STREAM, REQUEST_WATCH };

enum { REPORTED_NONE = 1, REPORTED_CONNECTED = 0 };	/* else the negative code */

struct kube_watch {
	struct kube *kube;		/* borrowed */
	struct kube_watch_ops ops;
	void *owner;
	char *path, *selector;		/* owned */
	uint64_t idle_ms;
	struct timer timer;		/* the next request, or the end of a dead watch */
	struct backoff backoff;
	unsigned failures;		/* in a row */
	int reported;

	char *version;			/* owned; NULL: to be listed */
	char *token;			/* of the next page, owned */
	struct http_req req;
	struct buf url;			/* of req */
	struct kube_items items;	/* of req */
	struct err why;			/* the decoder's, or the Status in the stream */
	uint64_t opened_ns;
	bool running;			/* req and items are in use */
	enum request request;		/* which one; a stream whose list is complete goes on as a watch */
	bool paged;			/* no streamed lists here */
	bool begun;			/* the owner knows of the list under way */

	unsigned calls;			/* callbacks of the owner on the stack */
	bool dead;
};

static void request_end(struct kube_watch *w)
{
	if (!w->running)
		return;
	w->running = false;
	http_req_done(&w->req);
	kube_items_done(&w->items);
}

static void watch_destroy(struct kube_watch *w)
{
	timer_stop(&w->timer);
	request_end(w);
	buf_done(&w->url);
	free(w->path);
	free(w->selector);
	free(w->version);
	free(w->token);
	free(w);
}

static void version_set(struct kube_watch *w, const char *version)
{
	char *copy = xstrdup(version);

	free(w->version);
	w->version = copy;
}

static void state_report(struct kube_watch *w, int code, const struct err *why)
{
	if (w->reported == code || !w->ops.on_state)
		return;
	w->reported = code;
	w->calls++;
	w->ops.on_state(w->owner, code == REPORTED_CONNECTED, why);
	w->calls--;
}

static void object_report(struct kube_watch *w, void (*fn)(void *, const json *), const json *object)
{
	if (!fn)
		return;
	w->calls++;
	fn(w->owner, object);
	w->calls--;
}

static void list_report(struct kube_watch *w, void (*fn)(void *))
{
	if (!fn)
		return;
	w->calls++;
	fn(w->owner);
	w->calls--;
}

static void watch_next(struct timer *t);

static void watch_schedule(struct kube_watch *w, uint64_t after_ms)
{
	timer_start(kube_loop(w->kube), &w->timer, after_ms, watch_next);
}

/* ---- bytes ----------------------------------------------------------------------------------------------------------- */

static int list_item(void *arg, const json *item)
{
	struct kube_watch *w = arg;

	object_report(w, w->ops.on_item, item);
	return w->dead ? -ECANCELED : 0;
}

/* An ERROR event carries a Status instead of an object. */
static int status_code(const json *status)
{
	int64_t code = json_int(status, "code", 0);

	if (code == 410 || streq(json_str(status, "reason", ""), "Expired") || streq(json_str(status, "reason", ""), "Gone"))
		return -ESTALE;
	return code == 401 || code == 403 ? -EACCES : -EAGAIN;
}

/* From here on the request is a watch like any other. */
static void stream_complete(struct kube_watch *w, const char *version)
{
	w->request = REQUEST_WATCH;
	w->begun = false;
	timer_stop(&w->timer);
	version_set(w, version);
	list_report(w, w->ops.on_end);
	w->opened_ns = loop_now(kube_loop(w->kube));
	if (!w->dead)
		state_report(w, REPORTED_CONNECTED, NULL);
}

static int event_apply(struct kube_watch *w, const char *type, const json *object)
{
	const char *version = json_str(object, "metadata.resourceVersion", "");
	bool bookmark = streq(type, "BOOKMARK");

	if (streq(type, "ERROR"))
		return err_set(&w->why, status_code(object), "%s",
			       json_str(object, "message", "the API server ended the watch"));
	if (!*version)
		return err_set(&w->why, -EBADMSG, "the API server sent a watch event without resourceVersion");
	if (streq(type, "ADDED") || streq(type, "MODIFIED"))
		object_report(w, w->ops.on_item, object);
	else if (streq(type, "DELETED"))
		object_report(w, w->ops.on_delete, object);
	else if (!bookmark)
		return err_set(&w->why, -EBADMSG, "the API server sent a watch event of unknown type \"%.40s\"", type);
	if (w->request == REQUEST_WATCH)
		version_set(w, version);
	else if (bookmark && json_is(object, STREAM_END))
		stream_complete(w, version);
	else if (!w->dead)
		watch_schedule(w, STREAM_MS);
	return w->dead ? -ECANCELED : 0;
}

static int watch_event(void *arg, const json *event)
{
	return event_apply(arg, json_str(event, "type", ""), json_get(event, "object"));
}

static int watch_body(struct http_req *r, const void *p, size_t n)
{
	struct kube_watch *w = r->owner;
	struct err err = { 0 };
	int e;

	if (w->dead)
		return -ECANCELED;
	e = kube_items_feed(&w->items, p, n, &err);
	if (e < 0 && !w->why.code)
		w->why = err;
	return e;
}

static void watch_head(struct http_req *r)
{
	struct kube_watch *w = r->owner;

	if (w->dead || r->status < 200 || r->status > 299)
		return;
	if (w->request == REQUEST_STREAM)
		watch_schedule(w, STREAM_MS);
	if (w->request != REQUEST_WATCH)
		return;
	w->opened_ns = loop_now(kube_loop(w->kube));
	state_report(w, REPORTED_CONNECTED, NULL);
}

/* ---- requests -------------------------------------------------------------------------------------------------------- */

static void failure_count(struct kube_watch *w)
{
	if (w->opened_ns && loop_now(kube_loop(w->kube)) - w->opened_ns >= STOOD_NS) {
		w->failures = 0;
		backoff_reset(&w->backoff);
	}
	w->failures++;
}

static void watch_failed(struct kube_watch *w, int code, const struct err *why)
{
	bool resume = code != -ESTALE && code != -EBADMSG && code != -EFBIG && code != -EINVAL;
	bool quiet;

	log_debug("watch %s: %s", w->path, err_text(why));
	failure_count(w);
	quiet = code == -ESTALE && w->failures == 1;
	if (!resume || w->failures >= RESUMES)
		version_set(w, NULL);
	free(w->token);
	w->token = NULL;
	w->begun = false;
	if (!quiet)
		state_report(w, code, why);
	if (!w->dead)
		watch_schedule(w, w->failures == 1 ? 0 : backoff_next(&w->backoff));
}

/* The API server closed the watch in order: its time is over. Only one that keeps ending as soon as it began has failed. */
static void watch_over(struct kube_watch *w)
{
	struct err why;

	failure_count(w);
	if (w->failures == 1) {
		watch_schedule(w, 0);
		return;
	}
	w->failures--;
	(void)err_set(&why, -EAGAIN, "the API server closes the watch again and again");
	watch_failed(w, why.code, &why);
}

/* A list by pages from now on. */
static void stream_refused(struct kube_watch *w, const struct err *why)
{
	log_debug("watch %s: no streamed list: %s", w->path, why->code ? err_text(why) : "its end does not come");
	w->paged = true;
	watch_schedule(w, 0);
}

static void page_over(struct kube_watch *w)
{
	struct err why = { 0 };
	const char *version = kube_items_version(&w->items);
	int r = kube_items_end(&w->items, &why);

	if (r == 0 && !version)
		r = err_set(&why, -EBADMSG, "the API server sent a list without resourceVersion");
	if (r < 0) {
		watch_failed(w, r, &why);
		return;
	}
	free(w->token);
	w->token = xstrdup(kube_items_continue(&w->items));
	if (!w->token) {
		w->begun = false;
		version_set(w, version);
		list_report(w, w->ops.on_end);
	}
	if (!w->dead)
		watch_schedule(w, 0);
}

static void request_done(struct http_req *r, int code, const struct err *err)
{
	struct kube_watch *w = r->owner;
	struct err why = { 0 };

	if (w->dead) {
		watch_destroy(w);
		return;
	}
	if (w->why.code)
		why = w->why;
	else if (code < 0)
		(void)err_set(&why, code, "%s", err_text(err));
	timer_stop(&w->timer);
	if (w->request == REQUEST_STREAM && (r->status == 400 || r->status == 422))
		stream_refused(w, &why);
	else if (why.code)
		watch_failed(w, why.code, &why);
	else if (w->request == REQUEST_PAGE)
		page_over(w);
	else
		watch_over(w);
	if (w->dead)
		watch_destroy(w);
	else
		request_end(w);
}

static void url_build(struct kube_watch *w)
{
	buf_reset(&w->url);
	buf_addf(&w->url, "%s?", w->path);
	if (w->selector)
		buf_addf(&w->url, "%s&", w->selector);
	if (w->request != REQUEST_PAGE) {
		uint8_t jitter;

		random_bytes(&jitter, sizeof(jitter));
		buf_addf(&w->url, "watch=true&allowWatchBookmarks=true&timeoutSeconds=%u%s&resourceVersion=",
			 WATCH_MIN_S + jitter, w->version ? "" : "&sendInitialEvents=true&resourceVersionMatch=NotOlderThan");
		http_escape(&w->url, w->version ? w->version : "");
	} else {
		buf_addf(&w->url, "limit=%d", PAGE_ITEMS);
		if (w->token) {
			buf_adds(&w->url, "&continue=");
			http_escape(&w->url, w->token);
		}
	}
}

static void request_start(struct kube_watch *w)
{
	static const char *const headers[] = { "Accept: application/json", NULL };
	struct err err = { 0 };
	bool page;
	int r;

	w->request = w->version ? REQUEST_WATCH : w->paged || w->token ? REQUEST_PAGE : REQUEST_STREAM;
	page = w->request == REQUEST_PAGE;
	url_build(w);
	w->why = (struct err){ 0 };
	w->opened_ns = 0;
	w->req = (struct http_req){
		.to = kube_endpoint(w->kube), .method = "GET", .path = buf_str(&w->url), .headers = headers,
		.body_fn = watch_body, .head_fn = watch_head, .on_done = request_done, .idle_ms = w->idle_ms, .owner = w, .shared = true,
		.timeout_ms = page ? PAGE_MS : (WATCH_MIN_S + 255) * 1000 + GRACE_MS,
	};
	kube_items_init(&w->items, page ? KUBE_ITEMS_LIST : KUBE_ITEMS_WATCH, page ? list_item : watch_event, w);
	w->running = true;
	r = buf_ok(&w->url) ? http_start(kube_watches(w->kube), &w->req, &err) :
			      err_set(&err, -EBADMSG, "the API server's continue token is too long");
	if (r < 0) {
		request_end(w);
		watch_failed(w, r, &err);
	}
}

static void watch_next(struct timer *t)
{
	struct kube_watch *w = container_of(t, struct kube_watch, timer);

	if (w->running && !w->dead) {
		request_end(w);
		stream_refused(w, &w->why);
		return;
	}
	if (!w->dead && !w->version && !w->begun) {
		w->begun = true;
		list_report(w, w->ops.on_begin);
	}
	if (!w->dead)
		request_start(w);
	if (w->dead)
		watch_destroy(w);
}

struct kube_watch *kube_watch_new(struct kube *k, const char *path, const char *selector, const struct kube_watch_ops *ops,
				  void *owner)
{
	struct kube_watch *w = xcalloc(1, sizeof(*w));

	w->kube = k;
	w->ops = *ops;
	w->owner = owner;
	w->path = xstrdup(path);
	w->selector = xstrdup(selector);
	w->idle_ms = IDLE_MS;
	w->reported = REPORTED_NONE;
	w->backoff = (struct backoff){ .min_ms = 200, .max_ms = 5000 };
	buf_init(&w->url, 64 << 10);
	watch_schedule(w, 0);
	return w;
}

struct kube_watch *kube_watch_free(struct kube_watch *w)
{
	if (!w)
		return NULL;
	if (w->calls) {
		w->dead = true;
		watch_schedule(w, 0);
	} else {
		watch_destroy(w);
	}
	return NULL;
}

void kube_watch_set_idle(struct kube_watch *w, uint64_t idle_ms)
{
	w->idle_ms = idle_ms;
}

void kube_watch_set_retry(struct kube_watch *w, uint32_t max_ms)
{
	w->backoff.max_ms = max_ms;
}
