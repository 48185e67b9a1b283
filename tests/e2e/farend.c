/* SPDX-License-Identifier: Apache-2.0 */
/* farend: what tests and benchmarks talk to in a pod. A thread per connection; each port is one behaviour.
 *
 * 7001 echo · 7002 reads all, then says how many bytes and their FNV-1a · 7003 reads a line with a number and sends so many bytes
 * of a pattern, then closes · 7004 never reads · 7005 closes at once · 7006 says its host name and closes · 7007 HTTP/1.1 with
 * keep-alive: GET / says the host name, GET /slow after 2 s · 7008 reads to the end, then answers · 7009 reads a line with a number
 * and so many bytes, then answers. SIGTERM: ends after what runs, 10 s at most. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CHUNK (256u << 10)

static atomic_uint running;
static atomic_bool stopping;
static char host[256];

static bool put(int fd, const void *p, size_t n)
{
	for (const char *at = p; n;) {
		ssize_t did = send(fd, at, n, MSG_NOSIGNAL);

		if (did <= 0)
			return false;
		at += did;
		n -= (size_t)did;
	}
	return true;
}

static void wait_ms(long ms)
{
	nanosleep(&(struct timespec){ .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 }, NULL);
}

static void echo(int fd)
{
	static _Thread_local char p[65536];
	ssize_t n;

	while ((n = recv(fd, p, sizeof(p), 0)) > 0 && put(fd, p, (size_t)n))
		;
}

static void sink(int fd)
{
	static _Thread_local unsigned char p[CHUNK];
	uint64_t all = 0, sum = 14695981039346656037u;
	char text[80];
	ssize_t n;

	while ((n = recv(fd, p, sizeof(p), 0)) > 0) {
		all += (uint64_t)n;
		if (all <= 64u << 20)
			for (ssize_t i = 0; i < n; i++)
				sum = (sum ^ p[i]) * 1099511628211u;
	}
	put(fd, text, (size_t)snprintf(text, sizeof(text), "%llu %016llx\n", (unsigned long long)all, (unsigned long long)sum));
}

static size_t line(int fd, char *ret, size_t max)
{
	size_t n = 0;

	while (n + 1 < max && recv(fd, ret + n, 1, 0) == 1 && ret[n] != '\n')
		n++;
	ret[n] = '\0';
	return n;
}

/* The pattern's byte i is the low byte of i / 251 + i. */
static void source(int fd)
{
	static _Thread_local unsigned char p[CHUNK];
	char text[32];
	uint64_t at = 0, all;

	line(fd, text, sizeof(text));
	all = strtoull(text, NULL, 10);
	while (at < all) {
		size_t n = all - at < sizeof(p) ? (size_t)(all - at) : sizeof(p);

		if (all <= 64u << 20 || !at)
			for (size_t i = 0; i < n; i++)
				p[i] = (unsigned char)((at + i) / 251 + at + i);
		if (!put(fd, p, n))
			return;
		at += n;
	}
}

static void unread(int fd)
{
	while (!atomic_load(&stopping))
		wait_ms(200);
}

static void nothing(int fd)
{
}

static void name(int fd)
{
	put(fd, host, strlen(host));
}

static void http(int fd)
{
	char text[1024], answer[600];

	while (line(fd, text, sizeof(text))) {
		bool slow = strstr(text, " /slow ");
		char skip[1024];

		while (line(fd, skip, sizeof(skip)) > 1)
			;
		if (slow)
			wait_ms(2000);
		if (!put(fd, answer, (size_t)snprintf(answer, sizeof(answer), "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n%s\r\n%s", strlen(host),
						      atomic_load(&stopping) ? "Connection: close\r\n" : "", host)) || atomic_load(&stopping))
			return;
	}
}

static void late(int fd)
{
	char p[4096];

	while (recv(fd, p, sizeof(p), 0) > 0)
		;
	put(fd, "answer\n", 7);
}

static void count(int fd)
{
	static _Thread_local unsigned char p[CHUNK];
	char text[32];
	uint64_t left;
	ssize_t n = 1;

	line(fd, text, sizeof(text));
	for (left = strtoull(text, NULL, 10); left && n > 0; left -= (uint64_t)(n > 0 ? n : 0))
		n = recv(fd, p, left < sizeof(p) ? (size_t)left : sizeof(p), 0);
	if (!left)
		put(fd, "all\n", 4);
}

static const struct row {
	uint16_t port;
	void (*serve)(int fd);
} rows[] = { { 7001, echo }, { 7002, sink }, { 7003, source }, { 7004, unread }, { 7005, nothing }, { 7006, name }, { 7007, http },
	     { 7008, late }, { 7009, count } };
#define ROWS (sizeof(rows) / sizeof(rows[0]))

struct client {
	int fd;
	const struct row *row;
};

static void *client_main(void *arg)
{
	struct client c = *(struct client *)arg;

	free(arg);
	c.row->serve(c.fd);
	close(c.fd);
	atomic_fetch_sub(&running, 1);
	return NULL;
}

static int listen_at(uint16_t port)
{
	struct sockaddr_in6 at = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	int fd = socket(AF_INET6, SOCK_STREAM, 0), on = 1, off = 0;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
	if (fd < 0 || bind(fd, (void *)&at, sizeof(at)) < 0 || listen(fd, 1024) < 0) {
		fprintf(stderr, "farend: port %u: %s\n", port, strerror(errno));
		exit(1);
	}
	return fd;
}

static void *row_main(void *arg)
{
	const struct row *row = arg;
	int fd = listen_at(row->port), on = 1, got;
	pthread_t t;

	while ((got = accept(fd, NULL, NULL)) >= 0 || errno == EINTR || errno == ECONNABORTED) {
		struct client *c = malloc(sizeof(*c));

		setsockopt(got, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		*c = (struct client){ got, row };
		atomic_fetch_add(&running, 1);
		if (got < 0 || pthread_create(&t, NULL, client_main, c)) {
			close(got);
			free(c);
			atomic_fetch_sub(&running, 1);
			continue;
		}
		pthread_detach(t);
	}
	return NULL;
}

static void on_term(int sig)
{
	atomic_store(&stopping, true);
}

int main(void)
{
	pthread_t t;

	gethostname(host, sizeof(host) - 1);
	signal(SIGTERM, on_term);
	signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; i < ROWS; i++)
		pthread_create(&t, NULL, row_main, (void *)&rows[i]);
	while (!atomic_load(&stopping))
		wait_ms(100);
	for (int i = 0; i < 100 && atomic_load(&running); i++)
		wait_ms(100);
	return 0;
}
