/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/show.h"

#include "base/json.h"
#include "tests/tap.h"

int main(void)
{
	static const struct { const char *what, *a, *b; bool same; } rows[] = {
		{ "the same text", "{\"state\":\"ready\",\"n\":1,\"l\":[1,2]}", "{\"state\":\"ready\",\"n\":1,\"l\":[1,2]}", true },
		{ "another clock", "{\"uptime_ms\":1,\"cluster\":{\"since_ms\":1,\"state\":\"up\"}}",
		  "{\"uptime_ms\":2,\"cluster\":{\"since_ms\":3,\"state\":\"up\"}}", true },
		{ "a clock that is not there", "{\"a\":1,\"hops\":[{\"silent_ms\":1,\"state\":\"alive\"}]}", "{\"a\":1,\"hops\":[{\"state\":\"alive\"}]}", true },
		{ "another string", "{\"state\":\"ready\"}", "{\"state\":\"serving\"}", false },
		{ "another counter", "{\"dns\":{\"queries\":1}}", "{\"dns\":{\"queries\":2}}", false },
		{ "another boolean", "{\"ready\":true}", "{\"ready\":false}", false },
		{ "one entry more", "{\"routes\":[1]}", "{\"routes\":[1,2]}", false },
		{ "one entry less", "{\"routes\":[1,2]}", "{\"routes\":[1]}", false },
		{ "a key less", "{\"a\":1,\"error\":\"x\"}", "{\"a\":1}", false },
		{ "another key", "{\"a\":1}", "{\"b\":1}", false },
		{ "another type", "{\"a\":1}", "{\"a\":[1]}", false },
	};
	json *nothing = NULL;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		autojson json *a = json_parse(rows[i].a, strlen(rows[i].a), NULL), *b = json_parse(rows[i].b, strlen(rows[i].b), NULL);

		ok(show_is_same(a, b) == rows[i].same, "%s is %s", rows[i].what, rows[i].same ? "no change" : "a change");
		ok(!show_is_same(a, nothing), "so is a first status");
	}
	return tap_done();
}
