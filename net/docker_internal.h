/* SPDX-License-Identifier: Apache-2.0 */
/* docker internal: what the files of the Docker client share; nobody else includes this. */
#pragma once

#include <pthread.h>

#include "base/tar.h"
#include "net/docker.h"
#include "net/docker_stream.h"
#include "net/http.h"

#define DOCKER_CALL_MS	60000u
#define DOCKER_IDLE_MS	300000u	/* no byte of an archive for so long: the engine hangs */

struct docker {
	struct loop *loop;
	struct http *http;		/* owned */
	struct http_endpoint to;	/* owned */
	char *host;			/* as given; owned */
	char api[16];			/* "1.41" */
	unsigned minor;			/* 41 */
	bool podman, buildkit;
};

/* Text of a path, "/vX.Y" in front; caller owns. */
char *docker_path(const struct docker *d, const char *fmt, ...) printf_like(2, 3);
/* Percent-encoded for a path, "/" and ":" of image references kept; caller owns. */
char *docker_ref_path(const char *ref);
/* "repo:tag", "repo@sha256:…", "repo" → &fromImage-style pair; tag "latest" when there is none. Caller owns both. */
void docker_ref_split(const char *ref, char **ret_repo, char **ret_tag);
/* Runs r (its path owned by the caller) against the engine. */
int docker_run(struct docker *d, struct http_req *r, uint64_t deadline_ns, struct err *err) must_check;
/* Milliseconds to the deadline, at least 1 and at most `most`. 0 is no deadline. */
uint64_t docker_left_ms(const struct docker *d, uint64_t deadline_ns, uint64_t most);
/* For calls that forgive: gives *err the words of a failure that counts; nothing for one that was forgiven (code 0). */
int docker_result(int code, const struct err *local, struct err *err);
/* Waits; -ECANCELED, -ETIMEDOUT after the deadline. */
int docker_pause(struct docker *d, unsigned ms, uint64_t deadline_ns) must_check;

/* ---- feed: a producer on a thread of its own writes into a pipe, which the loop reads: memory stays bounded and the
 * producer may block and be plain code. It ends when it returns; when the reader has gone, its sink says -EPIPE. */
struct docker_feed;
typedef int (*docker_produce_fn)(struct docker_feed *f, tar_sink sink, struct err *err);

struct docker_feed {
	docker_produce_fn produce;
	void (*interrupt)(struct docker_feed *f);	/* makes a waiting producer return; or NULL */
	void *arg;
	struct http_req req;		/* request whose body it is, when there is one */
	int out, in;			/* ends of the pipe; out is read here */
	pthread_t thread;
	bool running, broken;		/* broken: the reader went first */
	int code;			/* of the producer, once it is joined */
	struct err err;
	struct loop *loop;
	struct io io;
};

int docker_feed_start(struct docker_feed *f, struct docker *d, docker_produce_fn produce, void *arg,
		      struct err *err) must_check;
/* http_read_fn of f->req. */
ssize_t docker_feed_read(struct http_req *r, void *p, size_t n);
/* Ends the producer. code: of the consumer; the result is the producer's error when it failed by itself, else code. */
int docker_feed_end(struct docker_feed *f, int code, struct err *err) must_check;
/* The producer that packs a tar with a docker_fill_fn. */
struct docker_fill {
	docker_fill_fn fill;
	void *arg;
};
int docker_feed_tar(struct docker_feed *f, tar_sink sink, struct err *err);
/* The producer that reads a path of the engine ("GET /…", version in front): f->arg is a struct docker_source. */
struct docker_source {
	struct docker *d;		/* a clone on a loop of its own */
	char *path;
};
void docker_source_init(struct docker_source *s, const struct docker *d, char *path);	/* takes path */
void docker_source_done(struct docker_source *s);
int docker_feed_get(struct docker_feed *f, tar_sink sink, struct err *err);
void docker_feed_get_stop(struct docker_feed *f);
