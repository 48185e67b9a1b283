/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/scenario/world.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#include "agent/cluster.h"
#include "agent/dns.h"
#include "agent/upstreams.h"
#include "agent/zone.h"
#include "base/mem.h"
#include "net/sock.h"
#include "tests/scenario/text.h"

#define START_NS 1000000000000ull
#define STEP_MS 10
#define TURNS_MAX 100000

/* ---- clients ----------------------------------------------------------------------------------------------------- */

struct client *world_client(struct world *w, bool tcp)
{
	struct client *c = xcalloc(1, sizeof(*c));
	struct sockaddr_storage sa;
	socklen_t len = hostport_to_sockaddr(&w->a.config.listen, &sa);
	int r;

	c->tcp = tcp;
	buf_init(&c->in, 1 << 20);
	do {	/* libFuzzer's alarm */
		c->fd = socket(AF_INET, (tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC, 0);
		r = connect(c->fd, (struct sockaddr *)&sa, len) < 0 ? errno : 0;
		if (r)
			close(c->fd);
	} while (r == EINTR);
	if (r)
		abort();
	(void)setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
	c->next = w->clients;
	w->clients = c;
	return c;
}

void world_hang_up(struct world *w, struct client *c)
{
	if (c->fd < 0)
		return;
	(void)setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &(struct linger){ .l_onoff = 1 }, sizeof(struct linger));
	close(steal_fd(&c->fd));
}

struct question *world_question(struct world *w, unsigned number)
{
	for (size_t i = w->n; i-- > 0;)
		if (w->questions[i].number == number)
			return &w->questions[i];
	return NULL;
}

void world_ask(struct world *w, struct client *c, unsigned number, const struct dns_query *q, const void *msg, size_t n)
{
	uint8_t frame[2 + DNS_MSG_MAX] = { (uint8_t)(n >> 8), (uint8_t)n };
	size_t skip = c->tcp ? 0 : 2;

	if (w->n == w->cap) {
		w->cap = w->cap ? 2 * w->cap : 64;
		w->questions = xrealloc(w->questions, w->cap, sizeof(*w->questions));
	}
	w->questions[w->n++] = (struct question){ .number = number, .client = c, .query = *q, .sent_len = n };
	w->questions[w->n - 1].sent = xmemdup(msg, n);
	memcpy(frame + 2, msg, n);
	if (send(c->fd, frame + skip, n + 2 - skip, MSG_NOSIGNAL) != (ssize_t)(n + 2 - skip))
		snprintf(w->broken, sizeof(w->broken), "question %u cannot be sent", number);
}

/* Does msg repeat the question of q? An answer without one is for a message that had none, or, if nothing else, for any. */
static bool question_is(const struct dns_query *q, const uint8_t *msg, size_t n, bool any)
{
	size_t len = q->name.len;
	const uint8_t *p = msg + DNS_HEADER;

	if (n <= DNS_HEADER || !msg[5])
		return !len || any;
	return n >= DNS_HEADER + len + 2 && memcmp(p, q->name.b, len) == 0 && (p[len] << 8 | p[len + 1]) == q->type;
}

static struct question *question_find(struct world *w, const struct client *c, const uint8_t *msg, size_t n)
{
	for (size_t i = 0; n >= 2 && i < 2 * w->n; i++) {
		struct question *q = &w->questions[i % w->n];

		if (q->client == c && !q->answer && q->query.id == (msg[0] << 8 | msg[1]) &&
		    question_is(&q->query, msg, n, i >= w->n))
			return q;
	}
	return NULL;
}

static void answer_take(struct world *w, const struct client *c, const uint8_t *msg, size_t n)
{
	struct question *q = question_find(w, c, msg, n);

	if (!q) {
		snprintf(w->broken, sizeof(w->broken), "an answer that nobody waits for");
		return;
	}
	q->answer = xmemdup(msg, n);
	q->len = n;
	if (!c->tcp && n > dns_client_size(&q->query))
		snprintf(w->broken, sizeof(w->broken), "answer %u of %zu bytes is too long", q->number, n);
}

static bool client_read(struct world *w, struct client *c)
{
	static uint8_t msg[DNS_MSG_MAX];
	ssize_t n = c->fd >= 0 && !c->deaf ? recv(c->fd, msg, sizeof(msg), MSG_DONTWAIT) : -1;

	c->closed |= c->tcp && n == 0;
	if (n <= 0)
		return false;
	if (!c->tcp) {
		answer_take(w, c, msg, (size_t)n);
		return true;
	}
	buf_add(&c->in, msg, (size_t)n);
	while (c->in.len >= 2) {
		const uint8_t *p = (const uint8_t *)c->in.data;
		size_t len = (size_t)p[0] << 8 | p[1];

		if (c->in.len < 2 + len)
			break;
		answer_take(w, c, p + 2, len);
		buf_consume(&c->in, 2 + len);
	}
	return true;
}

/* ---- time -------------------------------------------------------------------------------------------------------- */

/* The cluster's DNS answers the probe, or lets it wait. */
static bool probe_answer(struct world *w)
{
	struct cluster *c = w->a.cluster;
	struct upstream_flight *f = c->probe.flight;
	char *text[] = { (char *)"noerror", (char *)"@", (char *)"5", (char *)"A", (char *)"10.43.0.1" };
	struct words words = { text, ARRAY_SIZE(text), 0 };
	static uint8_t msg[DNS_MSG_MAX];
	int n;

	if (!f)
		return false;
	f->seen = true;
	if (!w->alive)
		return false;
	n = text_answer(&words, &f->query, f->id, msg);
	flight_answer(f, msg, (size_t)n);
	return true;
}

void world_settle(struct world *w)
{
	bool more = true;

	for (int i = 0; more && i < TURNS_MAX; i++) {
		more = loop_turn(w->a.loop, loop_now(w->a.loop)) == 0;
		more |= probe_answer(w);
		for (struct client *c = w->clients; c; c = c->next)
			while (client_read(w, c))
				more = true;
	}
	if (more)
		snprintf(w->broken, sizeof(w->broken), "the loop does not come to rest");
	if (transport_breach())
		snprintf(w->broken, sizeof(w->broken), "%s", transport_breach());
}

void world_advance(struct world *w, uint64_t ms)
{
	uint64_t step = ms > 20000 ? 100 * STEP_MS : STEP_MS;

	for (uint64_t gone = 0; gone < ms; gone += step) {
		loop_advance(w->a.loop, MIN(step, ms - gone) * 1000000);
		world_settle(w);
	}
}

/* ---- life -------------------------------------------------------------------------------------------------------- */

/* Free for both protocols, by the look of it. */
static uint16_t free_port(void)
{
	struct hostport at = { .addr = { .family = AF_INET, .b = { 127, 0, 0, 1 } } };

	for (int i = 0; i < 100; i++) {
		autoclose int tcp = -1, udp = -1;

		at.port = 0;
		tcp = sock_tcp_listen(&at, NULL);
		udp = tcp >= 0 && !sock_local(tcp, &at) ? sock_udp_bind(&at, NULL) : -1;
		if (udp >= 0)
			return at.port;
	}
	return 0;
}

struct hostport world_upstream(unsigned n)
{
	return (struct hostport){ { AF_INET, { 192, 0, 2, (uint8_t)n } }, 53 };
}

int world_open(struct world *w, const char *settings, struct err *err)
{
	uint16_t port = free_port();
	autofree char *text = xasprintf("{\"kubeconfig\":\"/k\",\"pod_cidr\":\"10.42.0.0/16\",\"service_cidr\":\"10.43.0.0/16\","
					"\"dns\":\"10.43.0.10\",\"listen\":\"127.0.0.1:%u\"%s}", port, settings);
	struct hostport servers[] = { world_upstream(1), world_upstream(2) };
	int r;

	*w = (struct world){ .a = { .loop = loop_new(LOOP_DEFAULT), .nodes = NODES_INIT } };
	loop_fake_clock(w->a.loop, START_NS);
	r = port ? config_parse(text, strlen(text), &w->a.config, err) : err_set(err, -EADDRINUSE, "no port is free");
	transport_start(&w->a.config.domain, &w->a.config.dns[0]);
	if (!r)
		r = upstreams_start(&w->a, err);
	if (!r)
		r = cluster_start(&w->a, err);
	if (!r)
		r = zone_start(&w->a, err);
	if (!r)
		r = dns_start(&w->a, err);
	if (!r)
		upstreams_set(&w->a, servers, ARRAY_SIZE(servers));
	return r;
}

void world_close(struct world *w)
{
	for (struct client *c = w->clients, *next; c; c = next) {
		next = c->next;
		world_hang_up(w, c);
		buf_done(&c->in);
		free(c);
	}
	dns_stop(&w->a);
	zone_stop(&w->a);
	cluster_stop(&w->a);
	upstreams_stop(&w->a);
	transport_stop();
	nodes_done(&w->a.nodes);
	config_done(&w->a.config);
	loop_free(w->a.loop);
	for (size_t i = 0; i < w->n; i++) {
		free(w->questions[i].sent);
		free(w->questions[i].answer);
	}
	free(w->questions);
}
