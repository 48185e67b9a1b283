/* SPDX-License-Identifier: Apache-2.0 */
/* What people read, from what programs read. */
#include "agent/agent.h"

#include "base/mem.h"
#include "base/str.h"
#include "tests/tap.h"

static const char status[] =
	"{\"version\":\"1.0\",\"pid\":42,\"state\":\"serving\",\"uptime_ms\":61000,\"process\":{\"cpu_ms\":250,\"peak_kb\":9216},"
	"\"cluster\":{\"state\":\"silent\",\"error\":\"its DNS does not answer\",\"domain\":\"cluster.local\",\"api\":{\"connected\":true}},"
	"\"nodes\":[{\"name\":\"n1\",\"addresses\":[\"172.18.0.2\",\"fd18::2\"],\"ready\":true},{\"name\":\"n2\",\"addresses\":[],\"ready\":false}],"
	"\"hops\":{\"list\":[{\"address\":\"172.18.0.2\",\"node\":\"n1\",\"state\":\"dead\",\"latency_us\":120,"
	"\"problem\":\"node n1 does not answer at 172.18.0.2 for 12 s: its pods cannot be reached\"}]},"
	"\"routes\":[{\"destination\":\"10.43.0.0/16\",\"via\":\"172.18.0.2\"}],"
	"\"reconcile\":{\"problems\":[\"no ready node can carry the service network fd43::/112\"]},"
	"\"errors\":[{\"module\":\"routes\",\"text\":\"Operation not permitted\",\"times\":3,\"last\":\"2026-01-02T03:04:05Z\"}]}";

static void test_lines(void)
{
	static const char *const lines[] = {
		"agent      serving  1.0, pid 42, up 61 s, 0.2 s of CPU, 9 MB at most\n",
		"cluster    silent: its DNS does not answer (cluster.local; API server connected)\n",
		"node       n1  172.18.0.2  ready\n",
		"node       n2  -  not ready\n",
		"hop        172.18.0.2  n1  dead  0.1 ms\n",
		"route      10.43.0.0/16 via 172.18.0.2\n",
		"problem    node n1 does not answer at 172.18.0.2 for 12 s: its pods cannot be reached\n",
		"problem    no ready node can carry the service network fd43::/112\n",
		"error      2026-01-02T03:04:05Z  routes: Operation not permitted (3 times)\n",
	};
	autojson json *j = json_parse(status, strlen(status), NULL);
	autofree char *text = status_text(j);
	const char *at = text;

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		const char *found = strstr(at, lines[i]);

		if (!ok(found != NULL, "in its place: %.*s", (int)strcspn(lines[i], "\n"), lines[i]))
			printf("# %s\n", text);
		at = found ? found : at;
	}
}

static void test_odd(void)
{
	static const char *const rows[] = { "{}", "[]", "null", "{\"nodes\":3,\"errors\":{},\"hops\":[],\"routes\":[null]}" };

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		autojson json *j = json_parse(rows[i], strlen(rows[i]), NULL);
		autofree char *text = status_text(j);

		ok(str_starts(text, "agent      ?"), "of %s there is not much to say", rows[i]);
	}
}

int main(void)
{
	test_lines();
	test_odd();
	return tap_done();
}
