/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/watch.h"

#include <errno.h>
#include <sys/stat.h>

#include "agent/cluster.h"
#include "agent/reconcile.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/kube/client.h"
#include "net/kube/kubeconfig.h"
#include "net/kube/watch.h"

#define LOOK_MS 2000
#define FILES 4			/* kubeconfig, token, CA, client certificate */

/* What tells one content of a file from the next. */
struct mark {
	dev_t dev;
	ino_t ino;
	off_t size;
	struct timespec mtime;
};

struct watch {
	struct agent *agent;
	struct kube *kube;		/* owned; NULL while there is no usable kubeconfig */
	struct kube_watch *nodes;	/* owned */
	struct timer look;
	struct strv files;
	char *token_file;		/* owned, or NULL */
	struct mark marks[FILES];
	bool refused;			/* 401 or 403: try what the files say now */
	bool changed;			/* by the list under way */
};

/* ---- events ------------------------------------------------------------------------------------------------------ */

static void on_begin(void *owner)
{
	struct watch *w = owner;

	w->changed = false;
	nodes_list_begin(&w->agent->nodes);
}

static void on_item(void *owner, const json *object)
{
	struct watch *w = owner;

	if (nodes_put(&w->agent->nodes, object)) {
		w->changed = true;
		reconcile_wanted(w->agent->reconcile);
	}
}

static void on_delete(void *owner, const json *object)
{
	struct watch *w = owner;

	if (nodes_drop(&w->agent->nodes, object))
		reconcile_wanted(w->agent->reconcile);
}

static void on_end(void *owner)
{
	struct watch *w = owner;

	if (nodes_list_end(&w->agent->nodes) || w->changed)
		reconcile_wanted(w->agent->reconcile);
}

static void on_state(void *owner, bool connected, const struct err *why)
{
	struct watch *w = owner;

	if (connected)
		log_info("API server: connected");
	else if (!why || why->code != -ESTALE)		/* 410 only means: list again */
		trouble_note(&w->agent->trouble, "API server", "%s", why ? err_text(why) : "not connected");
	w->refused = !connected && why && why->code == -EACCES;
	cluster_set_api(w->agent->cluster, connected, why);
}

static const struct kube_watch_ops node_ops = { on_begin, on_item, on_delete, on_end, on_state };

/* ---- credential -------------------------------------------------------------------------------------------------- */

static void mark_read(const char *path, struct mark *ret)
{
	struct stat st;

	*ret = (struct mark){ 0 };
	if (stat(path, &st) == 0)
		*ret = (struct mark){ st.st_dev, st.st_ino, st.st_size, st.st_mtim };
}

static bool mark_equal(const struct mark *a, const struct mark *b)
{
	return a->dev == b->dev && a->ino == b->ino && a->size == b->size && a->mtime.tv_sec == b->mtime.tv_sec &&
	       a->mtime.tv_nsec == b->mtime.tv_nsec;
}

static bool files_changed(struct watch *w)
{
	struct mark m;

	for (size_t i = 0; i < w->files.n; i++) {
		mark_read(w->files.v[i], &m);
		if (!mark_equal(&m, &w->marks[i]))
			return true;
	}
	return false;
}

/* A file that the credential consists of, as it is before it is read. */
static void file_note(struct watch *w, const char *path)
{
	if (!path || w->files.n == FILES)
		return;
	mark_read(path, &w->marks[w->files.n]);
	strv_add(&w->files, path);
}

static int endpoint_load(struct watch *w, struct http_endpoint *ret, struct err *err)
{
	const char *path = w->agent->config.kubeconfig;
	auto(buf) struct buf text = BUF_INIT(1 << 20);
	autojson json *config = NULL;
	int r;

	strv_done(&w->files);
	w->files = (struct strv){ 0 };
	file_note(w, path);
	r = file_read(path, &text, err);
	if (r)
		return r;
	config = kubeconfig_parse(path, buf_str(&text), text.len, err);
	if (!config)
		return -EINVAL;
	free(w->token_file);
	w->token_file = xstrdup(json_str(config, "users[0].user.tokenFile", NULL));
	file_note(w, w->token_file);
	file_note(w, json_str(config, "clusters[0].cluster.certificate-authority", NULL));
	file_note(w, json_str(config, "users[0].user.client-certificate", NULL));
	return kubeconfig_endpoint(config, NULL, ret, err);
}

static void client_close(struct watch *w)
{
	w->nodes = kube_watch_free(w->nodes);
	w->kube = kube_free(w->kube);
}

static void client_open(struct watch *w)
{
	struct http_endpoint endpoint = { 0 };
	struct err err = { 0 };
	int r;

	client_close(w);
	w->refused = false;
	r = endpoint_load(w, &endpoint, &err);
	if (r) {
		if (r != -ENOENT)
			trouble_note(&w->agent->trouble, "kubeconfig", "%s", err_text(&err));
		cluster_set_api(w->agent->cluster, false, &err);
		http_endpoint_done(&endpoint);
		return;
	}
	w->kube = kube_new(w->agent->loop, &endpoint);
	w->nodes = kube_watch_new(w->kube, "/api/v1/nodes", NULL, &node_ops, w);
}

static void on_look(struct timer *t)
{
	struct watch *w = container_of(t, struct watch, look);

	if (!w->kube || w->refused || files_changed(w)) {
		if (w->kube)
			log_info("the credential is read again");
		client_open(w);
	}
	timer_start(w->agent->loop, t, LOOK_MS, on_look);
}

/* ---- module ------------------------------------------------------------------------------------------------------ */

int watch_start(struct agent *a, struct err *err)
{
	struct watch *w = a->watch = xcalloc(1, sizeof(*w));

	w->agent = a;
	timer_start(a->loop, &w->look, 0, on_look);
	return 0;
}

void watch_stop(struct agent *a)
{
	struct watch *w = a->watch;

	if (!w)
		return;
	timer_stop(&w->look);
	client_close(w);
	strv_done(&w->files);
	free(w->token_file);
	free(steal(&a->watch));
}

struct kube *watch_kube(const struct watch *w)
{
	return w ? w->kube : NULL;
}

const char *watch_token_file(const struct watch *w)
{
	return w ? w->token_file : NULL;
}
