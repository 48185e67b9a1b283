/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "base/mem.h"
#include "base/str.h"
#include "net/kube/items.h"
#include "net/kube/watch.h"
#include "tests/fake/kube.h"
#include "tests/tap.h"

struct rig {
	struct loop *loop;
	struct fake_kube *fake;
	struct kube *kube;
	struct kube_watch *watch;
	struct buf seen;
	const char *until;	/* ends the run once seen holds it */
	const char *free_at;	/* the callback that frees the watch */
	bool done;
	int code;		/* last reason */
	char why[200];
};

static void note(struct rig *r, const char *what, const char *name)
{
	buf_addf(&r->seen, name ? "%s(%s) " : "%s ", what, name);
	if (r->until && strstr(buf_str(&r->seen), r->until))
		r->done = true;
	if (streq(what, r->free_at))
		r->watch = kube_watch_free(r->watch);
}

static void on_begin(void *owner)
{
	note(owner, "begin", NULL);
}

static void on_item(void *owner, const json *object)
{
	note(owner, "item", json_str(object, "metadata.name", "?"));
}

static void on_delete(void *owner, const json *object)
{
	note(owner, "delete", json_str(object, "metadata.name", "?"));
}

static void on_end(void *owner)
{
	note(owner, "end", NULL);
}

static void on_state(void *owner, bool connected, const struct err *why)
{
	struct rig *r = owner;

	if (why) {
		r->code = why->code;
		snprintf(r->why, sizeof(r->why), "%s", err_text(why));
	}
	note(r, connected ? "up" : "down", NULL);
}

static const struct kube_watch_ops ops = { on_begin, on_item, on_delete, on_end, on_state };

static void rig_init(struct rig *r)
{
	struct http_endpoint e;

	*r = (struct rig){ .loop = loop_new(LOOP_DEFAULT), .fake = fake_kube_new(), .seen = BUF_INIT(4096) };
	e = fake_kube_endpoint(r->fake);
	r->kube = kube_new(r->loop, &e);
	r->watch = kube_watch_new(r->kube, "/api/v1/nodes", NULL, &ops, r);
}

static void rig_done(struct rig *r)
{
	kube_watch_free(r->watch);
	kube_free(r->kube);
	fake_kube_free(r->fake);
	loop_free(r->loop);
	buf_done(&r->seen);
}

/* Runs until `until` was seen; what was seen up to then, from the last run on. */
static const char *run(struct rig *r, const char *until)
{
	buf_reset(&r->seen);
	r->until = until;
	r->done = false;
	if (loop_run(r->loop, &r->done, loop_deadline(8000)) < 0)
		buf_adds(&r->seen, "TIMEOUT");
	return buf_str(&r->seen);
}

static bool asked(struct rig *r, size_t i, const char *part)
{
	const char *request = fake_kube_asked(r->fake, i);

	return request && strstr(request, part);
}

#define OBJECT(name, version) "{\"metadata\":{\"name\":\"" name "\",\"resourceVersion\":\"" version "\"}}"
#define LIST(version, token, items) \
	"{\"metadata\":{\"resourceVersion\":\"" version "\",\"continue\":\"" token "\"},\"items\":[" items "]}"
#define EVENT(type, object) "{\"type\":\"" type "\",\"object\":" object "}\n"
#define GONE "{\"kind\":\"Status\",\"code\":410,\"reason\":\"Expired\",\"message\":\"too old resource version\"}"

static void test_follow(void)
{
	struct rig r;

	rig_init(&r);
	fake_kube_say(r.fake, 200, FAKE_WHOLE, LIST("5", "t", OBJECT("a", "1")));
	fake_kube_say(r.fake, 200, FAKE_WHOLE, LIST("5", "", OBJECT("b", "2")));
	fake_kube_say(r.fake, 200, FAKE_HOLD, EVENT("ADDED", OBJECT("c", "6")) EVENT("MODIFIED", OBJECT("a", "7")));
	is_str(run(&r, "up item(c) item(a) "), "begin item(a) item(b) end up item(c) item(a) ", "a list in pages, then its changes");
	ok(asked(&r, 1, "limit=500&continue=t HTTP"), "the second page is asked for by its token");
	ok(asked(&r, 2, "watch=true&allowWatchBookmarks=true&timeoutSeconds=") && asked(&r, 2, "&resourceVersion=5 HTTP"),
	   "the watch starts at the list's version");
	fake_kube_push(r.fake, EVENT("DELETED", OBJECT("b", "8")));
	is_str(run(&r, "delete"), "delete(b) ", "what comes later is followed");
	rig_done(&r);
}

#define INITIAL_END "{\"type\":\"BOOKMARK\",\"object\":{\"metadata\":{\"resourceVersion\":\"9\"," \
	"\"annotations\":{\"k8s.io/initial-events-end\":\"true\"}}}}\n"

static void test_stream(void)
{
	struct rig r;

	rig_init(&r);
	fake_kube_stream(r.fake);
	fake_kube_say(r.fake, 200, FAKE_CUT, EVENT("ADDED", OBJECT("a", "1")));
	fake_kube_say(r.fake, 200, FAKE_CUT, EVENT("ADDED", OBJECT("a", "1")) INITIAL_END EVENT("ADDED", OBJECT("b", "10")));
	fake_kube_say(r.fake, 200, FAKE_HOLD, EVENT("ADDED", OBJECT("c", "11")));
	is_str(run(&r, "item(b) down "), "begin item(a) down begin item(a) end up item(b) down ", "a streamed list that was cut begins anew, and goes on as a watch");
	ok(asked(&r, 0, "watch=true&allowWatchBookmarks=true") && asked(&r, 0, "&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&resourceVersion= "),
	   "it is asked for as KEP-3157 says");
	is_str(run(&r, "item(c) "), "up item(c) ", "a cut behind its end");
	ok(asked(&r, 2, "&resourceVersion=10 ") && !asked(&r, 2, "sendInitialEvents"), "resumes");
	rig_done(&r);
}

static void test_selector(void)
{
	struct rig r;

	rig_init(&r);
	kube_watch_free(r.watch);
	r.watch = kube_watch_new(r.kube, "/api/v1/nodes", "labelSelector=a%3Db", &ops, &r);
	fake_kube_say(r.fake, 200, FAKE_WHOLE, LIST("5", "", ""));
	fake_kube_say(r.fake, 200, FAKE_HOLD, "");
	is_str(run(&r, "up "), "begin end up ", "an empty list is a list");
	ok(asked(&r, 0, "/nodes?labelSelector=a%3Db&limit=500 ") && asked(&r, 1, "/nodes?labelSelector=a%3Db&watch=true"),
	   "the selector is part of both");
	rig_done(&r);
}

/* What the watch does after `end` came with `body`: resume at 6, or list again. */
static const struct {
	const char *what;
	int status;
	enum fake_end end;
	const char *body;
	const char *seen;	/* until the next watch stands */
	bool relist;
	int code;
} faults[] = {
	{ "an orderly end resumes silently", 200, FAKE_END, EVENT("BOOKMARK", OBJECT("", "6")), "up ", false, 0 },
	{ "a cut resumes", 200, FAKE_CUT, EVENT("ADDED", OBJECT("b", "6")), "up item(b) down up ", false, -ECONNRESET },
	{ "a cut in an event resumes before it", 200, FAKE_CUT, EVENT("ADDED", OBJECT("b", "6")) "{\"type\":\"ADDED\",\"obj",
	  "up item(b) down up ", false, -ECONNRESET },
	{ "an orderly end in an event resumes before it", 200, FAKE_END, EVENT("ADDED", OBJECT("b", "6")) "{\"type\":\"ADDED\",\"obj",
	  "up item(b) ", false, 0 },
	{ "silence resumes", 200, FAKE_HOLD, EVENT("ADDED", OBJECT("b", "6")), "up item(b) down up ", false, -ETIMEDOUT },
	{ "no answer resumes", 200, FAKE_HANG, "", "down up ", false, -ETIMEDOUT },
	{ "410 in the stream lists again", 200, FAKE_HOLD, EVENT("ERROR", GONE), "up begin item(z) end delete", true, 0 },
	{ "410 as the answer lists again", 410, FAKE_WHOLE, GONE, "begin item(z) end up ", true, 0 },
	{ "garbage lists again", 200, FAKE_HOLD, "garbage\n", "up down begin item(z) end up ", true, -EBADMSG },
	{ "an unknown event lists again", 200, FAKE_HOLD, EVENT("ODD", OBJECT("b", "6")), "up down begin item(z) end up ", true,
	  -EBADMSG },
	{ "an event without object lists again", 200, FAKE_HOLD, "{\"type\":\"ADDED\"}\n", "up down begin item(z) end up ", true,
	  -EBADMSG },
	{ "another error in the stream resumes", 200, FAKE_HOLD, EVENT("ERROR", "{\"code\":500,\"message\":\"etcd is away\"}"),
	  "up down up ", false, -EAGAIN },
	{ "401 resumes", 401, FAKE_WHOLE, "{\"message\":\"Unauthorized\"}", "down up ", false, -EACCES },
	{ "503 resumes", 503, FAKE_WHOLE, "{\"message\":\"starting\"}", "down up ", false, -EAGAIN },
};

/* Beyond its script the fake says 500. Pauses that double from 200 ms would make five requests. */
static void test_retry(void)
{
	static const bool never;
	struct rig r;

	rig_init(&r);
	kube_watch_set_retry(r.watch, 200);
	(void)!loop_run(r.loop, &never, loop_deadline(2000));
	ok(fake_kube_count(r.fake) >= 8, "with a short pause at most failures are tried again soon: %zu times", fake_kube_count(r.fake));
	rig_done(&r);
}

static void test_faults(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(faults); i++) {
		bool resumed_at_6 = strstr(faults[i].body, "\"6\"") && !faults[i].relist;
		size_t last = faults[i].relist ? 3 : 2;
		struct rig r;

		rig_init(&r);
		kube_watch_set_idle(r.watch, 150);
		fake_kube_say(r.fake, 200, FAKE_WHOLE, LIST("5", "", OBJECT("a", "1")));
		fake_kube_say(r.fake, faults[i].status, faults[i].end, faults[i].body);
		if (faults[i].relist)
			fake_kube_say(r.fake, 200, FAKE_WHOLE, LIST("9", "", OBJECT("z", "8")));
		fake_kube_say(r.fake, 200, FAKE_HOLD, EVENT("DELETED", OBJECT("last", "10")));
		(void)run(&r, "end ");
		(void)run(&r, "delete(last) ");
		ok(str_starts(buf_str(&r.seen), faults[i].seen) && strstr(buf_str(&r.seen), "delete(last)"), "%s: %s(%s)", faults[i].what,
		   buf_str(&r.seen), r.why);
		is_int(r.code, faults[i].code, "… with its reason");
		ok(asked(&r, last, faults[i].relist ? "resourceVersion=9 " : resumed_at_6 ? "resourceVersion=6 " : "resourceVersion=5 "),
		   "… at the right version");
		is_int((long long)fake_kube_count(r.fake), (long long)last + 1, "… in as many requests");
		rig_done(&r);
	}
}

static void test_list_faults(void)
{
	struct rig r;

	rig_init(&r);
	fake_kube_say(r.fake, 200, FAKE_WHOLE, LIST("5", "t", OBJECT("a", "1")));
	fake_kube_say(r.fake, 410, FAKE_WHOLE, GONE);
	fake_kube_say(r.fake, 200, FAKE_CUT, "{\"items\":[" OBJECT("a", "1") ",{");
	fake_kube_say(r.fake, 403, FAKE_WHOLE, "{\"message\":\"nodes is forbidden\"}");
	fake_kube_say(r.fake, 200, FAKE_WHOLE, "{\"items\":[]}");
	fake_kube_say(r.fake, 200, FAKE_WHOLE, LIST("6", "", OBJECT("b", "1")));
	fake_kube_say(r.fake, 200, FAKE_HOLD, "");
	is_str(run(&r, "up "), "begin item(a) begin item(a) down begin down begin down begin item(b) end up ",
	       "a list that fails begins anew, until it is whole");
	is_int(r.code, -EBADMSG, "a list without version is garbage (%s)", r.why);
	rig_done(&r);
}

static void test_huge_event(void)
{
	struct rig r;
	autofree char *fill = xcalloc(KUBE_ITEM_MAX + 1, 1), *text = NULL;

	memset(fill, 'x', KUBE_ITEM_MAX);
	text = xasprintf("{\"type\":\"ADDED\",\"object\":{\"x\":\"%s\"}}\n", fill);
	rig_init(&r);
	fake_kube_say(r.fake, 200, FAKE_WHOLE, LIST("5", "", ""));
	fake_kube_say(r.fake, 200, FAKE_HOLD, text);
	fake_kube_say(r.fake, 200, FAKE_WHOLE, LIST("6", "", ""));
	fake_kube_say(r.fake, 200, FAKE_HOLD, "");
	is_str(run(&r, "down begin end up "), "begin end up down begin end up ", "an event of more than 12 MiB lists again");
	is_int(r.code, -EFBIG, "and is named (%s)", r.why);
	rig_done(&r);
}

/* A watch that fails at once, again and again: at once, after 0.2 s, then from a new list. */
static void test_backoff(void)
{
	struct rig r;
	uint64_t start = loop_deadline(0), ms;

	rig_init(&r);
	fake_kube_say(r.fake, 200, FAKE_WHOLE, LIST("5", "", ""));
	for (int i = 0; i < 3; i++)
		fake_kube_say(r.fake, 500, FAKE_WHOLE, "{}");
	fake_kube_say(r.fake, 200, FAKE_WHOLE, LIST("6", "", ""));
	fake_kube_say(r.fake, 200, FAKE_HOLD, "");
	is_str(run(&r, "up "), "begin end down begin end up ", "the third failure in a row lists again");
	ms = (loop_deadline(0) - start) / 1000000;
	ok(ms >= 400 && ms < 4000, "after growing waits (%llu ms)", (unsigned long long)ms);
	is_int((long long)fake_kube_count(r.fake), 6, "no request is made besides");
	rig_done(&r);
}

static void test_refused(void)
{
	struct rig r;
	struct http_endpoint e;
	struct kube *gone;

	rig_init(&r);
	kube_watch_free(r.watch);
	e = fake_kube_endpoint(r.fake);
	free(e.base);
	e.base = xstrdup("http://127.0.0.1:1");
	gone = kube_new(r.loop, &e);
	r.watch = kube_watch_new(gone, "/api/v1/nodes", NULL, &ops, &r);
	is_str(run(&r, "begin down begin begin "), "begin down begin begin ", "a refused connection is reported once, and retried");
	is_int(r.code, -ECONNREFUSED, "with its reason (%s)", r.why);
	r.watch = kube_watch_free(r.watch);
	kube_free(gone);
	rig_done(&r);
}

static void turn(struct rig *r, uint64_t ms)
{
	bool never = false;

	(void)!loop_run(r->loop, &never, loop_deadline(ms));
}

static void test_free_anywhere(void)
{
	static const char *const places[] = { "begin", "item", "end", "up", "delete", "down" };

	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		struct rig r;

		rig_init(&r);
		r.free_at = places[i];
		fake_kube_say(r.fake, 200, FAKE_WHOLE, LIST("5", "", OBJECT("a", "1") "," OBJECT("b", "2")));
		fake_kube_say(r.fake, 200, FAKE_CUT, EVENT("DELETED", OBJECT("a", "6")) EVENT("DELETED", OBJECT("b", "7")));
		(void)run(&r, places[i]);
		ok(!r.watch, "a watch may be freed in \"%s\"", places[i]);
		buf_reset(&r.seen);
		turn(&r, 50);
		is_str(buf_str(&r.seen), "", "and is silent from then on");
		rig_done(&r);
	}
}

int main(void)
{
	test_follow();
	test_stream();
	test_selector();
	test_faults();
	test_retry();
	test_list_faults();
	test_huge_event();
	test_backoff();
	test_refused();
	test_free_anywhere();
	return tap_done();
}
