/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/token.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "agent/watch.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "net/http.h"
#include "net/kube/client.h"

#define LOOK_MAX_S 600		/* the wall clock may jump: look again at least so often */
#define RETRY_S 60
#define REQUEST_MS 10000
#define TOKEN_MAX 16384

struct token {
	struct agent *agent;
	struct timer timer;
	struct http_req request;	/* running while request.transfer is set */
	struct token_claims claims;
	char *file, *path, *body;	/* owned; the token file, and the request under way */
};

/* The timer keeps its function: token_start() sets it. */
static void look_in(struct token *t, int64_t seconds)
{
	timer_start(t->agent->loop, &t->timer, (uint64_t)MIN(seconds, LOOK_MAX_S) * 1000, t->timer.fn);
}

/* ---- claims ------------------------------------------------------------------------------------------------------ */

int token_claims_read(const char *jwt, size_t n, struct token_claims *ret)
{
	const char *first = memchr(jwt, '.', n);
	const char *second = first ? memchr(first + 1, '.', n - (size_t)(first + 1 - jwt)) : NULL;
	auto(buf) struct buf text = BUF_INIT(TOKEN_MAX);
	autojson json *claims = NULL;

	if (!second || base64_decode(&text, first + 1, (size_t)(second - first - 1)) < 0)
		return -EBADMSG;
	claims = json_parse(text.data, text.len, NULL);
	*ret = (struct token_claims){ json_int(claims, "iat", 0), json_int(claims, "exp", 0), "", "" };
	snprintf(ret->namespace, sizeof(ret->namespace), "%s", json_str(claims, "['kubernetes.io'].namespace", ""));
	snprintf(ret->account, sizeof(ret->account), "%s", json_str(claims, "['kubernetes.io'].serviceaccount.name", ""));
	return ret->expires > ret->issued && str_is_label(ret->namespace) && str_is_subdomain(ret->account) ? 0 : -EBADMSG;
}

int64_t token_due(const struct token_claims *c, int64_t now)
{
	int64_t at = c->issued + (c->expires - c->issued) / 2;

	return at > now ? at - now : 0;
}

/* ---- request ----------------------------------------------------------------------------------------------------- */

static void on_done(struct http_req *r, int code, const struct err *err)
{
	struct token *t = r->owner;
	autojson json *answer = code == 0 ? json_parse(r->response.data, r->response.len, NULL) : NULL;
	const char *fresh = json_str(answer, "status.token", NULL);
	struct err e = { 0 };

	if (fresh && file_write(t->file, fresh, strlen(fresh), 0600, &e) == 0) {
		log_info("the token is renewed");
		look_in(t, 1);
		return;
	}
	trouble_note(&t->agent->trouble, "token", "not renewed: %s", code ? err_text(err) : fresh ? err_text(&e) : "an answer without a token");
	look_in(t, RETRY_S);
}

static int request_start(struct token *t, struct kube *k, struct err *err)
{
	static const char *const headers[] = { "Content-Type: application/json", NULL };

	http_req_done(&t->request);
	free(t->path);
	free(t->body);
	t->path = xasprintf("/api/v1/namespaces/%s/serviceaccounts/%s/token", t->claims.namespace, t->claims.account);
	t->body = xasprintf("{\"apiVersion\":\"authentication.k8s.io/v1\",\"kind\":\"TokenRequest\",\"spec\":{\"expirationSeconds\":%lld}}",
			    (long long)(t->claims.expires - t->claims.issued));
	t->request = (struct http_req){
		.to = kube_endpoint(k), .method = "POST", .path = t->path, .headers = headers, .body = t->body, .body_len = strlen(t->body),
		.on_done = on_done, .timeout_ms = REQUEST_MS, .max_response = 1 << 18, .owner = t,
	};
	return http_start(kube_http(k), &t->request, err);
}

static int claims_load(struct token *t)
{
	auto(buf) struct buf text = BUF_INIT(TOKEN_MAX);
	const char *file = watch_token_file(t->agent->watch);

	free(t->file);
	t->file = xstrdup(file);
	if (!file || file_read(file, &text, NULL) < 0)
		return -ENOENT;
	return token_claims_read(buf_str(&text), text.len, &t->claims);
}

static void on_timer(struct timer *timer)
{
	struct token *t = container_of(timer, struct token, timer);
	struct kube *k = watch_kube(t->agent->watch);
	struct err e = { 0 };
	int64_t due;

	if (!k || claims_load(t) < 0) {
		look_in(t, RETRY_S);
		return;
	}
	due = token_due(&t->claims, time(NULL));
	if (due > 0 || request_start(t, k, &e) < 0)
		look_in(t, due > 0 ? due : RETRY_S);
	else
		look_in(t, RETRY_S);	/* in case the client is made anew meanwhile, which cancels the request without a word */
}

/* ---- module ------------------------------------------------------------------------------------------------------ */

int token_start(struct agent *a, struct err *err)
{
	struct token *t = a->token = xcalloc(1, sizeof(*t));

	t->agent = a;
	t->timer.fn = on_timer;
	look_in(t, RETRY_S);
	return 0;
}

void token_stop(struct agent *a)
{
	struct token *t = a->token;

	if (!t)
		return;
	timer_stop(&t->timer);
	http_req_done(&t->request);
	free(t->file);
	free(t->path);
	free(t->body);
	free(steal(&a->token));
}
