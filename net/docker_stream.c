/* SPDX-License-Identifier: Apache-2.0 */
#include "net/docker_stream.h"

#include <errno.h>
#include <string.h>

#define OBJECT_MAX	(8u << 20)
#define LINE_LEN	(64u << 10)

/* ---- frames ---- */

enum { FRAME_STDIN, FRAME_STDOUT, FRAME_STDERR, FRAME_SYSTEM };

static int frame_head(struct docker_frames *f)
{
	const uint8_t *h = f->head;

	if (h[0] > FRAME_SYSTEM || h[1] || h[2] || h[3])
		return -EBADMSG;
	f->stream = h[0] >= FRAME_STDERR ? FRAME_STDERR : FRAME_STDOUT;
	f->left = (uint32_t)h[4] << 24 | (uint32_t)h[5] << 16 | (uint32_t)h[6] << 8 | h[7];
	f->have = 0;
	return 0;
}

int docker_frames_feed(struct docker_frames *f, const char *p, size_t n, docker_frame_fn fn, void *arg)
{
	while (n) {
		size_t take;
		int r;

		if (f->left) {
			take = MIN(n, f->left);
			f->left -= (uint32_t)take;
			r = fn(arg, f->stream, p, take);
		} else {
			take = MIN(n, sizeof(f->head) - f->have);
			memcpy(f->head + f->have, p, take);
			f->have += take;
			r = f->have == sizeof(f->head) ? frame_head(f) : 0;
		}
		if (r)
			return r;
		p += take;
		n -= take;
	}
	return 0;
}

/* ---- objects ---- */

void docker_objects_init(struct docker_objects *o)
{
	*o = (struct docker_objects){ .text = BUF_INIT(OBJECT_MAX) };
}

void docker_objects_done(struct docker_objects *o)
{
	buf_done(&o->text);
}

/* True at the brace that closes the object. */
static bool object_scan(struct docker_objects *o, char c)
{
	if (o->escaped)
		o->escaped = false;
	else if (o->quoted && c == '\\')
		o->escaped = true;
	else if (c == '"')
		o->quoted = !o->quoted;
	else if (!o->quoted && c == '{')
		o->depth++;
	else if (!o->quoted && c == '}')
		return --o->depth == 0;
	return false;
}

static int object_end(struct docker_objects *o, docker_object_fn fn, void *arg)
{
	autojson json *j = NULL;

	if (!buf_ok(&o->text))
		return -EFBIG;
	j = json_parse(o->text.data, o->text.len, NULL);
	buf_reset(&o->text);
	return j ? fn(arg, j) : -EBADMSG;
}

int docker_objects_feed(struct docker_objects *o, const char *p, size_t n, docker_object_fn fn, void *arg)
{
	const char *end = p + n;

	while (p < end) {
		const char *start = p;
		bool whole = false;
		int r;

		if (!o->depth) {
			start = p = memchr(p, '{', (size_t)(end - p));
			if (!p)
				return 0;
		}
		while (p < end && !whole)
			whole = object_scan(o, *p++);
		buf_add(&o->text, start, (size_t)(p - start));
		if (!buf_ok(&o->text))
			return -EFBIG;
		r = whole ? object_end(o, fn, arg) : 0;
		if (r)
			return r;
	}
	return 0;
}

/* ---- lines ---- */

void docker_lines_init(struct docker_lines *l)
{
	buf_init(&l->line, LINE_LEN);
}

void docker_lines_done(struct docker_lines *l)
{
	buf_done(&l->line);
}

static int line_end(struct docker_lines *l, docker_text_fn fn, void *arg)
{
	int r;

	while (l->line.len && l->line.data[l->line.len - 1] == '\r')
		l->line.data[--l->line.len] = '\0';
	r = fn(arg, buf_str(&l->line));
	buf_reset(&l->line);
	return r;
}

int docker_lines_feed(struct docker_lines *l, const char *p, size_t n, docker_text_fn fn, void *arg)
{
	const char *end = p + n;
	int r = 0;

	while (p < end && r == 0) {
		const char *nl = memchr(p, '\n', (size_t)(end - p));
		size_t len = (size_t)((nl ? nl : end) - p);

		buf_add(&l->line, p, MIN(len, LINE_LEN - l->line.len));
		p += len;
		if (!nl)
			break;
		p++;
		r = line_end(l, fn, arg);
	}
	return r;
}

int docker_lines_end(struct docker_lines *l, docker_text_fn fn, void *arg)
{
	return l->line.len ? line_end(l, fn, arg) : 0;
}
