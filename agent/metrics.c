/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/metrics.h"

#include "agent/calls.h"
#include "base/mem.h"
#include "base/str.h"
#include "net/sock.h"

#define REPLY_MAX (1u << 20)

/* ---- HTTP: as much of RFC 9112 as a scraper needs ----------------------------------------------------------------- */

static bool head_is_whole(const char *p, size_t n)
{
	return memmem(p, n, "\r\n\r\n", 4) || memmem(p, n, "\n\n", 2);
}

static bool is_token(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.p[i] < 'A' || s.p[i] > 'Z')
			return false;
	return s.len > 0;
}

unsigned metrics_verdict(const char *p, size_t n)
{
	struct str rest = { p, n }, line, method, target, version;

	if (!head_is_whole(p, n))
		return n < METRICS_REQUEST_MAX ? 0 : 431;
	if (!str_split(&rest, '\n', &line))
		return 400;
	line = str_trim(line);
	if (!str_split(&line, ' ', &method) || !str_split(&line, ' ', &target) || !str_split(&line, ' ', &version) || line.len)
		return 400;
	if (!is_token(method) || (!str_eq(version, "HTTP/1.1") && !str_eq(version, "HTTP/1.0")))
		return 400;
	str_split(&target, '?', &rest);
	if (!str_eq(rest, "/metrics"))
		return 404;
	return str_eq(method, "GET") ? 200 : 405;
}

static const char *reason(unsigned code)
{
	switch (code) {
	case 200:
		return "OK";
	case 404:
		return "Not Found";
	case 405:
		return "Method Not Allowed";
	case 431:
		return "Request Header Fields Too Large";
	default:
		return "Bad Request";
	}
}

static void on_request(void *owner, int fd, const struct buf *in, struct buf *out)
{
	unsigned code = in->overflow ? 431 : metrics_verdict(buf_str(in), in->len);
	auto(buf) struct buf body = BUF_INIT(REPLY_MAX - 1024);

	if (!code)
		return;
	if (code == 200) {
		autojson json *status = agent_status(owner);

		metrics_text(status, &body);
	} else {
		buf_addf(&body, "%s; GET /metrics is all there is\n", reason(code));
	}
	buf_addf(out, "HTTP/1.1 %u %s\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\nContent-Length: %zu\r\n%s"
		 "Connection: close\r\n\r\n", code, reason(code), body.len, code == 405 ? "Allow: GET\r\n" : "");
	buf_add(out, buf_str(&body), body.len);
}

/* ---- module ------------------------------------------------------------------------------------------------------ */

int metrics_start(struct agent *a, struct err *err)
{
	struct err why = { 0 };
	int fd;

	if (!a->config.metrics.port)
		return 0;
	fd = sock_tcp_listen(&a->config.metrics, &why);
	if (fd < 0) {
		trouble_note(&a->trouble, "metrics", "%s", err_text(&why));
		return 0;
	}
	a->metrics = calls_new(a->loop, fd, METRICS_REQUEST_MAX, REPLY_MAX, on_request, a);
	return 0;
}

void metrics_stop(struct agent *a)
{
	a->metrics = calls_free(a->metrics);
}
