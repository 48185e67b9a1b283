/* SPDX-License-Identifier: Apache-2.0 */
/* Where a node has an address in a network of ours, routes lead there. */
#include "agent/mode.h"

#include "base/mem.h"
#include "base/num.h"
#include "base/str.h"
#include "tests/tap.h"
#include "tests/unit/agent/config_of.h"

#define OWN_MAX 4

/* "ADDRESS ADDRESS": a node each. */
static void nodes_make(struct nodes *n, const char *list)
{
	struct str rest = str_from(list), field;

	for (int i = 0; str_split(&rest, ' ', &field); i++) {
		autofree char *text = xasprintf("{\"metadata\":{\"name\":\"n%d\"},\"status\":{\"addresses\":[{\"type\":\"InternalIP\","
						"\"address\":\"%.*s\"}]}}", i, STR_ARG(field));
		autojson json *j = json_parse(text, strlen(text), NULL);

		(void)nodes_put(n, j);
	}
}

/* "ADDRESS/LEN ADDRESS/LEN" */
static size_t own_make(struct link_addr *own, const char *list)
{
	struct str rest = str_from(list), field;
	size_t n = 0;

	while (str_split(&rest, ' ', &field) && n < OWN_MAX) {
		autofree char *text = xstrndup(field.p, field.len);
		char *slash = strchr(text, '/');
		uint64_t len;

		*slash = '\0';
		if (num_u64(slash + 1, 128, &len) || addr_parse(text, &own[n].addr))
			abort();
		own[n++].len = (uint8_t)len;
	}
	return n;
}

static void test_near(void)
{
	static const struct { const char *nodes, *own, *what; bool near; } rows[] = {
		{ "172.18.0.2", "127.0.0.1/8 172.18.0.5/16", "a node in the network of an interface is near", true },
		{ "192.168.7.9", "127.0.0.1/8 172.18.0.5/16", "one behind a gateway is not", false },
		{ "192.168.7.9 172.18.0.3", "172.18.0.5/16", "one of many is enough", true },
		{ "172.18.0.2", "172.17.0.5/16 172.18.0.5/16", "any interface will do", true },
		{ "172.18.0.2", "127.0.0.1/8", "without a network nothing is near", false },
		{ "172.18.0.5", "172.18.0.5/16", "who has our own address is in another network", false },
		{ "172.18.0.5", "172.18.0.0/16 172.18.0.5/32", "also when a wider network comes first", false },
		{ "127.0.0.2", "127.0.0.1/8", "loopback is no network", false },
		{ "10.42.0.1", "10.42.0.7/16", "an address inside of the pod networks leads nowhere", false },
		{ "fd00::2", "fd00::5/64", "IPv6: a node in our network is near", true },
		{ "fd01::2", "fd00::5/64 fe80::5/64", "IPv6: one behind a gateway is not", false },
		{ "172.18.0.2", "fd00::5/64", "families are not mixed", false },
		{ "172.18.0.2", "172.18.0.5/0", "a tunnel to everywhere is no network", false },
	};
	struct config c = config_dual();

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct nodes n = NODES_INIT;
		struct link_addr own[OWN_MAX];
		size_t count = own_make(own, rows[i].own);

		nodes_make(&n, rows[i].nodes);
		ok(mode_is_near(&c, &n, own, count) == rows[i].near, "%s", rows[i].what);
		nodes_done(&n);
	}
	config_done(&c);
}

int main(void)
{
	test_near();
	return tap_done();
}
