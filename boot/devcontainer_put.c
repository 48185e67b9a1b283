/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/tar.h"
#include "boot/devcontainer.h"

#define BUNDLE_MAX (256u << 20)
#define DIR "/opt/firestream"
#define MARKER ".bundle"

struct bundle {
	const char *path;
	char hash[HASH_HEX_LEN + 1];
};

static int bundle_hash(struct bundle *b, struct err *err)
{
	auto(buf) struct buf data = BUF_INIT(BUNDLE_MAX);
	int r = file_read(b->path, &data, err);
	struct hash *h = hash_new();

	hash_add(h, buf_str(&data), data.len);
	hash_hex(h, b->hash);
	return r;
}

/* The marker comes last: half a bundle has none. */
static int bundle_fill(struct tar *t, void *arg, struct err *err)
{
	const struct bundle *b = arg;
	int r = tar_archive(t, b->path, err);

	return r < 0 ? r : tar_file(t, MARKER, 0644, b->hash, strlen(b->hash), err);
}

static int dir_fill(struct tar *t, void *arg, struct err *err)
{
	return tar_dir(t, &DIR[1], 0755, err);
}

struct marker {
	const char *hash;
	bool same;
};

static int marker_entry(void *arg, const struct tar_entry *e, const void *data, size_t n)
{
	struct marker *m = arg;

	if (data)
		m->same = n == strlen(m->hash) && memcmp(data, m->hash, n) == 0;
	return 0;
}

static bool is_there(struct docker *d, const char *id, const char *hash)
{
	auto(buf) struct buf out = BUF_INIT(1 << 16);
	struct marker m = { .hash = hash };

	return docker_archive_get(d, id, DIR "/" MARKER, &out, NULL, NULL) == 0 && out.len &&
	       tar_parse(out.data, out.len, marker_entry, &m, NULL) == 0 && m.same;
}

static int put(struct docker *d, const char *id, struct bundle *b, struct err *err)
{
	int r = docker_archive_put(d, id, DIR, bundle_fill, b, err);

	if (r != -ENOENT)
		return r;
	r = docker_archive_put(d, id, "/", dir_fill, NULL, err);	/* an image that is not ours */
	return r < 0 ? r : docker_archive_put(d, id, DIR, bundle_fill, b, err);
}

int devcontainer_put_agent(struct step_ctx *c, const char *id, const char *bundle_tar, struct err *err)
{
	struct bundle b = { .path = bundle_tar };
	int r = bundle_hash(&b, err);

	if (r == 0 && !is_there(c->docker, id, b.hash)) {
		progress_note(c->progress, "putting the agent in");
		c->changed = true;
		r = put(c->docker, id, &b, err);
	}
	return r < 0 ? err_wrap(err, r, "the agent's bundle") : 0;
}
