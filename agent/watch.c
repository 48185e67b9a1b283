/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/watch.h"

#include <errno.h>
#include <sys/stat.h>

#include "agent/cluster.h"
#include "agent/reconcile.h"
#include "agent/worker.h"
#include "agent/zone.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/kube/client.h"
#include "net/kube/kubeconfig.h"
#include "net/kube/watch.h"

#define CONFIG_MAPS "/api/v1/namespaces/kube-system/configmaps"
#define LOOK_MS 2000
#define FILES 4			/* kubeconfig, token, CA, client certificate */

/* What is followed; the functions are in ops_of(). */
enum { ROW_NODES, ROW_SERVICES, ROW_SLICES, ROW_NAMESPACES, ROW_COREDNS, ROW_CUSTOM, ROWS };

static const struct {
	const char *name, *path, *selector;
	enum store_kind kind;
} rows[ROWS] = {
	[ROW_NODES] = { "nodes", "/api/v1/nodes", NULL, 0 },
	[ROW_SERVICES] = { "services", "/api/v1/services", NULL, STORE_SERVICES },
	[ROW_SLICES] = { "endpoint slices", "/apis/discovery.k8s.io/v1/endpointslices", NULL, STORE_SLICES },
	[ROW_NAMESPACES] = { "namespaces", "/api/v1/namespaces", NULL, STORE_NAMESPACES },
	[ROW_COREDNS] = { "CoreDNS's ConfigMap", CONFIG_MAPS, "fieldSelector=metadata.name%3Dcoredns", 0 },
	[ROW_CUSTOM] = { "CoreDNS's own ConfigMap", CONFIG_MAPS, "fieldSelector=metadata.name%3Dcoredns-custom", 0 },
};

/* What tells one content of a file from the next. The engine puts files with an mtime of 0, and may use an inode again. */
struct mark {
	dev_t dev;
	ino_t ino;
	off_t size;
	struct timespec ctime;
};

struct row {
	struct watch *watch;
	struct kube_watch *follow;	/* owned */
	bool connected, refused;
	bool seen;			/* by the list under way, of one object */
};

struct watch {
	struct agent *agent;
	struct kube *kube;		/* owned; NULL while there is no usable kubeconfig */
	struct row row[ROWS];
	struct timer look;
	struct strv files;
	char *token_file;		/* owned, or NULL */
	struct mark marks[FILES];
	bool changed;			/* by the list of nodes under way */
};

/* ---- state ------------------------------------------------------------------------------------------------------- */

static bool is_object_row(size_t i)
{
	return i == ROW_SERVICES || i == ROW_SLICES || i == ROW_NAMESPACES;
}

static void zone_report(struct watch *w)
{
	bool live = true, refused = false;

	for (size_t i = 0; i < ROWS; i++) {
		live &= w->row[i].connected || !is_object_row(i);
		refused |= w->row[i].refused && is_object_row(i);
	}
	zone_set_live(w->agent->zone, live, refused);
}

static void on_state(void *owner, bool connected, const struct err *why)
{
	struct row *r = owner;
	struct watch *w = r->watch;
	size_t i = (size_t)(r - w->row);

	r->connected = connected;
	r->refused = !connected && why && (why->code == -EACCES || why->code == -ENOENT);
	if (i == ROW_NODES && connected)
		log_info("API server: connected");
	else if (!connected && (!why || why->code != -ESTALE) && (i == ROW_NODES || r->refused))	/* 410 only means: list again */
		trouble_note(&w->agent->trouble, "API server", "%s: %s", rows[i].name, why ? err_text(why) : "not connected");
	if (i == ROW_NODES)
		cluster_set_api(w->agent->cluster, connected, why);
	zone_report(w);
}

/* ---- nodes ------------------------------------------------------------------------------------------------------- */

static struct watch *watch_of(void *owner)
{
	return ((struct row *)owner)->watch;
}

static void node_begin(void *owner)
{
	struct watch *w = watch_of(owner);

	w->changed = false;
	nodes_list_begin(&w->agent->nodes);
}

static void node_item(void *owner, const json *object)
{
	struct watch *w = watch_of(owner);

	if (nodes_put(&w->agent->nodes, object)) {
		w->changed = true;
		reconcile_wanted(w->agent->reconcile);
	}
}

static void node_delete(void *owner, const json *object)
{
	struct watch *w = watch_of(owner);

	if (nodes_drop(&w->agent->nodes, object))
		reconcile_wanted(w->agent->reconcile);
}

static void node_end(void *owner)
{
	struct watch *w = watch_of(owner);

	if (nodes_list_end(&w->agent->nodes) || w->changed)
		reconcile_wanted(w->agent->reconcile);
}

/* ---- objects of the store ---------------------------------------------------------------------------------------- */

static enum store_kind kind_of(const struct row *r)
{
	return rows[r - r->watch->row].kind;
}

static void object_begin(void *owner)
{
	store_begin(watch_of(owner)->agent->zone->store, kind_of(owner));
}

static void object_item(void *owner, const json *object)
{
	struct agent *a = watch_of(owner)->agent;
	int r = store_put(a->zone->store, kind_of(owner), object);

	if (r == -ENOSPC)
		trouble_note(&a->trouble, "API server", "more than %u objects of a kind: the rest is not known here", STORE_MAX);
}

static void object_delete(void *owner, const json *object)
{
	store_delete(watch_of(owner)->agent->zone->store, kind_of(owner), object);
}

static void object_end(void *owner)
{
	store_end(watch_of(owner)->agent->zone->store, kind_of(owner));
}

/* ---- CoreDNS's ConfigMaps ---------------------------------------------------------------------------------------- */

static bool is_custom(const struct row *r)
{
	return r - r->watch->row == ROW_CUSTOM;
}

static void map_begin(void *owner)
{
	((struct row *)owner)->seen = false;
}

static void map_item(void *owner, const json *object)
{
	((struct row *)owner)->seen = true;
	zone_set_config(watch_of(owner)->agent->zone, is_custom(owner), object);
}

static void map_delete(void *owner, const json *object)
{
	zone_set_config(watch_of(owner)->agent->zone, is_custom(owner), NULL);
}

static void map_end(void *owner)
{
	if (!((struct row *)owner)->seen)
		map_delete(owner, NULL);
}

/* ---- credential -------------------------------------------------------------------------------------------------- */

static void mark_read(const char *path, struct mark *ret)
{
	struct stat st;

	*ret = (struct mark){ 0 };
	if (stat(path, &st) == 0)
		*ret = (struct mark){ st.st_dev, st.st_ino, st.st_size, st.st_ctim };
}

static bool mark_equal(const struct mark *a, const struct mark *b)
{
	return a->dev == b->dev && a->ino == b->ino && a->size == b->size && a->ctime.tv_sec == b->ctime.tv_sec &&
	       a->ctime.tv_nsec == b->ctime.tv_nsec;
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

/* ---- client ------------------------------------------------------------------------------------------------------ */

static const struct kube_watch_ops *ops_of(size_t row)
{
	static const struct kube_watch_ops nodes = { node_begin, node_item, node_delete, node_end, on_state };
	static const struct kube_watch_ops objects = { object_begin, object_item, object_delete, object_end, on_state };
	static const struct kube_watch_ops maps = { map_begin, map_item, map_delete, map_end, on_state };

	return row == ROW_NODES ? &nodes : is_object_row(row) ? &objects : &maps;
}

static void client_close(struct watch *w)
{
	for (size_t i = 0; i < ROWS; i++) {
		w->row[i].follow = kube_watch_free(w->row[i].follow);
		w->row[i].connected = w->row[i].refused = false;
	}
	w->kube = kube_free(w->kube);
}

static void client_open(struct watch *w)
{
	struct http_endpoint endpoint = { 0 };
	struct err err = { 0 };
	int r;

	client_close(w);
	zone_report(w);
	r = endpoint_load(w, &endpoint, &err);
	if (r == -EACCES)
		worker_again(w->agent, "a credential has changed, which takes root to read");
	if (r) {
		if (r != -ENOENT)
			trouble_note(&w->agent->trouble, "kubeconfig", "%s", err_text(&err));
		cluster_set_api(w->agent->cluster, false, &err);
		http_endpoint_done(&endpoint);
		return;
	}
	w->kube = kube_new(w->agent->loop, &endpoint);
	for (size_t i = 0; i < ROWS; i++) {
		w->row[i].watch = w;
		w->row[i].follow = kube_watch_new(w->kube, rows[i].path, rows[i].selector, ops_of(i), &w->row[i]);
	}
}

static void on_look(struct timer *t)
{
	struct watch *w = container_of(t, struct watch, look);

	if (!w->kube || w->row[ROW_NODES].refused || files_changed(w)) {
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
	on_look(&w->look);		/* now: it may take the rights that are given up soon */
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
