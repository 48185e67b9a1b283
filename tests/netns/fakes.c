/* SPDX-License-Identifier: Apache-2.0 */
/* The world of an agent under test, one piece per process; each prints "ready …" when it serves.
 *   fakes dns ADDR[:PORT] A.B.C.D [LABEL…]	a DNS server that has that address for every name (or those with a first LABEL)
 *   fakes kube DIR				an API server on 127.0.0.1 whose lists are the "items" in DIR/nodes, DIR/services,
 *						DIR/endpointslices, DIR/namespaces, DIR/configmaps; prints its port. DIR/fault holds
 *						"slow", "garbage", "endless", "token" (only "new" is let in), "forbidden" or "no-nodes". Lists of a
 *						namespace and of one label, /version, single namespaces and pods/portforward are served too
 *   fakes serve PORT				accepts TCP connections at every address, for ever
 *   fakes connect ADDR PORT [udp]		"connected", "refused" or what else becomes of it within 2 s; UDP: within 50 ms
 *   fakes hear ADDR PORT			what it says until it closes, within 3 s; or how it ended
 *   fakes ask ADDR[:PORT] NAME TYPE [tcp]	asks once, for at most ASK_MS (6000) of the environment; prints "RCODE count milliseconds address"
 *   fakes follow ADDR[:PORT] NAME A.B.C.D	asks again and again over one connected UDP socket until that is the answer; prints for how
 *						many milliseconds before there was no answer at all, or "never" after 8 s */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/str.h"
#include "net/dnswire.h"
#include "net/sock.h"
#include "tests/fake/dns.h"
#include "tests/fake/httpd.h"
#include "tests/fake/portforward.h"

#define ASK_MS 6000

static int fail(const char *text)
{
	fprintf(stderr, "fakes: %s\n", text);
	return 1;
}

/* ---- dns --------------------------------------------------------------------------------------------------------- */

static int fake_dns(int argc, char **argv)
{
	struct loop *l = loop_new(LOOP_DEFAULT);
	bool never = false;
	struct fake_dns f;
	struct addr a;

	if (argc < 2 || addr_parse(argv[1], &a))
		return fail("dns ADDR[:PORT] A.B.C.D [LABEL…]");
	fake_dns_start(&f, l, argv[0]);
	memcpy(f.a, a.b, 4);
	f.only = argc > 2 ? (const char *const *)argv + 2 : NULL;
	printf("ready\n");
	fflush(stdout);
	return loop_run(l, &never, UINT64_MAX);
}

/* ---- kube -------------------------------------------------------------------------------------------------------- */

static void file_mark(const char *path, struct timespec *ret)
{
	struct stat st;

	*ret = stat(path, &st) < 0 ? (struct timespec){ 0 } : st.st_mtim;
}

/* Of ".../namespaces/NS/KIND?labelSelector=KEY%3DVALUE": is the object asked for? */
static bool item_wanted(const json *o, const char *url)
{
	const char *ns = strstr(url, "/namespaces/"), *label = strstr(url, "labelSelector=");
	size_t n = ns ? strcspn(ns + 12, "/?") : 0;
	char key[64] = "", value[64] = "";
	autofree char *path = NULL;

	if (ns && ns[12 + n] == '/' && strncmp(json_str(o, "metadata.namespace", ""), ns + 12, n) != 0)
		return false;
	if (!label || sscanf(label, "labelSelector=%63[^%&]%%3D%63[^&]", key, value) != 2)
		return true;
	path = xasprintf("metadata.labels['%s']", key);
	return streq(json_str(o, path, ""), value);
}

static json *items_read(const char *path, const char *url)
{
	auto(buf) struct buf text = BUF_INIT(64 << 20), items = BUF_INIT(64 << 20);
	autojson json *all = NULL;
	json *some;

	(void)!file_read(path, &text, NULL);
	buf_addf(&items, "[%s]", buf_str(&text));
	all = json_parse(items.data, items.len, NULL);
	some = json_array();
	json_each(o, all)
		if (item_wanted(o, url))
			json_add(some, json_copy(o));
	return some;
}

static void event_send(struct httpd_req *q, const char *type, const json *object)
{
	autofree char *text = json_text(object), *event = xasprintf("{\"type\":\"%s\",\"object\":%s}\n", type, text);

	httpd_chunks(q, event);
}

/* A streamed list, or nothing; then silence until the file changes: then the client has to list again. */
static void watch_serve(struct httpd_req *q, const char *path)
{
	static const char end[] = "{\"metadata\":{\"resourceVersion\":\"1\",\"annotations\":{\"k8s.io/initial-events-end\":\"true\"}}}";
	autojson json *items = NULL, *bookmark = json_parse(end, strlen(end), NULL);
	struct timespec was, now;

	httpd_stream(q, 200, NULL);
	file_mark(path, &was);
	if (strstr(q->path, "sendInitialEvents=true")) {
		items = items_read(path, q->path);
		json_each(o, items) {
			if (!json_is(o, "metadata.resourceVersion"))
				json_set_str(json_get(o, "metadata"), "resourceVersion", "1");
			event_send(q, "ADDED", o);
		}
	}
	event_send(q, "BOOKMARK", bookmark);
	do {
		struct pollfd p = { .fd = q->fd, .events = POLLRDHUP };

		if (poll(&p, 1, 20) > 0)
			return;
		file_mark(path, &now);
	} while (now.tv_sec == was.tv_sec && now.tv_nsec == was.tv_nsec);
	httpd_chunks(q, "{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"code\":410,\"message\":\"changed\"}}\n");
	httpd_end(q);
}

static void list_serve(struct httpd_req *q, const char *path)
{
	autojson json *items = items_read(path, q->path), *list = json_object();
	autofree char *text = NULL;

	json_set_str(list, "kind", "List");
	json_set_str(json_set(list, "metadata", json_object()), "resourceVersion", "1");
	json_set(list, "items", steal(&items));
	text = json_text(list);
	httpd_reply(q, 200, NULL, text);
}

/* /version, or one namespace; false: something else. */
static bool single_serve(struct httpd_req *q, const char *path, const char *dir)
{
	autofree char *file = path_join(dir, "namespaces"), *text = NULL;
	autojson json *all = NULL;

	if (streq(path, "/version")) {
		httpd_reply(q, 200, NULL, "{\"gitVersion\":\"v1.34.0\"}");
		return true;
	}
	if (!str_starts(path, "/api/v1/namespaces/") || strchr(path + 19, '/'))
		return false;
	all = items_read(file, "");
	json_each(o, all)
		if (streq(json_str(o, "metadata.name", ""), path + 19))
			text = text ? text : json_text(o);
	httpd_reply(q, text ? 200 : 404, NULL, text ? text : "{\"kind\":\"Status\",\"message\":\"namespaces not found\"}");
	return true;
}

/* A list of the same object again and again, until the client has enough. */
static void endless_serve(struct httpd_req *q)
{
	httpd_stream(q, 200, NULL);
	for (struct pollfd p = { .fd = q->fd, .events = POLLRDHUP }; poll(&p, 1, 1) == 0;)
		httpd_chunks(q, "{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"namespace\":\"default\",\"name\":\"again\"}}}\n");
}

/* Misbehaves as the file DIR/fault says; false: does not. */
static bool fault_serve(struct httpd_req *q, const char *dir)
{
	autofree char *path = path_join(dir, "fault");
	auto(buf) struct buf fault = BUF_INIT(64);
	char credential[64] = "";

	if (file_read(path, &fault, NULL))
		return false;
	if (str_starts(buf_str(&fault), "slow"))
		(void)poll(NULL, 0, 2000);
	else if (str_starts(buf_str(&fault), "garbage"))
		httpd_reply(q, 200, NULL, "{\"items\":[}}}<html>\1\2");
	else if (str_starts(buf_str(&fault), "endless"))
		endless_serve(q);
	else if (str_starts(buf_str(&fault), "token") && !str_ends(httpd_header(q, "Authorization", credential, sizeof(credential)), " new"))
		httpd_reply(q, 401, NULL, "{\"kind\":\"Status\",\"message\":\"Unauthorized\"}");
	else if (str_starts(buf_str(&fault), "forbidden") || (str_starts(buf_str(&fault), "no-nodes") && strstr(q->path, "/nodes")))
		httpd_reply(q, 403, NULL, "{\"kind\":\"Status\",\"message\":\"services is forbidden: User \\\"u\\\" cannot list it\"}");
	else
		return false;
	return !str_starts(buf_str(&fault), "slow");
}

static struct fake_pf *pods;		/* of the API server; each has the ports of tests/fake/portforward.h */

static void kube_serve(struct httpd_req *q, void *arg)
{
	static const char *const kinds[] = { "nodes", "services", "endpointslices", "namespaces", "configmaps" };
	autofree char *path = xstrndup(q->path, strcspn(q->path, "?"));
	autofree char *file = path_join(arg, path_basename(path));

	if (fault_serve(q, arg) || single_serve(q, path, arg))
		return;
	if (str_ends(path, "/portforward")) {
		fake_pf_serve(pods, q);
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (!streq(path_basename(path), kinds[i]))
			continue;
		/* one list of ConfigMaps serves every selector: that of CoreDNS's own is empty */
		if (strstr(q->path, "coredns-custom"))
			file[0] = '\0';
		if (strstr(q->path, "watch="))
			watch_serve(q, file);
		else
			list_serve(q, file);
		return;
	}
	httpd_reply(q, 404, NULL, "{\"kind\":\"Status\",\"message\":\"not here\"}");
}

static int fake_kube(int argc, char **argv)
{
	struct httpd *d;

	if (argc < 1)
		return fail("kube DIR");
	pods = fake_pf_new();
	d = httpd_start(kube_serve, argv[0]);
	printf("ready %u\n", httpd_port(d));
	fflush(stdout);
	return poll(NULL, 0, -1);
}

/* ---- connections ------------------------------------------------------------------------------------------------- */

static int fake_serve(int argc, char **argv)
{
	struct hostport at = { .addr = { .family = AF_INET6 } };
	uint64_t port;
	int fd;

	if (argc < 1 || num_u64(argv[0], UINT16_MAX, &port))
		return fail("serve PORT");
	at.port = (uint16_t)port;
	fd = sock_tcp_listen(&at, NULL);
	printf("ready\n");
	fflush(stdout);
	return fd < 0 ? 1 : poll(NULL, 0, -1);
}

static int fake_connect(int argc, char **argv)
{
	struct hostport to;
	struct sockaddr_storage sa;
	struct pollfd p = { .events = POLLOUT };
	bool udp = argc > 2 && streq(argv[2], "udp");
	socklen_t n, size = sizeof(int);
	uint64_t port;
	int e = 0;

	if (argc < 2 || addr_parse(argv[0], &to.addr) || num_u64(argv[1], UINT16_MAX, &port))
		return fail("connect ADDR PORT [udp]");
	to.port = (uint16_t)port;
	n = hostport_to_sockaddr(&to, &sa);
	p.fd = socket(to.addr.family, (udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (connect(p.fd, (struct sockaddr *)&sa, n) < 0 && errno != EINPROGRESS)
		e = errno;
	if (udp && send(p.fd, "x", 1, 0) < 0)	/* a packet refused on its way out: EPERM, and the error to be read */
		e = errno == EPERM ? ECONNREFUSED : errno;
	if (udp)
		p.events = POLLIN;
	if (!e && poll(&p, 1, udp ? 50 : 2000) == 0)
		e = udp ? 0 : ETIMEDOUT;
	else if (!e)
		(void)getsockopt(p.fd, SOL_SOCKET, SO_ERROR, &e, &size);
	printf("%s\n", !e ? "connected" : e == ECONNREFUSED ? "refused" : strerror(e));
	return 0;
}

/* ---- ask --------------------------------------------------------------------------------------------------------- */

static int type_number(const char *s)
{
	static const struct { const char *name; int type; } types[] = {
		{ "A", DNS_A }, { "AAAA", DNS_AAAA }, { "PTR", DNS_PTR }, { "TXT", DNS_TXT }, { "SOA", DNS_SOA }, { "SRV", DNS_SRV },
	};

	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (streq(s, types[i].name))
			return types[i].type;
	return 0;
}

static struct timeval ask_limit(void)
{
	const char *text = getenv("ASK_MS");
	uint64_t ms = ASK_MS;

	if (text && num_u64(text, ASK_MS, &ms))
		ms = ASK_MS;
	return (struct timeval){ .tv_sec = (time_t)(ms / 1000), .tv_usec = (suseconds_t)(ms % 1000 * 1000) };
}

static int hear(int argc, char **argv)
{
	struct timeval limit = { .tv_sec = 3 };
	struct sockaddr_storage sa;
	struct hostport to = { 0 };
	autoclose int fd = -1;
	uint64_t port;
	char p[4096];
	ssize_t n = 0;

	if (argc < 2 || addr_parse(argv[0], &to.addr) || num_u64(argv[1], UINT16_MAX, &port))
		return fail("hear ADDR PORT");
	to.port = (uint16_t)port;
	fd = socket(to.addr.family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	if (connect(fd, (struct sockaddr *)&sa, hostport_to_sockaddr(&to, &sa)) == 0)
		while ((n = recv(fd, p, sizeof(p), 0)) > 0)
			fwrite(p, 1, (size_t)n, stdout);
	else
		n = -1;
	puts(n == 0 ? "" : errno == EAGAIN ? "silent" : errno == ECONNRESET ? "reset" : errno == ECONNREFUSED ? "refused" : strerror(errno));
	return 0;
}

/* The length of the answer, without the TCP prefix, or -1. */
static ssize_t exchange(const struct hostport *to, bool tcp, const uint8_t *msg, size_t n, uint8_t *out, size_t max)
{
	struct sockaddr_storage sa;
	socklen_t len = hostport_to_sockaddr(to, &sa);
	autoclose int fd = socket(to->addr.family, (tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC, 0);
	struct timeval limit = ask_limit();
	uint8_t prefix[2] = { (uint8_t)(n >> 8), (uint8_t)n };

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	if (connect(fd, (struct sockaddr *)&sa, len) < 0)
		return -1;
	if (!tcp)
		return send(fd, msg, n, 0) < 0 ? -1 : recv(fd, out, max, 0);
	if (send(fd, prefix, 2, MSG_MORE) < 0 || send(fd, msg, n, 0) < 0 || recv(fd, prefix, 2, MSG_WAITALL) != 2)
		return -1;
	return recv(fd, out, (size_t)prefix[0] << 8 | prefix[1], MSG_WAITALL);
}

static void answer_text(const uint8_t *p, size_t n, char ret[static INET6_ADDRSTRLEN])
{
	struct dns_record rec;
	struct dns_walk w;
	unsigned section;

	if (!dns_walk_start(&w, p, n))
		while (dns_walk_next(&w, &rec, &section) > 0 && section == 0)
			if (rec.type == DNS_A || rec.type == DNS_AAAA)
				inet_ntop(rec.type == DNS_A ? AF_INET : AF_INET6, p + rec.rdata, ret, INET6_ADDRSTRLEN);
}

static void print_answer(const uint8_t *p, size_t n, unsigned rcode, uint64_t ms)
{
	char text[INET6_ADDRSTRLEN] = "-";

	answer_text(p, n, text);
	printf("%u %u %llu %s\n", rcode, (unsigned)(p[6] << 8 | p[7]), (unsigned long long)ms, text);
}

static int ask(int argc, char **argv)
{
	struct dns_query q = { .id = 4711, .flags = DNS_RD, .class = DNS_IN };
	uint8_t msg[DNS_QUERY_MAX], out[DNS_MSG_MAX];
	uint64_t start = loop_deadline(0);
	struct dns_edns edns;
	struct hostport to;
	unsigned rcode;
	ssize_t n;

	if (argc < 3 || hostport_parse(argv[0], 53, &to) || dns_name_parse(argv[1], &q.name) || !type_number(argv[2]))
		return fail("ask ADDR[:PORT] NAME TYPE [tcp]");
	q.type = (uint16_t)type_number(argv[2]);
	n = exchange(&to, argc > 3, msg, dns_query_build(&q, q.id, true, msg), out, sizeof(out));
	if (n < 0 || dns_reply_check(&q, q.id, out, (size_t)n, &rcode, &edns))
		return fail("no sound answer");
	print_answer(out, (size_t)n, rcode, (loop_deadline(0) - start) / 1000000);
	return 0;
}

/* ---- follow ------------------------------------------------------------------------------------------------------ */

#define FOLLOW_MS 8000
#define FOLLOW_WAIT_US 2000

/* The address that is answered over this socket, or "" for none within FOLLOW_WAIT_US. */
static void follow_once(int fd, struct dns_query *q, char ret[static INET6_ADDRSTRLEN])
{
	uint8_t msg[DNS_QUERY_MAX], out[DNS_MSG_MAX];
	struct dns_edns edns;
	unsigned rcode;
	ssize_t n;

	q->id++;
	*ret = '\0';
	if (send(fd, msg, dns_query_build(q, q->id, true, msg), 0) < 0)
		return;
	while ((n = recv(fd, out, sizeof(out), 0)) >= 0)
		if (!dns_reply_check(q, q->id, out, (size_t)n, &rcode, &edns)) {
			answer_text(out, (size_t)n, ret);
			return;
		}
}

static int follow(int argc, char **argv)
{
	struct dns_query q = { .flags = DNS_RD, .class = DNS_IN, .type = DNS_A };
	struct timeval limit = { .tv_usec = FOLLOW_WAIT_US };
	uint64_t end = loop_deadline(FOLLOW_MS), answered = loop_deadline(0);
	char text[INET6_ADDRSTRLEN];
	struct sockaddr_storage sa;
	struct hostport to;
	autoclose int fd = -1;

	if (argc != 3 || hostport_parse(argv[0], 53, &to) || dns_name_parse(argv[1], &q.name))
		return fail("follow ADDR[:PORT] NAME A.B.C.D");
	fd = socket(to.addr.family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	if (connect(fd, (struct sockaddr *)&sa, hostport_to_sockaddr(&to, &sa)) < 0)
		return fail("no way there");
	while (loop_deadline(0) < end) {
		follow_once(fd, &q, text);
		if (streq(text, argv[2]))
			return printf("%llu\n", (unsigned long long)(loop_deadline(0) - answered) / 1000000) < 0;
		if (*text)
			answered = loop_deadline(0);
	}
	printf("never\n");
	return 1;
}

int main(int argc, char **argv)
{
	static const struct { const char *name; int (*fn)(int argc, char **argv); } pieces[] = {
		{ "dns", fake_dns }, { "kube", fake_kube }, { "ask", ask }, { "hear", hear }, { "serve", fake_serve }, { "connect", fake_connect },
		{ "follow", follow },
	};

	for (size_t i = 0; argc > 1 && i < ARRAY_SIZE(pieces); i++)
		if (streq(argv[1], pieces[i].name))
			return pieces[i].fn(argc - 2, argv + 2);
	return fail("dns, kube, serve, connect, hear, ask or follow");
}
