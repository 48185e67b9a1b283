/* SPDX-License-Identifier: Apache-2.0 */
/* How it works: a request takes the fault that fits it, is answered, and after 101 its thread moves bytes until something ends. */
#include "tests/fake/portforward.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>

#include "base/hash.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/str.h"
#include "tests/fake/portforward_internal.h"

#define TICK_MS 10
#define BUF_MAX (64u << 20)
#define TUNNEL "SPDY/3.1+portforward.k8s.io"
#define V4 "v4.channel.k8s.io"
#define GUID "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

uint64_t pf_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

void pf_complain(struct pf_conn *c, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	pthread_mutex_lock(&c->f->lock);
	if (!c->f->complaint)
		c->f->complaint = xvasprintf(fmt, ap);
	pthread_mutex_unlock(&c->f->lock);
	va_end(ap);
	c->over = true;
}

static bool pod_is_gone(struct fake_pf *f, const char *pod)
{
	bool gone = false;

	pthread_mutex_lock(&f->lock);
	for (size_t i = 0; i < f->gone_n; i++)
		gone |= streq(f->gone[i], pod);
	pthread_mutex_unlock(&f->lock);
	return gone;
}

/* ---- after 101 --------------------------------------------------------------------------------------------------- */

/* How much may be said yet. */
static size_t sayable(const struct pf_conn *c)
{
	size_t most = c->fault.cut_at ? c->fault.cut_at : c->fault.hang_at ? c->fault.hang_at : SIZE_MAX;

	return c->fault.silent || c->written >= most ? 0 : MIN(c->out.len - c->out_at, most - c->written);
}

static void conn_write(struct pf_conn *c)
{
	size_t n;

	while ((n = sayable(c))) {
		ssize_t did = send(c->q->fd, c->out.data + c->out_at, n, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (did < 0 && errno == EAGAIN)
			break;
		if (did <= 0) {
			c->over = true;
			break;
		}
		c->out_at += (size_t)did;
		c->written += (size_t)did;
	}
	if (c->out_at == c->out.len) {
		buf_reset(&c->out);
		c->out_at = 0;
		c->over |= c->closing;
	}
	if (c->fault.cut_at && c->written >= c->fault.cut_at)
		c->over = true;
}

static void conn_read(struct pf_conn *c)
{
	char p[65536];
	ssize_t n = recv(c->q->fd, p, sizeof(p), MSG_DONTWAIT);

	if (n > 0)
		pf_in(c, p, (size_t)n);
	else if (n == 0 || errno != EAGAIN)
		c->over = true;
}

/* The one channel of v4 is read no further than its port reads. */
static bool conn_reads(const struct pf_conn *c)
{
	return !c->wedged && !(c->kind == PF_V4 && c->streams && pf_is_stuck(c, c->streams));
}

static void conn_turn(struct pf_conn *c)
{
	struct pollfd p = { .fd = c->q->fd, .events = POLLRDHUP };

	pf_held_again(c);
	pf_pump(c);
	conn_write(c);
	if (c->over)
		return;
	p.events |= (conn_reads(c) ? POLLIN : 0) | (sayable(c) ? POLLOUT : 0);
	(void)poll(&p, 1, TICK_MS);
	if (!c->gone && pod_is_gone(c->f, c->pod))
		pf_pod_gone(c);
	if (atomic_load(&c->f->cuts) != c->cuts)
		c->over = true;
	else if (p.revents & POLLIN)
		conn_read(c);
	else if (p.revents & (POLLHUP | POLLERR | POLLRDHUP))
		c->over = true;
}

static void conn_run(struct pf_conn *c)
{
	pf_count(c, count->connections++; count->open++; count->most = count->open > count->most ? count->open : count->most);
	pf_begin(c);
	while (!c->over)
		conn_turn(c);
	conn_write(c);
	pf_streams_free(c);
	buf_done(&c->raw);
	buf_done(&c->in);
	buf_done(&c->message);
	buf_done(&c->out);
	for (int i = 0; i < PF_WORKERS; i++)
		buf_done(&c->held[i]);
	pf_count(c, count->open--);
}

/* ---- answers ----------------------------------------------------------------------------------------------------- */

static char *status_message(const struct httpd_req *q, const char *pod, int status)
{
	switch (status) {
	case 400:
		return xasprintf("pod %s does not have a host assigned", pod);
	case 401:
		return xstrdup("Unauthorized");
	case 403:
		return xasprintf("pods \\\"%s\\\" is forbidden: User \\\"u\\\" cannot %s resource \\\"pods/portforward\\\" in API group "
				 "\\\"\\\" in the namespace \\\"t\\\"", pod, streq(q->method, "POST") ? "create" : "get");
	case 404:
		return xasprintf("pods \\\"%s\\\" not found", pod);
	case 405:
		return xstrdup("the server does not allow this method on the requested resource");
	case 429:
		return xstrdup("the server has received too many requests and has asked us to try again later");
	default:
		return xasprintf("an error on the server (%d)", status);
	}
}

static void answer(struct httpd_req *q, const char *pod, int status, enum fake_pf_body body, const char *text)
{
	autofree char *said = text ? xstrdup(text) : status_message(q, pod, status), *all = NULL;
	const char *type = body == FAKE_STATUS ? "application/json" : "text/plain";

	if (body == FAKE_STATUS)
		all = xasprintf("{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Failure\",\"message\":\"%s\",\"code\":%d}\n",
				said, status);
	else
		all = xstrdup(body == FAKE_EMPTY ? "" : said);
	autofree char *head = xasprintf("HTTP/1.1 %d Fake\r\n%s%sContent-Type: %s\r\nContent-Length: %zu\r\n\r\n", status,
					status / 100 == 3 ? "Location: /elsewhere\r\n" : "", status == 429 ? "Retry-After: 1\r\n" : "",
					type, strlen(all));
	if (httpd_puts(q, head))
		httpd_puts(q, all);
}

#define NO_PROTOCOL "unable to upgrade: unable to negotiate protocol: client supports [foo], server accepts [portforward.k8s.io]"

/* The upgrade to SPDY, as long as it is asked for properly. */
static bool accept_post(struct pf_conn *c)
{
	char upgrade[64], version[64];

	if (strcasecmp(httpd_header(c->q, "Upgrade", upgrade, sizeof(upgrade)), "SPDY/3.1")) {
		answer(c->q, c->pod, 400, FAKE_STATUS, "Upgrade request required");
		return false;
	}
	if (!streq(httpd_header(c->q, "X-Stream-Protocol-Version", version, sizeof(version)), "portforward.k8s.io")) {
		answer(c->q, c->pod, 403, FAKE_TEXT, NO_PROTOCOL);
		return false;
	}
	c->kind = PF_SPDY;
	return httpd_puts(c->q, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n"
			  "X-Stream-Protocol-Version: portforward.k8s.io\r\n\r\n");
}

static bool offers(const char *list, const char *protocol)
{
	struct str rest = str_from(list), one;

	while (str_split(&rest, ',', &one))
		if (str_eq(str_trim(one), protocol))
			return true;
	return false;
}

static bool v4_open(struct pf_conn *c)
{
	const char *ports = strstr(c->q->path, "?ports=");
	uint16_t port;

	if (!ports || num_u16(ports + 7, &port)) {
		answer(c->q, c->pod, 400, FAKE_STATUS, "query parameter \\\"port\\\" is required");
		return false;
	}
	c->kind = PF_V4;
	c->streams = xcalloc(1, sizeof(*c->streams));
	*c->streams = (struct pf_stream){ .data = 1, .error = 2, .port = port, .backlog = BUF_INIT(BUF_MAX) };
	return true;
}

static bool say_websocket(struct pf_conn *c, const char *protocol)
{
	auto(buf) struct buf accept = BUF_INIT(64);
	char key[64];
	uint8_t sum[20];
	autofree char *both = xasprintf("%s%s", httpd_header(c->q, "Sec-WebSocket-Key", key, sizeof(key)), c->fault.bad_accept ? "" : GUID);
	autofree char *head = NULL;

	hash_sha1(both, strlen(both), sum);
	base64_encode(&accept, sum, sizeof(sum), false);
	head = xasprintf("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: %s\r\n"
			 "%s%s%s\r\n", buf_str(&accept), *protocol ? "Sec-WebSocket-Protocol: " : "", protocol, *protocol ? "\r\n" : "");
	return httpd_puts(c->q, head);
}

static bool accept_get(struct pf_conn *c)
{
	char upgrade[64], offered[256];
	const char *protocol = c->fault.protocol;

	if (strcasecmp(httpd_header(c->q, "Upgrade", upgrade, sizeof(upgrade)), "websocket")) {
		answer(c->q, c->pod, 400, FAKE_STATUS, "Upgrade request required");
		return false;
	}
	httpd_header(c->q, "Sec-WebSocket-Protocol", offered, sizeof(offered));
	if (!protocol)
		protocol = offers(offered, TUNNEL) ? TUNNEL : offers(offered, V4) ? V4 : NULL;
	if (!protocol) {
		answer(c->q, c->pod, 403, FAKE_EMPTY, NULL);
		return false;
	}
	c->kind = PF_TUNNEL;
	if (streq(protocol, V4) && !v4_open(c))
		return false;
	return say_websocket(c, protocol);
}

/* ---- requests ---------------------------------------------------------------------------------------------------- */

static bool fits(const struct fake_pf_fault *t, const struct httpd_req *q, const char *pod)
{
	return (!t->method || streq(t->method, q->method)) && (!t->pod || streq(t->pod, pod));
}

static struct fake_pf_fault fault_for(struct fake_pf *f, const struct httpd_req *q, const char *pod)
{
	struct fake_pf_fault t = { 0 };
	size_t i = 0;

	pthread_mutex_lock(&f->lock);
	for (size_t k = 0; k < f->always_n; k++)
		if (fits(&f->always[k], q, pod))
			t = f->always[k];
	while (i < f->once_n && !fits(&f->once[i], q, pod))
		i++;
	if (i < f->once_n) {
		t = f->once[i];
		memmove(f->once + i, f->once + i + 1, (--f->once_n - i) * sizeof(*f->once));
	}
	pthread_mutex_unlock(&f->lock);
	return t;
}

static void note(struct fake_pf *f, const struct httpd_req *q)
{
	pthread_mutex_lock(&f->lock);
	f->asked = xrealloc(f->asked, f->asked_n + 1, sizeof(*f->asked));
	f->asked[f->asked_n++] = xstrdup(q->head);
	f->count.asked_post += streq(q->method, "POST");
	f->count.asked_get += streq(q->method, "GET");
	pthread_mutex_unlock(&f->lock);
}

/* What the fault has instead of an upgrade. */
static bool fail(struct httpd_req *q, const struct fake_pf_fault *t, const char *pod)
{
	nanosleep(&(struct timespec){ t->delay_ms / 1000, t->delay_ms % 1000 * 1000000L }, NULL);
	if (t->hang) {
		httpd_hang(q);
	} else if (t->garbage) {
		httpd_puts(q, t->garbage);
		q->close = true;
	} else if (t->status) {
		answer(q, pod, t->status, t->body, t->body == FAKE_TEXT && t->status == 403 ? NO_PROTOCOL : NULL);
	}
	return t->hang || t->garbage || t->status;
}

static void on_request(struct httpd_req *q, void *arg)
{
	struct fake_pf *f = arg;
	struct pf_conn c = { .f = f, .q = q, .raw = BUF_INIT(BUF_MAX), .in = BUF_INIT(BUF_MAX), .message = BUF_INIT(BUF_MAX),
			     .out = BUF_INIT(BUF_MAX), .cuts = atomic_load(&f->cuts) };
	char end[16] = "";

	for (int i = 0; i < PF_WORKERS; i++)
		buf_init(&c.held[i], BUF_MAX);
	note(f, q);
	if (sscanf(q->path, "/api/v1/namespaces/%*63[^/]/pods/%253[^/]/%11[a-z]", c.pod, end) != 2 || !streq(end, "portforward")) {
		answer(q, q->path, 404, FAKE_STATUS, "the server could not find the requested resource");
		return;
	}
	c.fault = fault_for(f, q, c.pod);
	if (fail(q, &c.fault, c.pod))
		return;
	if (pod_is_gone(f, c.pod)) {
		answer(q, c.pod, 404, FAKE_STATUS, NULL);
		return;
	}
	if (streq(q->method, "POST") ? accept_post(&c) : accept_get(&c)) {
		conn_run(&c);
		q->close = true;
	}
}

/* ---- the fake ---------------------------------------------------------------------------------------------------- */

void fake_pf_serve(struct fake_pf *f, struct httpd_req *q)
{
	on_request(q, f);
}

struct fake_pf *fake_pf_new(void)
{
	struct fake_pf *f = xcalloc(1, sizeof(*f));

	pthread_mutex_init(&f->lock, NULL);
	f->httpd = httpd_start(on_request, f);
	return f;
}

static void texts_free(char **v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(v[i]);
	free(v);
}

void fake_pf_free(struct fake_pf *f)
{
	httpd_stop(f->httpd);
	texts_free(f->asked, f->asked_n);
	texts_free(f->gone, f->gone_n);
	free(f->once);
	free(f->always);
	free(f->complaint);
	pthread_mutex_destroy(&f->lock);
	free(f);
}

struct http_endpoint fake_pf_endpoint(const struct fake_pf *f)
{
	return (struct http_endpoint){ .base = xasprintf("http://127.0.0.1:%u", httpd_port(f->httpd)) };
}

unsigned fake_pf_tcp_port(const struct fake_pf *f)
{
	return httpd_port(f->httpd);
}

void fake_pf_once(struct fake_pf *f, const struct fake_pf_fault *fault)
{
	pthread_mutex_lock(&f->lock);
	f->once = xrealloc(f->once, f->once_n + 1, sizeof(*f->once));
	f->once[f->once_n++] = *fault;
	pthread_mutex_unlock(&f->lock);
}

void fake_pf_always(struct fake_pf *f, const struct fake_pf_fault *fault)
{
	pthread_mutex_lock(&f->lock);
	if (fault) {
		f->always = xrealloc(f->always, f->always_n + 1, sizeof(*f->always));
		f->always[f->always_n++] = *fault;
	} else {
		f->always_n = 0;
	}
	pthread_mutex_unlock(&f->lock);
}

void fake_pf_deaf(struct fake_pf *f, bool deaf)
{
	httpd_set_deaf(f->httpd, deaf);
}

void fake_pf_cut(struct fake_pf *f)
{
	atomic_fetch_add(&f->cuts, 1);
}

void fake_pf_pod_gone(struct fake_pf *f, const char *pod, bool gone)
{
	pthread_mutex_lock(&f->lock);
	for (size_t i = 0; i < f->gone_n; i++)
		if (streq(f->gone[i], pod)) {
			free(f->gone[i]);
			f->gone[i--] = f->gone[--f->gone_n];
		}
	if (gone) {
		f->gone = xrealloc(f->gone, f->gone_n + 1, sizeof(*f->gone));
		f->gone[f->gone_n++] = xstrdup(pod);
	}
	pthread_mutex_unlock(&f->lock);
}

void fake_pf_count(struct fake_pf *f, struct fake_pf_count *ret)
{
	pthread_mutex_lock(&f->lock);
	*ret = f->count;
	pthread_mutex_unlock(&f->lock);
}

const char *fake_pf_complaint(struct fake_pf *f)
{
	pthread_mutex_lock(&f->lock);
	const char *said = f->complaint;
	pthread_mutex_unlock(&f->lock);
	return said;
}

const char *fake_pf_asked(struct fake_pf *f, size_t i)
{
	pthread_mutex_lock(&f->lock);
	const char *head = i < f->asked_n ? f->asked[i] : NULL;
	pthread_mutex_unlock(&f->lock);
	return head;
}
