/* SPDX-License-Identifier: Apache-2.0 */
#include "net/docker.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/tar.h"
#include "net/docker_stream.h"
#include "tests/fake/docker.h"
#include "tests/fake/httpd.h"
#include "tests/tap.h"

static struct loop *l;
static struct fake_docker *f;
static struct docker *d;

#pragma GCC diagnostic ignored "-Wmissing-field-initializers"
#define ROUTES(...) \
	static const struct fake_route table[] = { __VA_ARGS__ }; \
	fake_docker_routes(f, table, ARRAY_SIZE(table))

/* ---- what arrives in pieces ---- */

#define FRAMES "\1\0\0\0\0\0\0\3out\2\0\0\0\0\0\0\4err\n\1\0\0\0\0\0\0\0\1\0\0\0\0\0\0\2!\n"
#define FRAMES_LEN (sizeof(FRAMES) - 1)

static int add_frame(void *arg, int stream, const char *p, size_t n)
{
	buf_add((struct buf *)arg + stream - 1, p, n);
	return 0;
}

static void test_frames(void)
{
	bool good = true;
	struct docker_frames bad = { 0 };

	for (size_t cut = 0; cut <= FRAMES_LEN; cut++) {
		struct docker_frames fr = { 0 };
		struct buf out[2] = { BUF_INIT(100), BUF_INIT(100) };

		good &= docker_frames_feed(&fr, FRAMES, cut, add_frame, out) == 0;
		good &= docker_frames_feed(&fr, &FRAMES[cut], FRAMES_LEN - cut, add_frame, out) == 0;
		good &= !strcmp(buf_str(&out[0]), "out!\n") && !strcmp(buf_str(&out[1]), "err\n");
		buf_done(&out[0]);
		buf_done(&out[1]);
	}
	ok(good, "frames split at every byte are the same frames");
	is_int(docker_frames_feed(&bad, "hello, world", 12, add_frame, NULL), -EBADMSG, "text is no frame");
}

static int add_object(void *arg, const json *o)
{
	autofree char *text = json_text(o);

	buf_adds(arg, text);
	return 0;
}

static void test_objects(void)
{
	static const char text[] = "{\"a\":\"}{\\\"\"}\r\n {\"b\":{\"c\":[{}]}}{}";
	struct docker_objects bad;
	struct buf out = BUF_INIT(200);
	bool good = true;

	for (size_t cut = 0; cut < sizeof(text); cut++) {
		struct docker_objects o;

		docker_objects_init(&o);
		buf_reset(&out);
		good &= docker_objects_feed(&o, text, cut, add_object, &out) == 0;
		good &= docker_objects_feed(&o, text + cut, sizeof(text) - 1 - cut, add_object, &out) == 0;
		good &= !strcmp(buf_str(&out), "{\"a\":\"}{\\\"\"}{\"b\":{\"c\":[{}]}}{}");
		docker_objects_done(&o);
	}
	ok(good, "objects split at every byte are the same objects");
	docker_objects_init(&bad);
	is_int(docker_objects_feed(&bad, "{\"a\":}", 6, add_object, &out), -EBADMSG, "a broken object is an error");
	docker_objects_done(&bad);
	buf_done(&out);
}

static void test_refs(void)
{
	ROUTES({ "POST /images/create", FAKE_STREAM, 0, "{\"status\":\"done\"}" });
	static const char *const rows[][2] = {
		{ "debian", "fromImage=debian&tag=latest" },
		{ "debian:12", "fromImage=debian&tag=12" },
		{ "localhost:5000/a/b", "fromImage=localhost%3A5000%2Fa%2Fb&tag=latest" },
		{ "localhost:5000/a/b:c", "fromImage=localhost%3A5000%2Fa%2Fb&tag=c" },
		{ "a/b@sha256:00", "fromImage=a%2Fb&tag=sha256%3A00" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		autofree char *want = xasprintf("POST /v1.41/images/create?%s", rows[i][1]);

		is_int(docker_image_pull(d, rows[i][0], NULL, NULL, NULL, loop_deadline(5000), NULL), 0, "%s is pulled", rows[i][0]);
		is_str(fake_docker_call(f), want, "%s is asked for in parts", rows[i][0]);
	}
}

/* ---- opening ---- */

struct version {
	const char *head;
	int want;
	const char *api;
	bool podman, buildkit;
};

static void serve_ping(struct httpd_req *q, void *arg)
{
	const struct version *v = arg;

	httpd_puts(q, "HTTP/1.1 200 OK\r\n");
	httpd_puts(q, v->head);
	httpd_puts(q, "Content-Length: 2\r\n\r\nOK");
}

static void test_open(void)
{
	static const struct version rows[] = {
		{ "Api-Version: 1.41\r\n", 0, "1.41", false, false },
		{ "api-version: 1.55\r\nBuilder-Version: 2\r\n", 0, "1.51", false, true },
		{ "Api-Version: 1.41\r\nLibpod-API-Version: 4.3\r\n", 0, "1.41", true, false },
		{ "Api-Version: 2.0\r\n", 0, "1.51", false, false },
		{ "Api-Version: 1.40\r\n", -EPROTONOSUPPORT, NULL, false, false },
		{ "Api-Version: abc\r\n", -EPROTO, NULL, false, false },
		{ "", -EPROTO, NULL, false, false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct httpd *h = httpd_start(serve_ping, (void *)&rows[i]);
		autofree char *host = xasprintf("tcp://127.0.0.1:%u/", httpd_port(h));
		struct err err = { 0 };
		struct docker *x = docker_open(l, host, NULL, 5000, &err);

		is_int(x ? 0 : err.code, rows[i].want, "version %zu: %s", i, err.msg);
		if (x) {
			is_str(docker_api(x), rows[i].api, "version %zu is negotiated", i);
			ok(docker_is_podman(x) == rows[i].podman && docker_has_buildkit(x) == rows[i].buildkit, "version %zu: kind", i);
			is_str(docker_host(x), host, "version %zu: the address is kept", i);
		}
		docker_free(x);
		httpd_stop(h);
	}
}

static void test_hosts(void)
{
	static const struct {
		const char *host;
		int want;
	} rows[] = {
		{ "unix:///nonexistent/sock", -ENOENT },
		{ "unix://", -EINVAL },
		{ "tcp://127.0.0.1:1", -ECONNREFUSED },
		{ "ssh://me@there", -EPROTONOSUPPORT },
		{ "", -EPROTONOSUPPORT },
	};
	struct err err = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		ok(!docker_open(l, rows[i].host, NULL, 2000, &err), "'%s' is refused", rows[i].host);
		is_int(err.code, rows[i].want, "'%s': %s", rows[i].host, err.msg);
	}
	ok(!docker_open(l, "tcp://127.0.0.1:1", "/nonexistent", 2000, &err) && err.code == -ENOENT, "TLS without its files: %s", err.msg);
}

/* ---- calls ---- */

static void test_calls(void)
{
	ROUTES({ "GET /containers/a%2Fb/json", FAKE_REPLY, 200, "{\"Id\":\"x\"}" },
	       { "GET /containers/gone/json", FAKE_REPLY, 404, "{\"message\":\"No such container: gone\"}" },
	       { "GET /containers/half/json", FAKE_REPLY, 200, "{\"Id\":" },
	       { "GET /containers/hang/json", FAKE_HANG },
	       { "GET /containers/cut/json", FAKE_CUT, 200, "{\"Id\"" },
	       { "POST /containers/x/start", FAKE_REPLY, 304, "" },
	       { "POST /containers/x/unpause", FAKE_REPLY, 204, "" },
	       { "POST /containers/port/start", FAKE_REPLY, 500, "{\"message\":\"port is already allocated\"}" },
	       { "POST /containers/create", FAKE_REPLY, 201, "{\"Id\":\"abc\",\"Warnings\":[]}" },
	       { "DELETE /containers/gone", FAKE_REPLY, 404, "{\"message\":\"No such container: gone\"}" },
	       { "POST /containers/x/wait", FAKE_REPLY, 200, "{\"StatusCode\":3}" },
	       { "GET /containers/json", FAKE_REPLY, 200, "[]" },
	       { "POST /networks/n/connect", FAKE_REPLY, 403, "{\"message\":\"endpoint with name x already exists in network n\"}" },
	       { "POST /networks/n/disconnect", FAKE_REPLY, 500, "{\"message\":\"container x is not connected to network n\"}" },
	       { "POST /networks/create", FAKE_REPLY, 409, "{\"message\":\"network with name n already exists\"}" },
	       { "DELETE /networks/n", FAKE_REPLY, 403, "{\"message\":\"network n has active endpoints\"}" },
	       { "GET /volumes", FAKE_REPLY, 200, "{\"Volumes\":null}" });
	struct err err = { 0 };
	autojson json *j = NULL, *list = NULL, *volumes = NULL;
	autofree char *id = NULL;
	struct strv labels = { 0 };
	json *config = json_object();

	is_int(docker_container_inspect(d, "a/b", &j, &err), 0, "a name is escaped");
	is_str(json_str(j, "Id", NULL), "x", "an answer is parsed");
	is_int(docker_container_inspect(d, "gone", NULL, &err), -ENOENT, "404 is -ENOENT");
	is_str(err.msg, "No such container: gone", "with the engine's words");
	is_int(docker_container_inspect(d, "half", &j, &err), -EBADMSG, "half an answer is -EBADMSG");
	is_int(docker_container_inspect(d, "cut", NULL, &err), -ECONNRESET, "a cut one -ECONNRESET");
	is_int(docker_call(d, "GET", "/containers/hang/json", NULL, 50, NULL, &err), -ETIMEDOUT, "a hang -ETIMEDOUT");
	is_int(docker_container_start(d, "x", &err), 0, "a running container is started");
	is_int(docker_container_unpause(d, "x", &err), 0, "a paused one goes on");
	is_int(docker_container_start(d, "port", &err), -EAGAIN, "500 is -EAGAIN");
	is_str(err.msg, "port is already allocated", "with its message");
	json_set_str(config, "Image", "i");
	is_int(docker_container_create(d, "na me", config, &id, &err), 0, "a container is created");
	is_str(id, "abc", "its id is given");
	is_str(fake_docker_call(f), "POST /v1.41/containers/create?name=na%20me", "by name");
	is_str(fake_docker_body(f, NULL), "{\"Image\":\"i\"}", "with its config");
	is_int(docker_container_remove(d, "gone", &err), 0, "an absent container is removed");
	is_str(fake_docker_call(f), "DELETE /v1.41/containers/gone?force=1&v=1", "by force, with its anonymous volumes");
	is_int(docker_container_wait(d, "x", UINT64_MAX, &err), 3, "an exit code is waited for");
	strv_add(&labels, "a=b");
	is_int(docker_container_list(d, &labels, &list, &err), 0, "containers are listed");
	is_str(fake_docker_call(f), "GET /v1.41/containers/json?all=1&filters=%7B%22label%22%3A%5B%22a%3Db%22%5D%7D", "by label");
	is_int(docker_network_connect(d, "n", "x", json_object(), &err), 0, "connected already is fine");
	is_int(docker_network_disconnect(d, "n", "x", &err), 0, "not connected is fine");
	is_int(docker_network_create(d, json_object(), NULL, &err), -EEXIST, "a network's name is taken");
	is_str(fake_docker_body(f, NULL), "{\"CheckDuplicate\":true}", "an old engine is told to look");
	is_int(docker_network_remove(d, "n", &err), -EACCES, "a network in use stays");
	is_int(docker_network_remove(d, "other", &err), 0, "an absent one is removed");
	is_int(docker_volume_list(d, NULL, &volumes, &err), 0, "no volumes");
	ok(volumes && !volumes->child, "are an empty list");
	strv_done(&labels);
}

static int add_line(void *arg, const char *line)
{
	strv_add(arg, line);
	return streq(line, "stop") ? 7 : 0;
}

static void test_logs(void)
{
	ROUTES({ "GET /containers/c/json", FAKE_REPLY, 200, "{\"Config\":{\"Tty\":false}}" },
	       { "GET /containers/t/json", FAKE_REPLY, 200, "{\"Config\":{\"Tty\":true}}" },
	       { "GET /containers/c/logs", FAKE_STREAM, 200, FRAMES, FRAMES_LEN },
	       { "GET /containers/t/logs", FAKE_STREAM, 200, "a\r\nstop\nb" },
	       { "GET /containers/bad/logs", FAKE_STREAM, 200, "not frames at all" });
	struct buf out = BUF_INIT(1000);
	struct strv lines = { 0 };
	struct err err = { 0 };
	autofree char *all = NULL;

	is_int(docker_container_logs(d, "c", false, 10, &out, &err), 0, "logs are fetched");
	is_str(buf_str(&out), "outerr\n!\n", "and taken out of their frames");
	is_str(fake_docker_call(f), "GET /v1.41/containers/c/logs?stdout=1&stderr=1&tail=10", "the last ones");
	is_int(docker_container_logs(d, "bad", false, 10, &out, &err), -EBADMSG, "damaged frames are an error");
	is_int(docker_container_follow(d, "c", add_line, &lines, UINT64_MAX, &err), 0, "a container is followed to its end");
	is_int(docker_container_follow(d, "t", add_line, &lines, UINT64_MAX, &err), 7, "or until the caller ends it");
	all = strv_join(&lines, "|");
	is_str(all, "err|out!|a|stop", "line by line, outputs apart");
	buf_done(&out);
	strv_done(&lines);
}

/* ---- archives ---- */

static int fill_two(struct tar *t, void *arg, struct err *err)
{
	int r = tar_file(t, "a", 0644, "one", 3, err);

	return r < 0 ? r : tar_file(t, "b", 0644, "two", 3, err);
}

static int fill_big(struct tar *t, void *arg, struct err *err)
{
	static char mega[1 << 20];
	int r = 0;

	for (int i = 0; i < 40 && r == 0; i++)
		r = tar_file(t, "big", 0644, mega, sizeof(mega), err);
	*(int *)arg = r;
	return r;
}

static int fill_fails(struct tar *t, void *arg, struct err *err)
{
	int r = tar_file(t, "a", 0644, "one", 3, err);

	return r < 0 ? r : err_set(err, -ENOTDIR, "the source is gone");
}

static int count_entry(void *arg, const struct tar_entry *e, const void *data, size_t n)
{
	if (!data)
		++*(int *)arg;
	return 0;
}

static void test_archives(void)
{
	ROUTES({ "PUT /containers/c/archive?path=%2Fto", FAKE_REPLY, 200, "" },
	       { "PUT /containers/none/archive", FAKE_REPLY, 404, "{\"message\":\"No such container: none\"}" },
	       { "PUT /containers/hang/archive", FAKE_HANG },
	       { "GET /containers/c/archive?path=%2Ffrom", FAKE_REPLY, 200, "tar bytes" });
	struct err err = { 0 };
	struct buf out = BUF_INIT(100);
	size_t n;
	const char *body;
	int entries = 0, last = 1;
	char path[] = "/tmp/test_docker-XXXXXX";
	int fd = mkstemp(path);

	is_int(docker_archive_put(d, "c", "/to", fill_two, NULL, &err), 0, "an archive is put");
	body = fake_docker_body(f, &n);
	ok(tar_parse(body, n, count_entry, &entries, NULL) == 0 && entries == 2, "and arrives as a whole tar");
	is_int(docker_archive_put(d, "c", "/to", fill_fails, NULL, &err), -ENOTDIR, "a failing source is the result");
	is_str(err.msg, "the source is gone", "with its words");
	is_int(docker_archive_put(d, "none", "/", fill_two, NULL, &err), -ENOENT, "an absent container is -ENOENT");
	is_int(docker_archive_put(d, "c", "/to", fill_big, &last, &err), 0, "40 MiB are put");
	fake_docker_body(f, &n);
	ok(last == 0 && n > 40u << 20, "and arrive");
	is_int(docker_archive_get(d, "c", "/from", &out, NULL, &err), 0, "an archive is got");
	is_str(buf_str(&out), "tar bytes", "its bytes");
	is_int(docker_archive_get(d, "c", "/nowhere", NULL, path, &err), -ENOENT, "an absent path is -ENOENT");
	ok(access(path, F_OK) != 0, "and leaves no file");
	is_int(docker_archive_copy(d, "c", "/from", "c", "/to", &err), 0, "a path is copied between containers");
	is_str(fake_docker_body(f, NULL), "tar bytes", "its bytes arrive");
	is_int(docker_archive_copy(d, "none", "/from", "c", "/to", &err), -ENOENT, "a failing source of a copy is the result");
	buf_done(&out);
	close(fd);
}

static void *cancel_soon(void *arg)
{
	nanosleep(&(struct timespec){ .tv_nsec = 50000000 }, NULL);
	loop_cancel(l);
	return NULL;
}

static void test_archive_cancel(void)
{
	ROUTES({ "PUT /containers/hang/archive", FAKE_HANG },
	       { "GET /containers/hang/archive", FAKE_HANG },
	       { "PUT /containers/c/archive", FAKE_REPLY, 200, "" });
	struct err err = { 0 };
	pthread_t th;

	pthread_create(&th, NULL, cancel_soon, NULL);
	is_int(docker_archive_put(d, "hang", "/to", fill_two, NULL, &err), -ECANCELED, "a hanging archive can be cancelled");
	pthread_join(th, NULL);
	loop_uncancel(l);
	pthread_create(&th, NULL, cancel_soon, NULL);
	is_int(docker_archive_copy(d, "hang", "/", "c", "/", &err), -ECANCELED, "a copy from a hanging source too");
	pthread_join(th, NULL);
	loop_uncancel(l);
}

/* ---- exec ---- */

static const char *const argv[] = { "cat", NULL };

static int pipe_with(const char *text)
{
	int fd[2];

	if (pipe2(fd, O_CLOEXEC) || write(fd[1], text, strlen(text)) != (ssize_t)strlen(text))
		abort();
	close(fd[1]);
	return fd[0];
}

static void test_exec(void)
{
	ROUTES({ "POST /containers/c/exec", FAKE_REPLY, 201, "{\"Id\":\"e\"}" },
	       { "POST /exec/e/start", FAKE_ECHO, 101, FRAMES, FRAMES_LEN },
	       { "GET /exec/e/json", FAKE_REPLY, 200, "{\"Running\":false,\"ExitCode\":5}" });
	struct buf out = BUF_INIT(1000);
	struct docker_exec x = { .argv = argv, .in = pipe_with("typed "), .out = -1, .err = -1, .capture = &out };
	struct err err = { 0 };
	char text[100] = "";
	int fd[2];

	is_int(docker_exec(d, "c", &x, &err), 5, "a command's exit code is its result");
	is_str(buf_str(&out), "typed outerr\n!\n", "stdin goes in to its end, both outputs come out");
	close(x.in);
	if (pipe2(fd, O_CLOEXEC))
		abort();
	x = (struct docker_exec){ .argv = argv, .in = pipe_with("typed "), .out = fd[1], .err = -1 };
	is_int(docker_exec(d, "c", &x, &err), 5, "with descriptors");
	ok(read(fd[0], text, sizeof(text) - 1) > 0 && streq(text, "typed out!\n"), "each output goes to its own");
	close(x.in);
	close(fd[0]);
	signal(SIGPIPE, SIG_IGN);
	x.in = pipe_with("typed ");
	is_int(docker_exec(d, "c", &x, &err), -EPIPE, "an output that nobody reads ends it");
	close(x.in);
	close(fd[1]);
	buf_done(&out);
}

static void test_exec_detached(void)
{
	ROUTES({ "POST /containers/c/exec", FAKE_REPLY, 201, "{\"Id\":\"e\"}" }, { "POST /exec/e/start", FAKE_REPLY, 200, "" });
	struct docker_exec x = { .argv = argv, .in = -1, .out = -1, .err = -1, .user = "u", .cwd = "/w",
				 .env = (const char *const[]){ "A=b", NULL }, .detach = true };

	is_int(docker_exec(d, "c", &x, NULL), 0, "a command may be left alone");
	is_str(fake_docker_body(f, NULL), "{\"Detach\":true,\"Tty\":false}", "detached");
}

static void test_exec_bulk(void)
{
	ROUTES({ "POST /containers/c/exec", FAKE_REPLY, 201, "{\"Id\":\"e\"}" },
	       { "POST /exec/e/start", FAKE_ECHO, 101, "" },
	       { "GET /exec/e/json", FAKE_REPLY, 200, "{\"Running\":false,\"ExitCode\":0}" });
	char in[] = "/tmp/test_docker-XXXXXX", out[] = "/tmp/test_docker-XXXXXX";
	struct docker_exec x = { .argv = argv, .in = mkstemp(in), .out = mkstemp(out), .err = -1 };
	enum { SIZE = 16 << 20 };

	if (ftruncate(x.in, SIZE))
		abort();
	is_int(docker_exec(d, "c", &x, NULL), 0, "16 MiB of a file go in and come back");
	is_int(lseek(x.out, 0, SEEK_END), SIZE, "whole");
	close(x.in);
	close(x.out);
	unlink(in);
	unlink(out);
}

static void test_exec_failures(void)
{
	ROUTES({ "POST /containers/gone/exec", FAKE_REPLY, 404, "{\"message\":\"No such container: gone\"}" },
	       { "POST /containers/paused/exec", FAKE_REPLY, 409, "{\"message\":\"Container paused is paused\"}" },
	       { "POST /containers/stall/exec", FAKE_REPLY, 201, "{\"Id\":\"stall\"}" },
	       { "POST /exec/stall/start", FAKE_STALL, 101, "" },
	       { "POST /containers/refused/exec", FAKE_REPLY, 201, "{\"Id\":\"refused\"}" },
	       { "POST /exec/refused/start", FAKE_REPLY, 409, "{\"message\":\"container is not running\"}" },
	       { "POST /containers/bad/exec", FAKE_REPLY, 201, "{\"Id\":\"bad\"}" },
	       { "POST /exec/bad/start", FAKE_STALL, 101, "this is not a frame" });
	static const struct {
		const char *id;
		int want;
		const char *msg;
	} rows[] = {
		{ "gone", -ENOENT, "No such container: gone" },
		{ "paused", -EEXIST, "Container paused is paused" },
		{ "stall", -ETIMEDOUT, "cat did not end in time" },
		{ "refused", -EEXIST, "container is not running" },
		{ "bad", -EBADMSG, "the engine's stream is damaged" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct docker_exec x = { .argv = argv, .in = -1, .out = -1, .err = -1, .deadline_ns = loop_deadline(200) };
		struct err err = { 0 };

		is_int(docker_exec(d, rows[i].id, &x, &err), rows[i].want, "exec in '%s' fails", rows[i].id);
		is_str(err.msg, rows[i].msg, "exec in '%s' says why", rows[i].id);
	}
}

static void test_feed_image(void)
{
	ROUTES({ "POST /containers/c/exec", FAKE_REPLY, 201, "{\"Id\":\"e\"}" },
	       { "POST /exec/e/start", FAKE_ECHO, 101, "" },
	       { "GET /exec/e/json", FAKE_REPLY, 200, "{\"Running\":false,\"ExitCode\":0}" },
	       { "GET /images/a/b:c/get", FAKE_STREAM, 200, "image archive" });
	struct buf out = BUF_INIT(1000);
	struct err err = { 0 };

	is_int(docker_exec_feed_image(d, "c", argv, "a/b:c", &out, UINT64_MAX, &err), 0, "an image is fed to a command");
	is_str(buf_str(&out), "image archive", "as its archive");
	is_int(docker_exec_feed_image(d, "c", argv, "none", &out, UINT64_MAX, &err), -ENOENT, "an absent image is the error");
	buf_done(&out);
}

/* ---- images ---- */

static void add_progress(void *arg, const struct docker_progress *p)
{
	buf_addf(arg, "%s:%s:%lld/%lld|", p->id ? p->id : "", p->text, (long long)p->current, (long long)p->total);
}

static void test_pull(void)
{
	ROUTES({ "POST /images/create?fromImage=good", FAKE_STREAM, 200,
		 "{\"status\":\"Pulling from x\",\"id\":\"latest\"}\r\n"
		 "{\"status\":\"Downloading\",\"progressDetail\":{\"current\":1,\"total\":2},\"id\":\"l1\"}\r\n" },
	       { "POST /images/create?fromImage=instream", FAKE_STREAM, 200,
		 "{\"status\":\"Pulling\"}\r\n{\"errorDetail\":{\"message\":\"unauthorized: no\"},\"error\":\"unauthorized: no\"}\r\n" },
	       { "POST /images/create?fromImage=gone", FAKE_REPLY, 404, "{\"message\":\"manifest for gone not found\"}" },
	       { "POST /images/create?fromImage=offline", FAKE_REPLY, 500, "{\"message\":\"Get https://x/v2/: dial tcp: no route\"}" },
	       { "POST /images/create?fromImage=five", FAKE_REPLY, 500, "{\"message\":\"manifest unknown\"}" },
	       { "POST /images/create?fromImage=cut", FAKE_CUT, 200, "{\"status\":\"Pull" },
	       { "POST /images/create?fromImage=half", FAKE_STREAM, 200, "{\"status\":\"Pull" },
	       { "POST /images/create?fromImage=garbage", FAKE_STREAM, 200, "{\"status\":}" },
	       { "POST /images/create?fromImage=hang", FAKE_HANG });
	static const struct {
		const char *ref;
		int want;
	} rows[] = {
		{ "good", 0 }, { "instream", -EACCES }, { "gone", -ENOENT }, { "offline", -EAGAIN }, { "five", -ENOENT },
		{ "cut", -ECONNRESET }, { "half", -ECONNRESET }, { "garbage", -EBADMSG }, { "hang", -ETIMEDOUT },
	};
	struct buf seen = BUF_INIT(1000);

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct err err = { 0 };

		is_int(docker_image_pull(d, rows[i].ref, "auth", add_progress, &seen, loop_deadline(300), &err), rows[i].want,
		       "pull of '%s': %s", rows[i].ref, err.msg);
		if (i == 0)
			is_str(buf_str(&seen), "latest:Pulling from x:0/0|l1:Downloading:1/2|", "progress is told");
	}
	buf_done(&seen);
}

static void test_build(void)
{
	ROUTES({ "POST /build?rm=1&forcerm=1&t=good", FAKE_STREAM, 200,
		 "{\"stream\":\"Step 1/1 : FROM x\\n\"}\r\n{\"aux\":{\"ID\":\"sha256:0\"}}\r\n" },
	       { "POST /build?rm=1&forcerm=1&t=failing", FAKE_STREAM, 200,
		 "{\"stream\":\"Step 1/1 : RUN false\\n\"}\r\n{\"errorDetail\":{\"code\":1,\"message\":\"returned a non-zero code: 1: not found\"},"
		 "\"error\":\"returned\"}\r\n" },
	       { "POST /build?rm=1&forcerm=1&t=syntax", FAKE_REPLY, 400, "{\"message\":\"dockerfile parse error line 1\"}" },
	       { "POST /build?rm=1&forcerm=1&t=silent", FAKE_STREAM, 200, "{\"stream\":\"Step 1/1\"}" },
	       { "POST /build?rm=1&forcerm=1&t=tagged", FAKE_STREAM, 200, "{\"stream\":\"STEP 1\"}" },
	       { "GET /images/tagged/json", FAKE_REPLY, 200, "{}" },
	       { "POST /build?rm=1&forcerm=1&t=hang", FAKE_HANG });
	static const struct {
		const char *tag;
		int want;
		const char *msg;
	} rows[] = {
		{ "good", 0, "" },
		{ "failing", -EIO, "returned a non-zero code: 1: not found" },
		{ "syntax", -EINVAL, "dockerfile parse error line 1" },
		{ "silent", -EIO, "the build ended without a result" },
		{ "tagged", 0, "" },
	};
	struct buf seen = BUF_INIT(10000);
	struct err err = { 0 };
	struct docker_build b = { .tag = "hang" };

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		b = (struct docker_build){ .tag = rows[i].tag };
		err = (struct err){ 0 };
		is_int(docker_image_build(d, &b, fill_two, NULL, add_progress, &seen, loop_deadline(5000), &err), rows[i].want,
		       "build '%s'", rows[i].tag);
		is_str(err.msg, rows[i].msg, "build '%s': words", rows[i].tag);
	}
	b.tag = "hang";
	is_int(docker_image_build(d, &b, fill_two, NULL, NULL, NULL, loop_deadline(100), &err), -ETIMEDOUT, "a hanging build ends");
	b.tag = "good";
	is_int(docker_image_build(d, &b, fill_fails, NULL, NULL, NULL, loop_deadline(5000), &err), -ENOTDIR, "a failing context is the result");
	buf_done(&seen);
}

static void test_import_load(void)
{
	ROUTES({ "POST /images/create?fromSrc=-&repo=a%2Fb&tag=c&changes=CMD%20x&changes=ENV%20A%3Db", FAKE_STREAM, 200,
		 "{\"status\":\"sha256:0\"}" },
	       { "POST /images/load?quiet=1", FAKE_STREAM, 200, "{\"errorDetail\":{\"message\":\"invalid tar header\"}}" },
	       { "DELETE /images/gone:1", FAKE_REPLY, 404, "{\"message\":\"No such image\"}" });
	struct err err = { 0 };
	const char *const changes[] = { "CMD x", "ENV A=b", NULL };

	is_int(docker_image_import(d, "a/b:c", changes, fill_two, NULL, loop_deadline(5000), &err), 0, "a tar becomes an image");
	is_int(docker_image_load(d, "/proc/self/cmdline", loop_deadline(5000), &err), -EIO, "a bad archive is not loaded");
	is_str(err.msg, "invalid tar header", "and it is said");
	is_int(docker_image_load(d, "/nonexistent", loop_deadline(5000), &err), -ENOENT, "nor an absent one");
	is_int(docker_image_remove(d, "gone:1", &err), 0, "an absent image is removed");
}

static void *other_thread(void *arg)
{
	struct loop *own = loop_new(LOOP_DEFAULT);
	struct docker *c = docker_clone(d, own);
	long r = 0;

	for (int i = 0; i < 50; i++)
		r |= docker_container_start(c, "x", NULL);
	docker_free(c);
	loop_free(own);
	return (void *)r;
}

static void test_clones(void)
{
	ROUTES({ "POST /containers/x/start", FAKE_REPLY, 204, "" });
	pthread_t th[4];
	long all = 0;

	for (int i = 0; i < 4; i++)
		pthread_create(&th[i], NULL, other_thread, NULL);
	for (int i = 0; i < 4; i++) {
		void *r;

		pthread_join(th[i], &r);
		all |= (long)r;
	}
	is_int(all, 0, "clones work on threads of their own");
}

int main(void)
{
	struct err err = { 0 };

	l = loop_new(LOOP_DEFAULT);
	f = fake_docker_start(NULL, 0);
	test_frames();
	test_objects();
	test_open();
	test_hosts();
	d = docker_open(l, fake_docker_host(f), NULL, 5000, &err);
	if (!ok(d != NULL, "the fake engine is found"))
		return 1;
	test_refs();
	test_calls();
	test_logs();
	test_archives();
	test_archive_cancel();
	test_exec();
	test_exec_detached();
	test_exec_bulk();
	test_exec_failures();
	test_feed_image();
	test_pull();
	test_build();
	test_import_load();
	test_clones();
	docker_free(d);
	fake_docker_stop(f);
	loop_free(l);
	return tap_done();
}
