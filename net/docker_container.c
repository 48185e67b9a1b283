/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "base/mem.h"
#include "net/docker_internal.h"

#define REMOVE_MS	10000	/* for a removal that somebody else has begun */
#define POLL_MS		100

/* A call on /containers/ID…; id is escaped, suffix is not. */
static int container_call(struct docker *d, const char *method, const char *id, const char *suffix, json *body,
			  uint64_t timeout_ms, json **ret, struct err *err)
{
	struct buf b = BUF_INIT(8192);
	int r;

	buf_adds(&b, "/containers/");
	http_escape(&b, id);
	buf_adds(&b, suffix);
	r = docker_call(d, method, buf_str(&b), body, timeout_ms, ret, err);
	buf_done(&b);
	return r;
}

int docker_container_create(struct docker *d, const char *name, json *config, char **ret_id, struct err *err)
{
	struct buf b = BUF_INIT(4096);
	autojson json *answer = NULL;
	int r;

	buf_adds(&b, "/containers/create");
	if (name) {
		buf_adds(&b, "?name=");
		http_escape(&b, name);
	}
	r = docker_call(d, "POST", buf_str(&b), config, 0, &answer, err);
	buf_done(&b);
	if (r == 0 && ret_id)
		*ret_id = xstrdup(json_str(answer, "Id", ""));
	return r;
}

int docker_container_inspect(struct docker *d, const char *id, json **ret, struct err *err)
{
	return container_call(d, "GET", id, "/json", NULL, 0, ret, err);
}

int docker_container_start(struct docker *d, const char *id, struct err *err)
{
	return container_call(d, "POST", id, "/start", NULL, 0, NULL, err);
}

int docker_container_unpause(struct docker *d, const char *id, struct err *err)
{
	return container_call(d, "POST", id, "/unpause", NULL, 0, NULL, err);
}

int docker_container_stop(struct docker *d, const char *id, unsigned grace_s, struct err *err)
{
	autofree char *suffix = xasprintf("/stop?t=%u", grace_s);

	return container_call(d, "POST", id, suffix, NULL, grace_s * 1000u + DOCKER_CALL_MS, NULL, err);
}

int docker_container_remove(struct docker *d, const char *id, struct err *err)
{
	uint64_t deadline = loop_deadline(REMOVE_MS);
	struct err local = { 0 };
	int r = container_call(d, "DELETE", id, "?force=1&v=1", NULL, 0, NULL, &local);

	while (r == -EEXIST) {	/* "removal … is already in progress" */
		int paused = docker_pause(d, POLL_MS, deadline);

		if (paused == -ECANCELED)
			return err_set(err, paused, "interrupted");
		if (paused < 0)
			break;
		r = container_call(d, "DELETE", id, "?force=1&v=1", NULL, 0, NULL, &local);
	}
	return docker_result(r == -ENOENT ? 0 : r, &local, err);
}

int docker_container_wait(struct docker *d, const char *id, uint64_t deadline_ns, struct err *err)
{
	autojson json *answer = NULL;
	const char *message;
	int r = container_call(d, "POST", id, "/wait", NULL, docker_left_ms(d, deadline_ns, UINT32_MAX), &answer, err);

	if (r < 0)
		return r == -ETIMEDOUT ? err_set(err, r, "container %s did not end in time", id) : r;
	message = json_str(answer, "Error.Message", NULL);
	if (message && *message)
		return err_set(err, -EIO, "%s", message);
	return (int)json_int(answer, "StatusCode", 0);
}

int docker_container_list(struct docker *d, const struct strv *labels, json **ret, struct err *err)
{
	struct buf b = BUF_INIT(64u << 10);
	int r;

	buf_adds(&b, "/containers/json?all=1");
	docker_label_filter(&b, labels);
	r = docker_call(d, "GET", buf_str(&b), NULL, 0, ret, err);
	buf_done(&b);
	return r;
}

/* ---- logs ---- */

struct logs {
	struct http_req r;
	struct docker_frames frames;
	struct docker_lines lines[2];		/* stdout and stderr are cut into lines apart */
	bool tty;
	struct buf *out;			/* logs */
	docker_line_fn fn;			/* follow */
	void *arg;
	int ended;				/* what fn returned */
};

static int logs_line(void *arg, const char *line)
{
	struct logs *g = arg;

	g->ended = g->fn(g->arg, line);
	return g->ended ? -ECANCELED : 0;
}

static int logs_bytes(void *arg, int stream, const char *p, size_t n)
{
	struct logs *g = arg;

	if (g->fn)
		return docker_lines_feed(&g->lines[stream == 2], p, n, logs_line, g);
	buf_add(g->out, p, n);
	return 0;
}

static int logs_body(struct http_req *r, const void *p, size_t n)
{
	struct logs *g = container_of(r, struct logs, r);

	return g->tty ? logs_bytes(g, 1, p, n) : docker_frames_feed(&g->frames, p, n, logs_bytes, g);
}

static int logs_run(struct docker *d, struct logs *g, const char *id, const char *query, uint64_t deadline_ns,
		    struct err *err)
{
	struct buf b = BUF_INIT(8192);
	autofree char *path = NULL;
	int r;

	http_escape(&b, id);
	path = docker_path(d, "/containers/%s/logs?stdout=1&stderr=1&%s", buf_str(&b), query);
	buf_done(&b);
	g->r.method = "GET";
	g->r.path = path;
	g->r.body_fn = logs_body;
	r = docker_run(d, &g->r, deadline_ns, err);
	http_req_done(&g->r);
	return r;
}

int docker_container_logs(struct docker *d, const char *id, bool tty, unsigned last, struct buf *out, struct err *err)
{
	struct logs g = { .tty = tty, .out = out };
	autofree char *query = xasprintf("tail=%u", last);

	return logs_run(d, &g, id, query, loop_deadline(DOCKER_CALL_MS), err);
}

int docker_container_follow(struct docker *d, const char *id, docker_line_fn fn, void *arg, uint64_t deadline_ns,
			    struct err *err)
{
	struct logs g = { .fn = fn, .arg = arg };
	autojson json *info = NULL;
	int r = docker_container_inspect(d, id, &info, err);

	if (r < 0)
		return r;
	g.tty = json_bool(info, "Config.Tty", false);
	for (int i = 0; i < 2; i++)
		docker_lines_init(&g.lines[i]);
	r = logs_run(d, &g, id, "follow=1", deadline_ns, err);
	for (int i = 0; i < 2; i++) {
		if (r == 0)
			(void)docker_lines_end(&g.lines[i], logs_line, &g);
		docker_lines_done(&g.lines[i]);
	}
	if (g.ended)
		return g.ended;
	return r == -ETIMEDOUT ? err_set(err, r, "container %s did not end in time", id) : r;
}
