/* SPDX-License-Identifier: Apache-2.0 */
#include "net/kube/client.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "base/str.h"
#include "net/kube/items.h"

#define CALL_MS		10000
#define PAGE_MS		60000	/* of a list */
#define PAGE_ITEMS	500
#define TEXT_ACCEPT	"Accept: application/json, */*"	/* kubectl's: the API server refuses text/plain for logs */

struct kube {
	struct loop *loop;		/* borrowed */
	struct http *http, *watches;	/* owned */
	struct http_endpoint endpoint;
};

struct kube *kube_new(struct loop *l, struct http_endpoint *endpoint)
{
	struct kube *k = xcalloc(1, sizeof(*k));

	k->loop = l;
	k->http = http_new(l);
	k->watches = http_new(l);
	k->endpoint = *endpoint;
	*endpoint = (struct http_endpoint){ 0 };
	return k;
}

struct kube *kube_free(struct kube *k)
{
	if (!k)
		return NULL;
	http_free(k->watches);
	http_free(k->http);
	http_endpoint_done(&k->endpoint);
	free(k);
	return NULL;
}

struct loop *kube_loop(const struct kube *k)
{
	return k->loop;
}

struct http *kube_http(const struct kube *k)
{
	return k->http;
}

struct http *kube_watches(const struct kube *k)
{
	return k->watches;
}

void kube_rest(struct kube *k)
{
	http_free(k->http);
	k->http = http_new(k->loop);
}

const struct http_endpoint *kube_endpoint(const struct kube *k)
{
	return &k->endpoint;
}

void kube_set_bearer(struct kube *k, const char *token)
{
	char *old = k->endpoint.bearer;

	k->endpoint.bearer = xstrdup(token);
	free_secret(old);
}

void kube_set_credential(struct kube *k, const char *token, const char *cert_pem, const char *key_pem)
{
	kube_set_bearer(k, token);
	free(k->endpoint.cert_pem);
	k->endpoint.cert_pem = xstrdup(cert_pem);
	free_secret(k->endpoint.key_pem);
	k->endpoint.key_pem = xstrdup(key_pem);
}

/* A request that nobody gets to see before it has ended. */
static int request_run(struct kube *k, struct http_req *r, uint64_t timeout_ms, struct err *err)
{
	r->to = &k->endpoint;
	r->timeout_ms = timeout_ms;
	return http_wait(k->http, r, loop_deadline(timeout_ms), err);
}

static bool answer_is_json(const struct http_req *r)
{
	const char *type = http_header(r, "Content-Type");

	return type && strncasecmp(type, "application/json", strlen("application/json")) == 0;
}

static int answer_parse(const struct http_req *r, json **ret, struct err *err)
{
	json *j = NULL;

	if (answer_is_json(r)) {
		j = json_parse(buf_str(&r->response), r->response.len, err);
		if (!j)
			return err_wrap(err, -EBADMSG, "broken answer to %s %s", r->method, r->path);
	}
	*ret = j;
	return 0;
}

int kube_call(struct kube *k, const char *method, const char *path, const char *content_type, const json *body,
	      uint64_t timeout_ms, json **ret, struct err *err)
{
	autofree char *type = xasprintf("Content-Type: %s", content_type ? content_type : "application/json");
	const char *headers[] = { "Accept: application/json", body ? type : NULL, NULL };
	autofree char *text = body ? json_text(body) : NULL;
	struct http_req r = { .method = method, .path = path, .headers = headers, .body = text };
	int e;

	r.body_len = text ? strlen(text) : 0;
	e = request_run(k, &r, timeout_ms ? timeout_ms : CALL_MS, err);
	if (e == 0 && ret)
		e = answer_parse(&r, ret, err);
	http_req_done(&r);
	return e;
}

int kube_get(struct kube *k, const char *path, json **ret, struct err *err)
{
	json *j = NULL;
	int r = kube_call(k, "GET", path, NULL, NULL, 0, &j, err);

	if (r < 0)
		return r;
	if (!j)
		return err_set(err, -EBADMSG, "the answer to GET %s is not JSON", path);
	*ret = j;
	return 0;
}

static int text_body(struct http_req *r, const void *p, size_t n)
{
	struct buf *out = r->owner;

	buf_add(out, p, n);
	return buf_ok(out) ? 0 : -EFBIG;
}

int kube_get_text(struct kube *k, const char *path, struct buf *out, struct err *err)
{
	const char *headers[] = { TEXT_ACCEPT, NULL };
	struct http_req r = { .method = "GET", .path = path, .headers = headers, .body_fn = text_body, .owner = out };
	int e = request_run(k, &r, CALL_MS, err);

	http_req_done(&r);
	if (e == -EFBIG)
		return err_set(err, e, "the answer to GET %s is larger than %zu bytes", path, out->max);
	return e;
}

int kube_logs(struct kube *k, const char *ns, const char *pod, const char *container, unsigned lines, bool previous,
	      struct buf *out, struct err *err)
{
	size_t room = out->max > out->len ? out->max - out->len : 1;
	autofree char *base = kube_path("v1", "Pod", ns, pod);
	auto(buf) struct buf path = BUF_INIT(8192);

	buf_addf(&path, "%s/log?tailLines=%u&limitBytes=%zu", base ? base : "", lines, room);
	if (container) {
		buf_adds(&path, "&container=");
		http_escape(&path, container);
	}
	if (previous)
		buf_adds(&path, "&previous=true");
	if (!base || !buf_ok(&path))
		return err_set(err, -EINVAL, "a pod's name is too long");
	return kube_get_text(k, buf_str(&path), out, err);
}

int kube_delete(struct kube *k, const char *path, struct err *err)
{
	autofree char *url = xasprintf("%s%cpropagationPolicy=Background", path, strchr(path, '?') ? '&' : '?');
	int r = kube_call(k, "DELETE", url, NULL, NULL, 0, NULL, err);

	return r == -ENOENT ? 0 : r;
}

int kube_apply(struct kube *k, const json *object, const char *field_manager, json **ret, struct err *err)
{
	const char *version = json_str(object, "apiVersion", ""), *kind = json_str(object, "kind", "");
	const char *name = json_str(object, "metadata.name", NULL);
	autofree char *path = kube_path(version, kind, json_str(object, "metadata.namespace", NULL), name);
	auto(buf) struct buf url = BUF_INIT(8192);

	if (!name)
		return err_set(err, -EINVAL, "an object of kind \"%s\" has no metadata.name", kind);
	if (!path)
		return err_set(err, -EINVAL, "object \"%s\": kind \"%s\" of \"%s\" is not known", name, kind, version);
	buf_addf(&url, "%s?force=true&fieldManager=", path);
	http_escape(&url, field_manager);
	return kube_call(k, "PATCH", buf_str(&url), "application/apply-patch+yaml", object, 0, ret, err);
}

/* ---- lists ----------------------------------------------------------------------------------------------------------- */

struct page {
	struct kube_items items;
	struct err err;		/* why the decoder or its owner gave up */
};

static int page_body(struct http_req *r, const void *p, size_t n)
{
	struct page *page = r->owner;

	return kube_items_feed(&page->items, p, n, &page->err);
}

/* One page; *token (owned, NULL: the first) becomes the next page's or NULL. */
static int page_get(struct kube *k, const char *path, kube_item_fn fn, void *arg, char **token, char **ret_version,
		    struct err *err)
{
	auto(buf) struct buf url = BUF_INIT(64 << 10);
	const char *headers[] = { "Accept: application/json", NULL };
	struct page page = { .err = { 0 } };
	struct http_req r = { .method = "GET", .headers = headers, .body_fn = page_body, .owner = &page };
	int e;

	buf_addf(&url, "%s%climit=%d", path, strchr(path, '?') ? '&' : '?', PAGE_ITEMS);
	if (*token) {
		buf_adds(&url, "&continue=");
		http_escape(&url, *token);
	}
	if (!buf_ok(&url))
		return err_set(err, -EBADMSG, "the API server's continue token is too long");
	r.path = buf_str(&url);
	kube_items_init(&page.items, KUBE_ITEMS_LIST, fn, arg);
	e = request_run(k, &r, PAGE_MS, err);
	if (page.err.code)
		e = err_set(err, page.err.code, "%s", page.err.msg);
	if (e == 0)
		e = kube_items_end(&page.items, err);
	if (e == 0) {
		free(*token);
		*token = xstrdup(kube_items_continue(&page.items));
		free(*ret_version);
		*ret_version = xstrdup(kube_items_version(&page.items));
	}
	kube_items_done(&page.items);
	http_req_done(&r);
	return e;
}

int kube_list(struct kube *k, const char *path, kube_item_fn fn, void *arg, char **ret_version, struct err *err)
{
	autofree char *token = NULL, *version = NULL;

	do {
		int r = page_get(k, path, fn, arg, &token, &version, err);

		if (r < 0)
			return r;
	} while (token);
	if (ret_version)
		*ret_version = steal(&version);
	return 0;
}

/* ---- waiting --------------------------------------------------------------------------------------------------------- */

struct pause {
	struct timer timer;
	bool over;
};

static void pause_over(struct timer *t)
{
	container_of(t, struct pause, timer)->over = true;
}

static int pause_run(struct loop *l, unsigned ms, uint64_t deadline_ns)
{
	struct pause p = { .over = false };
	int r;

	timer_start(l, &p.timer, ms, pause_over);
	r = loop_run(l, &p.over, deadline_ns);
	timer_stop(&p.timer);
	return r;
}

int kube_poll(struct loop *l, const char *what, kube_test_fn test, void *arg, unsigned interval_ms, uint64_t deadline_ns,
	      struct err *err)
{
	for (;;) {
		struct err reason = { 0 };
		int r = loop_cancelled(l) ? -ECANCELED : test(arg, &reason);

		if (r > 0)
			return 0;
		if (r < 0 && !reason.msg[0])
			(void)err_wrap(&reason, r, "waiting for %s", what);
		if (r < 0)
			return err_set(err, r, "%s", reason.msg);
		r = pause_run(l, interval_ms, deadline_ns);
		if (r == -ETIMEDOUT && reason.msg[0])
			return err_set(err, r, "timed out waiting for %s: %s", what, reason.msg);
		if (r == -ETIMEDOUT)
			return err_set(err, r, "timed out waiting for %s", what);
		if (r < 0)
			return err_set(err, r, "interrupted while waiting for %s", what);
	}
}
