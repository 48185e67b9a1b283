/* SPDX-License-Identifier: Apache-2.0 */
#include "boot/image.h"

#include <errno.h>

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "boot/image_priv.h"

#define POLL_MS 100
#define PROBE_MS 8000

struct images *images_new(const char *root, const char *cache_dir, const char *state_dir, const struct config *c)
{
	struct images *m = xcalloc(1, sizeof(*m));

	m->root = xstrdup(root);
	m->cache_dir = xstrdup(cache_dir);
	m->state_dir = xstrdup(state_dir);
	m->source = c->images_source;
	m->probe = xstrdup(c->images_probe);
	m->probe_ms = c->images_probe_ms ? c->images_probe_ms : PROBE_MS;
	pthread_mutex_init(&m->lock, NULL);
	pthread_cond_init(&m->wake, NULL);
	return m;
}

struct images *images_free(struct images *m)
{
	if (!m)
		return NULL;
	hostpkg_done(&m->host);
	map_done(&m->claims);
	pthread_mutex_destroy(&m->lock);
	pthread_cond_destroy(&m->wake);
	free(m->host_script);
	free(m->root);
	free(m->cache_dir);
	free(m->state_dir);
	free(m->probe);
	free(m);
	return NULL;
}

/* ---- one maker at a time ---- */

static int step_over(const struct step_ctx *c, const char *what, struct err *err)
{
	if (loop_cancelled(c->loop))
		return err_set(err, -ECANCELED, "interrupted while waiting for %s", what);
	if (loop_deadline(0) > c->deadline_ns)
		return err_set(err, -ETIMEDOUT, "waiting for %s took too long", what);
	return 0;
}

/* Claims `what` for this thread once nobody else has it. Whoever waited must look again whether there is anything left to
 * do. */
int image_claim(struct images *m, struct step_ctx *c, const char *what, struct err *err)
{
	struct timespec until;
	int r = 0;

	pthread_mutex_lock(&m->lock);
	while (map_get(&m->claims, what) && (r = step_over(c, what, err)) == 0) {
		progress_note(c->progress, "waiting for %s", what);
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_nsec += POLL_MS * 1000000;
		if (until.tv_nsec >= 1000000000) {
			until.tv_nsec -= 1000000000;
			until.tv_sec++;
		}
		pthread_cond_timedwait(&m->wake, &m->lock, &until);
	}
	if (r == 0)
		map_set(&m->claims, what, c);
	pthread_mutex_unlock(&m->lock);
	return r;
}

void image_claim_end(struct images *m, const char *what)
{
	pthread_mutex_lock(&m->lock);
	map_del(&m->claims, what);
	pthread_cond_broadcast(&m->wake);
	pthread_mutex_unlock(&m->lock);
}

int images_lock(struct images *m, struct step_ctx *c, const char *name, struct err *err)
{
	autofree char *dir = path_join(m->cache_dir, "lock");
	autofree char *path = xasprintf("%s/image-%s", dir, name);
	struct err e = { 0 };
	int r;

	r = file_mkdirs(dir, 0755, err);
	if (r < 0)
		return r;
	while ((r = file_lock(path, 0, &e)) == -EWOULDBLOCK) {
		progress_note(c->progress, "image %s is being made by another run, waiting for it", name);
		r = loop_turn(c->loop, loop_deadline(POLL_MS));
		if (r == 0 || r == -ETIMEDOUT)
			r = step_over(c, name, err);
		if (r < 0)
			return r == -ECANCELED ? err_set(err, r, "interrupted while waiting for image %s", name) : r;
	}
	return r < 0 ? err_set(err, r, "%s", err_text(&e)) : r;
}

int images_host(struct images *m, struct step_ctx *c, const struct hostpkg **ret, struct err *err)
{
	autofree char *path = xasprintf("%s/templates/host-run.sh", m->root);
	const char *home = getenv("HOME");
	struct buf script = BUF_INIT(65536);
	int r = 0;

	pthread_mutex_lock(&m->lock);
	if (!m->host_loaded) {
		r = file_read(path, &script, err);
		if (r == 0) {
			m->host_script = buf_steal(&script);
			hostpkg_load(c->loop, "", home ? home : "/root", &m->host);
			m->host_loaded = true;
		}
	}
	pthread_mutex_unlock(&m->lock);
	buf_done(&script);
	*ret = &m->host;
	return r;
}

int image_exists(struct docker *d, const char *ref, struct err *err)
{
	struct err e = { 0 };
	int r = docker_image_inspect(d, ref, NULL, &e);

	if (r == -ENOENT)
		return 0;
	return r < 0 ? err_set(err, r, "%s", err_text(&e)) : 1;
}

void container_discard(struct docker *d, const char *id)
{
	struct loop *l = loop_new(LOOP_DEFAULT);
	struct docker *own = docker_clone(d, l);
	struct err err = { 0 };

	if (docker_container_remove(own, id, &err) < 0)
		log_debug("container %s is left behind: %s", id, err_text(&err));
	docker_free(own);
	loop_free(l);
}

/* ---- is there a registry? ---- */

/* The first reference that would be needed: the recipe's own or that of something it is made from. Caller owns; NULL. */
static char *published_of(struct images *m, const char *name, unsigned depth)
{
	struct recipe rec = { 0 };
	char *ret = NULL;

	if (!name || depth > RECIPE_DEPTH_MAX || recipe_load(m->root, name, &rec, NULL) < 0)
		return NULL;
	ret = xstrdup(rec.published);
	for (size_t i = 0; i < rec.from.n && !ret; i++)
		ret = published_of(m, strchr(rec.from.v[i], '=') + 1, depth + 1);
	if (!ret && rec.compile.image)
		ret = published_of(m, rec.compile.image, depth + 1);
	recipe_done(&rec);
	return ret;
}

enum registry images_registry_known(struct images *m)
{
	enum registry known;

	if (m->source == IMAGES_REGISTRY)
		return REGISTRY_ANSWERS;
	if (m->source == IMAGES_BUILD)
		return REGISTRY_SILENT;
	pthread_mutex_lock(&m->lock);
	known = m->registry;
	pthread_mutex_unlock(&m->lock);
	return known;
}

/* Asks, and remembers the answer for this run. */
static int registry_ask(struct images *m, struct step_ctx *c, const char *ref, struct err *err)
{
	bool answered = false;
	struct err why = { 0 };
	int r;

	progress_note(c->progress, "asking the registry for %s", ref);
	r = image_pull(c, ref, m->probe_ms, &answered, &why);
	if (r == -ECANCELED)
		return err_set(err, r, "%s", err_text(&why));
	answered |= r == 0;
	c->changed |= r == 0;
	if (!answered)
		progress_output(c->progress, err_text(&why));
	pthread_mutex_lock(&m->lock);
	m->registry = answered ? REGISTRY_ANSWERS : REGISTRY_SILENT;
	pthread_mutex_unlock(&m->lock);
	if (!answered)
		progress_say(
			c->progress,
			"no image registry answers: images are built from packages (images.source: build says so at once)");
	return 0;
}

/* recipe: whose need it is, or NULL. */
int images_registry_decide(struct images *m, struct step_ctx *c, const char *recipe, bool *ret, struct err *err)
{
	autofree char *ref = NULL;
	int r = 0;

	if (images_registry_known(m) == REGISTRY_UNKNOWN) {
		ref = m->probe ? xstrdup(m->probe) : published_of(m, recipe ? recipe : "node", 0);
		r = image_claim(m, c, "the registry's answer", err);
		if (r < 0)
			return r;
		if (images_registry_known(m) == REGISTRY_UNKNOWN && ref)
			r = registry_ask(m, c, ref, err);
		image_claim_end(m, "the registry's answer");
	}
	if (r == 0)
		*ret = images_registry_known(m) == REGISTRY_ANSWERS;
	return r;
}

int images_from_registry(struct images *m, struct step_ctx *c, bool *ret, struct err *err)
{
	return images_registry_decide(m, c, NULL, ret, err);
}

int images_pull(struct images *m, struct step_ctx *c, const char *ref, struct err *err)
{
	int r = image_exists(c->docker, ref, err);

	if (r != 0)
		return MIN(r, 0);
	if (m->source == IMAGES_BUILD)
		return err_set(err, -ENOENT, "image %s is not here, and images.source is \"build\": nothing is pulled", ref);
	r = image_claim(m, c, ref, err);
	if (r < 0)
		return r;
	r = image_exists(c->docker, ref, err);
	if (r == 0) {
		c->changed = true;
		r = image_pull(c, ref, IMAGE_STALL_MS, NULL, err);
	}
	image_claim_end(m, ref);
	return MIN(r, 0);
}
