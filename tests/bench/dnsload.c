/* SPDX-License-Identifier: Apache-2.0 */
/* Asks a DNS server as fast as it answers, or at a rate, and prints what that was like as one line of key=value.
 *   dnsload ADDR:PORT [name=PATTERN] [names=N] [type=N] [window=N] [rate=N] [ms=N] [pass=1] [tcp=N] [idle=N] [pid=N]
 *           [timeout=MS]
 * PATTERN's first %u is the number of the name, 0 … names - 1. window: questions under way at most. rate: per second,
 * whatever comes back. pass: each name once, instead of for a time. tcp: over so many connections. idle: so many
 * connections that say nothing. pid: the server, whose CPU is counted. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <time.h>

#include "base/buf.h"
#include "base/mem.h"
#include "net/dnswire.h"
#include "net/sock.h"
#include "tests/bench/figures.h"

#define BATCH 64
#define CONNS_MAX 64
#define NAMES_MAX 200000
#define ANSWER 4096
#define FRAME (2 + DNS_QUERY_MAX)

struct question {
	uint8_t frame[FRAME];		/* behind its length */
	uint16_t len;
};

struct conn {
	int fd;
	struct buf in, out;
	uint32_t under_way;
};

struct load {
	struct sockaddr_storage to;
	socklen_t to_len;
	struct question *questions;
	uint64_t names, window, rate, end_ns, limit, timeout_ns;
	int udp;
	struct conn conn[CONNS_MAX];
	unsigned conns;

	uint64_t sent, answered, lost, bad, failed;	/* bad: nothing of ours; failed: an rcode */
	uint64_t oldest;		/* number of the first question that may be under way */
	uint64_t at_ns[65536];		/* by ID: when it was asked; 0: answered */
	uint8_t by[65536];		/* by ID: the connection */
	struct histogram latency;
};

static void die(const char *what)
{
	fprintf(stderr, "dnsload: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* ---- questions --------------------------------------------------------------------------------------------------- */

static void question_make(struct question *q, const char *pattern, uint64_t number, uint16_t type)
{
	struct dns_query query = { .flags = DNS_RD, .type = type, .class = DNS_IN };
	const char *at = strstr(pattern, "%u");
	autofree char *name = at ? xasprintf("%.*s%llu%s", (int)(at - pattern), pattern, (unsigned long long)number, at + 2)
				 : xstrdup(pattern);

	if (dns_name_parse(name, &query.name))
		die(name);
	q->len = (uint16_t)dns_query_build(&query, 0, true, q->frame + 2);
	q->frame[0] = (uint8_t)(q->len >> 8);
	q->frame[1] = (uint8_t)q->len;
}

/* The next question, its ID set and its time noted. */
static struct question *question_next(struct load *l, uint64_t now, unsigned conn)
{
	struct question *q = &l->questions[l->sent % l->names];
	uint16_t id = (uint16_t)l->sent++;

	q->frame[2] = (uint8_t)(id >> 8);
	q->frame[3] = (uint8_t)id;
	l->at_ns[id] = now;
	l->by[id] = (uint8_t)conn;
	l->conn[conn].under_way++;
	return q;
}

static void answer_take(struct load *l, const uint8_t *p, size_t n, uint64_t now)
{
	uint16_t id = n >= DNS_HEADER ? (uint16_t)(p[0] << 8 | p[1]) : 0;

	if (n < DNS_HEADER || !(p[2] & 0x80) || !l->at_ns[id]) {
		l->bad++;
		return;
	}
	histogram_add(&l->latency, (now - l->at_ns[id]) / 1000);
	l->at_ns[id] = 0;
	l->conn[l->by[id]].under_way--;
	l->answered++;
	l->failed += (p[3] & 15) != DNS_NOERROR;
}

static uint64_t under_way(const struct load *l)
{
	return l->sent - l->answered - l->lost;
}

/* Questions too old to be answered any more, and those whose ID is needed again. */
static void lost_count(struct load *l, uint64_t now)
{
	for (; l->oldest < l->sent; l->oldest++) {
		uint16_t id = (uint16_t)l->oldest;

		if (l->at_ns[id] && l->at_ns[id] + l->timeout_ns > now && l->sent - l->oldest < 65000)
			break;
		if (!l->at_ns[id])
			continue;
		l->lost++;
		l->at_ns[id] = 0;
		l->conn[l->by[id]].under_way--;
	}
}

/* How many questions may be asked now. */
static uint64_t due(const struct load *l, uint64_t start, uint64_t now)
{
	uint64_t room = l->window > under_way(l) ? l->window - under_way(l) : 0;

	if (now >= l->end_ns)
		return 0;
	if (l->rate) {
		uint64_t should = (now - start) * l->rate / 1000000000u;

		room = should > l->sent ? should - l->sent : 0;
	}
	return MIN(room, l->limit - l->sent);
}

/* ---- UDP --------------------------------------------------------------------------------------------------------- */

static void udp_send(struct load *l, uint64_t n)
{
	struct mmsghdr msg[BATCH] = { 0 };
	struct iovec iov[BATCH];
	uint64_t now = now_ns();
	int sent = 0;

	n = MIN(n, (uint64_t)BATCH);
	n = MIN(n, l->names);		/* a question is one buffer: twice in a batch it would have one ID */
	for (uint64_t i = 0; i < n; i++) {
		struct question *q = question_next(l, now, 0);

		iov[i] = (struct iovec){ q->frame + 2, q->len };
		msg[i].msg_hdr = (struct msghdr){ .msg_iov = &iov[i], .msg_iovlen = 1 };
	}
	while (sent < (int)n) {
		int r = sendmmsg(l->udp, msg + sent, (unsigned)n - (unsigned)sent, 0);

		if (r < 0 && errno != ECONNREFUSED)
			die("sendmmsg");
		sent += MAX(r, 0);
	}
}

static void udp_receive(struct load *l)
{
	static uint8_t data[BATCH][ANSWER];
	struct mmsghdr msg[BATCH] = { 0 };
	struct iovec iov[BATCH];
	uint64_t now;
	int n;

	for (int i = 0; i < BATCH; i++) {
		iov[i] = (struct iovec){ data[i], ANSWER };
		msg[i].msg_hdr = (struct msghdr){ .msg_iov = &iov[i], .msg_iovlen = 1 };
	}
	n = recvmmsg(l->udp, msg, BATCH, MSG_DONTWAIT, NULL);
	now = now_ns();
	for (int i = 0; i < n; i++)
		answer_take(l, data[i], msg[i].msg_len, now);
}

static void udp_open(struct load *l)
{
	int size = 4 << 20;

	l->udp = socket(l->to.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (l->udp < 0 || connect(l->udp, (struct sockaddr *)&l->to, l->to_len) < 0)
		die("socket");
	(void)setsockopt(l->udp, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
}

/* ---- TCP --------------------------------------------------------------------------------------------------------- */

static void conn_open(struct load *l, struct conn *c)
{
	int one = 1;

	c->fd = socket(l->to.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&l->to, l->to_len) < 0)
		die("connect");
	(void)setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	buf_init(&c->in, 1 << 20);
	buf_init(&c->out, 1 << 20);
}

static void conn_flush(struct conn *c)
{
	ssize_t n = c->out.len ? send(c->fd, c->out.data, c->out.len, MSG_NOSIGNAL | MSG_DONTWAIT) : 0;

	if (n < 0 && errno != EAGAIN)
		die("send");
	if (n > 0)
		buf_consume(&c->out, (size_t)n);
}

/* The window is shared out evenly. */
static void tcp_send(struct load *l, uint64_t n)
{
	uint64_t now = now_ns(), share = MAX(l->window / l->conns, (uint64_t)1);

	for (unsigned i = 0; i < l->conns; i++) {
		struct conn *c = &l->conn[i];

		for (; n && c->under_way < share; n--) {
			struct question *q = question_next(l, now, i);

			buf_add(&c->out, q->frame, 2u + q->len);
		}
		conn_flush(c);
	}
}

static void conn_receive(struct load *l, struct conn *c)
{
	char chunk[65536];
	ssize_t n = recv(c->fd, chunk, sizeof(chunk), MSG_DONTWAIT);
	uint64_t now = now_ns();
	size_t at = 0;

	if (n == 0 || (n < 0 && errno != EAGAIN))
		die("a connection ended");
	if (n > 0)
		buf_add(&c->in, chunk, (size_t)n);
	while (c->in.len - at >= 2) {
		const uint8_t *p = (const uint8_t *)c->in.data + at;
		size_t len = (size_t)p[0] << 8 | p[1];

		if (c->in.len - at - 2 < len)
			break;
		answer_take(l, p + 2, len, now);
		at += 2 + len;
	}
	buf_consume(&c->in, at);
}

/* ---- the run ----------------------------------------------------------------------------------------------------- */

/* Waits for answers, or (at a rate) until the next question is due. */
static void wait_some(struct load *l)
{
	struct timespec limit = { .tv_nsec = l->rate ? 1000000000 / (long)l->rate : 10000000 };
	struct pollfd p[CONNS_MAX] = { { .fd = l->udp, .events = POLLIN } };

	limit.tv_nsec = MIN(limit.tv_nsec, 10000000L);
	for (unsigned i = 0; i < l->conns; i++)
		p[i] = (struct pollfd){ .fd = l->conn[i].fd, .events = POLLIN | (l->conn[i].out.len ? POLLOUT : 0) };
	if (ppoll(p, MAX(l->conns, 1u), &limit, NULL) <= 0)
		return;
	if (!l->conns)
		udp_receive(l);
	for (unsigned i = 0; i < l->conns; i++) {
		if (p[i].revents & POLLIN)
			conn_receive(l, &l->conn[i]);
		if (p[i].revents & POLLOUT)
			conn_flush(&l->conn[i]);
	}
}

static void run(struct load *l, uint64_t start)
{
	for (;;) {
		uint64_t now = now_ns(), n = due(l, start, now);

		if (n && l->conns)
			tcp_send(l, n);
		else if (n)
			udp_send(l, n);
		else if (!under_way(l) && (now >= l->end_ns || l->sent == l->limit))
			return;
		wait_some(l);
		lost_count(l, now);
	}
}

static void print(const struct load *l, uint64_t took_ns, uint64_t cpu_ms)
{
	double seconds = (double)took_ns / 1e9, n = (double)MAX(l->answered, (uint64_t)1);

	printf("sent=%llu answered=%llu lost=%llu bad=%llu failed=%llu qps=%.0f p50=%llu p99=%llu max=%llu cpu_us=%.2f cpu_percent=%.1f\n",
	       (unsigned long long)l->sent, (unsigned long long)l->answered, (unsigned long long)l->lost, (unsigned long long)l->bad,
	       (unsigned long long)l->failed, (double)l->answered / seconds, (unsigned long long)histogram_at(&l->latency, 0.5),
	       (unsigned long long)histogram_at(&l->latency, 0.99), (unsigned long long)l->latency.max_us,
	       (double)cpu_ms * 1000 / n, (double)cpu_ms / 10 / seconds);
}

static void questions_make(struct load *l, int argc, char **argv)
{
	const char *pattern = option_text(argc, argv, "name", "n%u.bench.example");
	uint16_t type = (uint16_t)option_number(argc, argv, "type", DNS_A, UINT16_MAX);

	l->names = MAX(option_number(argc, argv, "names", 1, NAMES_MAX), UINT64_C(1));
	l->questions = xcalloc(l->names, sizeof(*l->questions));
	for (uint64_t i = 0; i < l->names; i++)
		question_make(&l->questions[i], pattern, i, type);
}

static void connections_open(struct load *l, int argc, char **argv)
{
	uint64_t idle = option_number(argc, argv, "idle", 0, CONNS_MAX);
	struct conn silent;

	l->conns = (unsigned)option_number(argc, argv, "tcp", 0, CONNS_MAX);
	for (uint64_t i = 0; i < idle; i++)
		conn_open(l, &silent);
	for (unsigned i = 0; i < l->conns; i++)
		conn_open(l, &l->conn[i]);
	if (!l->conns)
		udp_open(l);
}

int main(int argc, char **argv)
{
	struct load *l = xcalloc(1, sizeof(*l));
	pid_t pid = (pid_t)option_number(argc, argv, "pid", 0, INT32_MAX);
	struct hostport to;
	uint64_t start, cpu;

	if (argc < 2 || hostport_parse(argv[1], 53, &to)) {
		fprintf(stderr, "dnsload ADDR:PORT [KEY=VALUE…]\n");
		return 2;
	}
	l->to_len = hostport_to_sockaddr(&to, &l->to);
	questions_make(l, argc, argv);
	connections_open(l, argc, argv);
	l->window = option_number(argc, argv, "window", 32, 4096);
	l->rate = option_number(argc, argv, "rate", 0, 1000000);
	l->timeout_ns = option_number(argc, argv, "timeout", 1000, 60000) * 1000000;
	cpu = process_cpu_ms(pid);
	start = now_ns();
	l->end_ns = start + option_number(argc, argv, "ms", 2000, 60000) * 1000000;
	l->limit = option_number(argc, argv, "pass", 0, 1) ? l->names : UINT64_MAX;
	run(l, start);
	print(l, now_ns() - start, process_cpu_ms(pid) - cpu);
	return 0;
}
