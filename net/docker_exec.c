/* SPDX-License-Identifier: Apache-2.0 */
/* How it works: the exec's stream is hijacked; `in` is read when it is readable and the stream's queue is short, what comes
 * back goes to sinks, which write no more than poll() allows: the descriptors may be anybody's terminal or pipe and are
 * never made non-blocking. They are duplicated, so that one file may be several of the three. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/mem.h"
#include "net/docker_internal.h"

#define ATOM		4096u		/* PIPE_BUF: a writable pipe takes so much without blocking */
#define ATOMS		64		/* per turn */
#define SINK_HIGH	(256u << 10)	/* above: the stream is paused */
#define QUEUE_HIGH	(1u << 20)	/* of the stream: above, `in` is not read */
#define SIZE_MS		250		/* how often the terminal is asked for its size */
#define EXIT_POLL_MS	20

struct sink {
	struct io io;
	struct exec *exec;
	struct buf q;
	size_t at;		/* of q, written */
	int fd;			/* owned; -1: none */
};

struct exec {
	struct docker *d;
	const struct docker_exec *x;
	char *id;
	struct http_stream *stream;
	struct docker_frames frames;
	struct sink sink[2];		/* stdout, stderr */
	struct io in;
	int in_fd;			/* owned; -1: none or ended */
	struct timer size;
	struct winsize last;
	struct http_req resize;
	char *resize_path;
	bool closed, done;
	int code;
	struct err err;
};

/* ---- sinks ---- */

static size_t sink_left(const struct sink *s)
{
	return s->q.len - s->at;
}

static void exec_check(struct exec *e)
{
	e->done = e->closed && !sink_left(&e->sink[0]) && !sink_left(&e->sink[1]);
}

static void exec_fail(struct exec *e, int code, const char *what)
{
	if (e->done)
		return;
	http_stream_close(e->stream);
	e->stream = NULL;
	io_stop(&e->in);
	e->closed = e->done = true;
	e->code = err_set(&e->err, code, "%s", what);
}

static bool fd_writable(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };

	return poll(&p, 1, 0) > 0;
}

static int sink_flush(struct sink *s)
{
	for (int i = 0; i < ATOMS && sink_left(s) && fd_writable(s->fd); i++) {
		ssize_t n = write(s->fd, s->q.data + s->at, MIN(sink_left(s), ATOM));

		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return -errno;
		s->at += (size_t)MAX(n, 0);
		if (n < 0)
			break;
	}
	if (!sink_left(s)) {
		buf_reset(&s->q);
		s->at = 0;
	}
	return 0;
}

static void sink_ready(struct io *io, unsigned events);

static void sink_drive(struct sink *s)
{
	struct exec *e = s->exec;
	int r = sink_flush(s);

	if (r < 0) {
		exec_fail(e, r, r == -EPIPE ? "nobody reads the output any more" : "cannot write the output");
		return;
	}
	if (sink_left(s) && !s->io.loop)
		io_start(e->d->loop, &s->io, s->fd, IO_OUT, sink_ready);
	else if (!sink_left(s))
		io_stop(&s->io);
	if (e->stream)
		http_stream_pause(e->stream, sink_left(&e->sink[0]) + sink_left(&e->sink[1]) > SINK_HIGH);
	exec_check(e);
}

static void sink_ready(struct io *io, unsigned events)
{
	sink_drive(container_of(io, struct sink, io));
}

static int exec_output(void *arg, int stream, const char *p, size_t n)
{
	struct exec *e = arg;
	struct sink *s = &e->sink[stream == 2];

	if (e->x->capture)
		buf_add(e->x->capture, p, n);
	if (e->x->capture || s->fd < 0)
		return 0;
	if (s->at) {
		buf_consume(&s->q, s->at);
		s->at = 0;
	}
	buf_add(&s->q, p, n);
	sink_drive(s);
	return e->done ? -ECANCELED : 0;
}

/* ---- stdin ---- */

static void input_ready(struct io *io, unsigned events);

static void input_watch(struct exec *e)
{
	bool room = http_stream_queued(e->stream) < QUEUE_HIGH;

	if (e->in_fd < 0 || !room)
		io_stop(&e->in);
	else if (!e->in.loop)
		io_start(e->d->loop, &e->in, e->in_fd, IO_IN, input_ready);
}

static void input_end(struct exec *e)
{
	io_stop(&e->in);
	close(e->in_fd);
	e->in_fd = -1;
	http_stream_end(e->stream);
}

static void input_ready(struct io *io, unsigned events)
{
	struct exec *e = container_of(io, struct exec, in);
	char p[65536];
	ssize_t n = read(e->in_fd, p, sizeof(p));

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		input_end(e);
		return;
	}
	if (http_stream_send(e->stream, p, (size_t)n) < 0)
		exec_fail(e, -ECONNRESET, "cannot send the input");
	else
		input_watch(e);
}

/* ---- size of the terminal ---- */

static void resize_done(struct http_req *r, int code, const struct err *err)
{
	struct exec *e = container_of(r, struct exec, resize);

	http_req_done(r);
	free(e->resize_path);
	e->resize_path = NULL;
}

static bool size_read(struct exec *e, struct winsize *ret)
{
	return e->x->tty && e->x->in >= 0 && ioctl(e->x->in, TIOCGWINSZ, ret) == 0 && ret->ws_row && ret->ws_col;
}

static void size_tick(struct timer *t)
{
	struct exec *e = container_of(t, struct exec, size);
	struct winsize now;

	timer_start(e->d->loop, t, SIZE_MS, size_tick);
	if (e->resize_path || !size_read(e, &now) || (now.ws_row == e->last.ws_row && now.ws_col == e->last.ws_col))
		return;
	e->last = now;
	e->resize_path = docker_path(e->d, "/exec/%s/resize?h=%u&w=%u", e->id, now.ws_row, now.ws_col);
	e->resize = (struct http_req){ .to = &e->d->to, .method = "POST", .path = e->resize_path, .on_done = resize_done,
				       .timeout_ms = 5000 };
	if (http_start(e->d->http, &e->resize, NULL) < 0)
		resize_done(&e->resize, -EINVAL, NULL);
}

/* ---- the stream ---- */

static void on_open(struct http_stream *s, void *owner)
{
	struct exec *e = owner;
	struct winsize size;

	if (e->in_fd >= 0)
		input_watch(e);
	if (size_read(e, &size))
		timer_start(e->d->loop, &e->size, 0, size_tick);
}

static void on_data(struct http_stream *s, void *owner, const void *p, size_t n)
{
	struct exec *e = owner;
	int r = e->x->tty ? exec_output(e, 1, p, n) : docker_frames_feed(&e->frames, p, n, exec_output, e);

	if (r == -EBADMSG)
		exec_fail(e, r, "the engine's stream is damaged");
}

static void on_drain(struct http_stream *s, void *owner)
{
	input_watch(owner);
}

static void on_close(struct http_stream *s, void *owner, int code, const struct err *err)
{
	struct exec *e = owner;

	e->stream = NULL;
	io_stop(&e->in);
	timer_stop(&e->size);
	e->closed = true;
	e->code = code;
	e->err = *err;
	exec_check(e);
}

static const struct http_stream_ops ops = {
	.on_open = on_open, .on_data = on_data, .on_drain = on_drain, .on_close = on_close,
};

/* ---- steps ---- */

static json *strings(const char *const *v)
{
	json *list = json_array();

	for (; *v; v++)
		json_add_str(list, *v);
	return list;
}

static void set_size(struct exec *e, json *o)
{
	struct winsize size;
	json *pair;

	if (!size_read(e, &size))
		return;
	if (e->d->podman) {
		json_set_int(o, "h", size.ws_row);
		json_set_int(o, "w", size.ws_col);
	} else if (e->d->minor >= 42) {
		autofree char *text = xasprintf("[%u,%u]", size.ws_row, size.ws_col);

		pair = json_parse(text, strlen(text), NULL);
		json_set(o, "ConsoleSize", pair);
	}
}

static int exec_create(struct exec *e, const char *container, struct err *err)
{
	const struct docker_exec *x = e->x;
	struct buf path = BUF_INIT(8192);
	autojson json *answer = NULL;
	json *o = json_object();
	int r;

	json_set_bool(o, "AttachStdin", x->in >= 0 && !x->detach);
	json_set_bool(o, "AttachStdout", !x->detach);
	json_set_bool(o, "AttachStderr", !x->detach);
	json_set_bool(o, "Tty", x->tty);
	json_set_bool(o, "Privileged", x->privileged);
	json_set(o, "Cmd", strings(x->argv));
	if (x->env)
		json_set(o, "Env", strings(x->env));
	json_set_str(o, "User", x->user);
	json_set_str(o, "WorkingDir", x->cwd);
	set_size(e, o);
	buf_adds(&path, "/containers/");
	http_escape(&path, container);
	buf_adds(&path, "/exec");
	r = docker_call(e->d, "POST", buf_str(&path), o, docker_left_ms(e->d, x->deadline_ns, DOCKER_CALL_MS), &answer, err);
	buf_done(&path);
	if (r == 0 && !json_str(answer, "Id", NULL))
		r = err_set(err, -EBADMSG, "the engine gave no id for the command");
	if (r == 0)
		e->id = xstrdup(json_str(answer, "Id", NULL));
	return r;
}

static int exec_detached(struct exec *e, struct err *err)
{
	autofree char *path = xasprintf("/exec/%s/start", e->id);
	json *o = json_object();

	json_set_bool(o, "Detach", true);
	json_set_bool(o, "Tty", e->x->tty);
	return docker_call(e->d, "POST", path, o, docker_left_ms(e->d, e->x->deadline_ns, DOCKER_CALL_MS), NULL, err);
}

static int exec_late(const struct exec *e, int code, struct err *err)
{
	return err_set(err, code, "%s %s", e->x->argv[0], code == -ETIMEDOUT ? "did not end in time" : "was interrupted");
}

static int exec_attached(struct exec *e, struct err *err)
{
	static const char *const headers[] = {
		"Content-Type: application/json", "Connection: Upgrade", "Upgrade: tcp", NULL,
	};
	autofree char *path = docker_path(e->d, "/exec/%s/start", e->id), *body = NULL;
	autojson json *o = json_object();
	int r;

	json_set_bool(o, "Detach", false);
	json_set_bool(o, "Tty", e->x->tty);
	set_size(e, o);
	body = json_text(o);
	e->stream = http_stream_open(e->d->http, &e->d->to, "POST", path, headers, body, strlen(body),
				     docker_left_ms(e->d, e->x->deadline_ns, DOCKER_CALL_MS), &ops, e, err);
	if (!e->stream)
		return err ? err->code : -EINVAL;
	r = loop_run(e->d->loop, &e->done, e->x->deadline_ns ? e->x->deadline_ns : UINT64_MAX);
	if (r < 0)
		return exec_late(e, r, err);
	if (e->code < 0 && err)
		*err = e->err;
	return e->code;
}

/* The stream may end a little before the engine knows of the process's end. */
static int exec_status(struct exec *e, struct err *err)
{
	autofree char *path = xasprintf("/exec/%s/json", e->id);

	for (;;) {
		autojson json *info = NULL;
		int r = docker_call(e->d, "GET", path, NULL, 0, &info, err);

		if (r < 0)
			return r;
		if (!json_bool(info, "Running", false))
			return (int)(json_int(info, "ExitCode", 0) & 0xff);
		r = docker_pause(e->d, EXIT_POLL_MS, e->x->deadline_ns);
		if (r < 0)
			return exec_late(e, r, err);
	}
}

static int fd_dup(int fd)
{
	return fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 3);
}

static void exec_init(struct exec *e, struct docker *d, const struct docker_exec *x)
{
	*e = (struct exec){ .d = d, .x = x, .in_fd = fd_dup(x->detach ? -1 : x->in) };
	for (int i = 0; i < 2; i++) {
		e->sink[i].exec = e;
		e->sink[i].fd = fd_dup(x->capture || x->detach ? -1 : i ? x->err : x->out);
		buf_init(&e->sink[i].q, 4u << 20);
	}
}

static void exec_done(struct exec *e)
{
	http_stream_close(e->stream);
	http_req_done(&e->resize);
	io_stop(&e->in);
	timer_stop(&e->size);
	if (e->in_fd >= 0)
		close(e->in_fd);
	for (int i = 0; i < 2; i++) {
		io_stop(&e->sink[i].io);
		if (e->sink[i].fd >= 0)
			close(e->sink[i].fd);
		buf_done(&e->sink[i].q);
	}
	free(e->resize_path);
	free(e->id);
}

int docker_exec(struct docker *d, const char *id, const struct docker_exec *x, struct err *err)
{
	struct exec e;
	struct err local = { 0 };
	int r;

	exec_init(&e, d, x);
	r = exec_create(&e, id, &local);
	if (r == 0 && x->detach)
		r = exec_detached(&e, &local);
	else if (r == 0)
		r = exec_attached(&e, &local);
	if (r == 0 && !x->detach)
		r = exec_status(&e, &local);
	exec_done(&e);
	return docker_result(r, &local, err);
}

/* ---- feeding an image ---- */

static int feed_file(struct docker *d, const char *id, struct docker_exec *x, const char *path, struct err *err)
{
	autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return err_set(err, -errno, "cannot read %s: %m", path);
	x->in = fd;
	return docker_exec(d, id, x, err);
}

int docker_exec_feed_image(struct docker *d, const char *id, const char *const *argv, const char *image, struct buf *capture,
			   uint64_t deadline_ns, struct err *err)
{
	struct docker_exec x = { .argv = argv, .out = -1, .err = -1, .capture = capture, .deadline_ns = deadline_ns };
	struct docker_feed f = { .interrupt = docker_feed_get_stop };
	struct docker_source source;
	struct err local = { 0 };
	autofree char *ref = NULL;
	int r;

	if (image[0] == '/')
		return feed_file(d, id, &x, image, err);
	ref = docker_ref_path(image);
	docker_source_init(&source, d, docker_path(d, "/images/%s/get", ref));
	r = docker_feed_start(&f, d, docker_feed_get, &source, &local);
	if (r == 0) {
		x.in = f.out;
		r = docker_exec(d, id, &x, &local);
		r = docker_feed_end(&f, r, &local);
	}
	docker_source_done(&source);
	return docker_result(r, &local, err);
}
