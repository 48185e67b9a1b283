/* SPDX-License-Identifier: Apache-2.0 */
/* How it works: the schema tables read a file into struct raw_config and report what a table can see; then each service is
 * layered (entry over catalog entry, or over the top level's defaults) and what lies between keys is checked. Problems are
 * collected, never the first only. */
#include "boot/config.h"

#include <ctype.h>
#include <errno.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/num.h"
#include "boot/config_raw.h"

struct reading {
	const struct yaml_doc *doc;
	const char *root;
	struct config *c;
	struct strv *problems;
};

char *config_label(const char *text, size_t max)
{
	char *out = xcalloc(max + 1, 1);
	size_t n = 0;

	for (; *text && n < max; text++) {
		unsigned char c = (unsigned char)*text;

		if (c < 128 && isalnum(c))
			out[n++] = (char)tolower(c);
		else if (n > 0 && out[n - 1] != '-')
			out[n++] = '-';
	}
	while (n > 0 && out[n - 1] == '-')
		out[--n] = '\0';
	if (n == 0)
		memcpy(out, "project", MIN(max, sizeof("project") - 1));
	return out;
}

char *config_default(const char *workspace, const char *root)
{
	static const char *const names[] = { "firestream.json", "firestream.yaml" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		char *path = path_join(workspace, names[i]);

		if (file_exists(path))
			return path;
		free(path);
	}
	return path_join(root, "examples/first-light.json");
}

/* ---- layering ----------------------------------------------------------------------------------------------------- */

static void pick(char **to, const char *first, const char *second, const char *def)
{
	*to = xstrdup(first ? first : second ? second : def);
}

static void image_layer(struct config_image *to, const struct raw_service *own, const struct raw_service *under)
{
	bool inherit = !own->image.repository && !own->build;

	pick(&to->repository, own->image.repository, inherit ? under->image.repository : NULL, NULL);
	pick(&to->tag, own->image.tag, inherit ? under->image.tag : NULL, "latest");
	pick(&to->pull_policy, own->image.pull_policy, under->image.pull_policy, "IfNotPresent");
}

static const struct strv *ports_layer(const struct raw_service *own, const struct raw_service *under)
{
	const struct strv *order[] = { &own->ports, &own->service_ports, &under->ports, &under->service_ports };

	for (size_t i = 0; i < ARRAY_SIZE(order); i++)
		if (order[i]->n)
			return order[i];
	return order[0];
}

static json *amounts_json(const struct raw_amounts *a)
{
	json *o;

	if (!a->cpu && !a->memory && !a->storage)
		return NULL;
	o = json_object();
	json_set_str(o, "cpu", a->cpu);
	json_set_str(o, "memory", a->memory);
	json_set_str(o, "ephemeral-storage", a->storage);
	return o;
}

static json *resources_json(const struct raw_service *s)
{
	json *requests = amounts_json(&s->resources.requests), *limits = amounts_json(&s->resources.limits), *o = NULL;

	if (!requests && !limits)
		return NULL;
	o = json_object();
	if (requests)
		json_set(o, "requests", requests);
	if (limits)
		json_set(o, "limits", limits);
	return o;
}

static json *ingress_json(const struct raw_ingress *i)
{
	json *o, *annotations;

	if (!i->enabled)
		return NULL;
	o = json_object();
	json_set_bool(o, "enabled", true);
	json_set_bool(o, "external", i->external);
	json_set_str(o, "host", i->host);
	json_set_str(o, "className", i->class_name);
	json_set_str(o, "path", i->path ? i->path : "/");
	annotations = json_set(o, "annotations", json_object());
	for (size_t k = 0; k < i->annotations.n; k++) {
		const char *pair = i->annotations.v[k], *eq = strchr(pair, '=');
		autofree char *key = eq ? xstrndup(pair, (size_t)(eq - pair)) : NULL;

		if (eq)
			json_set_str(annotations, key, eq + 1);
	}
	return o;
}

static bool env_has(const struct strv *env, const char *pair)
{
	size_t key = strcspn(pair, "=");

	for (size_t i = 0; i < env->n; i++)
		if (!strncmp(env->v[i], pair, key) && env->v[i][key] == '=')
			return true;
	return false;
}

static void service_layer(struct config_service *s, const struct raw_service *own, const struct raw_service *under)
{
	const struct strv *ports = ports_layer(own, under);

	s->name = xstrdup(own->name);
	s->line = own->line;
	image_layer(&s->image, own, under);
	pick(&s->build, own->build, own->image.repository ? NULL : under->build, NULL);
	for (size_t i = 0; i < ports->n && i < ARRAY_SIZE(s->ports); i++) {
		uint16_t port = 0;

		if (num_u16(ports->v[i], &port) == 0)
			s->ports[s->n_ports++] = port;
	}
	s->ui = own->has_ui ? own->ui : under->ui;
	s->publish = own->has_publish ? own->publish : s->ui ? 0 : -1;
	s->replicas = own->has_replicas ? own->replicas : under->has_replicas ? under->replicas : 1;
	strv_copy(&s->env, &own->env);
	for (size_t i = 0; i < under->env.n; i++)
		if (!env_has(&own->env, under->env.v[i]))
			strv_add(&s->env, under->env.v[i]);
	strv_copy(&s->command, own->command.n ? &own->command : &under->command);
	strv_copy(&s->args, own->args.n || own->command.n ? &own->args : &under->args);
	s->resources = resources_json(own->has_resources ? own : under);
	s->ingress = ingress_json(own->has_ingress ? &own->ingress : &under->ingress);
}

/* ---- what lies between keys --------------------------------------------------------------------------------------- */

#define PROBLEM(r, at, ...) schema_problem((r)->doc, (at)->line, (at)->column, (r)->problems, __VA_ARGS__)

static const struct yaml *key_or(const struct yaml *map, const char *key)
{
	const struct yaml *v = yaml_get(map, key);

	return v ? v : map;
}

static void check_env(struct reading *r, const struct yaml *entry, const char *name)
{
	yaml_each(e, yaml_get(entry, "env")) {
		const char *k = e->key ? e->key : "";

		if (!*k || isdigit((unsigned char)*k) ||
		    k[strspn(k, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-")])
			PROBLEM(r, e, "service \"%s\": \"%s\" cannot be the name of an environment variable", name, k);
	}
}

static void check_service(struct reading *r, const struct yaml *entry, size_t index)
{
	const struct config_service *s = &r->c->services[index];

	for (size_t i = 0; i < index; i++)
		if (streq(r->c->services[i].name, s->name))
			PROBLEM(r, key_or(entry, "service_name"), "service \"%s\" is there already, in line %u", s->name,
				r->c->services[i].line);
	if (streq(s->name, "kubernetes"))
		PROBLEM(r, key_or(entry, "service_name"), "the name \"kubernetes\" belongs to the cluster's own API");
	if (!s->image.repository && !s->build)
		PROBLEM(r, entry,
			"service \"%s\" is not in the catalog and has no image: give it image.repository, build, or a "
			"top-level image",
			s->name);
	for (size_t i = 0; i < s->n_ports; i++)
		for (size_t k = 0; k < i; k++)
			if (s->ports[i] == s->ports[k])
				PROBLEM(r, key_or(entry, "ports"), "service \"%s\" has port %lld twice", s->name,
					(long long)s->ports[i]);
	if (!s->n_ports && (s->ui || s->publish > 0))
		PROBLEM(r, entry, "service \"%s\" has no ports, so there is nothing to publish", s->name);
	if (json_bool(s->ingress, "external", false))
		PROBLEM(r, key_or(entry, "ingress"), "service \"%s\": ingress.external is not there yet; leave it out or false", s->name);
	check_env(r, entry, s->name);
}

static void check_publish(struct reading *r, const struct yaml *entry, size_t index)
{
	const struct config_service *s = &r->c->services[index];

	if (s->publish <= 0)
		return;
	if (s->publish == r->c->cluster.api_port)
		PROBLEM(r, key_or(entry, "publish"), "service \"%s\" wants port %lld, which cluster.api.port has", s->name,
			(long long)s->publish);
	for (size_t i = 0; i < index; i++)
		if (r->c->services[i].publish == s->publish)
			PROBLEM(r, key_or(entry, "publish"),
				"service \"%s\" wants port %lld, which service \"%s\" in line %u has", s->name,
				(long long)s->publish, r->c->services[i].name, r->c->services[i].line);
}

/* ---- reading ------------------------------------------------------------------------------------------------------ */

/* False when there is no such entry. A broken one is a problem. */
static bool catalog_read(struct reading *r, const char *name, struct raw_catalog *ret)
{
	autofree char *path = xasprintf("%s/catalog/%s.yaml", r->root, name);
	struct yaml_doc doc = { 0 };
	struct err err = { 0 };

	if (!r->root || !file_exists(path))
		return false;
	if (yaml_parse_file(path, 0, &doc, &err) < 0)
		strv_add(r->problems, err_text(&err));
	else
		(void)!schema_read(&doc, doc.root, catalog_schema, ret, r->problems);
	yaml_doc_done(&doc);
	return true;
}

static void service_read(struct reading *r, const struct raw_service *own, const struct raw_service *defaults,
			 const struct yaml *entry)
{
	struct raw_catalog known = { 0 };
	struct config *c = r->c;
	bool in_catalog = catalog_read(r, own->name, &known);

	service_layer(&c->services[c->n_services], own, in_catalog ? &known.service : defaults);
	check_service(r, entry, c->n_services);
	check_publish(r, entry, c->n_services);
	c->n_services++;
	if (in_catalog)
		schema_done(catalog_schema, &known);
}

static void services_read(struct reading *r, const struct raw_config *raw)
{
	const struct raw_service *all = raw->services.v;
	const struct yaml *list = yaml_get(r->doc->root, "services"), *entry = list ? list->child : NULL;

	r->c->services = xcalloc(raw->services.n + 1, sizeof(*r->c->services));
	for (size_t i = 0; i < raw->services.n && entry; i++, entry = entry->next)
		if (all[i].name)
			service_read(r, &all[i], &raw->defaults, entry);
	r->c->n_selected = r->c->n_services;
}

/* Relative to the config's folder; "~" is the user's. */
static char *path_of(const struct reading *r, const char *path)
{
	autofree char *dir = r->c->file ? path_dirname(r->c->file) : NULL;

	if (!path || *path == '/' || !dir)
		return xstrdup(path);
	if (str_starts(path, "~/") && getenv("HOME"))
		return path_join(getenv("HOME"), path + 2);
	return path_join(dir, path);
}

/* What only a cluster that is made here has. */
static void check_existing(struct reading *r)
{
	static const char *const keys[] = { "name", "servers", "agents", "image", "api", "k3sArgs" };
	const struct yaml *cluster = yaml_get(r->doc->root, "cluster");

	if (!r->c->cluster.context && !r->c->cluster.kubeconfig)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (yaml_get(cluster, keys[i]))
			PROBLEM(r, key_or(cluster, keys[i]), "cluster.%s is for a cluster that is made here; cluster.%s names one that is there",
				keys[i], r->c->cluster.context ? "context" : "kubeconfig");
}

static void cluster_read(struct reading *r, const struct raw_config *raw)
{
	struct config *c = r->c;

	c->cluster.context = xstrdup(raw->cluster.context);
	c->cluster.kubeconfig = path_of(r, raw->cluster.kubeconfig);
	pick(&c->cluster.name, raw->cluster.name, c->name, NULL);
	c->cluster.servers = raw->cluster.servers;
	c->cluster.agents = raw->cluster.agents;
	c->cluster.image = xstrdup(raw->cluster.image);
	c->cluster.api_host = xstrdup(raw->cluster.api_host);
	c->cluster.api_port = raw->cluster.api_port;
	strv_copy(&c->cluster.k3s_args, &raw->cluster.k3s_args);
	c->cluster.timeout_ms = raw->cluster.timeout_ms;
}

static void config_read(struct reading *r, const char *workspace)
{
	struct raw_config raw = { 0 };
	struct config *c = r->c;
	autofree char *folder = config_label(path_basename(workspace), CONFIG_NAME_MAX);

	if (r->doc->root && r->doc->root->type != YAML_MAP)
		PROBLEM(r, r->doc->root, "the config must be a map of keys, not %s", yaml_type_name(r->doc->root->type));
	else
		(void)!schema_read(r->doc, r->doc->root, config_schema, &raw, r->problems);
	pick(&c->name, raw.name, folder, NULL);
	c->images_source = (enum images_source)raw.images.source;
	c->images_probe = xstrdup(raw.images.probe);
	c->images_probe_ms = raw.images.probe_ms;
	c->network_mode = (enum network_mode)raw.network_mode;
	c->devcontainer = raw.devcontainer;
	cluster_read(r, &raw);
	check_existing(r);
	services_read(r, &raw);
	schema_done(config_schema, &raw);
}

/* As many problems as fit, a line each. */
static int problems_err(const struct strv *problems, struct err *err)
{
	auto(buf) struct buf b = BUF_INIT(1 << 20);
	size_t n = 0;

	for (; n < problems->n; n++) {
		if (n > 0 && err && b.len + strlen(problems->v[n]) + 40 > sizeof(err->msg))
			break;
		buf_addf(&b, "%s%s", n ? "\n" : "", problems->v[n]);
	}
	if (n < problems->n)
		buf_addf(&b, "\nand %zu more", problems->n - n);
	return err_set(err, -EINVAL, "%s", buf_str(&b));
}

int config_load(const char *file, const char *root, const char *workspace, struct config *ret, struct strv *problems,
		struct err *err)
{
	struct yaml_doc doc = { 0 };
	struct config c = { .file = xstrdup(file) };
	struct reading r = { .doc = &doc, .root = root, .c = &c, .problems = problems };
	struct err e = { 0 };

	if (file && yaml_parse_file(file, 0, &doc, &e) < 0) {
		strv_add(problems, err_text(&e));
		free(c.file);
		return err_set(err, -EINVAL, "%s", err_text(&e));
	}
	config_read(&r, workspace);
	yaml_doc_done(&doc);
	if (problems->n) {
		config_done(&c);
		return problems_err(problems, err);
	}
	*ret = c;
	return 0;
}

static void service_done(struct config_service *s)
{
	free(s->name);
	free(s->image.repository);
	free(s->image.tag);
	free(s->image.pull_policy);
	free(s->build);
	strv_done(&s->env);
	strv_done(&s->command);
	strv_done(&s->args);
	json_free(s->resources);
	json_free(s->ingress);
}

void config_done(struct config *c)
{
	for (size_t i = 0; i < c->n_services; i++)
		service_done(&c->services[i]);
	free(c->services);
	free(c->file);
	free(c->name);
	free(c->images_probe);
	free(c->cluster.name);
	free(c->cluster.image);
	free(c->cluster.api_host);
	free(c->cluster.context);
	free(c->cluster.kubeconfig);
	strv_done(&c->cluster.k3s_args);
	*c = (struct config){ 0 };
}
