/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "base/mem.h"
#include "net/docker_internal.h"

#define PIPE_BYTES (1 << 20)

/* ---- the producer's side ---- */

static int feed_sink(void *arg, const void *p, size_t n)
{
	struct docker_feed *f = arg;

	for (const char *at = p; n;) {
		ssize_t r = write(f->in, at, n);

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0) {
			f->broken |= errno == EPIPE;
			return -errno;
		}
		at += r;
		n -= (size_t)r;
	}
	return 0;
}

static void *feed_main(void *arg)
{
	struct docker_feed *f = arg;

	f->code = f->produce(f, feed_sink, &f->err);
	close(f->in);
	return NULL;
}

int docker_feed_tar(struct docker_feed *f, tar_sink sink, struct err *err)
{
	const struct docker_fill *fill = f->arg;
	struct tar *t = tar_new(sink, f);
	int r = fill->fill(t, fill->arg, err);

	if (r < 0) {
		tar_abort(t);
		return r;
	}
	return tar_end(t, err);
}

struct source_req {
	struct http_req r;
	struct docker_feed *f;
	tar_sink sink;
};

static int source_body(struct http_req *r, const void *p, size_t n)
{
	struct source_req *q = container_of(r, struct source_req, r);

	return q->sink(q->f, p, n);
}

void docker_source_init(struct docker_source *s, const struct docker *d, char *path)
{
	*s = (struct docker_source){ .d = docker_clone(d, loop_new(LOOP_DEFAULT)), .path = path };
}

void docker_source_done(struct docker_source *s)
{
	struct loop *l = s->d->loop;

	docker_free(s->d);
	loop_free(l);
	free(s->path);
}

int docker_feed_get(struct docker_feed *f, tar_sink sink, struct err *err)
{
	struct docker_source *s = f->arg;
	struct source_req q = { .r = { .method = "GET", .path = s->path, .body_fn = source_body }, .f = f, .sink = sink };
	int code = docker_run(s->d, &q.r, UINT64_MAX, err);

	http_req_done(&q.r);
	return code;
}

void docker_feed_get_stop(struct docker_feed *f)
{
	loop_cancel(((struct docker_source *)f->arg)->d->loop);
}

/* ---- the loop's side ---- */

static int feed_pipe(struct docker_feed *f)
{
	int fd[2];

#ifdef __linux__
	if (pipe2(fd, O_CLOEXEC))
		return -errno;
	(void)fcntl(fd[1], F_SETPIPE_SZ, PIPE_BYTES);
#else
	if (pipe(fd))
		return -errno;
	(void)fcntl(fd[0], F_SETFD, FD_CLOEXEC);
	(void)fcntl(fd[1], F_SETFD, FD_CLOEXEC);
#endif
	(void)fcntl(fd[0], F_SETFL, O_NONBLOCK);
	f->out = fd[0];
	f->in = fd[1];
	return 0;
}

int docker_feed_start(struct docker_feed *f, struct docker *d, docker_produce_fn produce, void *arg, struct err *err)
{
	sigset_t all, old;
	int r = feed_pipe(f);

	if (r < 0)
		return err_set(err, r, "cannot make a pipe: %m");
	f->produce = produce;
	f->arg = arg;
	f->loop = d->loop;
	sigfillset(&all); /* SIGPIPE becomes -EPIPE, and signals go to the thread that waits for them */
	pthread_sigmask(SIG_SETMASK, &all, &old);
	r = -pthread_create(&f->thread, NULL, feed_main, f);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (r == 0) {
		f->running = true;
		return 0;
	}
	close(f->out);
	close(f->in);
	return err_set(err, r, "cannot start a thread");
}

static void feed_join(struct docker_feed *f)
{
	if (!f->running)
		return;
	pthread_join(f->thread, NULL);
	f->running = false;
}

static void feed_ready(struct io *io, unsigned events)
{
	struct docker_feed *f = container_of(io, struct docker_feed, io);

	io_stop(io);
	http_resume(&f->req);
}

ssize_t docker_feed_read(struct http_req *r, void *p, size_t n)
{
	struct docker_feed *f = container_of(r, struct docker_feed, req);
	ssize_t got = read(f->out, p, n);

	if (got > 0)
		return got;
	if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
		io_start(f->loop, &f->io, f->out, IO_IN, feed_ready);
		return -EAGAIN;
	}
	if (got < 0)
		return -errno;
	feed_join(f);
	return f->code < 0 ? f->code : 0;
}

int docker_feed_end(struct docker_feed *f, int code, struct err *err)
{
	io_stop(&f->io);
	close(f->out);
	if (code < 0 && f->running && f->interrupt)
		f->interrupt(f);
	feed_join(f);
	if (f->code >= 0 || f->broken || f->code == -ECANCELED)
		return code;
	if (err)
		*err = f->err;
	return f->code;
}
