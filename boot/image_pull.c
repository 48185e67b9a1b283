/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"
#include "boot/image_priv.h"

#define WATCH_MS 100
#define MB 1000000

/* A pull runs on a loop of its own, so that a registry that falls silent can be given up without cancelling the step. */
struct pull {
	struct step_ctx *c;
	const char *ref;
	struct loop *loop;
	struct timer watch;
	uint64_t stall_ms, heard_ns;
	struct map layers; /* id → struct layer */
	bool answered, stalled;
};

struct layer {
	int64_t current, total;
	bool done;
};

static void on_watch(struct timer *t)
{
	struct pull *p = container_of(t, struct pull, watch);

	p->stalled = loop_deadline(0) - p->heard_ns > p->stall_ms * 1000000;
	if (p->stalled || loop_cancelled(p->c->loop))
		loop_cancel(p->loop);
	else
		timer_start(p->loop, t, WATCH_MS, on_watch);
}

static void pull_show(struct pull *p)
{
	int64_t current = 0, total = 0;
	unsigned done = 0;

	map_foreach(&p->layers, it) {
		const struct layer *l = it->value;

		done += l->done;
		current += l->current;
		total += l->total;
	}
	if (total >= MB)
		progress_note(p->c->progress, "pulling %s: %u of %zu layers, %lld of %lld MB", p->ref, done, p->layers.live,
			      (long long)current / MB, (long long)total / MB);
	else if (p->layers.live)
		progress_note(p->c->progress, "pulling %s: %u of %zu layers", p->ref, done, p->layers.live);
}

static struct layer *layer_get(struct pull *p, const char *id)
{
	struct layer *l = map_get(&p->layers, id);

	if (!l) {
		l = xcalloc(1, sizeof(*l));
		map_set(&p->layers, id, l);
	}
	return l;
}

static void on_progress(void *arg, const struct docker_progress *e)
{
	struct pull *p = arg;
	const char *text = e->text ? e->text : "";
	struct layer *l;

	p->heard_ns = loop_deadline(0);
	if (!e->id || !*e->id) {
		if (*text)
			progress_output(p->c->progress, text);
		return;
	}
	p->answered = true;
	if (str_starts(text, "Pulling from")) /* there the id is the tag */
		return;
	l = layer_get(p, e->id);
	if (streq(text, "Downloading") && e->total > 0) {
		l->total = e->total;
		l->current = e->current;
	}
	if (streq(text, "Already exists") || streq(text, "Pull complete") || streq(text, "Download complete")) {
		l->done = !streq(text, "Download complete");
		l->current = l->total;
		if (l->done)
			progress_output(p->c->progress, text);
	}
	pull_show(p);
}

/* ---- credentials ---- */

/* "host/…" when the first part looks like one (a dot, a colon or localhost); Docker Hub's key else. Caller owns. */
static char *registry_of(const char *ref)
{
	const char *slash = strchr(ref, '/');
	autofree char *first = slash ? xstrndup(ref, (size_t)(slash - ref)) : NULL;

	if (!first || (!strpbrk(first, ".:") && !streq(first, "localhost")) || streq(first, "docker.io"))
		return xstrdup("https://index.docker.io/v1/");
	return steal(&first);
}

static const char *host_of(const char *key)
{
	const char *s = strstr(key, "://");

	return s ? s + 3 : key;
}

static const json *auth_find(const json *auths, const char *registry)
{
	size_t n = strlen(registry);

	json_each(e, auths)
		if (streq(e->string, registry))
			return e;
	json_each(e, auths) {
		const char *host = host_of(e->string);

		if (strncmp(host, registry, n) == 0 && (!host[n] || host[n] == '/'))
			return e;
	}
	return NULL;
}

static char *auth_header(const json *entry, const char *registry)
{
	const char *token = json_str(entry, "identitytoken", NULL), *auth = json_str(entry, "auth", NULL);
	struct buf plain = BUF_INIT(65536), header = BUF_INIT(262144);
	autojson json *o = json_object();
	autofree char *text = NULL;
	char *colon;

	if (token) {
		json_set_str(o, "identitytoken", token);
	} else if (auth && base64_decode(&plain, auth, strlen(auth)) == 0 && (colon = strchr(buf_str(&plain), ':'))) {
		*colon = '\0';
		json_set_str(o, "username", plain.data);
		json_set_str(o, "password", colon + 1);
	} else {
		buf_done(&plain);
		return NULL;
	}
	json_set_str(o, "serveraddress", registry);
	text = json_text(o);
	base64_encode(&header, text, strlen(text), 1);
	buf_done(&plain);
	return buf_steal(&header);
}

/* X-Registry-Auth from ~/.docker/config.json's "auths". Caller owns; NULL: anonymous. */
static char *auth_load(const char *ref)
{
	const char *dir = getenv("DOCKER_CONFIG"), *home = getenv("HOME");
	autofree char *path =
		dir ? path_join(dir, "config.json") : xasprintf("%s/.docker/config.json", home ? home : "/root");
	autofree char *registry = registry_of(ref);
	struct buf text = BUF_INIT(1u << 20);
	autojson json *config = NULL;
	const json *entry;

	if (file_exists(path) && file_read(path, &text, NULL) == 0)
		config = json_parse(buf_str(&text), text.len, NULL);
	buf_done(&text);
	entry = config ? auth_find(json_get(config, "auths"), registry) : NULL;
	return entry ? auth_header(entry, registry) : NULL;
}

/* ---- */

/* "debian" → "debian:latest": without a tag the engine pulls all of them. Caller owns. */
static char *ref_full(const char *ref)
{
	const char *slash = strrchr(ref, '/');
	const char *name = slash ? slash + 1 : ref;

	return strpbrk(name, ":@") ? xstrdup(ref) : xasprintf("%s:latest", ref);
}

int image_pull(struct step_ctx *c, const char *ref, uint64_t stall_ms, bool *answered, struct err *err)
{
	struct pull p = { .c = c, .ref = ref, .stall_ms = stall_ms, .layers = MAP_INIT(free) };
	autofree char *full = ref_full(ref);
	char *auth = auth_load(ref);
	struct docker *d;
	int r;

	p.heard_ns = loop_deadline(0);
	p.loop = loop_new(LOOP_DEFAULT);
	d = docker_clone(c->docker, p.loop);
	timer_start(p.loop, &p.watch, WATCH_MS, on_watch);
	progress_note(c->progress, "pulling %s", ref);
	r = docker_image_pull(d, full, auth, on_progress, &p, c->deadline_ns, err);
	timer_stop(&p.watch);
	docker_free(d);
	loop_free(p.loop);
	map_done(&p.layers);
	free_secret(auth);
	if (answered)
		*answered = p.answered;
	if (loop_cancelled(c->loop))
		return err_set(err, -ECANCELED, "interrupted while pulling %s", ref);
	if (r < 0 && p.stalled)
		return err_set(err, -ETIMEDOUT, "pulling %s: nothing came for %llu s", ref,
			       (unsigned long long)stall_ms / 1000);
	return r < 0 ? err_wrap(err, r, "pulling %s", ref) : 0;
}
