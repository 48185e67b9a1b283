/* SPDX-License-Identifier: Apache-2.0 */
/* Values of the generic chart, and when a Deployment counts as rolled out. */
#include "boot/service.h"

#include "base/mem.h"
#include "tests/tap.h"

static void test_values(void)
{
	static const char ingress[] = "{\"enabled\":true,\"external\":false,\"host\":\"web.example\",\"annotations\":{\"a.b/c\":\"d\"}}";
	struct config_service s = { .name = (char *)"web", .ports = { 80, 443 }, .n_ports = 2, .replicas = 2 };
	struct service_spec spec = { .service = &s, .image = "registry:5000/firestream/web:abc", .node_port = 30123 };
	autojson json *v = NULL;

	strv_add(&s.env, "A=b=c");
	s.ingress = json_parse(ingress, strlen(ingress), NULL);
	v = service_values(&spec);
	is_str(json_str(v, "image.repository", NULL), "registry:5000/firestream/web", "a registry's port is not taken for a tag");
	is_str(json_str(v, "image.tag", NULL), "abc", "the tag is what follows the last colon");
	is_str(json_str(v, "env.A", NULL), "b=c", "an environment value may hold an equals sign");
	is_int(json_int(v, "ports[0].nodePort", 0), 30123, "the first port is published");
	ok(!json_get(v, "ports[1].nodePort"), "the second is not");
	is_int(json_int(v, "replicaCount", 0), 2, "the number of replicas is the config's");
	is_str(json_str(v, "ingress.host", NULL), "web.example", "the ingress is passed on");
	is_str(json_str(v, "ingress.annotations['a.b/c']", NULL), "d", "with its annotations");
	ok(!json_get(v, "ingress.external"), "without what the chart does not know");
	strv_done(&s.env);
	json_free(s.ingress);
}

static void test_rolled_out(void)
{
	static const struct { const char *what, *text; int want; } table[] = {
		{ "of another revision is not", "{\"metadata\":{\"annotations\":{\"firestream/revision\":\"old\"}}}", 0 },
		{ "without our annotation is not", "{\"metadata\":{}}", 0 },
		{ "whose controller has not seen the change is not",
		  "{\"metadata\":{\"generation\":2,\"annotations\":{\"firestream/revision\":\"r\"}},\"spec\":{\"replicas\":1},"
		  "\"status\":{\"observedGeneration\":1,\"updatedReplicas\":1,\"availableReplicas\":1,\"replicas\":1}}", 0 },
		{ "with an old pod left is not",
		  "{\"metadata\":{\"generation\":2,\"annotations\":{\"firestream/revision\":\"r\"}},\"spec\":{\"replicas\":1},"
		  "\"status\":{\"observedGeneration\":2,\"updatedReplicas\":1,\"availableReplicas\":2,\"replicas\":2}}", 0 },
		{ "with all replicas updated and available is",
		  "{\"metadata\":{\"generation\":2,\"annotations\":{\"firestream/revision\":\"r\"}},\"spec\":{\"replicas\":1},"
		  "\"status\":{\"observedGeneration\":2,\"updatedReplicas\":1,\"availableReplicas\":1,\"replicas\":1}}", 1 },
		{ "of no replicas is", "{\"metadata\":{\"generation\":1,\"annotations\":{\"firestream/revision\":\"r\"}},"
		  "\"spec\":{\"replicas\":0},\"status\":{\"observedGeneration\":1}}", 1 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		autojson json *d = json_parse(table[i].text, strlen(table[i].text), NULL);

		is_int(service_rolled_out(d, "r", NULL), table[i].want, "a Deployment %s rolled out", table[i].what);
	}
}

int main(void)
{
	test_values();
	test_rolled_out();
	return tap_done();
}
