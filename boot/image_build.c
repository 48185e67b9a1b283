/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/tar.h"
#include "boot/context.h"
#include "boot/image_priv.h"

#define DOCKERFILE_MAX (1u << 20)
#define CA_ARG "EXTRA_CA_B64"
#define CA_MAX 120000 /* one argument of a command is limited to 128 KiB */
#define PULL_STALL_MS 60000
/* Name of a Dockerfile that lies outside its context. */
#define DOCKERFILE_OUTSIDE ".firestream.Dockerfile"

/* ---- the context ---- */

struct build {
	const struct image_job *job;
	const struct hostpkg *host; /* NULL: the Dockerfile does not ask for it */
	const char *host_script;
	struct buf dockerfile;
	const char *name; /* of the Dockerfile in the context */
	struct context folder;
};

/* path relative to dir, or NULL when it is not below it. Borrowed from path. */
static const char *path_below(const char *path, const char *dir)
{
	size_t n = strlen(dir);

	return strncmp(path, dir, n) == 0 && path[n] == '/' ? path + n + 1 : NULL;
}

static int build_fill(struct tar *t, void *arg, struct err *err)
{
	struct build *b = arg;
	int r;

	r = context_fill(&b->folder, t, "", err);
	if (r == 0 && streq(b->name, DOCKERFILE_OUTSIDE))
		r = tar_file(t, b->name, 0644, buf_str(&b->dockerfile), b->dockerfile.len, err);
	if (r == 0 && b->job->out_tar)
		r = tar_archive(t, b->job->out_tar, err);
	if (r == 0 && b->host)
		r = hostpkg_fill(b->host, t, ".host", b->host_script, err);
	return r;
}

/* ---- arguments ---- */

static int ca_add(const struct hostpkg *host, json *args, struct err *err)
{
	struct buf b = BUF_INIT(CA_MAX);

	if (!host->ca_pem)
		return 0;
	base64_encode(&b, host->ca_pem, strlen(host->ca_pem), 0);
	if (!buf_ok(&b)) {
		buf_done(&b);
		return err_set(err, -E2BIG,
			       "this machine's extra CA certificates have %zu bytes, more than a build can be given (%d)",
			       strlen(host->ca_pem), CA_MAX / 4 * 3);
	}
	json_set_str(args, CA_ARG, buf_str(&b));
	buf_done(&b);
	return 0;
}

/* Base images that are not there: pulled ahead of the build, with credentials, for the builder itself may not have them. */
static int bases_pull(struct step_ctx *c, const struct build *b, const json *args, struct err *err)
{
	struct strv given = { 0 }, refs = { 0 };
	int r = 0;

	json_each(e, args)
		if (e->valuestring)
			strv_addf(&given, "%s=%s", e->string, e->valuestring);
	dockerfile_images(buf_str(&b->dockerfile), &given, &refs);
	for (size_t i = 0; i < refs.n && r >= 0; i++) {
		r = image_exists(c->docker, refs.v[i], err);
		if (r != 0)
			continue;
		r = b->job->registry ? image_pull(c, refs.v[i], PULL_STALL_MS, NULL, err)
				     : err_set(err, -ENOENT, "it starts from %s, which is not here, and no registry answers",
					       refs.v[i]);
	}
	strv_done(&given);
	strv_done(&refs);
	return MIN(r, 0);
}

/* ---- the builder's output ---- */

struct view {
	struct step_ctx *c;
	const char *name;
	char step[160]; /* "step 3 of 9: RUN …", "" before the first */
	struct buf line;
};

/* "Step 3/9 : RUN apt-get …" (classic), "[stage 3/9] RUN …" (BuildKit) */
static bool step_parse(const char *line, char *ret, size_t size)
{
	unsigned at, of;
	int n = 0;

	if ((sscanf(line, "Step %u/%u : %n", &at, &of, &n) == 2 || sscanf(line, "[%u/%u] %n", &at, &of, &n) == 2 ||
	     sscanf(line, "[%*s %u/%u] %n", &at, &of, &n) == 2) &&
	    n > 0) {
		snprintf(ret, size, "step %u of %u: %.100s", at, of, line + n);
		return true;
	}
	return false;
}

static void line_end(struct view *v)
{
	const char *line = buf_str(&v->line);

	progress_output(v->c->progress, line);
	/* said again with every line: a step that began within a second of the one before would not be seen else */
	if (step_parse(line, v->step, sizeof(v->step)) || *v->step)
		progress_note(v->c->progress, "building %s: %.70s", v->name, v->step);
	buf_reset(&v->line);
}

static void on_progress(void *arg, const struct docker_progress *p)
{
	struct view *v = arg;

	for (const char *s = p->text ? p->text : ""; *s; s++) {
		if (*s == '\n')
			line_end(v);
		else if (*s != '\r' && v->line.len < 4000)
			buf_addc(&v->line, *s);
	}
	/* BuildKit's and a pull's texts come one by one, without line ends */
	if (v->line.len && p->id && *p->id)
		line_end(v);
}

/* ---- building ---- */

static int build_open(struct images *m, struct step_ctx *c, const struct image_job *job, struct build *b, struct err *err)
{
	const char *below = path_below(job->dockerfile, job->dir);
	const struct hostpkg *host;
	int r;

	buf_init(&b->dockerfile, DOCKERFILE_MAX);
	r = file_read(job->dockerfile, &b->dockerfile, err);
	if (r == 0)
		r = images_host(m, c, &host, err);
	if (r < 0)
		return r;
	b->job = job;
	b->name = below ? below : DOCKERFILE_OUTSIDE;
	if (strstr(buf_str(&b->dockerfile), ".host"))
		b->host = host;
	b->host_script = m->host_script;
	return context_open(job->dir, below, recipe_skip, &b->folder, err);
}

static int build_run(struct images *m, struct step_ctx *c, struct build *b, json *args, struct err *err)
{
	autojson json *labels = json_object();
	struct docker_build spec = {
		.tag = b->job->ref,
		.dockerfile = b->name,
		.target = b->job->target,
		.args = args,
		.labels = labels,
	};
	struct view v = { .c = c, .name = b->job->name, .line = BUF_INIT(4096) };
	int r;

	json_set_str(labels, LABEL_RECIPE, b->job->name);
	json_set_str(labels, LABEL_KEY, b->job->key);
	progress_note(c->progress, "building %s", b->job->name);
	r = docker_image_build(c->docker, &spec, build_fill, b, on_progress, &v, c->deadline_ns, err);
	if (v.line.len)
		line_end(&v);
	buf_done(&v.line);
	if (r < 0 && *v.step)
		return err_wrap(err, r, "%s", v.step);
	return r;
}

int image_build(struct images *m, struct step_ctx *c, const struct image_job *job, struct err *err)
{
	autojson json *args = job->args ? json_copy(job->args) : json_object();
	struct build b = { 0 };
	int r;

	r = build_open(m, c, job, &b, err);
	if (r == 0 && dockerfile_has_arg(buf_str(&b.dockerfile), CA_ARG))
		r = ca_add(&m->host, args, err);
	if (r == 0)
		r = bases_pull(c, &b, args, err);
	if (r == 0)
		r = build_run(m, c, &b, args, err);
	context_done(&b.folder);
	buf_done(&b.dockerfile);
	return r < 0 ? err_wrap(err, r, "building image %s", job->name) : 0;
}

int image_build_hash(struct images *m, struct step_ctx *c, const char *dockerfile, struct hash *h, struct err *err)
{
	struct buf text = BUF_INIT(DOCKERFILE_MAX);
	const struct hostpkg *host;
	int r;

	r = file_read(dockerfile, &text, err);
	if (r == 0 && dockerfile_has_arg(buf_str(&text), CA_ARG)) {
		r = images_host(m, c, &host, err);
		if (r == 0)
			hash_adds(h, host->ca_pem ? host->ca_pem : "");
	}
	buf_done(&text);
	return r;
}
