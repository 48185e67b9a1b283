/* SPDX-License-Identifier: Apache-2.0 */
#include "boot/config.h"

#include <errno.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/mem.h"
#include "tests/tap.h"

static char *base;

static char *put(const char *name, const char *text)
{
	char *path = path_join(base, name);

	if (file_write(path, text, strlen(text), 0644, NULL) < 0)
		printf("Bail out! %s cannot be written\n", path);
	return path;
}

static int load(const char *name, const char *text, struct config *c, struct strv *problems, struct err *err)
{
	autofree char *path = text ? put(name, text) : NULL;

	return config_load(path, base, "/home/me/My Project", c, problems, err);
}

/* ---- what is read ------------------------------------------------------------------------------------------------- */

static void test_defaults(void)
{
	struct strv problems = { 0 };
	struct config c = { 0 };

	is_int(load(NULL, NULL, &c, &problems, NULL), 0, "no file at all gives defaults");
	is_str(c.name, "my-project", "the project has the folder's name");
	is_str(c.cluster.name, "my-project", "and so has the cluster");
	ok(c.cluster.servers == 1 && c.cluster.agents == 0, "one server");
	is_str(c.cluster.api_host, "127.0.0.1", "its API on loopback");
	is_int((long long)c.cluster.timeout_ms, 300000, "five minutes to get ready");
	ok(c.images_source == IMAGES_AUTO && c.network_mode == NETWORK_AUTO && c.devcontainer, "automatic, with a dev container");
	is_int((long long)c.n_services, 0, "no services");
	config_done(&c);
	is_int(load("c.json", "{ \"network\": { \"mode\": \"forward\" } }", &c, &problems, NULL), 0, "forward mode can be asked for");
	is_int(c.network_mode, NETWORK_FORWARD, "and is");
	config_done(&c);
	is_int(load("c.json", "{ \"cluster\": { \"context\": \"prod\", \"kubeconfig\": \"kube/config\" } }", &c, &problems, NULL), 0,
	       "a cluster that is there already can be named");
	ok(streq(c.cluster.context, "prod") && str_ends(c.cluster.kubeconfig, "/kube/config") && c.cluster.kubeconfig[0] == '/',
	   "its kubeconfig lies beside the config");
	config_done(&c);
	is_int(load("c.json", "{ \"cluster\": { \"context\": \"prod\", \"agents\": 2 } }", &c, &problems, NULL), -EINVAL,
	       "it is not made, so what one is made of is refused");
	ok(problems.n && strstr(problems.v[problems.n - 1], "cluster.agents is for a cluster that is made here"), "in words");
	strv_done(&problems);
}

static const char readme[] =
	"{\n"
	"  \"services\": [\n"
	"    { \"service_name\": \"airflow\",  \"resources\": { \"requests\": { \"cpu\": \"100m\", \"memory\": \"64Mi\" } } },\n"
	"    { \"service_name\": \"kafka\" }, // from the catalog\n"
	"  ],\n"
	"  \"image\": { \"repository\": \"python\", \"tag\": \"3.9-slim\", \"pullPolicy\": \"IfNotPresent\" },\n"
	"  \"service\": { \"ports\": [80, 443] },\n"
	"  \"replicaCount\": 2,\n"
	"  \"resources\": { \"requests\": { \"cpu\": \"200m\", \"memory\": \"128Mi\" } },\n"
	"  \"ingress\": { \"enabled\": false, \"external\": false }\n"
	"}\n";

static const char kafka[] =
	"description: a log of events\n"
	"license: Apache-2.0\n"
	"image: {repository: apache/kafka, tag: 3.9.0}\n"
	"build: kafka\n"
	"ports: [9092]\n"
	"env: {NODE: \"1\", ROLE: both}\n";

static void test_layers(void)
{
	struct strv problems = { 0 };
	struct config c = { 0 };
	struct err err = { 0 };
	const struct config_service *s;

	free(put("catalog/kafka.yaml", kafka));
	if (!ok(load("readme.json", readme, &c, &problems, &err) == 0, "the README's example is read, with comments and trailing commas"))
		printf("# %s\n", err_text(&err));
	if (!ok(c.n_services == 2 && c.n_selected == 2, "both services"))
		return;
	s = &c.services[0];
	is_str(s->name, "airflow", "a plain service");
	is_str(s->image.repository, "python", "takes the top level's image");
	is_str(s->image.tag, "3.9-slim", "and tag");
	ok(s->n_ports == 2 && s->ports[0] == 80 && s->ports[1] == 443, "and ports");
	is_int(s->replicas, 2, "and replica count");
	is_str(json_str(s->resources, "requests.cpu", ""), "100m", "its own resources count");
	ok(!s->ingress, "an ingress that is not enabled is none");
	is_int(s->publish, -1, "it is not published");
	is_int(s->line, 3, "its line is known");
	s = &c.services[1];
	is_str(s->image.repository, "apache/kafka", "a service of the catalog has the catalog's image");
	is_str(s->build, "kafka", "and recipe");
	ok(s->n_ports == 1 && s->ports[0] == 9092, "and ports");
	is_int(s->replicas, 1, "and nothing of the top level's");
	ok(!s->resources, "no resources either");
	ok(strv_has(&s->env, "NODE=1") && strv_has(&s->env, "ROLE=both"), "its environment is the catalog's");
	config_done(&c);
	strv_done(&problems);
}

static void test_over_catalog(void)
{
	struct strv problems = { 0 };
	struct config c = { 0 };
	int r = load("over.yaml",
		     "services:\n"
		     "  - service_name: kafka\n"
		     "    image: {tag: 4.0.0}\n"
		     "    env: {ROLE: broker}\n"
		     "    ui: true\n"
		     "  - service_name: web\n"
		     "    build: web\n"
		     "    publish: 8080\n"
		     "    ports: 80\n"
		     "    ingress: {enabled: true, host: web.example, annotations: {a.b/c: d}}\n"
		     "image: {repository: python}\n",
		     &c, &problems, NULL);

	if (!ok(r == 0 && c.n_services == 2, "YAML is read"))
		return;
	is_str(c.services[0].image.repository, "apache/kafka", "a tag of one's own keeps the catalog's image");
	is_str(c.services[0].image.tag, "4.0.0", "with the tag");
	ok(c.services[0].env.n == 2 && strv_has(&c.services[0].env, "ROLE=broker") && strv_has(&c.services[0].env, "NODE=1"),
	   "variables are merged by name");
	is_int(c.services[0].publish, 0, "a page for people is published at a port that is free");
	ok(!c.services[1].image.repository, "a recipe of one's own takes no image from the top level");
	is_int(c.services[1].publish, 8080, "a port on this machine");
	ok(c.services[1].n_ports == 1, "one port needs no list");
	is_str(json_str(c.services[1].ingress, "annotations['a.b/c']", ""), "d", "an ingress has its annotations");
	config_done(&c);
	strv_done(&problems);
}

/* ---- what is refused ---------------------------------------------------------------------------------------------- */

static const struct {
	const char *what, *text;
	const char *says[3];
} refused[] = {
	{ "an unknown key", "srvices: []\n", { ":1:1: ", "srvices", "services" } },
	{ "a wrong type", "services: 3\n", { ":1:11: " } },
	{ "a list for a config", "- a\n", { ":1:1: ", "a map" } },
	{ "a service without a name", "services:\n  - build: web\n", { ":2:5: ", "service_name" } },
	{ "a bad service name", "services:\n  - {service_name: Web_1, build: web}\n", { ":2:20: ", "Web_1", "DNS label" } },
	{ "the API's own name", "services:\n  - {service_name: kubernetes, build: web}\n", { ":2:20: ", "own API" } },
	{ "a name twice", "services:\n  - {service_name: a, build: a}\n  - {service_name: a, build: a}\n", { ":3:20: ", "in line 2" } },
	{ "a service without an image", "services:\n  - service_name: a\n", { ":2:5: ", "no image" } },
	{ "a port that is none", "services:\n  - {service_name: a, build: a, ports: [0]}\n", { ":2:", "port" } },
	{ "a port twice", "services:\n  - {service_name: a, build: a, ports: [80, 80]}\n", { ":2:40: ", "80 twice" } },
	{ "a publish clash", "services:\n  - {service_name: a, build: a, ports: [80], publish: 8080}\n"
			     "  - {service_name: b, build: a, ports: [80], publish: 8080}\n", { ":3:55: ", "8080", "\"a\" in line 2" } },
	{ "a clash with the API", "cluster: {api: {port: 6443}}\nservices:\n"
				  "  - {service_name: a, build: a, ports: [80], publish: 6443}\n", { ":3:55: ", "cluster.api.port" } },
	{ "a page without a port", "services:\n  - {service_name: a, build: a, ui: true}\n", { ":2:5: ", "no ports" } },
	{ "too many replicas", "services:\n  - {service_name: a, build: a, replicaCount: 101}\n", { ":2:47: ", "100" } },
	{ "a strange amount of memory", "resources: {requests: {memory: much}}\n", { ":1:32: ", "128Mi" } },
	{ "a strange amount of CPU", "resources: {limits: {cpu: 1.5x}}\n", { ":1:27: ", "200m" } },
	{ "a variable with a strange name", "services:\n  - {service_name: a, build: a, env: {1A: x}}\n", { ":2:", "1A" } },
	{ "an unknown source", "images: {source: magic}\n", { ":1:18: ", "magic" } },
	{ "a long project name", "name: a23456789-123456789-123456789-123\n", { ":1:7: ", "32" } },
	{ "an address that is none", "cluster: {api: {host: localhost}}\n", { ":1:23: ", "IP address" } },
	{ "several servers", "cluster: {servers: 3}\n", { ":1:20: ", "servers" } },
	{ "a tag in the repository", "image: {repository: \"a/b:c\"}\n", { ":1:21: ", "without tag" } },
};

static void test_refused(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
		struct strv problems = { 0 };
		struct config c = { 0 };
		struct err err = { 0 };
		int r = load("refused.yaml", refused[i].text, &c, &problems, &err);
		bool all = r == -EINVAL && problems.n == 1 && strstr(err_text(&err), "refused.yaml:");

		for (size_t k = 0; k < ARRAY_SIZE(refused[i].says) && refused[i].says[k]; k++)
			all = all && strstr(err_text(&err), refused[i].says[k]);
		if (!ok(all, "%s is refused, with its place", refused[i].what))
			printf("# %d, %zu: %s\n", r, problems.n, err_text(&err));
		strv_done(&problems);
		config_done(&c);
	}
}

static void test_all_at_once(void)
{
	struct strv problems = { 0 };
	struct config c = { 0 };
	struct err err = { 0 };
	int r = load("many.yaml",
		     "nmae: x\n"
		     "cluster: {agents: many}\n"
		     "services:\n"
		     "  - {service_name: a, ports: [80], publish: 8080}\n"
		     "  - {service_name: a, build: a, ports: [80], publish: 8080}\n",
		     &c, &problems, &err);

	is_int(r, -EINVAL, "many problems");
	if (!ok(problems.n == 5, "are reported all at once"))
		printf("# %s\n", err_text(&err));
	ok(strstr(err_text(&err), "many.yaml:1:1") && strstr(err_text(&err), "many.yaml:5:20"), "in the error's text as well");
	strv_done(&problems);
}

static void test_unreadable(void)
{
	struct strv problems = { 0 };
	struct config c = { 0 };
	struct err err = { 0 };
	autofree char *path = path_join(base, "nowhere.json");

	is_int(config_load(path, base, base, &c, &problems, &err), -EINVAL, "a file that is not there is refused");
	ok(strstr(err_text(&err), "nowhere.json"), "by name");
	strv_done(&problems);
	is_int(load("broken.json", "{ \"services\": [ }", &c, &problems, &err), -EINVAL, "broken JSON is refused");
	ok(strstr(err_text(&err), "broken.json:1:"), "with its place");
	strv_done(&problems);
}

/* ---- the rest ----------------------------------------------------------------------------------------------------- */

static void test_label(void)
{
	static const struct { const char *text; size_t max; const char *want; } labels[] = {
		{ "My Project", 32, "my-project" }, { "web", 32, "web" }, { "--a__b--", 32, "a-b" }, { "Ünï", 32, "n" },
		{ "", 32, "project" }, { "!!!", 32, "project" }, { "abcdef", 3, "abc" }, { "ab cd", 3, "ab" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(labels); i++) {
		autofree char *got = config_label(labels[i].text, labels[i].max);

		is_str(got, labels[i].want, "the label of \"%s\"", labels[i].text);
	}
}

static void test_default_file(void)
{
	autofree char *first = config_default(base, "/root/of/it"), *yaml = put("firestream.yaml", ""), *second = config_default(base, "/x");

	is_str(first, "/root/of/it/examples/first-light.json", "without a file of its own a project gets the first light");
	is_str(second, yaml, "with one, that");
}

int main(void)
{
	char path[] = "/tmp/test_config_XXXXXX";
	autofree char *catalog = NULL;

	base = path_real(mkdtemp(path));
	catalog = path_join(base, "catalog");
	if (mkdir(catalog, 0755) < 0)
		return 1;
	test_defaults();
	test_layers();
	test_over_catalog();
	test_refused();
	test_all_at_once();
	test_unreadable();
	test_label();
	test_default_file();
	(void)!file_remove_tree(base, NULL);
	free(base);
	return tap_done();
}
