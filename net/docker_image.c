/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/mem.h"
#include "net/docker_internal.h"

static int image_call(struct docker *d, const char *method, const char *ref, const char *suffix, json **ret, struct err *err)
{
	autofree char *name = docker_ref_path(ref), *path = xasprintf("/images/%s%s", name, suffix);

	return docker_call(d, method, path, NULL, 0, ret, err);
}

int docker_image_inspect(struct docker *d, const char *ref, json **ret, struct err *err)
{
	return image_call(d, "GET", ref, "/json", ret, err);
}

int docker_image_remove(struct docker *d, const char *ref, struct err *err)
{
	struct err local = { 0 };
	int r = image_call(d, "DELETE", ref, "?force=1", NULL, &local);

	return docker_result(r == -ENOENT ? 0 : r, &local, err);
}

int docker_image_list(struct docker *d, const char *label, json **ret, struct err *err)
{
	struct strv labels = { 0 };
	struct buf b = BUF_INIT(8192);
	int r;

	strv_add(&labels, label);
	buf_adds(&b, "/images/json");
	docker_label_filter(&b, &labels);
	r = docker_call(d, "GET", buf_str(&b), NULL, 0, ret, err);
	buf_done(&b);
	strv_done(&labels);
	return r;
}

/* ---- calls that answer with a stream of objects: success is the absence of an error in it ---- */

struct work {
	struct docker_feed feed;	/* its request is the one that runs */
	struct docker_objects objects;
	docker_progress_fn fn;
	void *fn_arg;
	int code;			/* of an error within the stream */
	struct err err;
	bool building, made;		/* made: the stream named a result */
	int fd;				/* body from a file */
};

/* Engines give no code with these. */
static int error_code(const char *message)
{
	static const struct {
		const char *words;
		int code;
	} rows[] = {
		{ "not found", -ENOENT }, { "manifest unknown", -ENOENT },
		{ "unauthorized", -EACCES }, { "denied", -EACCES }, { "no space left", -ENOSPC },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (strstr(message, rows[i].words))
			return rows[i].code;
	return -EIO;
}

static void work_failed(struct work *w, const char *message)
{
	size_t n = strlen(message);

	while (n && strchr(" \r\n", message[n - 1]))
		n--;
	w->code = err_set(&w->err, w->building ? -EIO : error_code(message), "%.*s", (int)n, message);
}

static int work_event(void *arg, const json *o)
{
	struct work *w = arg;
	const char *stream = json_str(o, "stream", NULL), *status = json_str(o, "status", NULL);
	const char *message = json_str(o, "errorDetail.message", json_str(o, "error", NULL));
	struct docker_progress p = {
		.id = json_str(o, "id", NULL), .text = stream ? stream : status,
		.current = json_int(o, "progressDetail.current", 0), .total = json_int(o, "progressDetail.total", 0),
	};

	if (message)
		work_failed(w, message);
	w->made |= json_is(o, "aux.ID") || (stream && str_starts(stream, "Successfully "));
	if (p.text && w->fn)
		w->fn(w->fn_arg, &p);
	return 0;
}

static int work_body(struct http_req *r, const void *p, size_t n)
{
	struct work *w = container_of(container_of(r, struct docker_feed, req), struct work, feed);

	return docker_objects_feed(&w->objects, p, n, work_event, w);
}

/* Runs the request of w->feed; a feed that was started is ended. */
static int work_run(struct docker *d, struct work *w, const char *path, uint64_t deadline_ns, struct err *err)
{
	struct http_req *r = &w->feed.req;
	int code;

	r->method = "POST";
	r->path = path;
	r->body_fn = work_body;
	docker_objects_init(&w->objects);
	code = docker_run(d, r, deadline_ns, err);
	if (w->feed.produce)
		code = docker_feed_end(&w->feed, code, err);
	if (w->code < 0 && code != -ECANCELED && code != -ETIMEDOUT) {
		code = w->code;
		if (err)
			*err = w->err;
	}
	if (code == 0 && w->objects.depth)
		code = err_set(err, -ECONNRESET, "the engine's answer ended in the middle");
	docker_objects_done(&w->objects);
	http_req_done(r);
	return code;
}

static int work_run_filled(struct docker *d, struct work *w, const char *path, docker_fill_fn fill, void *arg,
			   uint64_t deadline_ns, struct err *err)
{
	static const char *const type[] = { "Content-Type: application/x-tar", NULL };
	struct docker_fill what = { fill, arg };
	int r = docker_feed_start(&w->feed, d, docker_feed_tar, &what, err);

	if (r < 0)
		return r;
	w->feed.req.headers = type;
	w->feed.req.read_fn = docker_feed_read;
	return work_run(d, w, path, deadline_ns, err);
}

static void query_add(struct buf *b, const char *name, const char *value)
{
	if (!value)
		return;
	buf_addf(b, "%c%s=", strchr(buf_str(b), '?') ? '&' : '?', name);
	http_escape(b, value);
}

static void query_add_json(struct buf *b, const char *name, const json *value)
{
	autofree char *text = value ? json_text(value) : NULL;

	query_add(b, name, text);
}

static void query_init(struct buf *b, const struct docker *d, const char *path)
{
	buf_init(b, 256u << 10);
	buf_addf(b, "/v%s%s", d->api, path);
}

/* ---- pull ---- */

int docker_image_pull(struct docker *d, const char *ref, const char *auth, docker_progress_fn fn, void *arg,
		      uint64_t deadline_ns, struct err *err)
{
	struct work w = { .fn = fn, .fn_arg = arg };
	autofree char *repo = NULL, *tag = NULL, *header = auth ? xasprintf("X-Registry-Auth: %s", auth) : NULL;
	const char *headers[] = { header, NULL };
	struct err local = { 0 };
	struct buf path;
	int r;

	docker_ref_split(ref, &repo, &tag);
	query_init(&path, d, "/images/create");
	query_add(&path, "fromImage", repo);
	query_add(&path, "tag", tag);
	w.feed.req.headers = headers;
	r = work_run(d, &w, buf_str(&path), deadline_ns, &local);
	buf_done(&path);
	if (r == -EAGAIN && error_code(err_text(&local)) != -EIO)
		r = local.code = error_code(err_text(&local));
	return docker_result(r, &local, err);
}

/* ---- build ---- */

static void build_query(struct buf *path, const struct docker *d, const struct docker_build *b)
{
	query_init(path, d, "/build?rm=1&forcerm=1");
	query_add(path, "t", b->tag);
	query_add(path, "dockerfile", b->dockerfile);
	query_add(path, "target", b->target);
	query_add_json(path, "buildargs", b->args);
	query_add_json(path, "labels", b->labels);
	query_add(path, "nocache", b->nocache ? "1" : NULL);
}

/* A stream that ends without an error and without a result was cut, unless the engine knows the tag. */
static int build_confirm(struct docker *d, const struct docker_build *b, const struct work *w, struct err *err)
{
	if (w->made || (b->tag && docker_image_inspect(d, b->tag, NULL, NULL) == 0))
		return 0;
	return err_set(err, -EIO, "the build ended without a result");
}

int docker_image_build(struct docker *d, const struct docker_build *b, docker_fill_fn fill, void *arg, docker_progress_fn fn,
		       void *fn_arg, uint64_t deadline_ns, struct err *err)
{
	struct work w = { .fn = fn, .fn_arg = fn_arg, .building = true };
	struct buf path;
	int r;

	build_query(&path, d, b);
	r = work_run_filled(d, &w, buf_str(&path), fill, arg, deadline_ns, err);
	buf_done(&path);
	return r == 0 ? build_confirm(d, b, &w, err) : r;
}

/* ---- import, load ---- */

int docker_image_import(struct docker *d, const char *ref, const char *const *changes, docker_fill_fn fill, void *arg,
			uint64_t deadline_ns, struct err *err)
{
	struct work w = { 0 };
	autofree char *repo = NULL, *tag = NULL;
	struct buf path;
	int r;

	docker_ref_split(ref, &repo, &tag);
	query_init(&path, d, "/images/create?fromSrc=-");
	query_add(&path, "repo", repo);
	query_add(&path, "tag", tag);
	for (; changes && *changes; changes++)
		query_add(&path, "changes", *changes);
	r = work_run_filled(d, &w, buf_str(&path), fill, arg, deadline_ns, err);
	buf_done(&path);
	return r;
}

static ssize_t load_read(struct http_req *r, void *p, size_t n)
{
	struct work *w = container_of(container_of(r, struct docker_feed, req), struct work, feed);
	ssize_t got = read(w->fd, p, n);

	return got < 0 ? -errno : got;
}

int docker_image_load(struct docker *d, const char *path, uint64_t deadline_ns, struct err *err)
{
	static const char *const type[] = { "Content-Type: application/x-tar", NULL };
	struct work w = { .fd = open(path, O_RDONLY | O_CLOEXEC) };
	struct buf url;
	int r;

	if (w.fd < 0)
		return err_set(err, -errno, "cannot read %s: %m", path);
	query_init(&url, d, "/images/load?quiet=1");
	w.feed.req.headers = type;
	w.feed.req.read_fn = load_read;
	r = work_run(d, &w, buf_str(&url), deadline_ns, err);
	close(w.fd);
	buf_done(&url);
	return r;
}
