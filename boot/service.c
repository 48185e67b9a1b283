/* SPDX-License-Identifier: Apache-2.0 */
#include "boot/service.h"

#include <errno.h>
#include <stdio.h>

#include "base/hash.h"
#include "base/mem.h"
#include "base/tar.h"
#include "boot/cluster.h"
#include "boot/existing.h"
#include "boot/image.h"

#define CHART_NAMESPACE "kube-system"	/* where k3s keeps HelmChart resources */
#define FIELD_MANAGER "firestream"
#define MANAGED_LABEL "app.kubernetes.io/managed-by"

/* ---- images ------------------------------------------------------------------------------------------------------- */

/* *ret_ref: what the chart gets; *ret_local: it was built here and has to be copied to the nodes. */
static int service_image(struct step_ctx *c, const struct config_service *s, char **ret_ref, bool *ret_local, struct err *err)
{
	bool registry = existing_is_meant(&c->run->config) && s->image.repository;	/* its nodes ask for themselves */
	int r = registry ? 0 : images_from_registry(c->run->images, c, &registry, err);

	if (r < 0)
		return r;
	*ret_local = s->build && (!registry || !s->image.repository);
	if (*ret_local)
		return images_ensure(c->run->images, c, s->build, ret_ref, err);
	if (!s->image.repository)
		return err_set(err, -EINVAL, "service \"%s\" has no image: name one (\"image\": {\"repository\": …}) or a recipe (\"build\")",
			       s->name);
	if (!registry)
		return err_set(err, -ENOPKG, "service \"%s\" needs image %s:%s, and no container registry answers; give it a recipe (\"build\")",
			       s->name, s->image.repository, s->image.tag ? s->image.tag : "latest");
	*ret_ref = xasprintf("%s:%s", s->image.repository, s->image.tag ? s->image.tag : "latest");
	return 0;
}

int services_images(struct step_ctx *c, struct err *err)
{
	for (size_t i = 0; i < c->run->config.n_selected; i++) {
		autofree char *ref = NULL;
		bool local;
		int r = service_image(c, &c->run->config.services[i], &ref, &local, err);

		if (r < 0)
			return r;
		if (local && existing_is_meant(&c->run->config))
			return err_set(err, -EINVAL, "service \"%s\" is built here, and the nodes of a cluster that is there already "
				       "cannot be given its image: name one that they can pull", c->run->config.services[i].name);
	}
	return 0;
}

/* ---- values ------------------------------------------------------------------------------------------------------- */

static json *value_list(const struct strv *v)
{
	json *a = json_array();

	for (size_t i = 0; i < v->n; i++)
		json_add_str(a, v->v[i]);
	return a;
}

/* "K=V" entries as the chart's map. */
static json *value_env(const struct strv *env)
{
	json *map = json_object();

	for (size_t i = 0; i < env->n; i++) {
		const char *eq = strchr(env->v[i], '=');
		autofree char *name = eq ? xstrndup(env->v[i], (size_t)(eq - env->v[i])) : xstrdup(env->v[i]);

		json_set_str(map, name, eq ? eq + 1 : "");
	}
	return map;
}

static json *value_ports(const struct service_spec *s)
{
	json *a = json_array();

	for (size_t i = 0; i < s->service->n_ports; i++) {
		json *p = json_add(a, json_object());
		autofree char *name = i ? xasprintf("port-%lld", (long long)s->service->ports[i]) : xstrdup("main");

		json_set_str(p, "name", name);
		json_set_int(p, "port", s->service->ports[i]);
		json_set_int(p, "targetPort", s->service->ports[i]);
		if (i == 0 && s->node_port)
			json_set_int(p, "nodePort", s->node_port);
	}
	return a;
}

/* What the chart knows of it. */
static json *value_ingress(const json *ingress)
{
	static const char *const keys[] = { "enabled", "className", "host", "path", "annotations" };
	json *o = json_object();

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		json_set(o, keys[i], json_copy(json_get(ingress, keys[i])));
	return o;
}

json *service_values(const struct service_spec *s)
{
	json *v = json_object(), *image = json_set(v, "image", json_object());
	const char *colon = strrchr(s->image, ':');
	autofree char *repository = colon ? xstrndup(s->image, (size_t)(colon - s->image)) : xstrdup(s->image);

	json_set_str(v, "name", s->service->name);
	json_set_str(image, "repository", repository);
	json_set_str(image, "tag", colon ? colon + 1 : "latest");
	json_set_str(image, "pullPolicy", s->service->image.pull_policy ? s->service->image.pull_policy : "IfNotPresent");
	json_set_int(v, "replicaCount", s->service->replicas);
	json_set(v, "ports", value_ports(s));
	json_set(v, "env", value_env(&s->service->env));
	json_set(v, "command", value_list(&s->service->command));
	json_set(v, "args", value_list(&s->service->args));
	if (s->service->resources)
		json_set(v, "resources", json_copy(s->service->resources));
	if (s->service->ingress)
		json_set(v, "ingress", value_ingress(s->service->ingress));
	return v;
}

/* ---- HelmChart ---------------------------------------------------------------------------------------------------- */

static int chart_sink(void *arg, const void *p, size_t n)
{
	struct buf *b = arg;

	buf_add(b, p, n);
	return buf_ok(b) ? 0 : -EFBIG;
}

/* charts/service as base64 of a .tgz, as HelmChart's chartContent wants it. */
static int chart_content(const char *root, struct buf *ret, struct err *err)
{
	autofree char *dir = xasprintf("%s/charts/service", root);
	auto(buf) struct buf tgz = BUF_INIT(1 << 20);
	struct tar *t = tar_new_gzip(chart_sink, &tgz);
	int r = tar_disk_tree(t, "service", dir, NULL, false, err);

	if (r < 0) {
		tar_abort(t);
		return err_wrap(err, r, "chart %s", dir);
	}
	r = tar_end(t, err);
	if (r == 0)
		base64_encode(ret, tgz.data, tgz.len, 0);
	return r;
}

static json *chart_object(const char *name, const char *content, const json *values)
{
	json *o = json_object(), *meta, *labels, *spec;
	autofree char *text = json_text(values);

	json_set_str(o, "apiVersion", "helm.cattle.io/v1");
	json_set_str(o, "kind", "HelmChart");
	meta = json_set(o, "metadata", json_object());
	json_set_str(meta, "name", name);
	json_set_str(meta, "namespace", CHART_NAMESPACE);
	labels = json_set(meta, "labels", json_object());
	json_set_str(labels, MANAGED_LABEL, "firestream");
	spec = json_set(o, "spec", json_object());
	json_set_str(spec, "chartContent", content);
	json_set_str(spec, "targetNamespace", SERVICE_NAMESPACE);
	json_set_str(spec, "valuesContent", text);
	return o;
}

static char *revision_of(const char *content, const json *values)
{
	char hex[HASH_HEX_LEN + 1];
	autofree char *text = json_text(values);
	struct hash *h = hash_new();

	hash_adds(h, content);
	hash_adds(h, text);
	hash_hex(h, hex);
	return xstrndup(hex, 16);
}

/* ---- apply -------------------------------------------------------------------------------------------------------- */

struct applying {
	struct step_ctx *c;
	struct kube *kube;
	struct buf content;			/* base64 of the chart */
	struct cluster_port ports[CLUSTER_PORTS];
	int n_ports;
	json *object;				/* of the service at hand; borrowed */
};

static int apply_once(void *arg, struct err *reason)
{
	struct applying *a = arg;
	int r = kube_apply(a->kube, a->object, FIELD_MANAGER, NULL, reason);

	/* the HelmChart kind appears a moment after the API server */
	return r == 0 ? 1 : r == -ENOENT || r == -EAGAIN || r == -ECONNREFUSED || r == -ECONNRESET ? 0 : r;
}

static int node_port_of(const struct applying *a, const char *service)
{
	for (int i = 0; i < a->n_ports; i++)
		if (streq(a->ports[i].service, service))
			return a->ports[i].node_port;
	return 0;
}

static int service_apply(struct applying *a, const struct config_service *s, char **ret_revision, struct err *err)
{
	struct service_spec spec = { .service = s, .node_port = node_port_of(a, s->name) };
	autofree char *ref = NULL, *path = NULL;
	autojson json *values = NULL, *object = NULL, *before = NULL;
	bool local;
	int r = service_image(a->c, s, &ref, &local, err);

	if (r == 0 && local)
		r = cluster_import_image(a->c, ref, err);
	if (r < 0)
		return err_wrap(err, r, "service \"%s\"", s->name);
	spec.image = ref;
	values = service_values(&spec);
	*ret_revision = revision_of(buf_str(&a->content), values);
	json_set_str(values, "revision", *ret_revision);
	object = chart_object(s->name, buf_str(&a->content), values);
	path = kube_path("helm.cattle.io/v1", "HelmChart", CHART_NAMESPACE, s->name);
	if (kube_get(a->kube, path, &before, NULL) == 0 &&
	    streq(json_str(before, "spec.valuesContent", NULL), json_str(object, "spec.valuesContent", "")))
		return 0;
	a->c->changed = true;
	a->object = object;
	progress_note(a->c->progress, "applying %s", s->name);
	r = kube_poll(a->c->loop, "the HelmChart resource kind", apply_once, a, 200, MIN(loop_deadline(60000), a->c->deadline_ns), err);
	return r < 0 ? err_wrap(err, r, "service \"%s\"", s->name) : 0;
}

/* ---- prune -------------------------------------------------------------------------------------------------------- */

struct pruning {
	const struct config *config;
	struct strv gone;
};

static int prune_look(void *arg, const json *item)
{
	struct pruning *p = arg;
	const char *name = json_str(item, "metadata.name", "");

	for (size_t i = 0; i < p->config->n_services; i++)
		if (streq(p->config->services[i].name, name))
			return 0;
	strv_add(&p->gone, name);
	return 0;
}

/* HelmCharts of ours that the config does not name any more; its controller uninstalls them. */
static int services_prune(struct applying *a, struct err *err)
{
	struct pruning p = { .config = &a->c->run->config };
	int r = kube_list(a->kube, "/apis/helm.cattle.io/v1/namespaces/" CHART_NAMESPACE "/helmcharts?labelSelector="
			  "app.kubernetes.io%2Fmanaged-by%3Dfirestream", prune_look, &p, NULL, err);

	for (size_t i = 0; r == 0 && i < p.gone.n; i++) {
		autofree char *path = kube_path("helm.cattle.io/v1", "HelmChart", CHART_NAMESPACE, p.gone.v[i]);

		progress_say(a->c->progress, "%s is not in the config any more: removed", p.gone.v[i]);
		a->c->changed = true;
		r = kube_delete(a->kube, path, err);
	}
	strv_done(&p.gone);
	return r == -ENOENT ? 0 : r;
}

static int services_apply_all(struct applying *a, char **revisions, struct err *err)
{
	const struct config *cfg = &a->c->run->config;
	int r = chart_content(a->c->run->root, &a->content, err);

	if (r == 0)
		r = a->n_ports = a->c->run->server_id ? cluster_ports(a->c->docker, a->c->run->server_id, a->ports, err) : 0;
	for (size_t i = 0; r >= 0 && i < cfg->n_selected; i++)
		r = service_apply(a, &cfg->services[i], &revisions[i], err);
	if (r >= 0 && !a->c->run->partial)
		r = services_prune(a, err);
	for (size_t i = 0; r >= 0 && i < cfg->n_selected; i++)
		r = service_wait(a->c, a->kube, cfg->services[i].name, revisions[i], err);
	return r < 0 ? r : 0;
}

/* k3s and RKE2 install what HelmChart resources say; others do not know them. */
static int charts_known(const struct step_ctx *c, struct kube *k, struct err *err)
{
	autojson json *found = NULL;
	int r;

	if (!existing_is_meant(&c->run->config) || !c->run->config.n_selected)
		return 0;
	r = kube_get(k, "/apis/helm.cattle.io/v1", &found, err);
	return r == -ENOENT ? err_set(err, -EOPNOTSUPP, "the cluster has no HelmChart resource (helm.cattle.io/v1, as k3s and RKE2 have it), "
				      "by which services are installed; leave out \"services\"") : r;
}

int services_up(struct step_ctx *c, struct err *err)
{
	struct applying a = { .c = c, .content = BUF_INIT(2 << 20), .kube = cluster_kube(c, err) };
	size_t n = c->run->config.n_services;
	char **revisions;
	int r;

	if (!a.kube)
		return err ? err->code : -EIO;
	revisions = xcalloc(n + 1, sizeof(*revisions));
	r = charts_known(c, a.kube, err);
	if (r == 0)
		r = services_apply_all(&a, revisions, err);
	for (size_t i = 0; i < n; i++)
		free(revisions[i]);
	free(revisions);
	buf_done(&a.content);
	kube_free(a.kube);
	if (r == 0)
		c->summary = xasprintf("%zu available", c->run->config.n_selected);
	return r;
}
