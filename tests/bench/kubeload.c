/* SPDX-License-Identifier: Apache-2.0 */
/* A large cluster for an agent: an API server on 127.0.0.1 that streams, or lists by pages, and watches.
 *   kubeload DNS-ADDR:PORT [services=N] [endpoints=N] [changes=N] [pages=1] [pidfile=PATH]
 * Prints "ready PORT"; then, when the last name of the list is answered at DNS-ADDR, how long that took since the first
 * request and since the last byte of the lists; then what changes of a service's address took until the new one is
 * answered, and the CPU of the process in pidfile for one. Serves until it is killed. */
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/str.h"
#include "net/dnswire.h"
#include "net/sock.h"
#include "tests/bench/figures.h"
#include "tests/fake/httpd.h"

#define SERVICES_MAX 50000
#define ENDPOINTS_MAX 20		/* of one service */
#define NAMESPACES 10
#define CHUNK (256u << 10)
#define CHANGE_MS 5000
#define SYNC_MS 60000
#define PIDFILE_MS 4000

enum kind { SERVICES, SLICES, NAMESPACE_OBJECTS, NODES, COREDNS, NOTHING };

struct kubeload {
	unsigned services, endpoints;
	bool pages;
	struct hostport dns;
	atomic_uint changes;		/* so far: change i is of service i % services */
	_Atomic uint64_t asked_ns, listed_ns;
	pthread_mutex_t lock;
	pthread_cond_t changed;
};

static const struct {
	const char *part;		/* of the path */
	const char *name, *version;
} kinds[] = {
	[SERVICES] = { "/services?", "Service", "v1" },
	[SLICES] = { "/endpointslices?", "EndpointSlice", "discovery.k8s.io/v1" },
	[NAMESPACE_OBJECTS] = { "/namespaces?", "Namespace", "v1" },
	[NODES] = { "/nodes?", "Node", "v1" },
	[COREDNS] = { "=metadata.name%3Dcoredns&", "ConfigMap", "v1" },
	[NOTHING] = { "", "ConfigMap", "v1" },
};

/* ---- objects ----------------------------------------------------------------------------------------------------- */

/* What every object carries and nobody needs. */
#define BALLAST "\"creationTimestamp\":\"2024-01-01T00:00:00Z\",\"labels\":{\"app.kubernetes.io/name\":\"bench\"," \
	"\"app.kubernetes.io/managed-by\":\"Helm\"},\"managedFields\":[{\"manager\":\"helm\",\"operation\":\"Update\",\"apiVersion\":\"v1\"," \
	"\"time\":\"2024-01-01T00:00:00Z\",\"fieldsType\":\"FieldsV1\",\"fieldsV1\":{\"f:metadata\":{\"f:annotations\":{\".\":{}," \
	"\"f:meta.helm.sh/release-name\":{}}},\"f:spec\":{\"f:ports\":{\".\":{},\"k:{\\\"port\\\":80,\\\"protocol\\\":\\\"TCP\\\"}\":" \
	"{\".\":{},\"f:name\":{},\"f:port\":{},\"f:protocol\":{},\"f:targetPort\":{}}},\"f:selector\":{}}}}]"

static void metadata_add(struct buf *b, const char *name, unsigned i, unsigned version)
{
	buf_addf(b, "\"metadata\":{\"name\":\"%s-%u\",\"namespace\":\"ns-%u\",\"uid\":\"%s-%08u\",\"resourceVersion\":\"%u\"," BALLAST,
		 name, i, i % NAMESPACES, name, i, version + 1);
}

/* The address says which turn of changes it is from. */
static void service_add(struct buf *b, unsigned i, unsigned turn)
{
	metadata_add(b, "svc", i, turn);
	buf_addf(b, "},\"spec\":{\"clusterIP\":\"10.%u.%u.%u\",\"clusterIPs\":[\"10.%u.%u.%u\"],\"type\":\"ClusterIP\","
		 "\"ipFamilies\":[\"IPv4\"],\"selector\":{\"app\":\"bench\"},\"ports\":[{\"name\":\"http\",\"port\":80,\"protocol\":\"TCP\","
		 "\"targetPort\":8080}]},\"status\":{\"loadBalancer\":{}}}",
		 100 + turn % 100, i >> 8, i & 255, 100 + turn % 100, i >> 8, i & 255);
}

static void slice_add(struct buf *b, unsigned i, unsigned endpoints)
{
	metadata_add(b, "svc", i, 0);
	buf_addf(b, ",\"labels\":{\"kubernetes.io/service-name\":\"svc-%u\"}},\"addressType\":\"IPv4\",\"endpoints\":[", i);
	for (unsigned k = 0; k < endpoints; k++)
		buf_addf(b, "%s{\"addresses\":[\"10.%u.%u.%u\"],\"conditions\":{\"ready\":true,\"serving\":true,\"terminating\":false},"
			 "\"nodeName\":\"node-1\",\"targetRef\":{\"kind\":\"Pod\",\"namespace\":\"ns-%u\",\"name\":\"svc-%u-%u\","
			 "\"uid\":\"pod-%08u\"}}", k ? "," : "", 10 + k, i >> 8, i & 255, i % NAMESPACES, i, k, i);
	buf_adds(b, "],\"ports\":[{\"name\":\"http\",\"port\":8080,\"protocol\":\"TCP\"}]}");
}

static unsigned kind_count(const struct kubeload *k, enum kind kind)
{
	switch (kind) {
	case SERVICES: case SLICES: return k->services;
	case NAMESPACE_OBJECTS: return NAMESPACES;
	case NODES: case COREDNS: return 1;
	case NOTHING: break;
	}
	return 0;
}

/* The object with this number; of a service also: as changed so often. */
static void object_add(const struct kubeload *k, struct buf *b, enum kind kind, unsigned i, unsigned turn)
{
	buf_addf(b, "{\"kind\":\"%s\",\"apiVersion\":\"%s\",", kinds[kind].name, kinds[kind].version);
	switch (kind) {
	case SERVICES:
		service_add(b, i, turn);
		break;
	case SLICES:
		slice_add(b, i, k->endpoints);
		break;
	case NAMESPACE_OBJECTS:
		buf_addf(b, "\"metadata\":{\"name\":\"ns-%u\",\"uid\":\"ns-%u\",\"resourceVersion\":\"1\"}}", i, i);
		break;
	case NODES:
		buf_adds(b, "\"metadata\":{\"name\":\"node-1\",\"resourceVersion\":\"1\"},\"spec\":{\"podCIDRs\":[\"10.10.0.0/16\"]},\"status\":{"
			 "\"conditions\":[{\"type\":\"Ready\",\"status\":\"True\"}]}}");
		break;
	case COREDNS:
		buf_adds(b, "\"metadata\":{\"name\":\"coredns\",\"namespace\":\"kube-system\",\"resourceVersion\":\"1\"},\"data\":{\"Corefile\":"
			 "\".:53 {\\n errors\\n kubernetes cluster.local in-addr.arpa ip6.arpa {\\n pods insecure\\n }\\n forward . /etc/resolv.conf\\n}\\n\"}}");
		break;
	case NOTHING:
		break;
	}
}

/* ---- the API server ---------------------------------------------------------------------------------------------- */

static void chunk_send(struct httpd_req *q, struct buf *b)
{
	if (b->len)
		httpd_chunk(q, b->data, b->len);
	buf_reset(b);
}

static void list_time(struct kubeload *k, enum kind kind)
{
	if (kind == SERVICES || kind == SLICES)
		atomic_store(&k->listed_ns, now_ns());
}

static void stream_serve(struct kubeload *k, struct httpd_req *q, enum kind kind)
{
	auto(buf) struct buf b = BUF_INIT(2 * CHUNK);

	for (unsigned i = 0; i < kind_count(k, kind); i++) {
		buf_adds(&b, "{\"type\":\"ADDED\",\"object\":");
		object_add(k, &b, kind, i, 0);
		buf_adds(&b, "}\n");
		if (b.len >= CHUNK)
			chunk_send(q, &b);
	}
	buf_addf(&b, "{\"type\":\"BOOKMARK\",\"object\":{\"kind\":\"%s\",\"apiVersion\":\"%s\",\"metadata\":{\"resourceVersion\":\"1\",\"annotations\":"
		 "{\"k8s.io/initial-events-end\":\"true\"}}}}\n", kinds[kind].name, kinds[kind].version);
	chunk_send(q, &b);
	list_time(k, kind);
}

/* Changes from now on, as they come. */
static void watch_serve(struct kubeload *k, struct httpd_req *q, enum kind kind)
{
	auto(buf) struct buf b = BUF_INIT(CHUNK);
	unsigned seen = 0;

	httpd_stream(q, 200, NULL);
	if (strstr(q->path, "sendInitialEvents=true"))
		stream_serve(k, q, kind);
	pthread_mutex_lock(&k->lock);
	while (!q->close) {
		while (seen == atomic_load(&k->changes))
			pthread_cond_wait(&k->changed, &k->lock);
		for (; seen < atomic_load(&k->changes); seen++) {
			if (kind != SERVICES)
				continue;
			buf_adds(&b, "{\"type\":\"MODIFIED\",\"object\":");
			object_add(k, &b, kind, seen % k->services, seen / k->services + 1);
			buf_adds(&b, "}\n");
			chunk_send(q, &b);
		}
	}
	pthread_mutex_unlock(&k->lock);
}

static unsigned query_number(const char *path, const char *key, unsigned otherwise)
{
	const char *at = strstr(path, key);
	uint64_t n;

	if (!at)
		return otherwise;
	autofree char *text = xstrndup(at + strlen(key), strspn(at + strlen(key), "0123456789"));

	return num_u64(text, UINT32_MAX, &n) ? otherwise : (unsigned)n;
}

static void page_serve(struct kubeload *k, struct httpd_req *q, enum kind kind)
{
	unsigned n = kind_count(k, kind), from = query_number(q->path, "continue=", 0), to = from + query_number(q->path, "limit=", n);
	auto(buf) struct buf b = BUF_INIT(64 << 20);

	buf_addf(&b, "{\"kind\":\"%sList\",\"apiVersion\":\"%s\",\"metadata\":{\"resourceVersion\":\"1\"", kinds[kind].name, kinds[kind].version);
	if (to < n)
		buf_addf(&b, ",\"continue\":\"%u\"", to);
	buf_adds(&b, "},\"items\":[");
	for (unsigned i = from; i < MIN(to, n); i++) {
		if (i > from)
			buf_addc(&b, ',');
		object_add(k, &b, kind, i, 0);
	}
	buf_adds(&b, "]}");
	httpd_reply(q, 200, NULL, buf_str(&b));
	list_time(k, kind);
}

static enum kind kind_of(const char *path)
{
	enum kind kind = SERVICES;

	while (!strstr(path, kinds[kind].part))		/* the last one is in every path */
		kind++;
	return kind;
}

static void serve(struct httpd_req *q, void *arg)
{
	struct kubeload *k = arg;
	uint64_t none = 0;

	atomic_compare_exchange_strong(&k->asked_ns, &none, now_ns());
	if (k->pages && strstr(q->path, "sendInitialEvents=true"))
		httpd_reply(q, 422, NULL, "{\"kind\":\"Status\",\"code\":422,\"message\":\"sendInitialEvents is forbidden\"}");
	else if (strstr(q->path, "watch="))
		watch_serve(k, q, kind_of(q->path));
	else
		page_serve(k, q, kind_of(q->path));
}

/* ---- the client -------------------------------------------------------------------------------------------------- */

/* The second byte of the address that the service has in the DNS; -1: none. */
static int ask(const struct kubeload *k, int fd, unsigned i)
{
	struct dns_query query = { .flags = DNS_RD, .type = DNS_A, .class = DNS_IN, .id = (uint16_t)now_ns() };
	autofree char *name = xasprintf("svc-%u.ns-%u.svc.cluster.local", i, i % NAMESPACES);
	struct pollfd p = { .fd = fd, .events = POLLIN };
	uint8_t msg[DNS_QUERY_MAX], out[4096];
	ssize_t n;

	if (dns_name_parse(name, &query.name))
		return -1;
	(void)!send(fd, msg, dns_query_build(&query, query.id, false, msg), 0);
	while (poll(&p, 1, 100) > 0) {
		n = recv(fd, out, sizeof(out), MSG_DONTWAIT);
		if (n > DNS_HEADER && (out[0] << 8 | out[1]) == query.id)
			return out[7] == 1 ? out[n - 3] : -1;
		if (n < 0)
			(void)!poll(NULL, 0, 1);
	}
	return -1;
}

static bool ask_until(const struct kubeload *k, int fd, unsigned i, int wanted, uint64_t limit_ms)
{
	uint64_t end = now_ns() + limit_ms * 1000000;

	while (ask(k, fd, i) != wanted) {
		if (now_ns() > end)
			return false;
		(void)!poll(NULL, 0, 1);
	}
	return true;
}

static bool wait_synced(const struct kubeload *k, int fd)
{
	if (!ask_until(k, fd, k->services - 1, 100, SYNC_MS))
		return false;
	printf("sync_ms=%.1f behind_ms=%.1f\n", (double)(now_ns() - atomic_load(&k->asked_ns)) / 1e6,
	       (double)(now_ns() - atomic_load(&k->listed_ns)) / 1e6);
	fflush(stdout);
	return true;
}

static pid_t pid_read(const char *path)
{
	auto(buf) struct buf text = BUF_INIT(64);
	uint64_t pid = 0;

	if (!path)
		return 0;
	for (int i = 0; i < PIDFILE_MS / 10 && (file_read(path, &text, NULL) || !text.len); i++)
		(void)!poll(NULL, 0, 10);
	autofree char *number = xstrndup(buf_str(&text), strspn(buf_str(&text), "0123456789"));

	return num_u64(number, INT32_MAX, &pid) ? 0 : (pid_t)pid;
}

static void change_run(struct kubeload *k, int fd, unsigned n, pid_t pid)
{
	struct histogram *h = xcalloc(1, sizeof(*h));
	uint64_t cpu = process_cpu_ms(pid), late = 0;

	for (unsigned i = 0; i < n; i++) {
		uint64_t start = now_ns();

		pthread_mutex_lock(&k->lock);
		atomic_fetch_add(&k->changes, 1);
		pthread_cond_broadcast(&k->changed);
		pthread_mutex_unlock(&k->lock);
		late += !ask_until(k, fd, i % k->services, (int)(101 + i / k->services), CHANGE_MS);
		histogram_add(h, (now_ns() - start) / 1000);
	}
	printf("changes=%u late=%llu p50_us=%llu p99_us=%llu max_us=%llu cpu_us=%.0f\n", n, (unsigned long long)late,
	       (unsigned long long)histogram_at(h, 0.5), (unsigned long long)histogram_at(h, 0.99), (unsigned long long)h->max_us,
	       (double)(process_cpu_ms(pid) - cpu) * 1000 / MAX(n, 1u));
	fflush(stdout);
	free(h);
}

int main(int argc, char **argv)
{
	struct kubeload *k = xcalloc(1, sizeof(*k));
	struct sockaddr_storage to;
	socklen_t len;
	int fd;

	if (argc < 2 || hostport_parse(argv[1], 53, &k->dns)) {
		fprintf(stderr, "kubeload ADDR:PORT [KEY=VALUE…]\n");
		return 2;
	}
	k->services = (unsigned)MAX(option_number(argc, argv, "services", 10000, SERVICES_MAX), UINT64_C(1));
	k->endpoints = (unsigned)option_number(argc, argv, "endpoints", 40000, SERVICES_MAX * ENDPOINTS_MAX) / k->services;
	k->endpoints = MIN(k->endpoints, ENDPOINTS_MAX);
	k->pages = option_number(argc, argv, "pages", 0, 1);
	pthread_mutex_init(&k->lock, NULL);
	pthread_cond_init(&k->changed, NULL);
	len = hostport_to_sockaddr(&k->dns, &to);
	fd = socket(to.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&to, len) < 0)
		return 1;
	printf("ready %u\n", httpd_port(httpd_start(serve, k)));
	fflush(stdout);
	if (!wait_synced(k, fd))
		return 1;
	change_run(k, fd, (unsigned)option_number(argc, argv, "changes", 100, 10000),
		   pid_read(option_text(argc, argv, "pidfile", NULL)));
	return poll(NULL, 0, -1);
}
