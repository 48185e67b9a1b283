/* SPDX-License-Identifier: Apache-2.0 */
#include "boot/existing.h"

#include <errno.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/mem.h"
#include "boot/cluster.h"
#include "net/addr.h"
#include "net/kube/kubeconfig.h"

#define KUBECONFIG_MAX ((size_t)1 << 20)
#define NAME "existing"
#define ANSWER_MS 15000

bool existing_is_meant(const struct config *c)
{
	return c->cluster.context || c->cluster.kubeconfig;
}

/* ---- one context by itself --------------------------------------------------------------------------------------- */

static const json *entry_find(const json *config, const char *list, const char *name)
{
	json_each(e, json_get(config, list))
		if (streq(json_str(e, "name", NULL), name))
			return e;
	return NULL;
}

/* "certificate-authority": FILE becomes "certificate-authority-data": its content. */
static int file_inside(json *o, const char *key, bool base64, const char *as, struct err *err)
{
	auto(buf) struct buf text = BUF_INIT(KUBECONFIG_MAX), encoded = BUF_INIT(2 * KUBECONFIG_MAX);
	const char *path = json_str(o, key, NULL);
	int r = path ? file_read(path, &text, err) : 0;

	if (!path || r < 0)
		return r;
	if (base64)
		base64_encode(&encoded, text.data, text.len, false);
	else	/* a token: its line */
		buf_add(&encoded, buf_str(&text), strcspn(buf_str(&text), "\r\n"));
	if (!json_is(o, as))
		json_set_str(o, as, buf_str(&encoded));
	cJSON_DeleteItemFromObjectCaseSensitive(o, key);
	return 0;
}

static int files_inside(json *cluster, json *user, struct err *err)
{
	int r = file_inside(cluster, "certificate-authority", true, "certificate-authority-data", err);

	if (r == 0)
		r = file_inside(user, "client-certificate", true, "client-certificate-data", err);
	if (r == 0)
		r = file_inside(user, "client-key", true, "client-key-data", err);
	return r < 0 ? r : file_inside(user, "tokenFile", false, "token", err);
}

static json *named(const char *name, const char *member, json *value)
{
	json *o = json_object();

	json_set_str(o, "name", name);
	json_set(o, member, value);
	return o;
}

json *existing_extract(const json *config, const char *context, const char *name, struct err *err)
{
	const char *wanted = context ? context : json_str(config, "current-context", "");
	const json *entry = entry_find(config, "contexts", wanted);
	const json *cluster = entry_find(config, "clusters", json_str(entry, "context.cluster", ""));
	const json *user = entry_find(config, "users", json_str(entry, "context.user", ""));
	json *o, *c, *u, *x;

	if (!*wanted) {
		err_set(err, -EINVAL, "the kubeconfig has no current context; name one in cluster.context");
		return NULL;
	}
	if (!entry) {
		(void)kubeconfig_unknown(config, wanted, err);
		return NULL;
	}
	if (!json_is(cluster, "cluster.server")) {
		err_set(err, -EINVAL, "context %s: its cluster is not in the kubeconfig", wanted);
		return NULL;
	}
	if (json_is(user, "user.exec") || json_is(user, "user.auth-provider")) {
		err_set(err, -EOPNOTSUPP, "context %s gets its credential from a program on this machine, which is not in the dev container; "
			"make a ServiceAccount's token and a context with that", wanted);
		return NULL;
	}
	o = json_object();
	c = json_copy(json_get(cluster, "cluster"));
	u = json_is(user, "user") ? json_copy(json_get(user, "user")) : json_object();
	x = json_object();
	json_set_str(o, "apiVersion", "v1");
	json_set_str(o, "kind", "Config");
	json_set_str(o, "current-context", name);
	json_add(json_set(o, "clusters", json_array()), named(name, "cluster", c));
	json_add(json_set(o, "users", json_array()), named(name, "user", u));
	json_set_str(x, "cluster", name);
	json_set_str(x, "user", name);
	json_add(json_set(o, "contexts", json_array()), named(name, "context", x));
	if (files_inside(c, u, err) < 0) {
		json_free(o);
		return NULL;
	}
	return o;
}

/* ---- the step ---------------------------------------------------------------------------------------------------- */

static int access_write(const struct run *r, struct err *err)
{
	autofree char *own = path_join(r->state_dir, "kubeconfig"), *text = NULL;
	autojson json *config = kubeconfig_load(r->config.cluster.kubeconfig, err), *one = NULL;

	one = config ? existing_extract(config, r->config.cluster.context, NAME, err) : NULL;
	if (!one)
		return err && err->code ? err->code : -EINVAL;
	text = kubeconfig_text(one);
	return file_write(own, text, strlen(text), 0600, err);
}

int existing_up(struct step_ctx *c, struct err *err)
{
	struct run *r = c->run;
	autojson json *version = NULL;
	struct kube *k;
	int e = access_write(r, err);

	if (e < 0)
		return e;
	free(r->kubeconfig);
	r->kubeconfig = path_join(r->state_dir, "kubeconfig");
	k = cluster_kube(c, err);
	if (!k)
		return err && err->code ? err->code : -EIO;
	progress_note(c->progress, "asking %s", kube_endpoint(k)->base);
	e = kube_call(k, "GET", "/version", NULL, NULL, ANSWER_MS, &version, err);
	if (e == 0)
		c->summary = xasprintf("%s is there, Kubernetes %s", kube_endpoint(k)->base, json_str(version, "gitVersion", "?"));
	kube_free(k);
	return e;
}

char *existing_server(const struct run *r)
{
	autofree char *own = path_join(r->state_dir, "kubeconfig");
	auto(buf) struct buf b = BUF_INIT(KUBECONFIG_MAX);
	autojson json *config = NULL;

	if (file_read(own, &b, NULL) < 0)
		return NULL;
	config = kubeconfig_parse(own, buf_str(&b), b.len, NULL);
	return streq(json_str(config, "current-context", NULL), NAME) ? xstrdup(json_str(config, "clusters[0].cluster.server", NULL)) : NULL;
}

/* ---- networks ---------------------------------------------------------------------------------------------------- */

/* The smallest network of each family that has all that was added: there may be one of pods for each of a hundred nodes. */
struct cover {
	struct prefix p[2];		/* IPv4, IPv6; family 0: none */
};

static void cover_add(struct cover *c, const struct prefix *x)
{
	struct prefix *p = &c->p[x->addr.family == AF_INET6];

	if (!p->addr.family)
		*p = *x;
	while (p->len && (p->len > x->len || !prefix_contains(p, &x->addr))) {
		p->len--;
		p->addr.b[p->len / 8] &= (uint8_t)~(0x80 >> p->len % 8);
	}
}

static void cover_add_all(struct cover *c, const json *prefixes)
{
	struct prefix x;

	json_each(e, prefixes)
		if (cJSON_IsString(e) && prefix_parse(e->valuestring, &x) == 0)
			cover_add(c, &x);
}

static char *cover_text(const struct cover *c)
{
	char text[2][PREFIX_STRLEN];
	bool v4 = c->p[0].addr.family && c->p[0].len, v6 = c->p[1].addr.family && c->p[1].len;

	if (!v4 && !v6)
		return NULL;
	return xasprintf("%s%s%s", v4 ? prefix_format(&c->p[0], text[0]) : "", v4 && v6 ? "," : "", v6 ? prefix_format(&c->p[1], text[1]) : "");
}

static int node_look(void *arg, const json *node)
{
	cover_add_all(arg, json_get(node, "spec.podCIDRs"));
	return 0;
}

static int service_cidr_look(void *arg, const json *o)
{
	cover_add_all(arg, json_get(o, "spec.cidrs"));
	return 0;
}

static int cluster_ip_look(void *arg, const json *service)
{
	json_each(e, json_get(service, "spec.clusterIPs")) {
		struct prefix x;

		if (!cJSON_IsString(e) || addr_parse(e->valuestring, &x.addr))
			continue;
		x.len = (uint8_t)addr_bits(&x.addr);
		cover_add(arg, &x);
	}
	return 0;
}

/* Before Kubernetes 1.33 nothing says which network services have: then it is the one that has them all. */
static int services_network(struct kube *k, struct cover *ret, struct err *err)
{
	if (kube_list(k, "/apis/networking.k8s.io/v1/servicecidrs", service_cidr_look, ret, NULL, NULL) == 0 &&
	    (ret->p[0].addr.family || ret->p[1].addr.family))
		return 0;
	return kube_list(k, "/api/v1/services", cluster_ip_look, ret, NULL, err);
}

int existing_networks(struct kube *k, struct existing_networks *ret, struct err *err)
{
	struct cover pods = { 0 }, services = { 0 };
	autojson json *dns = NULL;
	int r = services_network(k, &services, err);

	if (r < 0)
		return err_wrap(err, r, "which network the services have");
	(void)!kube_list(k, "/api/v1/nodes", node_look, &pods, NULL, NULL);	/* who may not look has no pods by address */
	(void)!kube_get(k, "/api/v1/namespaces/kube-system/services/kube-dns", &dns, NULL);
	*ret = (struct existing_networks){
		.pods = cover_text(&pods), .services = cover_text(&services), .dns = xstrdup(json_str(dns, "spec.clusterIP", NULL)),
	};
	if (!ret->services || !ret->dns)
		return err_set(err, -ENOENT, "the cluster has no %s", ret->services ? "DNS service kube-system/kube-dns" : "services with addresses");
	return 0;
}

void existing_networks_done(struct existing_networks *n)
{
	free(n->pods);
	free(n->services);
	free(n->dns);
	*n = (struct existing_networks){ 0 };
}
