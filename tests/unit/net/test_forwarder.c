/* SPDX-License-Identifier: Apache-2.0 */
/* Connections of clients through the forwarder to the fake pods. */
#include "net/forward/forwarder.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "base/str.h"
#include "tests/fake/portforward.h"
#include "tests/tap.h"

#define WAIT_MS 15000
#define MANY 200
#define LINGER_MS 30
#define SLOW_MS 2500

/* ---- the world --------------------------------------------------------------------------------------------------- */

struct client {
	int fd;
	struct buf got;
	bool over, reset;
};

struct world {
	struct loop *loop;
	struct fake_pf *fake;
	struct store *store;
	struct kube *kube;
	struct forwarder *forwarder;
	struct client clients[MANY];
	unsigned n;
	int listener;
	struct sockaddr_in at;
};

static void put(struct world *w, enum store_kind kind, const char *text)
{
	autojson json *o = json_parse(text, strlen(text), NULL);

	if (store_put(w->store, kind, o))
		ok(false, "%s is an object", text);
}

/* A service whose port 80 is this one of its pods web-1 … web-N. */
static void service(struct world *w, unsigned pods, unsigned port)
{
	auto(buf) struct buf b = BUF_INIT(65536);

	put(w, STORE_SERVICES, "{\"metadata\":{\"namespace\":\"t\",\"name\":\"web\"},\"spec\":{\"selector\":{\"a\":\"b\"},\"ports\":[{\"port\":80}]}}");
	buf_addf(&b, "{\"metadata\":{\"namespace\":\"t\",\"name\":\"web-a\",\"labels\":{\"kubernetes.io/service-name\":\"web\"}},"
		 "\"ports\":[{\"port\":%u}],\"endpoints\":[", port);
	for (unsigned i = 1; i <= pods; i++)
		buf_addf(&b, "%s{\"addresses\":[\"10.0.0.%u\"],\"targetRef\":{\"kind\":\"Pod\",\"name\":\"web-%u\"}}", i > 1 ? "," : "", i, i);
	buf_adds(&b, "]}");
	put(w, STORE_SLICES, buf_str(&b));
	forwarder_renew(w->forwarder);
}

static void world_begin(struct world *w)
{
	socklen_t n = sizeof(w->at);
	struct http_endpoint to;

	*w = (struct world){ .loop = loop_new(LOOP_DEFAULT), .fake = fake_pf_new(), .store = store_new(),
			     .at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) } };
	to = fake_pf_endpoint(w->fake);
	w->kube = kube_new(w->loop, &to);
	w->forwarder = forwarder_new(w->loop, w->kube, w->store);
	w->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(w->listener, (struct sockaddr *)&w->at, n) || listen(w->listener, MANY) ||
	    getsockname(w->listener, (struct sockaddr *)&w->at, &n))
		abort();
	fake_pf_always(w->fake, &(struct fake_pf_fault){ .linger_ms = LINGER_MS });
}

static void clients_end(struct world *w)
{
	for (unsigned i = 0; i < w->n; i++) {
		if (w->clients[i].fd >= 0)
			close(w->clients[i].fd);
		buf_done(&w->clients[i].got);
	}
	w->n = 0;
}

static void world_end(struct world *w)
{
	clients_end(w);
	is_str(fake_pf_complaint(w->fake), NULL, "the server has no complaint");
	forwarder_free(w->forwarder);
	kube_free(w->kube);
	store_free(w->store);
	fake_pf_free(w->fake);
	close(w->listener);
	loop_free(w->loop);
}

static struct client *client_new(struct world *w, struct forward *to, const char *send_text)
{
	struct client *c = &w->clients[w->n++];
	int far;

	*c = (struct client){ .fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), .got = BUF_INIT(128 << 20) };
	if (connect(c->fd, (struct sockaddr *)&w->at, sizeof(w->at)))
		abort();
	far = accept4(w->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (send(c->fd, send_text, strlen(send_text), MSG_NOSIGNAL) != (ssize_t)strlen(send_text))
		abort();
	forward_carry(to, far, NULL);
	return c;
}

static void client_hear(struct client *c)
{
	static char p[1 << 20];
	ssize_t n = c->over ? -1 : recv(c->fd, p, sizeof(p), MSG_DONTWAIT);

	if (n > 0)
		buf_add(&c->got, p, (size_t)n);
	else if (!c->over && (n == 0 || errno != EAGAIN))
		c->over = true, c->reset = n < 0;
}

/* Until each has ended, or has said so many bytes. */
static bool clients_run(struct world *w, size_t bytes, unsigned ms)
{
	uint64_t deadline = loop_deadline(ms);
	unsigned done = 0;

	while (done < w->n && loop_deadline(0) < deadline) {
		(void)!loop_turn(w->loop, loop_deadline(10));
		done = 0;
		for (unsigned i = 0; i < w->n; i++) {
			client_hear(&w->clients[i]);
			done += w->clients[i].over || (bytes && w->clients[i].got.len >= bytes);
		}
	}
	return done == w->n;
}

static unsigned count_said(const struct world *w, const char *text)
{
	unsigned n = 0;

	for (unsigned i = 0; i < w->n; i++)
		n += streq(buf_str(&w->clients[i].got), text);
	return n;
}

static const struct target_want web = { "t", "web", NULL, 80, IPPROTO_TCP };

/* ---- which pod --------------------------------------------------------------------------------------------------- */

static void ask_names(struct world *w, struct forward *to, unsigned n)
{
	clients_end(w);
	for (unsigned i = 0; i < n; i++)
		client_new(w, to, "");
	clients_run(w, 0, WAIT_MS);
}

static void test_pods(void)
{
	struct world w;
	struct forward *to;
	struct forwarder_count n;

	world_begin(&w);
	service(&w, 3, FAKE_NAME);
	to = forward_new(w.forwarder, &web);
	ask_names(&w, to, 12);
	ok(count_said(&w, "web-1") == 4 && count_said(&w, "web-2") == 4 && count_said(&w, "web-3") == 4, "pods take turns");
	forwarder_count(w.forwarder, &n);
	ok(n.sessions == 3 && n.warm == 3 && n.threads == 0, "by one session each (%u, %u warm)", n.sessions, n.warm);
	fake_pf_pod_gone(w.fake, "web-2", true);
	ask_names(&w, to, 12);
	ok(count_said(&w, "web-1") + count_said(&w, "web-3") == 12, "those of a pod that is gone go to others (%u, %u)",
	   count_said(&w, "web-1"), count_said(&w, "web-3"));
	ask_names(&w, to, 12);
	ok(count_said(&w, "web-1") + count_said(&w, "web-3") == 12, "without its session, too");
	fake_pf_pod_gone(w.fake, "web-2", false);
	ask_names(&w, to, 12);
	is_int(count_said(&w, "web-2"), 4, "one of that name that comes back has its turns");
	fake_pf_cut(w.fake);
	ask_names(&w, to, 12);
	ok(count_said(&w, "web-1") + count_said(&w, "web-2") + count_said(&w, "web-3") == 12, "sessions that are cut are made anew (%u, %u, %u) %s",
	   count_said(&w, "web-1"), count_said(&w, "web-2"), count_said(&w, "web-3"), forward_trouble(to));
	world_end(&w);
}

static void test_hold(void)
{
	struct world w;
	struct forward *to;

	world_begin(&w);
	service(&w, 0, FAKE_NAME);
	to = forward_new(w.forwarder, &web);
	client_new(&w, to, "");
	ok(!clients_run(&w, 0, 300), "without an endpoint a connection is held");
	service(&w, 1, FAKE_NAME);
	ok(clients_run(&w, 0, WAIT_MS) && count_said(&w, "web-1") == 1, "until there is one");
	clients_end(&w);
	service(&w, 1, 6);
	client_new(&w, to, "");
	ok(clients_run(&w, 0, WAIT_MS) && w.clients[0].reset && strstr(forward_trouble(to), "connection refused"), "a refusal resets it: %s",
	   forward_trouble(to));
	clients_end(&w);
	forwarder_set_connected(w.forwarder, false);
	client_new(&w, to, "");
	ok(clients_run(&w, 0, 100) && w.clients[0].reset, "so does an API server that is away: %s", forward_trouble(to));
	forwarder_set_connected(w.forwarder, true);
	clients_end(&w);
	service(&w, 1, FAKE_NAME);
	client_new(&w, to, "");
	ok(clients_run(&w, 0, WAIT_MS) && count_said(&w, "web-1") == 1, "until it is back");
	world_end(&w);
}

/* ---- many, much, late -------------------------------------------------------------------------------------------- */

static void test_many(void)
{
	struct world w;
	struct forward *to;
	struct fake_pf_count n;

	world_begin(&w);
	service(&w, 1, FAKE_ECHO);
	to = forward_new(w.forwarder, &web);
	for (unsigned i = 0; i < MANY; i++)
		client_new(&w, to, "hello");
	clients_run(&w, 5, WAIT_MS);
	fake_pf_count(w.fake, &n);
	ok(count_said(&w, "hello") == MANY && n.connections <= 2, "%u at once, by %u connections", count_said(&w, "hello"), n.connections);
	fake_pf_cut(w.fake);
	ok(clients_run(&w, 0, WAIT_MS) && w.clients[0].reset, "all are reset when it is cut");
	world_end(&w);
}

/* How the API server lets connections through; the last one needs the others to be refused. */
static const struct way {
	const char *what;
	struct fake_pf_fault faults[2];
} ways[] = {
	{ "by POST", { { .linger_ms = LINGER_MS, .late_ms = 500 } } },
	{ "by GET", { { .linger_ms = LINGER_MS, .late_ms = 500 }, { .method = "POST", .status = 403 } } },
	{ "by v4", { { .linger_ms = LINGER_MS, .late_ms = 500, .protocol = "v4.channel.k8s.io" }, { .method = "POST", .status = 403 } } },
};

static void way_take(struct world *w, const struct way *way)
{
	fake_pf_always(w->fake, &way->faults[0]);
	if (way->faults[1].method)
		fake_pf_always(w->fake, &way->faults[1]);
}

static struct forward *pod_port(struct world *w, unsigned port)
{
	return forward_new(w->forwarder, &(struct target_want){ "t", NULL, "web-1", (uint16_t)port, IPPROTO_TCP });
}

static bool has_pattern(const struct client *c, size_t much)
{
	for (size_t i = 0; i < c->got.len; i++)
		if ((uint8_t)c->got.data[i] != fake_pf_pattern(i))
			return false;
	return c->over && !c->reset && c->got.len == much;
}

static void test_much(const struct way *way)
{
	struct world w;
	struct forward *to;
	unsigned good = 0;

	world_begin(&w);
	way_take(&w, way);
	to = pod_port(&w, FAKE_SEND + 200);
	for (unsigned i = 0; i < 4; i++)
		client_new(&w, to, "");
	clients_run(&w, 0, WAIT_MS);
	for (unsigned i = 0; i < w.n; i++)
		good += has_pattern(&w.clients[i], 200 << 16);
	ok(good == 4, "13 MB four times, %s: %u whole %s", way->what, good, forward_trouble(to));
	world_end(&w);
}

static void test_late(const struct way *way)
{
	struct world w;
	struct client *c;

	world_begin(&w);
	way_take(&w, way);
	c = client_new(&w, pod_port(&w, FAKE_LATE), "x");
	shutdown(c->fd, SHUT_WR);
	ok(clients_run(&w, 0, WAIT_MS) && streq(buf_str(&c->got), "late\n") && !c->reset, "a client that has ended gets its late answer, %s", way->what);
	world_end(&w);
}

/* What was sent to a port that refuses may block a part of the session at the node. */
static void test_refused(void)
{
	static const struct {
		const char *sent, *what;
		bool same;
	} rows[] = { { "", "sent nothing leaves its session to others", true }, { "x", "sent something takes it away", false } };

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct world w;
		struct fake_pf_count n;

		world_begin(&w);
		client_new(&w, pod_port(&w, 6), rows[i].sent);
		clients_run(&w, 0, WAIT_MS);
		client_new(&w, pod_port(&w, FAKE_NAME), "");
		clients_run(&w, 0, WAIT_MS);
		fake_pf_count(w.fake, &n);
		ok(w.clients[0].reset && count_said(&w, "web-1") == 1 && (n.connections == 1) == rows[i].same,
		   "a refused connection that %s (%u sessions)", rows[i].what, n.connections);
		world_end(&w);
	}
}

/* One that does not read while a pod sends 60 MB, next to 50 that do. */
static void test_slow(const struct way *way)
{
	struct world w;
	struct client *slow;
	struct forward *echo;

	world_begin(&w);
	way_take(&w, way);
	slow = client_new(&w, pod_port(&w, FAKE_SEND + 900), "");
	slow->over = true;			/* not heard */
	echo = pod_port(&w, FAKE_ECHO);
	for (unsigned i = 0; i < 50; i++)
		client_new(&w, echo, "hello");
	clients_run(&w, 5, WAIT_MS);
	is_int(count_said(&w, "hello"), 50, "beside a client that does not read, %s, others are answered", way->what);
	for (unsigned i = 1; i < w.n; i++)
		if (send(w.clients[i].fd, " again", 6, MSG_NOSIGNAL) != 6)
			ok(false, "client %u can send: %s", i, forward_trouble(echo));
	clients_run(&w, 11, WAIT_MS);
	is_int(count_said(&w, "hello again"), 50, "and again");
	slow->over = false;
	for (unsigned i = 1; i < w.n; i++)
		w.clients[i].over = true;
	clients_run(&w, 0, WAIT_MS);
	ok(has_pattern(slow, 900 << 16), "and it gets all of it once it reads (%zu bytes)", slow->got.len);
	world_end(&w);
}

/* One that is slow to read, beside one that says nothing and shares its session. */
static void test_slow_shared(const struct way *way)
{
	struct world w;
	struct client *slow;
	struct forward *send;
	uint64_t fast;

	world_begin(&w);
	way_take(&w, way);
	client_new(&w, pod_port(&w, FAKE_ECHO), "hello");
	clients_run(&w, 5, WAIT_MS);
	w.clients[0].over = true;
	send = pod_port(&w, FAKE_SEND + 900);
	slow = client_new(&w, send, "");
	fast = loop_deadline(SLOW_MS);
	for (uint64_t next = loop_deadline(SLOW_MS / 10); loop_deadline(0) < fast;) {
		(void)!loop_turn(w.loop, loop_deadline(10));
		if (loop_deadline(0) < next)
			continue;
		client_hear(slow);
		next = loop_deadline(SLOW_MS / 10);
	}
	clients_run(&w, 0, WAIT_MS);
	ok(has_pattern(slow, 900 << 16), "a client that is slow to read, %s, and not alone, gets all (%zu bytes) %s", way->what, slow->got.len,
	   forward_trouble(send));
	world_end(&w);
}

int main(void)
{
	test_pods();
	test_hold();
	test_many();
	test_refused();
	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		test_much(&ways[i]);
		test_late(&ways[i]);
		test_slow(&ways[i]);
		test_slow_shared(&ways[i]);
	}
	return tap_done();
}
