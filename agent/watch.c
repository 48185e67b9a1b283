/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/watch.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "agent/carry.h"
#include "agent/cluster.h"
#include "agent/reconcile.h"
#include "agent/rules.h"
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

/* A file as it was before it was read. Where only root may look, its content is told from the next by a descriptor from root's
 * time: of the file, or, where there was none, of the folder that it would be in. */
struct note {
	char *path;			/* owned */
	int fd;
	struct mark seen, held;		/* of the path, of the descriptor */
};

struct notes {
	struct note v[FILES];
	size_t n;
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
	struct notes notes;
	char *token_file;		/* owned, or NULL */
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
	carry_set_connected(w->agent->carry, live);
	rules_current(w->agent->rules);
}

/* One refusal is said, not one for each row: an API server that starts refuses all until its rules are loaded. */
static bool is_first_refusal(const struct watch *w, const struct row *r)
{
	for (size_t i = 0; i < ROWS; i++)
		if (w->row[i].refused && &w->row[i] != r)
			return false;
	return r->refused;
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
	else if (!connected && (!why || why->code != -ESTALE) &&	/* 410 only means: list again */
		 (r->refused ? is_first_refusal(w, r) : i == ROW_NODES))
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
	struct agent *a = watch_of(owner)->agent;

	store_end(a->zone->store, kind_of(owner));
	rules_current(a->rules);
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

static int mark_read(int fd, const char *path, struct mark *ret)
{
	struct stat st;

	*ret = (struct mark){ 0 };
	if (fstatat(fd, path, &st, *path ? 0 : AT_EMPTY_PATH) < 0)
		return -errno;
	*ret = (struct mark){ st.st_dev, st.st_ino, st.st_size, st.st_ctim };
	return 0;
}

static bool mark_equal(const struct mark *a, const struct mark *b)
{
	return a->dev == b->dev && a->ino == b->ino && a->size == b->size && a->ctime.tv_sec == b->ctime.tv_sec &&
	       a->ctime.tv_nsec == b->ctime.tv_nsec;
}

static bool note_is_old(const struct note *n)
{
	struct mark now;

	if (mark_read(AT_FDCWD, n->path, &now) != -EACCES)
		return !mark_equal(&now, &n->seen);
	(void)mark_read(n->fd, "", &now);
	return !mark_equal(&now, &n->held);
}

static bool notes_are_old(const struct notes *l)
{
	for (size_t i = 0; i < l->n; i++)
		if (note_is_old(&l->v[i]))
			return true;
	return false;
}

static void notes_done(struct notes *l)
{
	for (size_t i = 0; i < l->n; i++) {
		free(l->v[i].path);
		if (l->v[i].fd >= 0)
			close(l->v[i].fd);
	}
	*l = (struct notes){ 0 };
}

static void notes_add(struct notes *l, const char *path)
{
	autofree char *dir = path ? path_dirname(path) : NULL;
	struct note *n = &l->v[l->n];

	if (!path || l->n == FILES)
		return;
	n->path = xstrdup(path);
	n->fd = open(path, O_PATH | O_CLOEXEC);
	if (n->fd < 0)
		n->fd = open(dir, O_PATH | O_CLOEXEC);
	(void)mark_read(AT_FDCWD, path, &n->seen);
	(void)mark_read(n->fd, "", &n->held);
	l->n++;
}

/* Notes each file that the credential consists of before it is read. */
static int endpoint_load(struct watch *w, struct notes *notes, struct http_endpoint *ret, struct err *err)
{
	const char *path = w->agent->config.kubeconfig;
	auto(buf) struct buf text = BUF_INIT(1 << 20);
	autojson json *config = NULL;
	int r;

	notes_add(notes, path);
	r = file_read(path, &text, err);
	if (r)
		return r;
	config = kubeconfig_parse(path, buf_str(&text), text.len, err);
	if (!config)
		return -EINVAL;
	free(w->token_file);
	w->token_file = xstrdup(json_str(config, "users[0].user.tokenFile", NULL));
	notes_add(notes, w->token_file);
	notes_add(notes, json_str(config, "clusters[0].cluster.certificate-authority", NULL));
	notes_add(notes, json_str(config, "users[0].user.client-certificate", NULL));
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
	carry_set_client(w->agent->carry, NULL);
	w->kube = kube_free(w->kube);
}

static void client_close_for(struct watch *w, const struct err *why)
{
	client_close(w);
	zone_report(w);
	if (why->code != -ENOENT)
		trouble_note(&w->agent->trouble, "kubeconfig", "%s", err_text(why));
	cluster_set_api(w->agent->cluster, false, why);
}

static void client_make(struct watch *w, struct http_endpoint *endpoint)
{
	if (w->kube)
		log_info("the credential is read again");
	client_close(w);
	zone_report(w);
	w->kube = kube_new(w->agent->loop, endpoint);
	carry_set_client(w->agent->carry, w->kube);
	for (size_t i = 0; i < ROWS; i++) {
		w->row[i].watch = w;
		w->row[i].follow = kube_watch_new(w->kube, rows[i].path, rows[i].selector, ops_of(i), &w->row[i]);
	}
}

/* What only root may read is asked for, by a new worker, when it is another one than root has read: else all stays. */
static void client_open(struct watch *w)
{
	bool changed = notes_are_old(&w->notes);
	struct http_endpoint endpoint = { 0 };
	struct notes notes = { 0 };
	struct err err = { 0 };
	int r = endpoint_load(w, &notes, &endpoint, &err);

	if (r == -EACCES && w->notes.n) {
		if (changed)
			worker_again(w->agent, "a credential has changed, which takes root to read");
		notes_done(&notes);
		return;
	}
	notes_done(&w->notes);
	w->notes = notes;
	if (r) {
		client_close_for(w, &err);
		http_endpoint_done(&endpoint);
		return;
	}
	client_make(w, &endpoint);
}

/* Everything is: not only what this account need not see. */
static bool is_refused_whole(const struct watch *w)
{
	for (size_t i = 0; i < ROWS; i++)
		if (w->row[i].connected)
			return false;
	return w->row[ROW_NODES].refused;
}

static void on_look(struct timer *t)
{
	struct watch *w = container_of(t, struct watch, look);

	if (!w->kube || is_refused_whole(w) || notes_are_old(&w->notes))
		client_open(w);
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
	notes_done(&w->notes);
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
