/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/metrics.h"

#include "base/mem.h"
#include "base/str.h"
#include "tests/tap.h"

static void test_request(void)
{
	static const struct { const char *text; unsigned want; } rows[] = {
		{ "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", 200 },
		{ "GET /metrics HTTP/1.0\n\n", 200 },
		{ "GET /metrics?x=1 HTTP/1.1\r\n\r\n", 200 },
		{ "GET / HTTP/1.1\r\n\r\n", 404 },
		{ "GET /metrics/ HTTP/1.1\r\n\r\n", 404 },
		{ "GET ?/metrics HTTP/1.1\r\n\r\n", 404 },
		{ "POST / HTTP/1.1\r\n\r\n", 404 },
		{ "POST /metrics HTTP/1.1\r\n\r\nbody", 405 },
		{ "HEAD /metrics HTTP/1.1\r\n\r\n", 405 },
		{ "get /metrics HTTP/1.1\r\n\r\n", 400 },
		{ "GET /metrics\r\n\r\n", 400 },
		{ "GET /metrics HTTP/2.0\r\n\r\n", 400 },
		{ "GET  /metrics HTTP/1.1\r\n\r\n", 400 },
		{ "GET /metrics HTTP/1.1 x\r\n\r\n", 400 },
		{ "\r\n\r\n", 400 },
		{ "\x16\x03\x01\n\n", 400 },
		{ "GET /metrics HTTP/1.1\r\nHost: x\r\n", 0 },
		{ "GET", 0 },
		{ "", 0 },
	};
	auto(buf) struct buf big = BUF_INIT(METRICS_REQUEST_MAX);

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		is_int(metrics_verdict(rows[i].text, strlen(rows[i].text)), rows[i].want, "%u for %.*s", rows[i].want,
		       (int)strcspn(rows[i].text, "\r\n"), rows[i].text);
	while (buf_ok(&big))
		buf_addc(&big, 'x');
	is_int(metrics_verdict(buf_str(&big), big.len), 431, "431 for a head without an end");
}

#define NAME "firestream_agent_"

static void test_text(void)
{
	static const char status[] =
		"{\"version\":\"1.0\",\"ready\":true,\"uptime_ms\":12345,\"cluster\":{\"state\":\"silent\",\"dns\":[{\"server\":\"10.43.0.10:53\","
		"\"asked\":9007199254740991,\"healthy\":false,\"latency_us\":1500}]},\"dns\":{\"queries\":7,\"local\":1,\"memory\":0,\"cluster\":2,\"external\":4},"
		"\"upstreams\":[{\"server\":\"a\\\\b\\\"c\\nd\",\"asked\":3}],\"nodes\":[{\"name\":\"n1\",\"ready\":true},{\"name\":\"n2\",\"ready\":false}],"
		"\"hops\":{\"list\":[{\"node\":\"n1\",\"address\":\"172.18.0.2\",\"state\":\"dead\"}]},\"routes\":[]}";
	static const char *const wanted[] = {
		"# HELP " NAME "info The agent's version.\n# TYPE " NAME "info gauge\n" NAME "info{version=\"1.0\"} 1\n",
		NAME "ready 1\n",
		NAME "uptime_seconds 12.345\n",
		"# TYPE " NAME "dns_queries_total counter\n" NAME "dns_queries_total 7\n",
		NAME "dns_answers_total{from=\"agent\"} 1\n" NAME "dns_answers_total{from=\"memory\"} 0\n" NAME "dns_answers_total{from=\"cluster\"} 2\n" NAME "dns_answers_total{from=\"upstream\"} 4\n",
		NAME "cluster_state{state=\"up\"} 0\n" NAME "cluster_state{state=\"silent\"} 1\n" NAME "cluster_state{state=\"away\"} 0\n",
		NAME "server_queries_total{of=\"upstream\",server=\"a\\\\b\\\"c\\nd\"} 3\n",
		NAME "server_queries_total{of=\"cluster\",server=\"10.43.0.10:53\"} 9.00719925474099e+15\n",
		NAME "server_healthy{of=\"cluster\",server=\"10.43.0.10:53\"} 0\n",
		NAME "server_latency_seconds{of=\"cluster\",server=\"10.43.0.10:53\"} 0.0015\n",
		NAME "node_ready{node=\"n1\"} 1\n" NAME "node_ready{node=\"n2\"} 0\n",
		NAME "hop_alive{node=\"n1\",address=\"172.18.0.2\"} 0\n",
		NAME "nodes 2\n",
		NAME "routes 0\n",
	};
	auto(buf) struct buf out = BUF_INIT(1 << 20);
	autojson json *j = json_parse(status, strlen(status), NULL);

	metrics_text(j, &out);
	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++)
		if (!ok(strstr(buf_str(&out), wanted[i]) != NULL, "the text has %.*s", (int)strcspn(wanted[i], "\n"), wanted[i]))
			printf("# %s\n", buf_str(&out));
	ok(!strstr(buf_str(&out), "\n" NAME "dns_tcp_queries_total"), "what the status does not say is left out");
}

/* Each line is a comment or a sample of the metric that was announced last; no metric is announced twice. */
static void test_format(void)
{
	auto(buf) struct buf out = BUF_INIT(1 << 20);
	autojson json *empty = json_object();
	auto(strv) struct strv seen = { 0 };
	struct str rest, line, name;
	unsigned bad = 0;

	metrics_text(empty, &out);
	for (rest = str_from(buf_str(&out)); str_split(&rest, '\n', &line);) {
		autofree char *metric = NULL;

		if (!line.len || memcmp(line.p, "# HELP ", 7) != 0)
			continue;
		line.p += 7;
		line.len -= 7;
		str_split(&line, ' ', &name);
		metric = xstrndup(name.p, name.len);
		bad += strv_has(&seen, metric) || !str_starts(metric, NAME);
		bad += strspn(metric, "abcdefghijklmnopqrstuvwxyz_") != strlen(metric);
		strv_add(&seen, metric);
	}
	is_int(bad, 0, "each metric is announced once, with a sane name");
	ok(seen.n > 30, "there are %zu of them", seen.n);
}

int main(void)
{
	test_request();
	test_text();
	test_format();
	return tap_done();
}
