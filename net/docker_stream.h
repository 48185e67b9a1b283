/* SPDX-License-Identifier: Apache-2.0 */
/* docker stream: what the engine sends without end, taken apart as it comes. Passive: bytes in, pieces out through a
 * function whose non-zero result ends the feeding and is returned.
 *
 * frames: stdout and stderr of a container without a terminal, multiplexed behind 8-byte heads. objects: JSON texts one
 * after the other (pull, build, load), however they are cut and whatever white space or text is between them.
 * lines: text without its line ends. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/json.h"

struct docker_frames {
	uint8_t head[8];
	size_t have;		/* of head */
	uint32_t left;		/* of the payload */
	int stream;
};

/* stream: 1 stdout, 2 stderr. */
typedef int (*docker_frame_fn)(void *arg, int stream, const char *p, size_t n);
/* -EBADMSG when a head is none. {0} is a new one. */
int docker_frames_feed(struct docker_frames *f, const char *p, size_t n, docker_frame_fn fn, void *arg);

struct docker_objects {
	struct buf text;	/* of the object that is being read */
	unsigned depth;
	bool quoted, escaped;
};

typedef int (*docker_object_fn)(void *arg, const json *o);
void docker_objects_init(struct docker_objects *o);
void docker_objects_done(struct docker_objects *o);
/* -EBADMSG for a broken object, -EFBIG for one above 8 MiB. */
int docker_objects_feed(struct docker_objects *o, const char *p, size_t n, docker_object_fn fn, void *arg);

struct docker_lines {
	struct buf line;
};

typedef int (*docker_text_fn)(void *arg, const char *line);
void docker_lines_init(struct docker_lines *l);		/* lines are cut at 64 KiB */
void docker_lines_done(struct docker_lines *l);
int docker_lines_feed(struct docker_lines *l, const char *p, size_t n, docker_text_fn fn, void *arg);
int docker_lines_end(struct docker_lines *l, docker_text_fn fn, void *arg);	/* a last one without an end */
