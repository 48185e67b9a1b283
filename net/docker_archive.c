/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/mem.h"
#include "net/docker_internal.h"

static char *archive_path(const struct docker *d, const char *id, const char *path)
{
	struct buf name = BUF_INIT(4096), query = BUF_INIT(16384);
	char *ret;

	http_escape(&name, id);
	http_escape(&query, path);
	ret = docker_path(d, "/containers/%s/archive?path=%s", buf_str(&name), buf_str(&query));
	buf_done(&name);
	buf_done(&query);
	return ret;
}

/* ---- in ---- */

static const char *const tar_type[] = { "Content-Type: application/x-tar", NULL };

static int archive_send(struct docker *d, struct docker_feed *f, const char *id, const char *path, struct err *err)
{
	autofree char *full = archive_path(d, id, path);
	int r;

	f->req.method = "PUT";
	f->req.path = full;
	f->req.headers = tar_type;
	f->req.read_fn = docker_feed_read;
	f->req.idle_ms = DOCKER_IDLE_MS;
	r = docker_run(d, &f->req, UINT64_MAX, err);
	r = docker_feed_end(f, r, err);
	http_req_done(&f->req);
	return r;
}

int docker_archive_put(struct docker *d, const char *id, const char *path, docker_fill_fn fill, void *arg, struct err *err)
{
	struct docker_fill what = { fill, arg };
	struct docker_feed f = { 0 };
	int r = docker_feed_start(&f, d, docker_feed_tar, &what, err);

	return r < 0 ? r : archive_send(d, &f, id, path, err);
}

int docker_archive_copy(struct docker *d, const char *from_id, const char *from_path, const char *to_id, const char *to_dir,
			struct err *err)
{
	struct docker_feed f = { .interrupt = docker_feed_get_stop };
	struct docker_source source;
	int r;

	docker_source_init(&source, d, archive_path(d, from_id, from_path));
	r = docker_feed_start(&f, d, docker_feed_get, &source, err);
	if (r == 0)
		r = archive_send(d, &f, to_id, to_dir, err);
	docker_source_done(&source);
	return r;
}

/* ---- out ---- */

struct fetch {
	struct http_req r;
	struct buf *out;
	int fd;
};

static int fetch_body(struct http_req *r, const void *p, size_t n)
{
	struct fetch *f = container_of(r, struct fetch, r);

	if (f->fd < 0) {
		buf_add(f->out, p, n);
		return buf_ok(f->out) ? 0 : -EFBIG;
	}
	for (const char *at = p; n;) {
		ssize_t w = write(f->fd, at, n);

		if (w < 0 && errno != EINTR)
			return -errno;
		at += MAX(w, 0);
		n -= (size_t)MAX(w, 0);
	}
	return 0;
}

int docker_archive_get(struct docker *d, const char *id, const char *path, struct buf *out, const char *to_file,
		       struct err *err)
{
	autofree char *full = archive_path(d, id, path);
	struct fetch f = { .r = { .method = "GET", .path = full, .body_fn = fetch_body, .idle_ms = DOCKER_IDLE_MS },
			   .out = out, .fd = -1 };
	int r;

	if (to_file) {
		f.fd = open(to_file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
		if (f.fd < 0)
			return err_set(err, -errno, "cannot write %s: %m", to_file);
	}
	r = docker_run(d, &f.r, UINT64_MAX, err);
	http_req_done(&f.r);
	if (to_file) {
		if (close(f.fd) && r == 0)
			r = err_set(err, -errno, "cannot write %s: %m", to_file);
		if (r < 0)
			(void)unlink(to_file);
	}
	return r;
}
