/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "base/mem.h"
#include "base/schema.h"
#include "tests/tap.h"

struct port {
	int64_t number;
	char *name;
};

struct service {
	char *key, *name;
	unsigned line;
	struct schema_list ports;
	struct strv command, env;
	bool has_env;
};

struct cluster {
	int64_t servers, agents;
	char *name;
};

struct conf {
	char *name, *tag;
	bool debug;
	int mode;
	uint64_t timeout_ms, memory;
	struct cluster cluster;
	struct schema_list services, volumes;
	json *values;
	bool has_cluster;
};

static bool valid_label(const char *text, const char **expected)
{
	*expected = "a DNS label";
	return str_is_label(text);
}

static const char *const modes[] = { "auto", "route", "forward", NULL };

static const struct schema_key port_keys[] = {
	{ .name = "number", .type = SCHEMA_INT, .offset = offsetof(struct port, number), .min = 1, .max = 65535, .required = true },
	{ .name = "name", .type = SCHEMA_STRING, .offset = offsetof(struct port, name), .valid = valid_label, .def = "http" },
	{ 0 }
};

static const struct schema_key service_keys[] = {
	{ .name = "name", .type = SCHEMA_STRING, .offset = offsetof(struct service, name), .required = true, .valid = valid_label,
	  .line_offset = offsetof(struct service, line), .help = "what it is called" },
	{ .name = "ports", .type = SCHEMA_OBJECTS, .offset = offsetof(struct service, ports), .keys = port_keys,
	  .size = sizeof(struct port), .max = 2 },
	{ .name = "command", .type = SCHEMA_STRINGS, .offset = offsetof(struct service, command), .max = 3 },
	{ .name = "env", .type = SCHEMA_STRING_MAP, .offset = offsetof(struct service, env),
	  .set_offset = offsetof(struct service, has_env) },
	{ 0 }
};

static const struct schema_key volume_keys[] = {
	{ .name = "name", .type = SCHEMA_STRING, .offset = offsetof(struct service, name), .def = "data" },
	{ 0 }
};

static const struct schema_key cluster_keys[] = {
	{ .name = "servers", .type = SCHEMA_INT, .offset = offsetof(struct cluster, servers), .min = 1, .max = 1, .def = "1" },
	{ .name = "agents", .type = SCHEMA_INT, .offset = offsetof(struct cluster, agents), .max = 16, .def = "2" },
	{ .name = "name", .type = SCHEMA_STRING, .offset = offsetof(struct cluster, name), .required = true },
	{ 0 }
};

static const struct schema_key keys[] = {
	{ .name = "name", .type = SCHEMA_STRING, .offset = offsetof(struct conf, name) },
	{ .name = "tag", .type = SCHEMA_STRING, .offset = offsetof(struct conf, tag), .def = "latest" },
	{ .name = "debug", .type = SCHEMA_BOOL, .offset = offsetof(struct conf, debug), .def = "true" },
	{ .name = "mode", .type = SCHEMA_ENUM, .offset = offsetof(struct conf, mode), .names = modes, .def = "route" },
	{ .name = "timeout", .type = SCHEMA_DURATION, .offset = offsetof(struct conf, timeout_ms), .def = "1m30s" },
	{ .name = "memory", .type = SCHEMA_BYTES, .offset = offsetof(struct conf, memory) },
	{ .name = "cluster", .type = SCHEMA_OBJECT, .offset = offsetof(struct conf, cluster), .keys = cluster_keys,
	  .set_offset = offsetof(struct conf, has_cluster) },
	{ .name = "services", .type = SCHEMA_OBJECTS, .offset = offsetof(struct conf, services), .keys = service_keys,
	  .size = sizeof(struct service) },
	{ .name = "volumes", .type = SCHEMA_OBJECT_MAP, .offset = offsetof(struct conf, volumes), .keys = volume_keys,
	  .size = sizeof(struct service), .name_offset = offsetof(struct service, key), .valid = valid_label },
	{ .name = "values", .type = SCHEMA_ANY, .offset = offsetof(struct conf, values) },
	{ 0 }
};

/* All problems of a text, one per line; caller owns. */
static char *problems_of(const char *text, struct conf *ret)
{
	auto(yaml_doc) struct yaml_doc doc = { 0 };
	auto(strv) struct strv problems = { 0 };
	struct err err = { 0 };
	int r = yaml_parse("c.yaml", text, strlen(text), 0, &doc, &err);

	if (r)
		return xstrdup(err.msg);
	r = schema_read(&doc, doc.root, keys, ret, &problems);
	if (r != (problems.n ? -EINVAL : 0))
		strv_add(&problems, "wrong return value");
	return strv_join(&problems, "\n");
}

static void test_problems(void)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{ "", "" },
		{ "\n~\n", "" },
		{ "- a\n", "c.yaml:1:1: this must be a map of keys, not a list" },
		{ "name: a\nservces: []\n", "c.yaml:2:1: unknown key \"servces\"; did you mean \"services\"?" },
		{ "xyzzy: 1\n", "c.yaml:1:1: unknown key \"xyzzy\"; known here: \"name\", \"tag\", \"debug\", \"mode\", \"timeout\", "
				"\"memory\", \"cluster\", \"services\", \"volumes\" and \"values\"" },
		{ "$schema: x\ncluster: {name: a, $x: 1}\n",
		  "c.yaml:2:20: unknown key \"$x\"; known here: \"servers\", \"agents\" and \"name\"" },
		{ "cluster:\n  name: a\n  agents: many\n", "c.yaml:3:11: \"agents\" must be a number between 0 and 16, not \"many\"" },
		{ "cluster: {name: a, agents: 17, servers: 2}\n", "c.yaml:1:28: \"agents\" must be a number between 0 and 16, not 17\n"
								  "c.yaml:1:41: \"servers\" must be 1, not 2" },
		{ "cluster: {name: a, agents: -1}\n", "c.yaml:1:28: \"agents\" must be a number between 0 and 16, not -1" },
		{ "cluster: {name: a, agents: 1.0}\n", "c.yaml:1:28: \"agents\" must be a number between 0 and 16, not 1.0" },
		{ "cluster: {agents: 1}\n", "c.yaml:1:10: \"name\" is missing" },
		{ "cluster: k3d\n", "c.yaml:1:10: \"cluster\" must be a map, not \"k3d\"" },
		{ "name: 5\n", "c.yaml:1:7: \"name\" must be a string, in quotes, not 5" },
		{ "name: [a]\n", "c.yaml:1:7: \"name\" must be a string, not a list" },
		{ "debug: yes\n", "c.yaml:1:8: \"debug\" must be true or false, not \"yes\"" },
		{ "mode: rout\n", "c.yaml:1:7: \"mode\" must be one of \"auto\", \"route\" or \"forward\", not \"rout\"; did you mean \"route\"?" },
		{ "mode: 1\n", "c.yaml:1:7: \"mode\" must be one of \"auto\", \"route\" or \"forward\", not 1" },
		{ "timeout: soon\n", "c.yaml:1:10: \"timeout\" must be a duration such as \"90s\" or \"5m\", not \"soon\"" },
		{ "memory: 5MB\n", "c.yaml:1:9: \"memory\" must be a size such as \"512Mi\" or \"2G\", not \"5MB\"" },
		{ "services: web\n", "c.yaml:1:11: \"services\" must be a list of maps, not \"web\"" },
		{ "services: [{name: Web_1}, web, {}]\n", "c.yaml:1:19: \"name\" must be a DNS label, not \"Web_1\"\n"
							  "c.yaml:1:27: \"services\" must be a list of maps, not \"web\"\n"
							  "c.yaml:1:32: \"name\" is missing" },
		{ "services: [{name: a, ports: [{number: 1}, {number: 2}, {number: 3}]}]\n",
		  "c.yaml:1:29: \"ports\" may have 2 entries at most, not 3" },
		{ "services: [{name: a, ports: [{number: 70000, nam: x}]}]\n",
		  "c.yaml:1:39: \"number\" must be a number between 1 and 65535, not 70000\n"
		  "c.yaml:1:46: unknown key \"nam\"; did you mean \"name\"?" },
		{ "services: [{name: a, command: {a: b}, env: [A=b]}]\n",
		  "c.yaml:1:31: \"command\" must be a list of strings, not a map\n"
		  "c.yaml:1:44: \"env\" must be a map of strings, not a list" },
		{ "services: [{name: a, command: [true, [x]], env: {A: [b], B=: c}}]\n",
		  "c.yaml:1:32: \"command\" must be a list of strings, not true\n"
		  "c.yaml:1:38: \"command\" must be a list of strings, not a list\n"
		  "c.yaml:1:53: \"env\" must be a map of strings, not a list\n"
		  "c.yaml:1:58: a key of \"env\" must be a name without \"=\", not \"B=\"" },
		{ "volumes: {A_b: {}, c: 1}\n", "c.yaml:1:11: \"volumes\" must be a DNS label, not \"A_b\"\n"
						"c.yaml:1:23: \"volumes\" must be a map of maps, not 1" },
		{ "name: [\n", "c.yaml:2:1: did not find expected node content, while parsing a flow node" },
		{ "debug: 0123456789012345678901234567890123456789012345\n",
		  "c.yaml:1:8: \"debug\" must be true or false, not 0123456789012345678901234567890123456789..." },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct conf c = { 0 };
		autofree char *got = problems_of(cases[i].text, &c);

		if (str_starts(cases[i].want, "c.yaml:2:1: did not"))
			ok(str_starts(got, "c.yaml:2:1: did not"), "broken YAML");
		else
			is_str(got, cases[i].want, "document %zu: %.*s", i, (int)strcspn(got, "\n"), *got ? got : "fine");
		schema_done(keys, &c);
	}
}

static void test_values(void)
{
	static const char text[] =
		"name: demo\ntag: \"3.9\"\nmode: forward\ntimeout: 5m\nmemory: 128Mi\ncluster: {name: c, agents: 3}\n"
		"services:\n  - name: web\n    command: sleep\n    env: {A: 1, B: null, C: true, D: x=y}\n"
		"    ports: [{number: 80}, {number: 443, name: https}]\n"
		"  - name: 7\n    command: [sleep, 10]\n"
		"volumes: {x: {name: y}, z: }\nvalues: {a: [1]}\n";
	struct conf c = { 0 };
	autofree char *problems = problems_of(text, &c), *env = NULL, *command = NULL, *values = NULL;
	const struct service *s = c.services.v, *v = c.volumes.v;
	const struct port *p = s->ports.v;

	is_str(problems, "", "no problems");
	is_str(c.name, "demo", "a string");
	is_str(c.tag, "3.9", "a string of digits");
	ok(c.mode == 2 && c.debug, "an enum, and a boolean's default");
	ok(c.timeout_ms == 300000 && c.memory == 128 << 20, "a duration and a size");
	ok(c.cluster.agents == 3 && c.cluster.servers == 1 && c.has_cluster, "an object, which is noticed");
	ok(c.services.n == 2 && s[0].line == 8 && s[1].line == 12, "a list of objects, with lines");
	ok(s[0].ports.n == 2 && p[0].number == 80 && p[1].number == 443, "objects in objects");
	is_str(p[0].name, "http", "with defaults");
	env = strv_join(&s[0].env, " ");
	is_str(env, "A=1 B= C=true D=x=y", "a map of strings");
	ok(s[0].has_env && !s[1].has_env, "whose presence is told");
	is_str(s[0].command.v[0], "sleep", "a single string is a list");
	command = strv_join(&s[1].command, " ");
	is_str(command, "sleep 10", "numbers in lists are strings");
	is_str(s[1].name, "7", "a number that a grammar accepts is a string");
	ok(c.volumes.n == 2 && streq(v[0].key, "x") && streq(v[0].name, "y") && streq(v[1].key, "z") && streq(v[1].name, "data"),
	   "a map of objects, empty ones too");
	values = json_text(c.values);
	is_str(values, "{\"a\":[1]}", "whatever it is");
	schema_done(keys, &c);
	ok(!c.name && !c.services.v && !c.values, "all is freed");
	schema_done(keys, &c);
}

static void test_defaults(void)
{
	struct conf c = { 0 };
	auto(strv) struct strv problems = { 0 };

	is_int(schema_read(&(struct yaml_doc){ 0 }, NULL, keys, &c, &problems), 0, "no document is all defaults");
	ok(c.cluster.agents == 2 && c.mode == 1 && c.timeout_ms == 90000 && !c.has_cluster, "also in objects");
	is_str(c.tag, "latest", "a string's default");
	schema_done(keys, &c);
	schema_problem(&(struct yaml_doc){ .file = (char *)"f" }, 3, 0, &problems, "%s", "x");
	is_str(problems.v[0], "f:3: x", "a problem without column");
}

static void test_json(void)
{
	autojson json *j = schema_to_json(keys, "Config");
	autofree char *enums = json_text(json_get(j, "properties.mode"));

	is_str(json_str(j, "title", NULL), "Config", "a JSON Schema");
	ok(!json_bool(j, "additionalProperties", true), "no other keys");
	is_str(enums, "{\"enum\":[\"auto\",\"route\",\"forward\"],\"default\":\"route\"}", "an enum");
	is_int(json_int(j, "properties.cluster.properties.agents.maximum", 0), 16, "a range");
	is_str(json_str(j, "properties.cluster.required[0]", NULL), "name", "what is required");
	is_str(json_str(j, "properties.services.items.properties.name.description", NULL), "what it is called", "the help");
	is_int(json_int(j, "properties.services.items.properties.ports.maxItems", 0), 2, "the most entries");
	is_str(json_str(j, "properties.volumes.additionalProperties.type", NULL), "object", "a map of objects");
}

int main(void)
{
	test_problems();
	test_values();
	test_defaults();
	test_json();
	return tap_done();
}
