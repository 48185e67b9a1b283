/* SPDX-License-Identifier: Apache-2.0 */
/* What is ours, or the API server's, is not caught. */
#include "agent/spare.h"

#include "base/mem.h"
#include "base/str.h"
#include "tests/tap.h"
#include "tests/unit/agent/config_of.h"

static struct addr address(const char *text)
{
	struct addr a;

	if (addr_parse(text, &a))
		abort();
	return a;
}

static char *listed(const struct spare *s)
{
	struct buf b = BUF_INIT(1 << 16);
	char text[PREFIX_STRLEN];

	for (size_t i = 0; i < s->n; i++)
		buf_addf(&b, "%s%s", i ? " " : "", prefix_format(&s->v[i], text));
	return buf_steal(&b);
}

static void test_own(const struct config *c)
{
	static const struct { const char *addr, *want; uint8_t len; } rows[] = {
		{ "172.18.0.5", "", 16 }, { "10.42.7.9", "10.42.7.0/24 10.42.7.9/32", 24 }, { "10.42.7.9", "10.42.7.9/32", 8 },
		{ "10.43.0.130", "10.43.0.128/25 10.43.0.130/32", 25 }, { "10.42.7.9", "10.42.7.9/32", 32 }, { "127.0.0.1", "", 8 },
		{ "fd42::1:2", "fd42::/64 fd42::1:2/128", 64 }, { "fd99::1", "", 64 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct link_addr own = { .addr = address(rows[i].addr), .len = rows[i].len };
		struct spare s = { 0 };
		autofree char *got = NULL;

		spare_own(&s, c, &own);
		got = listed(&s);
		is_str(got, rows[i].want, "own address %s/%u", rows[i].addr, rows[i].len);
	}
}

static void test_many(const struct config *c)
{
	struct spare s = { 0 }, other = { 0 };
	struct addr a = address("10.42.0.0"), none = { 0 };

	spare_addr(&s, c, &none);
	is_int((long long)s.n, 0, "an unknown address is nothing");
	for (unsigned i = 200; i > 0; i--) {
		a.b[3] = (uint8_t)i;
		spare_addr(&s, c, &a);
		spare_addr(&s, c, &a);
	}
	is_int((long long)s.n, SPARE_MAX, "each once, and not more than there is room for");
	ok(!spare_equal(&s, &other), "it is not the same as nothing");
	other = s;
	ok(spare_equal(&s, &other), "but as itself");
	other.v[3].len--;
	ok(!spare_equal(&s, &other), "and not as another one of that size");
}

static void test_servers(const struct config *c)
{
	static const char text[] = "{\"metadata\":{\"namespace\":\"default\",\"name\":\"kubernetes\",\"labels\":{\"kubernetes.io/service-name\":"
				   "\"kubernetes\"}},\"ports\":[{\"port\":6443,\"protocol\":\"TCP\"}],\"endpoints\":[{\"addresses\":[\"10.42.9.9\"]},"
				   "{\"addresses\":[\"192.0.2.1\"]}]}";
	autojson json *j = json_parse(text, strlen(text), NULL);
	struct store *store = store_new();
	autofree char *got = NULL;
	struct spare s = { 0 };

	if (store_put(store, STORE_SLICES, j))
		abort();
	spare_servers(&s, c, store);
	got = listed(&s);
	is_str(got, "10.42.9.9/32", "an API server inside of the cluster's networks is one, others are not caught anyway");
	store_free(store);
}

int main(void)
{
	struct config c = config_dual();

	test_own(&c);
	test_many(&c);
	test_servers(&c);
	config_done(&c);
	return tap_done();
}
