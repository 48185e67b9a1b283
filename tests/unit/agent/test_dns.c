/* SPDX-License-Identifier: Apache-2.0 */
/* The stub with its neighbours (upstreams, cluster, exchange, TCP), and fake servers around, on one loop. */
#include "agent/dns.h"

#include <errno.h>

#include "agent/cluster.h"
#include "agent/upstreams.h"
#include "base/mem.h"
#include "net/sock.h"
#include "tests/fake/dns.h"
#include "tests/tap.h"

static const char *const cluster_labels[] = { "web", "kubernetes", NULL };

struct world {
	struct agent a;
	struct fake_dns first, second, cluster;
};

static bool never;

static void turn_ms(struct world *w, unsigned ms)
{
	(void)!loop_run(w->a.loop, &never, loop_deadline(ms));
}

static uint16_t free_port(void)
{
	struct hostport at = { .addr = { .family = AF_INET, .b = { 127, 0, 0, 1 } } };
	autoclose int fd = sock_tcp_listen(&at, NULL);

	return fd >= 0 && !sock_local(fd, &at) ? at.port : 0;
}

static void world_start(struct world *w)
{
	autofree char *text = NULL;
	struct err err = { 0 };

	*w = (struct world){ .a = { .loop = loop_new(LOOP_DEFAULT), .nodes = NODES_INIT } };
	fake_dns_start(&w->first, w->a.loop, "127.0.0.1");
	fake_dns_start(&w->second, w->a.loop, "127.0.0.1");
	fake_dns_start(&w->cluster, w->a.loop, "127.0.0.1");
	w->second.a[3] = 2;
	w->cluster.a[0] = 10;
	w->cluster.only = cluster_labels;
	text = xasprintf("{\"kubeconfig\":\"/k\",\"pod_cidr\":\"10.42.0.0/16\",\"service_cidr\":\"10.43.0.0/16\","
			 "\"dns\":\"127.0.0.1:%u\",\"listen\":\"127.0.0.1:%u\"}", w->cluster.at.port, free_port());
	if (config_parse(text, strlen(text), &w->a.config, &err) || upstreams_start(&w->a, &err) ||
	    cluster_start(&w->a, &err) || dns_start(&w->a, &err)) {
		printf("Bail out! %s\n", err_text(&err));
		exit(1);
	}
	upstreams_set(&w->a, (struct hostport[]){ w->first.at, w->second.at }, 2);
}

static void world_stop(struct world *w)
{
	dns_stop(&w->a);
	cluster_stop(&w->a);
	upstreams_stop(&w->a);
	fake_dns_stop(&w->first);
	fake_dns_stop(&w->second);
	fake_dns_stop(&w->cluster);
	config_done(&w->a.config);
	loop_free(w->a.loop);
}

static void cluster_up(struct world *w)
{
	cluster_set_routed(w->a.cluster, true);
	for (int i = 0; i < 200 && !cluster_is_up(w->a.cluster); i++)
		turn_ms(w, 10);
}

/* ---- clients ----------------------------------------------------------------------------------------------------- */

static size_t question(uint8_t *msg, uint16_t id, const char *name, uint16_t type)
{
	struct dns_query q = { .id = id, .flags = DNS_RD, .type = type, .class = DNS_IN };

	return dns_name_parse(name, &q.name) ? 0 : dns_query_build(&q, id, false, msg);
}

static int client(struct world *w, int type)
{
	struct sockaddr_storage sa;
	socklen_t len = hostport_to_sockaddr(&w->a.config.listen, &sa);
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

	if (connect(fd, (struct sockaddr *)&sa, len) < 0)
		abort();
	return fd;
}

struct reply {
	ssize_t len;
	unsigned rcode, answers, authority, ms;
	uint8_t last;		/* last byte of the message: of the address, where there is one */
	uint8_t b[4096];
};

static void reply_read(struct reply *r)
{
	r->rcode = r->b[3] & 15;
	r->answers = r->b[7];
	r->authority = r->b[9];
	r->last = r->b[r->len - 1];
}

/* Asks over UDP; len < 0 when nothing came within max_ms. */
static struct reply ask(struct world *w, const char *name, uint16_t type, unsigned max_ms)
{
	autoclose int fd = client(w, SOCK_DGRAM);
	uint64_t start = loop_deadline(0);
	uint8_t msg[DNS_QUERY_MAX];
	struct reply r = { .len = -1 };

	if (send(fd, msg, question(msg, 7, name, type), 0) < 0)
		return r;
	while (r.len < 0 && (loop_deadline(0) - start) / 1000000 < max_ms) {
		turn_ms(w, 5);
		r.len = recv(fd, r.b, sizeof(r.b), MSG_DONTWAIT);
	}
	r.ms = (unsigned)((loop_deadline(0) - start) / 1000000);
	if (r.len > 0)
		reply_read(&r);
	return r;
}

/* ---- tests ------------------------------------------------------------------------------------------------------- */

static void test_split(struct world *w)
{
	struct reply r = ask(w, "web.default.svc.cluster.local", DNS_A, 500);

	ok(r.len > 0 && r.rcode == DNS_NXDOMAIN && r.authority == 1, "away: cluster names are NXDOMAIN with SOA");
	is_int(w->cluster.udp_seen, 0, "without a packet to the cluster");
	cluster_up(w);
	ok(cluster_is_up(w->a.cluster), "its DNS answers: up");
	r = ask(w, "WeB.default.svc.cluster.local", DNS_A, 500);
	ok(r.len > 0 && r.answers == 1 && r.b[r.len - 4] == 10, "cluster names are asked of it");
	ok(memcmp(r.b + 13, "WeB", 3) == 0, "the client's own case comes back");
	r = ask(w, "nothing.default.svc.cluster.local", DNS_A, 500);
	is_int(r.rcode, DNS_NXDOMAIN, "its NXDOMAIN is passed on");
	w->first.udp_seen = w->second.udp_seen = 0;
	ask(w, "10.0.43.10.in-addr.arpa", DNS_PTR, 500);
	is_int(w->first.udp_seen + w->second.udp_seen, 0, "no name of the cluster leaves to the upstreams");
	w->cluster.udp_seen = 0;
	r = ask(w, "example.com", DNS_A, 500);
	ok(r.answers == 1 && r.last == 1, "a name outside is asked of the first upstream");
	is_int(w->cluster.udp_seen, 0, "and not of the cluster");
}

static void test_failover(struct world *w)
{
	struct reply r;

	w->first.mode = FAKE_DNS_SERVFAIL;
	r = ask(w, "one.example.com", DNS_A, 500);
	ok(r.answers == 1 && r.last == 2, "after SERVFAIL the second upstream is asked at once");
	w->first.udp_seen = 0;
	r = ask(w, "two.example.com", DNS_A, 500);
	ok(r.last == 2 && w->first.udp_seen == 1, "after the first one for each name");
	w->second.mode = FAKE_DNS_REFUSED;
	r = ask(w, "refused.example.com", DNS_A, 500);
	ok(r.len > 0 && r.rcode == DNS_SERVFAIL, "when all fail, the first failure is the answer");
	w->first.mode = FAKE_DNS_SILENT;
	w->second.mode = FAKE_DNS_ANSWER;
	r = ask(w, "silent.example.com", DNS_A, 3000);
	ok(r.answers == 1 && r.ms >= 1300 && r.ms < 1900, "after 1.4 s of silence the next one is asked (%u ms)", r.ms);
	r = ask(w, "next.example.com", DNS_A, 3000);
	ok(r.answers == 1 && r.ms < 500 && !w->a.upstreams->v[1]->down, "and first from now on (%u ms)", r.ms);
	w->second.mode = FAKE_DNS_SILENT;
	r = ask(w, "dead.example.com", DNS_A, 6000);
	ok(r.rcode == DNS_SERVFAIL && r.ms < 4600, "all silent: SERVFAIL within 4.5 s (%u ms)", r.ms);
	w->first.udp_seen = w->second.udp_seen = 0;
	r = ask(w, "dead.example.com", DNS_A, 500);
	ok(r.rcode == DNS_SERVFAIL && r.ms < 100 && w->first.udp_seen + w->second.udp_seen == 0, "which is known for seconds");
	r = ask(w, "one.example.com", DNS_A, 500);
	ok(r.answers == 1 && r.ms < 100, "while a known name is answered");
	w->first.mode = w->second.mode = FAKE_DNS_ANSWER;
	for (int i = 0; i < 1000 && (w->a.upstreams->v[0]->down || w->a.upstreams->v[1]->down); i++)
		turn_ms(w, 10);
	ok(!w->a.upstreams->v[0]->down && !w->a.upstreams->v[1]->down, "servers that answer again are noticed");
}

static void test_cache(struct world *w)
{
	int fd[3];
	uint8_t msg[DNS_QUERY_MAX], in[512];
	unsigned seen, good = 0;
	struct reply r;

	ask(w, "known.example.com", DNS_A, 500);
	ask(w, "nx.example.com", DNS_A, 500);
	seen = w->first.udp_seen + w->second.udp_seen;
	r = ask(w, "KNOWN.example.com", DNS_A, 500);
	ok(r.answers == 1 && memcmp(r.b + 13, "KNOWN", 5) == 0, "a name that was asked before is answered, in the client's case");
	r = ask(w, "nx.example.com", DNS_A, 500);
	is_int(r.rcode, DNS_NXDOMAIN, "so is its absence");
	is_int(w->first.udp_seen + w->second.udp_seen, seen, "without asking an upstream");
	for (int i = 0; i < 3; i++)
		fd[i] = client(w, SOCK_DGRAM);
	for (int i = 0; i < 3; i++)
		good += send(fd[i], msg, question(msg, (uint16_t)(100 + i), i == 1 ? "Many.example.com" : "many.example.com", DNS_A), 0) > 0;
	is_int(good, 3, "three clients ask the same");
	turn_ms(w, 100);
	for (int i = 0; i < 3; i++) {
		good -= recv(fd[i], in, sizeof(in), MSG_DONTWAIT) > 0 && in[1] == 100 + i && in[13] == (i == 1 ? 'M' : 'm');
		close(fd[i]);
	}
	is_int(good, 0, "each gets an answer, with its id and case");
	is_int(w->first.udp_seen + w->second.udp_seen, seen + 1, "to one question");
	is_int((long long)w->a.dns->stats.coalesced, 2, "which is counted");
	is_int(w->a.dns->in_flight, 0, "and nothing is left under way");
}

static void test_upstreams_change(struct world *w)
{
	autoclose int fd = client(w, SOCK_DGRAM);
	uint8_t msg[DNS_QUERY_MAX];
	struct reply r = { 0 };

	w->first.mode = FAKE_DNS_SILENT;
	upstreams_set(&w->a, &w->first.at, 1);
	ok(send(fd, msg, question(msg, 9, "changed.example.com", DNS_A), 0) > 0, "a question to a silent upstream");
	turn_ms(w, 50);
	upstreams_set(&w->a, &w->second.at, 1);
	turn_ms(w, 100);
	r.len = recv(fd, r.b, sizeof(r.b), MSG_DONTWAIT);
	ok(r.len > 0 && r.b[r.len - 1] == 2, "is asked again of the new one");
	w->first.mode = FAKE_DNS_ANSWER;
}

static void test_tcp(struct world *w)
{
	int fd = client(w, SOCK_STREAM);
	uint8_t out[1024], in[16384];
	size_t n = 0;
	ssize_t got, all = 0;

	for (uint16_t id = 1; id <= 3; id++) {		/* three at once; the last one in two pieces */
		size_t len = question(out + n + 2, id, id == 2 ? "web.default.svc.cluster.local" : "example.com", DNS_A);

		out[n] = 0;
		out[n + 1] = (uint8_t)len;
		n += len + 2;
	}
	ok(send(fd, out, n - 5, 0) > 0, "a pipeline over TCP");
	turn_ms(w, 50);
	ok(send(fd, out + n - 5, 5, 0) == 5 && shutdown(fd, SHUT_WR) == 0, "whose end comes late, with a half-close");
	for (int i = 0; i < 50; i++) {
		turn_ms(w, 10);
		got = recv(fd, in + all, sizeof(in) - (size_t)all, MSG_DONTWAIT);
		if (got == 0)
			break;
		all += got > 0 ? got : 0;
	}
	unsigned seen = 0;

	for (ssize_t at = 0; at + 4 <= all; at += 2 + (in[at] << 8 | in[at + 1]))
		seen |= 1u << in[at + 3];
	is_int(seen, 2 + 4 + 8, "all three are answered");
	is_int(got, 0, "then the connection ends");
	close(fd);
	is_int(w->a.dns->in_flight, 0, "nothing is left under way");

	fd = client(w, SOCK_STREAM);
	ok(send(fd, "\0\3abc", 5, 0) == 5, "nonsense over TCP");
	turn_ms(w, 50);
	is_int(recv(fd, in, sizeof(in), MSG_DONTWAIT), 0, "ends the connection");
	close(fd);

	int many[70];

	for (int i = 0; i < 70; i++) {
		many[i] = client(w, SOCK_STREAM);
		turn_ms(w, 2);
	}
	ok(ask(w, "example.com", DNS_A, 500).answers == 1, "seventy idle connections do not hurt UDP");
	n = question(out + 2, 1, "example.com", DNS_A);
	out[0] = 0;
	out[1] = (uint8_t)n;
	ok(send(many[69], out, n + 2, 0) > 0, "and the newest");
	turn_ms(w, 50);
	ok(recv(many[69], in, sizeof(in), MSG_DONTWAIT) > 0, "is served");
	for (int i = 0; i < 70; i++)
		close(many[i]);
	turn_ms(w, 20);
}

static void test_client_gone(struct world *w)
{
	uint8_t out[512];
	int fd = client(w, SOCK_STREAM);
	size_t n = question(out + 2, 1, "gone.example.com", DNS_A);

	out[0] = 0;
	out[1] = (uint8_t)n;
	w->second.mode = FAKE_DNS_SILENT;
	ok(send(fd, out, n + 2, 0) > 0, "a question over TCP");
	turn_ms(w, 30);
	is_int(w->a.dns->in_flight, 1, "is under way");
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &(struct linger){ .l_onoff = 1 }, sizeof(struct linger));
	close(fd);
	turn_ms(w, 30);
	is_int(w->a.dns->in_flight, 0, "and forgotten when the client resets the connection");
	w->second.mode = FAKE_DNS_ANSWER;
}

static void test_cluster_lost(struct world *w)
{
	struct reply r;

	w->cluster.mode = FAKE_DNS_SILENT;
	r = ask(w, "web.default.svc.cluster.local", DNS_A, 5000);
	ok(r.rcode == DNS_NXDOMAIN && r.ms <= 3200, "the cluster falls silent: NXDOMAIN within 3.2 s (%u ms)", r.ms);
	ok(!cluster_is_up(w->a.cluster), "and it is up no more");
	r = ask(w, "web.default.svc.cluster.local", DNS_AAAA, 500);
	ok(r.rcode == DNS_NXDOMAIN && r.ms < 50, "from now on at once (%u ms)", r.ms);
	w->cluster.mode = FAKE_DNS_ANSWER;
	cluster_up(w);
	for (int i = 0; i < 30 && !cluster_is_up(w->a.cluster); i++)
		turn_ms(w, 100);
	ok(cluster_is_up(w->a.cluster), "it comes back by itself");
	cluster_set_routed(w->a.cluster, false);
	ok(!cluster_is_up(w->a.cluster), "no route: away at once");
}

static void test_nonsense(struct world *w)
{
	static const uint8_t response[12] = { 0, 1, 0x80 }, notify[12] = { 0, 1, 0x20 };
	autoclose int fd = client(w, SOCK_DGRAM);
	uint8_t in[512];

	ok(send(fd, response, 12, 0) == 12 && send(fd, "x", 1, 0) == 1, "a response, and a byte");
	turn_ms(w, 30);
	ok(recv(fd, in, sizeof(in), MSG_DONTWAIT) < 0, "are not answered");
	ok(send(fd, notify, 12, 0) == 12, "a NOTIFY");
	turn_ms(w, 30);
	ok(recv(fd, in, sizeof(in), MSG_DONTWAIT) == 12 && (in[3] & 15) == DNS_NOTIMP, "is not implemented");
}

int main(void)
{
	struct world w;

	world_start(&w);
	test_split(&w);
	test_failover(&w);
	test_cache(&w);
	test_upstreams_change(&w);
	test_tcp(&w);
	test_client_gone(&w);
	test_nonsense(&w);
	test_cluster_lost(&w);
	world_stop(&w);
	return tap_done();
}
