/* SPDX-License-Identifier: Apache-2.0 */
/* docker: the Docker Engine API (1.41 … 1.51), Podman's compatible one included.
 * https://docs.docker.com/reference/api/engine/
 *
 * Step-by-step calls for bootstrap: each runs the client's loop until it is done, its deadline passed (-ETIMEDOUT) or
 * the loop was cancelled (-ECANCELED). One client belongs to one thread; docker_clone() makes another for another.
 * Engine answers are cJSON; request bodies are given as cJSON and taken over. Error codes as in net/http.h. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/json.h"
#include "base/loop.h"
#include "base/str.h"
#include "net/http.h"

struct docker;

/* Connects, pings, negotiates: version = min(engine's, 1.51), at least 1.41. host: "unix:///path" or "tcp://host:port",
 * tls_dir: folder with ca.pem, cert.pem, key.pem, or NULL. loop: borrowed. */
struct docker *docker_open(struct loop *loop, const char *host, const char *tls_dir, uint64_t timeout_ms, struct err *err);
/* Same engine and negotiated version, other loop. No request is made. */
struct docker *docker_clone(const struct docker *d, struct loop *loop);
struct docker *docker_free(struct docker *d);
const char *docker_api(const struct docker *d);		/* "1.41" */
const char *docker_host(const struct docker *d);	/* as given */
bool docker_is_podman(const struct docker *d);
bool docker_has_buildkit(const struct docker *d);	/* Builder-Version: 2 */

/* Any call. path without version ("/containers/json?all=1"). body may be NULL. *ret: parsed answer, or NULL when empty;
 * ret may be NULL. timeout_ms 0: 60 s. */
int docker_call(struct docker *d, const char *method, const char *path, json *body, uint64_t timeout_ms, json **ret,
		struct err *err) must_check;

/* Containers. name_or_id is escaped. */
int docker_container_create(struct docker *d, const char *name, json *config, char **ret_id, struct err *err) must_check;
int docker_container_inspect(struct docker *d, const char *id, json **ret, struct err *err) must_check;
/* 0 when it runs already. */
int docker_container_start(struct docker *d, const char *id, struct err *err) must_check;
/* Of a paused one: it goes on where it was. */
int docker_container_unpause(struct docker *d, const char *id, struct err *err) must_check;
int docker_container_stop(struct docker *d, const char *id, unsigned grace_s, struct err *err) must_check;
/* By force, with its anonymous volumes; 0 when absent. */
int docker_container_remove(struct docker *d, const char *id, struct err *err) must_check;
/* Waits for its end, returns the exit code. */
int docker_container_wait(struct docker *d, const char *id, uint64_t deadline_ns, struct err *err) must_check;
/* Containers (all states) that carry every label ("key=value" or "key"), as the engine lists them. */
int docker_container_list(struct docker *d, const struct strv *labels, json **ret, struct err *err) must_check;
/* Last n log lines, demultiplexed, appended to out. tty: the container has one. */
int docker_container_logs(struct docker *d, const char *id, bool tty, unsigned last, struct buf *out,
			  struct err *err) must_check;
/* Follows stdout and stderr until the container ends, line by line; fn returning non-zero ends it with that. */
typedef int (*docker_line_fn)(void *arg, const char *line);
int docker_container_follow(struct docker *d, const char *id, docker_line_fn fn, void *arg, uint64_t deadline_ns,
			    struct err *err) must_check;

/* Archives. put: extracts the tar at `path` (must exist). The tar is produced by `fill` while it is being sent, on a thread
 * of its own (its argument must not be touched by callbacks meanwhile): it adds entries through base/tar.h and stops when
 * that fails. Its error ends the request and is the result. An engine silent for 5 minutes is -ETIMEDOUT. */
struct tar;
typedef int (*docker_fill_fn)(struct tar *t, void *arg, struct err *err);
int docker_archive_put(struct docker *d, const char *id, const char *path, docker_fill_fn fill, void *arg,
		       struct err *err) must_check;
/* Fetches path as a tar into out (its max bounds it), or streams it to a file when to_file is given. */
int docker_archive_get(struct docker *d, const char *id, const char *path, struct buf *out, const char *to_file,
		       struct err *err) must_check;
/* Streams a path of one container into a folder of another without a file in between. */
int docker_archive_copy(struct docker *d, const char *from_id, const char *from_path, const char *to_id, const char *to_dir,
			struct err *err) must_check;

/* Exec. */
struct docker_exec {
	const char *const *argv;
	const char *const *env;		/* "K=V", or NULL */
	const char *user, *cwd;		/* NULL: the container's */
	bool tty;
	bool privileged;
	int in, out, err;		/* to pump from and to, left as they are; -1: none. With a tty, err is unused */
	struct buf *capture;		/* instead of out and err, or NULL */
	uint64_t deadline_ns;		/* UINT64_MAX or 0: none */
	bool detach;			/* start it and return 0 */
};
/* Returns the exit code ≥ 0, or -errno (the command is then not ended: the engine cannot). The end of `in` half-closes its
 * stdin. With a tty and a terminal at `in`, which the caller has made raw, its size is followed. -EPIPE: `out` is not read. */
int docker_exec(struct docker *d, const char *id, const struct docker_exec *x, struct err *err) must_check;
/* Pumps an image of the engine (saved as an archive), or the file when `image` is an absolute path, into the stdin of a
 * command; returns its exit code, output in capture. */
int docker_exec_feed_image(struct docker *d, const char *id, const char *const *argv, const char *image, struct buf *capture,
			   uint64_t deadline_ns, struct err *err) must_check;

/* Images. */
/* -ENOENT when absent. */
int docker_image_inspect(struct docker *d, const char *ref, json **ret, struct err *err) must_check;
/* One event of a pull or a build, already decoded. text: a line of output or status; id: layer; current/total: bytes. */
struct docker_progress {
	const char *id, *text;
	int64_t current, total;
};
typedef void (*docker_progress_fn)(void *arg, const struct docker_progress *p);
/* ref "repo:tag" or "repo@sha256:…"; auth: X-Registry-Auth header value or NULL. */
int docker_image_pull(struct docker *d, const char *ref, const char *auth, docker_progress_fn fn, void *arg,
		      uint64_t deadline_ns, struct err *err) must_check;
struct docker_build {
	const char *tag, *dockerfile, *target;
	json *args;			/* build arguments, object of strings; borrowed */
	json *labels;			/* borrowed */
	bool nocache;
};
/* fill makes the build context. A failing build is -EIO with the builder's last message. */
int docker_image_build(struct docker *d, const struct docker_build *b, docker_fill_fn fill, void *arg,
		       docker_progress_fn fn, void *fn_arg, uint64_t deadline_ns, struct err *err) must_check;
/* docker import: the tar made by fill becomes image `ref`; changes: Dockerfile instructions or NULL. */
int docker_image_import(struct docker *d, const char *ref, const char *const *changes, docker_fill_fn fill, void *arg,
			uint64_t deadline_ns, struct err *err) must_check;
/* docker load from an archive file. */
int docker_image_load(struct docker *d, const char *path, uint64_t deadline_ns, struct err *err) must_check;
int docker_image_remove(struct docker *d, const char *ref, struct err *err) must_check;		/* 0 when absent */
/* Images that carry the label. */
int docker_image_list(struct docker *d, const char *label, json **ret, struct err *err) must_check;

/* Networks and volumes. -EEXIST when the name is taken. */
int docker_network_create(struct docker *d, json *config, char **ret_id, struct err *err) must_check;
int docker_network_inspect(struct docker *d, const char *name, json **ret, struct err *err) must_check;
/* 0 when connected already. */
int docker_network_connect(struct docker *d, const char *network, const char *container, json *endpoint,
			   struct err *err) must_check;
/* Forced; 0 when not connected. */
int docker_network_disconnect(struct docker *d, const char *network, const char *container, struct err *err) must_check;
int docker_network_remove(struct docker *d, const char *name, struct err *err) must_check;		/* 0 when absent */
int docker_network_list(struct docker *d, const struct strv *labels, json **ret, struct err *err) must_check;
/* 0 when it exists. */
int docker_volume_create(struct docker *d, const char *name, json *labels, struct err *err) must_check;
int docker_volume_remove(struct docker *d, const char *name, struct err *err) must_check;		/* 0 when absent */
/* *ret: the array. */
int docker_volume_list(struct docker *d, const struct strv *labels, json **ret, struct err *err) must_check;

/* Appends "?filters=" (or "&filters=") and JSON for labels, percent-encoded, to b; nothing without labels. */
void docker_label_filter(struct buf *b, const struct strv *labels);
