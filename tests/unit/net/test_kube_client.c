/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "base/mem.h"
#include "base/str.h"
#include "net/kube/client.h"
#include "net/kube/items.h"
#include "tests/fake/kube.h"
#include "tests/tap.h"

struct rig {
	struct loop *loop;
	struct fake_kube *fake;
	struct kube *kube;
};

static struct rig rig_new(void)
{
	struct rig r = { .loop = loop_new(LOOP_DEFAULT), .fake = fake_kube_new() };
	struct http_endpoint e = fake_kube_endpoint(r.fake);

	r.kube = kube_new(r.loop, &e);
	return r;
}

static void rig_free(struct rig *r)
{
	kube_free(r->kube);
	fake_kube_free(r->fake);
	loop_free(r->loop);
}

static bool asked(struct rig *r, size_t i, const char *part)
{
	const char *request = fake_kube_asked(r->fake, i);

	return request && strstr(request, part);
}

static void test_paths(void)
{
	static const struct {
		const char *version, *kind, *ns, *name, *want;
	} paths[] = {
		{ "v1", "Pod", NULL, NULL, "/api/v1/pods" },
		{ "v1", "Service", "web", NULL, "/api/v1/namespaces/web/services" },
		{ "v1", "Service", "web", "db", "/api/v1/namespaces/web/services/db" },
		{ "v1", "Secret", NULL, "s", "/api/v1/namespaces/default/secrets/s" },
		{ "v1", "Namespace", "ignored", "web", "/api/v1/namespaces/web" },
		{ "v1", "Node", NULL, NULL, "/api/v1/nodes" },
		{ "apps/v1", "Deployment", "a", "b", "/apis/apps/v1/namespaces/a/deployments/b" },
		{ "networking.k8s.io/v1", "Ingress", "a", NULL, "/apis/networking.k8s.io/v1/namespaces/a/ingresses" },
		{ "networking.k8s.io/v1", "NetworkPolicy", NULL, NULL, "/apis/networking.k8s.io/v1/networkpolicies" },
		{ "rbac.authorization.k8s.io/v1", "ClusterRole", NULL, "x", "/apis/rbac.authorization.k8s.io/v1/clusterroles/x" },
		{ "apiextensions.k8s.io/v1", "CustomResourceDefinition", NULL, "a.b",
		  "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/a.b" },
		{ "storage.k8s.io/v1", "StorageClass", NULL, NULL, "/apis/storage.k8s.io/v1/storageclasses" },
		{ "discovery.k8s.io/v1", "EndpointSlice", NULL, NULL, "/apis/discovery.k8s.io/v1/endpointslices" },
		{ "helm.cattle.io/v1", "HelmChart", "kube-system", "web", "/apis/helm.cattle.io/v1/namespaces/kube-system/helmcharts/web" },
		{ "batch/v1", "CronJob", "a", NULL, "/apis/batch/v1/namespaces/a/cronjobs" },
		{ "v1", "Deployment", "a", NULL, NULL },
		{ "serving.knative.dev/v1", "Service", "a", NULL, NULL },
		{ "v1", "pod", NULL, NULL, NULL },
		{ "apps/v1/x", "Deployment", NULL, NULL, NULL },
		{ "apps/", "Deployment", NULL, NULL, NULL },
		{ "", "Pod", NULL, NULL, NULL },
	};
	autofree char *odd = kube_path("v1", "Pod", "a", "x/../y");

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		autofree char *got = kube_path(paths[i].version, paths[i].kind, paths[i].ns, paths[i].name);

		is_str(got, paths[i].want, "%s %s is at %s", paths[i].version, paths[i].kind, paths[i].want ? paths[i].want : "no path");
	}
	ok(odd && !strstr(odd, "x/"), "a name cannot leave its segment");
}

static void test_calls(void)
{
	struct rig r = rig_new();
	autojson json *pod = NULL, *out = NULL;
	struct err err = { 0 };
	auto(buf) struct buf text = BUF_INIT(8);

	kube_set_bearer(r.kube, "one");
	fake_kube_say(r.fake, 200, FAKE_WHOLE, "{\"kind\":\"Pod\",\"metadata\":{\"name\":\"a\"}}");
	is_int(kube_get(r.kube, "/api/v1/namespaces/d/pods/a", &pod, &err), 0, "a pod is got");
	is_str(json_str(pod, "metadata.name", NULL), "a", "and decoded");
	ok(asked(&r, 0, "GET /api/v1/namespaces/d/pods/a HTTP/1.1") && asked(&r, 0, "Bearer one"), "with the token");

	kube_set_bearer(r.kube, "two");
	fake_kube_say(r.fake, 404, FAKE_WHOLE, "{\"kind\":\"Status\",\"message\":\"pods \\\"a\\\" not found\",\"code\":404}");
	is_int(kube_get(r.kube, "/x", &out, &err), -ENOENT, "what is not there is -ENOENT");
	ok(strstr(err.msg, "pods \"a\" not found") && asked(&r, 1, "Bearer two"), "with the Status' message, and the new token");

	fake_kube_say(r.fake, 401, FAKE_WHOLE, "{\"kind\":\"Status\",\"message\":\"Unauthorized\",\"code\":401}");
	is_int(kube_get(r.kube, "/x", &out, &err), -EACCES, "a refused token is -EACCES (%s)", err.msg);
	fake_kube_say(r.fake, 200, FAKE_WHOLE, "{\"kind\":");
	is_int(kube_get(r.kube, "/x", &out, &err), -EBADMSG, "broken JSON is -EBADMSG (%s)", err.msg);
	fake_kube_say_text(r.fake, 200, "ok");
	is_int(kube_get(r.kube, "/x", &out, &err), -EBADMSG, "text where JSON was asked for is -EBADMSG (%s)", err.msg);
	fake_kube_say(r.fake, 200, FAKE_CUT, "{\"kind\":\"Pod\"}");
	ok(kube_get(r.kube, "/x", &out, &err) < 0 && !out, "a cut answer is a failure (%s)", err.msg);
	fake_kube_say_text(r.fake, 200, "ok");
	is_int(kube_get_text(r.kube, "/readyz", &text, &err), 0, "text is got");
	is_str(buf_str(&text), "ok", "as it is");
	fake_kube_say_text(r.fake, 200, "more than fits");
	is_int(kube_get_text(r.kube, "/readyz", &text, &err), -EFBIG, "too much text is -EFBIG (%s)", err.msg);
	fake_kube_say(r.fake, 200, FAKE_HANG, "");
	is_int(kube_call(r.kube, "GET", "/x", NULL, NULL, 100, NULL, &err), -ETIMEDOUT, "a hanging server ends at the deadline (%s)",
	       err.msg);
	rig_free(&r);
}

static void test_changes(void)
{
	struct rig r = rig_new();
	static const char map[] = "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"c\",\"namespace\":\"n\"}}";
	autojson json *object = json_parse(map, strlen(map), NULL);
	autojson json *out = NULL;
	struct err err = { 0 };
	auto(buf) struct buf text = BUF_INIT(1000);

	fake_kube_say(r.fake, 201, FAKE_WHOLE, "{\"kind\":\"ConfigMap\"}");
	is_int(kube_apply(r.kube, object, "fire stream", &out, &err), 0, "an object is applied");
	ok(asked(&r, 0, "PATCH /api/v1/namespaces/n/configmaps/c?force=true&fieldManager=fire%20stream HTTP"), "by a forced patch");
	ok(asked(&r, 0, "application/apply-patch+yaml") && asked(&r, 0, "\"name\":\"c\""), "of its own type and with the object");
	is_str(json_str(out, "kind", NULL), "ConfigMap", "and the result is decoded");
	fake_kube_say(r.fake, 422, FAKE_WHOLE, "{\"message\":\"spec.x: Required value\"}");
	is_int(kube_apply(r.kube, object, "f", NULL, &err), -EINVAL, "an invalid object is -EINVAL (%s)", err.msg);
	json_set_str(object, "kind", "Gadget");
	is_int(kube_apply(r.kube, object, "f", NULL, &err), -EINVAL, "an unknown kind is refused (%s)", err.msg);

	fake_kube_say(r.fake, 200, FAKE_WHOLE, "{}");
	is_int(kube_delete(r.kube, "/api/v1/nodes/a", &err), 0, "an object is deleted");
	ok(asked(&r, 2, "DELETE /api/v1/nodes/a?propagationPolicy=Background HTTP"), "with its dependents");
	fake_kube_say(r.fake, 404, FAKE_WHOLE, "{}");
	is_int(kube_delete(r.kube, "/api/v1/nodes/a", &err), 0, "deleting what is gone is fine");

	fake_kube_say_text(r.fake, 200, "last words\n");
	is_int(kube_logs(r.kube, "n", "p", "c", 20, true, &text, &err), 0, "logs are got");
	ok(asked(&r, 4, "GET /api/v1/namespaces/n/pods/p/log?tailLines=20&limitBytes=1000&container=c&previous=true HTTP"),
	   "of the container and run asked for");
	is_str(buf_str(&text), "last words\n", "as text");
	rig_free(&r);
}

/* ---- lists ---- */

static int collect(void *arg, const json *item)
{
	struct buf *b = arg;

	buf_addf(b, "%s/%s ", json_str(item, "kind", "?"), json_str(item, "metadata.name", "?"));
	return streq(json_str(item, "metadata.name", NULL), "stop") ? -ECANCELED : 0;
}

#define PAGE(version, token, items) \
	"{\"kind\":\"NodeList\",\"apiVersion\":\"v1\",\"metadata\":{\"resourceVersion\":\"" version "\",\"continue\":\"" token "\"}," \
	"\"items\":[" items "]}"
#define NODE(name) "{\"metadata\":{\"name\":\"" name "\"}}"

static void test_lists(void)
{
	struct rig r = rig_new();
	auto(buf) struct buf seen = BUF_INIT(1000);
	autofree char *version = NULL;
	struct err err = { 0 };

	fake_kube_say(r.fake, 200, FAKE_WHOLE, PAGE("7", "a/b=", NODE("a") "," NODE("b")));
	fake_kube_say(r.fake, 200, FAKE_END, PAGE("7", "", NODE("c")));
	is_int(kube_list(r.kube, "/api/v1/nodes", collect, &seen, &version, &err), 0, "a list of two pages is read");
	is_str(buf_str(&seen), "Node/a Node/b Node/c ", "each item once, with its kind");
	is_str(version, "7", "and the list's version");
	ok(asked(&r, 0, "/api/v1/nodes?limit=500 HTTP") && asked(&r, 1, "?limit=500&continue=a%2Fb%3D HTTP"), "the token comes back escaped");

	buf_reset(&seen);
	fake_kube_say(r.fake, 200, FAKE_WHOLE, PAGE("7", "x", NODE("a")));
	fake_kube_say(r.fake, 410, FAKE_WHOLE, "{\"message\":\"The provided continue parameter is too old\"}");
	is_int(kube_list(r.kube, "/api/v1/nodes?a=b", collect, &seen, NULL, &err), -ESTALE, "an expired token is -ESTALE (%s)", err.msg);
	ok(asked(&r, 2, "/api/v1/nodes?a=b&limit=500 HTTP"), "a query of the caller's is kept");
	fake_kube_say(r.fake, 200, FAKE_WHOLE, PAGE("7", "", NODE("a") "," NODE("stop") "," NODE("c")));
	buf_reset(&seen);
	is_int(kube_list(r.kube, "/x", collect, &seen, NULL, &err), -ECANCELED, "the reader may end the list");
	is_str(buf_str(&seen), "Node/a Node/stop ", "at its item");
	fake_kube_say(r.fake, 200, FAKE_CUT, "{\"items\":[{\"metadata\":");
	ok(kube_list(r.kube, "/x", collect, &seen, NULL, &err) < 0, "a list cut in an item is a failure (%s)", err.msg);
	fake_kube_say(r.fake, 200, FAKE_END, "{\"items\":[{\"metadata\":{}}");
	is_int(kube_list(r.kube, "/x", collect, &seen, NULL, &err), -EBADMSG, "so is one that ends too early (%s)", err.msg);
	fake_kube_say(r.fake, 200, FAKE_WHOLE, "<html>");
	is_int(kube_list(r.kube, "/x", collect, &seen, NULL, &err), -EBADMSG, "and a login page (%s)", err.msg);
	rig_free(&r);
}

static void test_huge_item(void)
{
	struct rig r = rig_new();
	autofree char *fill = xcalloc(KUBE_ITEM_MAX + 1, 1), *text = NULL;
	auto(buf) struct buf seen = BUF_INIT(1000);
	struct err err = { 0 };

	memset(fill, 'x', KUBE_ITEM_MAX);
	text = xasprintf("{\"items\":[{\"metadata\":{\"name\":\"%s\"}}]}", fill);
	fake_kube_say(r.fake, 200, FAKE_WHOLE, text);
	is_int(kube_list(r.kube, "/x", collect, &seen, NULL, &err), -EFBIG, "an item of more than 12 MiB is refused (%s)", err.msg);
	rig_free(&r);
}

/* ---- waiting ---- */

struct progress {
	int calls, enough;
};

static int test_progress(void *arg, struct err *reason)
{
	struct progress *p = arg;

	if (p->enough < 0)
		return err_set(reason, -EINVAL, "it broke");
	(void)err_set(reason, -EAGAIN, "%d of %d ready", ++p->calls, p->enough);
	return p->calls >= p->enough;
}

static void test_poll(void)
{
	struct loop *l = loop_new(LOOP_DEFAULT);
	struct progress good = { .enough = 3 }, late = { .enough = 1000 }, broken = { .enough = -1 };
	struct err err = { 0 };

	is_int(kube_poll(l, "nodes", test_progress, &good, 1, loop_deadline(5000), &err), 0, "polling ends when the test is content");
	is_int(good.calls, 3, "after as many calls");
	is_int(kube_poll(l, "nodes", test_progress, &late, 20, loop_deadline(70), &err), -ETIMEDOUT, "or at the deadline");
	ok(strstr(err.msg, "timed out waiting for nodes: ") && strstr(err.msg, "of 1000 ready"), "with the last reason: %s", err.msg);
	is_int(kube_poll(l, "nodes", test_progress, &broken, 20, loop_deadline(70), &err), -EINVAL, "a failing test ends it");
	is_str(err.msg, "it broke", "with its own words");
	loop_cancel(l);
	is_int(kube_poll(l, "nodes", test_progress, &good, 20, loop_deadline(70), &err), -ECANCELED, "a cancelled loop too (%s)", err.msg);
	loop_free(l);
}

int main(void)
{
	test_paths();
	test_calls();
	test_changes();
	test_lists();
	test_huge_item();
	test_poll();
	return tap_done();
}
