/* SPDX-License-Identifier: Apache-2.0 */
#include "boot/up.h"

#include <errno.h>
#include <stdio.h>

#include "base/file.h"
#include "base/mem.h"
#include "boot/agentctl.h"
#include "boot/cli.h"
#include "boot/cluster.h"
#include "boot/devcontainer.h"
#include "boot/engine.h"
#include "boot/existing.h"
#include "boot/image.h"
#include "boot/service.h"
#include "boot/source.h"
#include "boot/status.h"

/* ---- config ------------------------------------------------------------------------------------------------------- */

/* Services named on the command line: the others are dropped from this run. */
static int services_select(struct run *r, const struct strv *names, struct err *err)
{
	struct config *c = &r->config;
	const char **known = xcalloc(c->n_services + 1, sizeof(*known));
	size_t kept = 0;

	for (size_t i = 0; i < c->n_services; i++)
		known[i] = c->services[i].name;
	for (size_t i = 0; i < names->n; i++) {
		bool found = false;

		for (size_t k = 0; k < c->n_services; k++)
			found |= streq(known[k], names->v[i]);
		if (!found) {
			const char *near = str_nearest(names->v[i], known, c->n_services);
			int e = err_set(err, -EINVAL, "there is no service \"%s\" in %s%s%s%s", names->v[i], c->file ? c->file : "the config",
					near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
			free(known);
			return e;
		}
	}
	free(known);
	for (size_t i = 0; i < c->n_services; i++)
		if (strv_has(names, c->services[i].name)) {
			struct config_service keep = c->services[i];

			c->services[i] = c->services[kept];
			c->services[kept++] = keep;
		}
	c->n_selected = kept;
	r->partial = true;
	return 0;
}

int up_load(struct run *r, struct err *err)
{
	struct strv names = { 0 }, problems = { 0 };
	const char *file = r->opt->config;
	autofree char *chosen = NULL;
	int e;

	for (size_t i = 0; i < r->opt->args.n; i++) {
		const char *a = r->opt->args.v[i];

		if (!file && i == 0 && cli_is_file(a))
			file = a;
		else
			strv_add(&names, a);
	}
	if (!file)
		file = chosen = config_default(r->workspace, r->root);
	e = config_load(file, r->root, r->workspace, &r->config, &problems, err);
	if (e == 0)
		r->config.n_selected = r->config.n_services;
	if (e == 0 && names.n)
		e = services_select(r, &names, err);
	if (e == 0 && r->config.devcontainer) {
		r->dc = xcalloc(1, sizeof(*r->dc));
		e = devcontainer_load(r->workspace, r->root, r->dc, err);
	}
	strv_done(&names);
	strv_done(&problems);
	return e;
}

/* ---- engine and images -------------------------------------------------------------------------------------------- */

int up_engine(struct step_ctx *c, struct err *err)
{
	struct run *r = c->run;
	struct docker *d = engine_open(c->loop, r->opt, r->progress, err);

	if (!d)
		return err && err->code ? err->code : -ENOENT;
	docker_free(c->docker);
	c->docker = d;
	c->summary = xasprintf("%s %s, API %s", docker_is_podman(d) ? "Podman at" : "Docker at", docker_host(d), docker_api(d));
	if (!r->images)
		r->images = images_new(r->root, r->cache_dir, r->state_dir, &r->config);
	return 0;
}

int up_node_image(struct step_ctx *c, struct err *err)
{
	struct run *r = c->run;
	int e;

	free(steal(&r->node_image));
	if (existing_is_meant(&r->config))
		return 0;
	if (!r->config.cluster.image)
		return images_ensure(r->images, c, "node", &r->node_image, err);
	e = images_pull(r->images, c, r->config.cluster.image, err);
	r->node_image = xstrdup(r->config.cluster.image);
	return e;
}

/* What cannot be fetched now stays as it is: whether that matters, the build knows. */
static int submodules_fetch(struct step_ctx *c, const char *dir, struct err *err)
{
	struct err e = { 0 };
	int code = source_submodules(dir, c->loop, &e);

	if (code == -ECANCELED)
		return err_set(err, code, "%s", err_text(&e));
	if (code < 0)
		progress_say(c->progress, "%s", err_text(&e));
	return 0;
}

int up_dev_image(struct step_ctx *c, struct err *err)
{
	struct run *r = c->run;
	int e;

	if (!r->dc || r->inside)
		return 0;
	e = submodules_fetch(c, r->dc->mount_source, err);
	if (e < 0)
		return e;
	free(steal(&r->dev_image));
	return devcontainer_image(r->dc, c, &r->dev_image, err);
}

/* ---- cluster ------------------------------------------------------------------------------------------------------ */

int up_cluster(struct step_ctx *c, struct err *err)
{
	return existing_is_meant(&c->run->config) ? existing_up(c, err) : cluster_up(c, err);
}

/* ---- dev container ------------------------------------------------------------------------------------------------ */

int up_container(struct step_ctx *c, struct err *err)
{
	struct run *r = c->run;

	free(steal(&r->dev_id));
	if (!r->dc)
		return 0;
	return devcontainer_start(r->dc, c, r->dev_image, r->network, &r->dev_id, err);
}

int up_agent(struct step_ctx *c, struct err *err)
{
	return c->run->dev_id ? agent_up(c, err) : 0;
}

int up_hooks(struct step_ctx *c, struct err *err)
{
	return c->run->dev_id && c->run->dc && !c->run->inside ? devcontainer_hooks(c->run->dc, c, c->run->dev_id, err) : 0;
}

/* ---- checks ------------------------------------------------------------------------------------------------------- */

struct host_check {
	struct http *http;
	char url[64];
};

/* Any HTTP answer will do: the page is there. */
static int host_answers(void *arg, struct err *reason)
{
	struct host_check *h = arg;
	struct http_endpoint e = { .base = h->url };
	struct http_req q = { .to = &e, .method = "GET", .path = "/", .timeout_ms = 5000, .max_response = 4 << 20 };
	int r = http_wait(h->http, &q, loop_deadline(5000), reason), status = q.status;

	http_req_done(&q);
	return r == -ECANCELED ? r : status > 0;
}

static int check_host(struct step_ctx *c, const struct cluster_port *p, struct err *err)
{
	struct host_check h = { .http = http_new(c->loop) };
	autofree char *what = xasprintf("service \"%s\" at http://127.0.0.1:%d", p->service, p->host_port);
	int r;

	snprintf(h.url, sizeof(h.url), "http://127.0.0.1:%d", p->host_port);
	r = kube_poll(c->loop, what, host_answers, &h, 200, MIN(loop_deadline(30000), c->deadline_ns), err);
	http_free(h.http);
	return r;
}

struct name_check {
	struct step_ctx *c;
	const char *target;
};

static int name_answers(void *arg, struct err *reason)
{
	struct name_check *n = arg;
	int r = agent_check(n->c->docker, n->c->run->dev_id, n->target, reason);

	return r == 0 ? 1 : r == -ECANCELED ? r : 0;
}

static int check_inside(struct step_ctx *c, const struct config_service *s, struct err *err)
{
	autofree char *target = xasprintf("%s.%s.svc.cluster.local:%lld", s->name, SERVICE_NAMESPACE, (long long)s->ports[0]);
	struct name_check n = { c, target };

	return kube_poll(c->loop, target, name_answers, &n, 200, MIN(loop_deadline(30000), c->deadline_ns), err);
}

int up_checks(struct step_ctx *c, struct err *err)
{
	struct cluster_port ports[CLUSTER_PORTS];
	const struct config *cfg = &c->run->config;
	int r = 0, n = c->run->server_id ? cluster_ports(c->docker, c->run->server_id, ports, err) : 0;

	if (n < 0)
		return n;
	for (size_t i = 0; r == 0 && i < cfg->n_selected; i++) {
		const struct config_service *s = &cfg->services[i];

		progress_note(c->progress, "asking %s", s->name);
		if (s->n_ports && c->run->dev_id)
			r = check_inside(c, s, err);
		for (int k = 0; r == 0 && s->ui && !c->run->inside && k < n; k++)
			if (streq(ports[k].service, s->name))
				r = check_host(c, &ports[k], err);
	}
	if (r == 0 && c->run->dev_id)
		c->summary = xasprintf("%zu answered by name", cfg->n_selected);
	return r;
}

/* ---- the end ------------------------------------------------------------------------------------------------------ */

void up_print(struct run *r)
{
	autojson json *status = NULL;
	struct err e = { 0 };

	if (status_collect(r, &status, &e) < 0)
		return;
	if (r->opt->output == OUTPUT_JSON) {
		autofree char *text = json_pretty(status);

		printf("%s\n", text);
		return;
	}
	printf("\n");
	status_print_services(status);
	if (json_is(status, "devcontainer.id"))
		printf("\nA shell in the dev container: ./bootstrap shell\n");
}
