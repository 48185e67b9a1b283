/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/usable.h"

#include <netinet/in.h>

#include "base/mem.h"
#include "base/str.h"
#include "tests/tap.h"

#define SERVICE(spec) "{\"metadata\":{\"namespace\":\"d\",\"name\":\"s\"},\"spec\":{" spec "}}"
#define IP4 "\"clusterIPs\":[\"10.43.0.9\"],"
#define HTTP "\"ports\":[{\"name\":\"http\",\"port\":80,\"protocol\":\"TCP\"}]"
#define BOTH "\"ports\":[{\"name\":\"a\",\"port\":53,\"protocol\":\"UDP\"},{\"name\":\"b\",\"port\":53,\"protocol\":\"TCP\"}]"
#define SLICE(n, ports, endpoints) "{\"metadata\":{\"namespace\":\"d\",\"name\":\"s-" n "\",\"labels\":{\"kubernetes.io/service-name\":\"s\"}},\"ports\":[" \
	ports "],\"endpoints\":[" endpoints "]}"
#define PORT(name) "{\"name\":\"" name "\",\"port\":8080,\"protocol\":\"TCP\"}"
#define UP(a) "{\"addresses\":[\"" a "\"],\"conditions\":{\"ready\":true}}"
#define DOWN(a) "{\"addresses\":[\"" a "\"],\"conditions\":{\"ready\":false}}"
#define LEAVING(a) "{\"addresses\":[\"" a "\"],\"conditions\":{\"ready\":false,\"serving\":true,\"terminating\":true}}"

static const struct { const char *what, *service, *slices[2]; const char *want; } cases[] = {
	{ "a port that is served", SERVICE(IP4 HTTP), { SLICE("1", PORT("http"), UP("10.42.0.1")) }, "10.43.0.9/6/80 10.43.0.9>10.42.0.1" },
	{ "no slice", SERVICE(IP4 HTTP), { NULL }, "" },
	{ "no endpoint that is ready", SERVICE(IP4 HTTP), { SLICE("1", PORT("http"), DOWN("10.42.0.1")) }, "" },
	{ "one that leaves serves while there is no other", SERVICE(IP4 HTTP), { SLICE("1", PORT("http"), LEAVING("10.42.0.1") "," DOWN("10.42.0.2")) },
	  "10.43.0.9/6/80 10.43.0.9>10.42.0.1" },
	{ "but not beside one that is ready", SERVICE(IP4 HTTP), { SLICE("1", PORT("http"), LEAVING("10.42.0.1") "," UP("10.42.0.2")) },
	  "10.43.0.9/6/80 10.43.0.9>10.42.0.2" },
	{ "a port of another name", SERVICE(IP4 HTTP), { SLICE("1", PORT("https"), UP("10.42.0.1")) }, "10.43.0.9>10.42.0.1" },
	{ "one port, two protocols", SERVICE(IP4 BOTH), { SLICE("1", PORT("b"), UP("10.42.0.1")), SLICE("2", "{\"name\":\"a\",\"port\":1,\"protocol\":\"UDP\"}", UP("10.42.0.1")) },
	  "10.43.0.9/6/53 10.43.0.9/17/53 10.43.0.9>10.42.0.1" },
	{ "an endpoint in another slice", SERVICE(IP4 HTTP), { SLICE("1", PORT("http"), DOWN("10.42.0.1")), SLICE("2", PORT("http"), UP("10.42.0.2")) },
	  "10.43.0.9/6/80 10.43.0.9>10.42.0.2" },
	{ "IPv4 alone has endpoints", SERVICE("\"clusterIPs\":[\"10.43.0.9\",\"fd43::9\"]," HTTP), { SLICE("1", PORT("http"), UP("10.42.0.1")) },
	  "10.43.0.9/6/80 10.43.0.9>10.42.0.1" },
	{ "both families", SERVICE("\"clusterIPs\":[\"10.43.0.9\",\"fd43::9\"]," HTTP), { SLICE("1", PORT("http"), UP("10.42.0.1")), SLICE("2", PORT("http"), UP("fd42::1")) },
	  "10.43.0.9/6/80 fd43::9/6/80 10.43.0.9>10.42.0.1 fd43::9>fd42::1" },
	{ "a headless service has no address", SERVICE("\"clusterIPs\":[\"None\"]," HTTP), { SLICE("1", PORT("http"), UP("10.42.0.1")) }, "" },
	{ "an address outside of the networks", SERVICE("\"clusterIPs\":[\"10.99.0.9\"]," HTTP), { SLICE("1", PORT("http"), UP("10.42.0.1")) }, "" },
	{ "an ExternalName", SERVICE("\"type\":\"ExternalName\",\"externalName\":\"x.example\""), { NULL }, "" },
	{ "no service", NULL, { SLICE("1", PORT("http"), UP("10.42.0.1")) }, "" },
};

static void put(struct store *s, enum store_kind kind, const char *text)
{
	autojson json *o = text ? json_parse(text, strlen(text), NULL) : NULL;

	if (text && (!o || store_put(s, kind, o)))
		abort();
}

static char *text_of(const struct usable *u)
{
	struct buf b = BUF_INIT(4096);
	char a[ADDR_STRLEN], v[ADDR_STRLEN];

	for (size_t i = 0; i < u->n; i++)
		buf_addf(&b, "%s%s/%u/%u", b.len ? " " : "", addr_format(&u->ports[i].addr, a), u->ports[i].protocol, u->ports[i].port);
	for (size_t i = 0; i < u->pings; i++)
		buf_addf(&b, "%s%s>%s", b.len ? " " : "", addr_format(&u->ping[i].addr, a), addr_format(&u->ping[i].value, v));
	return buf_steal(&b);
}

static const struct config config = { .services = { { { { AF_INET, { 10, 43 } }, 16 }, { { AF_INET6, { 0xfd, 0x43 } }, 64 } }, 2 } };

static void test_cases(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct store *s = store_new();
		struct usable u;

		put(s, STORE_SERVICES, cases[i].service);
		for (size_t k = 0; k < ARRAY_SIZE(cases[i].slices); k++)
			put(s, STORE_SLICES, cases[i].slices[k]);
		usable_make(&config, s, "d", "s", NULL, &u);
		autofree char *got = text_of(&u);

		is_str(got, cases[i].want, "%s", cases[i].what);
		usable_done(&u);
		store_free(s);
	}
}

/* The endpoint that answers pings stays while it is ready, whatever comes and goes beside it. */
static void test_ping_stays(void)
{
	static const char *const steps[][2] = {
		{ SLICE("1", PORT("http"), UP("10.42.0.3")), "10.42.0.3" },
		{ SLICE("1", PORT("http"), UP("10.42.0.1") "," UP("10.42.0.2") "," UP("10.42.0.3")), "10.42.0.3" },
		{ SLICE("1", PORT("http"), UP("10.42.0.3") "," UP("10.42.0.9")), "10.42.0.3" },
		{ SLICE("1", PORT("http"), DOWN("10.42.0.3") "," UP("10.42.0.9")), "10.42.0.9" },
		{ SLICE("1", PORT("http"), UP("10.42.0.3") "," UP("10.42.0.9")), "10.42.0.9" },
	};
	struct store *s = store_new();
	struct usable before = { 0 }, now;
	char text[ADDR_STRLEN];

	put(s, STORE_SERVICES, SERVICE(IP4 HTTP));
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		put(s, STORE_SLICES, steps[i][0]);
		usable_make(&config, s, "d", "s", &before, &now);
		is_str(now.pings ? addr_format(&now.ping[0].value, text) : "", steps[i][1], "step %zu: a ping goes to %s", i, steps[i][1]);
		usable_done(&before);
		before = now;
	}
	usable_done(&before);
	store_free(s);
}

int main(void)
{
	test_cases();
	test_ping_stays();
	return tap_done();
}
