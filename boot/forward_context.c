/* SPDX-License-Identifier: Apache-2.0 */
/* Which contexts and namespaces are meant, and are they there? */
#include <errno.h>
#include <pwd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/num.h"
#include "boot/forward_run.h"
#include "net/kube/kubeconfig.h"

/* That of who called sudo, which is what it takes to write names. Caller owns; NULL. */
static char *config_of_caller(void)
{
	const char *text = getenv("SUDO_UID");
	uint64_t uid;
	const struct passwd *user = text && num_u64(text, UINT32_MAX, &uid) == 0 ? getpwuid((uid_t)uid) : NULL;

	return user ? path_join(user->pw_dir, ".kube/config") : NULL;
}

/* The user's own; where there is none, that of who called sudo, then the project's. */
static json *config_read(const struct forwarding *f, struct err *err)
{
	autofree char *own = path_join(f->run->state_dir, "kubeconfig"), *user = kubeconfig_path(), *caller = config_of_caller();
	json *config;

	if (f->run->opt->kubeconfig)
		config = kubeconfig_load(f->run->opt->kubeconfig, err);
	else if (getenv("KUBECONFIG") || file_exists(user))
		config = kubeconfig_load(NULL, err);
	else
		config = kubeconfig_load(caller && file_exists(caller) ? caller : file_exists(own) ? own : NULL, err);
	if (!config && err->code == -ENOPKG)
		err_set(err, -ENOPKG, "there is no kubeconfig %s; name one with --kubeconfig or KUBECONFIG",
			f->run->opt->kubeconfig ? f->run->opt->kubeconfig : user);
	return config;
}

static const json *context_find(const json *config, const char *name)
{
	json_each(e, json_get(config, "contexts"))
		if (streq(json_str(e, "name", NULL), name))
			return e;
	return NULL;
}

static int context_open(struct forwarding *f, const json *config, const char *name, struct err *err)
{
	const json *entry = context_find(config, name);
	struct forward_context *c = &f->contexts[f->n_contexts];
	struct http_endpoint endpoint = { 0 };
	autojson json *version = NULL;
	struct kube_auth *auth;
	int r;

	if (!entry)
		return kubeconfig_unknown(config, name, err);
	for (size_t i = 0; i < f->n_contexts; i++)
		if (streq(f->contexts[i].name, name))
			return 0;
	r = kube_auth_open(f->loop, config, name, &auth, &endpoint, err);
	if (r < 0)
		return r;
	*c = (struct forward_context){ .name = xstrdup(name), .ns = xstrdup(json_str(entry, "context.namespace", "default")), .auth = auth };
	c->kube = kube_new(f->loop, &endpoint);
	kube_auth_follow(auth, c->kube);
	f->n_contexts++;
	r = kube_get(c->kube, "/version", &version, err);
	if (r == -EACCES || r == -ENOENT)	/* a server may hide its version; who may not list is told later */
		r = 0;
	return r < 0 ? err_wrap(err, r, "context %s", name) : 0;
}

static void contexts_label(struct forwarding *f)
{
	for (size_t i = 0; i < f->n_contexts && f->n_contexts > 1; i++) {
		struct forward_context *c = &f->contexts[i];

		c->label = forward_label(c->name);
		for (size_t k = 0; k < i; k++)
			if (streq(f->contexts[k].label, c->label)) {
				autofree char *same = steal(&c->label);

				c->label = xasprintf("%s-%zu", same, i + 1);
			}
	}
}

/* ---- namespaces -------------------------------------------------------------------------------------------------- */

static int name_collect(void *arg, const json *item)
{
	strv_add(arg, json_str(item, "metadata.name", ""));
	return 0;
}

static int namespace_missing(struct forward_context *c, const char *ns, struct err *err)
{
	struct strv names = { 0 };
	const char *near;
	int r = kube_list(c->kube, "/api/v1/namespaces", name_collect, &names, NULL, NULL);

	near = r < 0 ? NULL : str_nearest(ns, (const char *const *)names.v, names.n);
	r = err_set(err, -EINVAL, "context %s has no namespace \"%s\"%s%s%s", c->name, ns, near ? "; did you mean \"" : "", near ? near : "",
		    near ? "\"?" : "");
	strv_done(&names);
	return r;
}

/* Who may not look at namespaces may still list services in one. */
static int namespace_check(struct forward_context *c, const char *ns, struct err *err)
{
	autofree char *path = xasprintf("/api/v1/namespaces/%s", ns);
	autojson json *o = NULL;
	int r;

	if (!str_is_label(ns))
		return err_set(err, -EINVAL, "\"%s\" is no name of a namespace", ns);
	r = kube_get(c->kube, path, &o, err);
	if (r == -EACCES)
		return 0;
	if (r == -ENOENT)
		return namespace_missing(c, ns, err);
	return r < 0 ? err_wrap(err, r, "context %s", c->name) : 0;
}

static void followed_add(struct forwarding *f, struct forward_context *c, const char *ns)
{
	f->followed = xrealloc(f->followed, f->n_followed + 1, sizeof(*f->followed));
	f->scopes = xrealloc(f->scopes, f->n_followed + 1, sizeof(*f->scopes));
	f->followed[f->n_followed++] = (struct followed){ .f = f, .context = c, .ns = xstrdup(ns) };
}

static int namespaces_open(struct forwarding *f, struct forward_context *c, struct err *err)
{
	const struct strv *names = &f->run->opt->namespaces;

	if (f->run->opt->all_namespaces) {
		followed_add(f, c, NULL);
		return 0;
	}
	for (size_t i = 0; i < MAX(names->n, (size_t)1); i++) {
		const char *ns = names->n ? names->v[i] : c->ns;
		bool again = false;
		int r;

		for (size_t k = 0; k < i; k++)
			again |= streq(names->v[k], ns);
		if (again)
			continue;
		r = namespace_check(c, ns, err);
		if (r < 0)
			return r;
		followed_add(f, c, ns);
	}
	return 0;
}

int forward_contexts_open(struct forwarding *f, struct err *err)
{
	const struct strv *named = &f->run->opt->contexts;
	autojson json *config = config_read(f, err);
	const char *current = json_str(config, "current-context", "");
	int r = 0;

	if (!config)
		return err->code;
	if (!named->n && !*current)
		return err_set(err, -EINVAL, "the kubeconfig has no current context; name one with --context");
	f->contexts = xcalloc(MAX(named->n, (size_t)1), sizeof(*f->contexts));
	for (size_t i = 0; i < MAX(named->n, (size_t)1) && r == 0; i++)
		r = context_open(f, config, named->n ? named->v[i] : current, err);
	contexts_label(f);
	for (size_t i = 0; i < f->n_contexts && r == 0; i++) {
		r = namespaces_open(f, &f->contexts[i], err);
		kube_rest(f->contexts[i].kube);
	}
	return r;
}

void forward_contexts_close(struct forwarding *f)
{
	for (size_t i = 0; i < f->n_contexts; i++) {
		kube_auth_free(f->contexts[i].auth);
		kube_free(f->contexts[i].kube);
		free(f->contexts[i].name);
		free(f->contexts[i].label);
		free(f->contexts[i].ns);
	}
	free(steal(&f->contexts));
	f->n_contexts = 0;
}
