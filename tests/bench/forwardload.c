/* SPDX-License-Identifier: Apache-2.0 */
/* What a forwarded connection can do: a client of tests/e2e/farend.c. forwardload MODE ADDR:PORT [key=value…], prints key=value
 * lines for the shell.
 *
 * down, up bytes=N: mbps (10^6 bytes) from the first byte asked for to the last. first n=N: connect until one byte has come back, one
 * after the other, p50_us and p95_us. parallel n=N: all at once, wall_us. echo ms=N: one byte there and back on an open connection,
 * p50_us and p95_us. hold n=N: connections that stay open until stdin ends. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "net/addr.h"
#include "tests/bench/figures.h"

#define CHUNK (256u << 10)
#define PARALLEL_MAX 4096
#define WAIT_MS 30000

static struct sockaddr_storage to;
static socklen_t to_len;

static void fail(const char *what)
{
	fprintf(stderr, "forwardload: %s: %s\n", what, strerror(errno));
	_exit(1);
}

static int dial(void)
{
	int fd = socket(to.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
	struct timeval limit = { .tv_sec = WAIT_MS / 1000 };

	if (fd < 0 || connect(fd, (struct sockaddr *)&to, to_len) < 0)
		fail("connect");
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	return fd;
}

static void put(int fd, const void *p, size_t n)
{
	for (const char *at = p; n;) {
		ssize_t did = send(fd, at, n, MSG_NOSIGNAL);

		if (did <= 0)
			fail("send");
		at += did;
		n -= (size_t)did;
	}
}

static void echo(int fd)
{
	char c = 'x';

	put(fd, &c, 1);
	if (recv(fd, &c, 1, 0) != 1)
		fail("echo");
}

static void rate(uint64_t bytes, uint64_t start)
{
	printf("mbps=%.0f\n", (double)bytes * 1e3 / (double)(now_ns() - start));
}

/* MSG_TRUNC: what comes is counted and dropped in the kernel, so that this end costs least. */
static void down(uint64_t bytes)
{
	int fd = dial();
	uint64_t start = now_ns(), got = 0;
	char text[32];

	put(fd, text, (size_t)snprintf(text, sizeof(text), "%llu\n", (unsigned long long)bytes));
	while (got < bytes) {
		ssize_t n = recv(fd, NULL, CHUNK, MSG_TRUNC);

		if (n <= 0)
			fail("recv");
		got += (uint64_t)n;
	}
	rate(bytes, start);
	close(fd);
}

static void up(uint64_t bytes)
{
	static char p[CHUNK];
	int fd = dial();
	uint64_t start = now_ns(), left = bytes;
	char text[32];

	put(fd, text, (size_t)snprintf(text, sizeof(text), "%llu\n", (unsigned long long)bytes));
	for (; left; left -= MIN(left, sizeof(p)))
		put(fd, p, MIN(left, sizeof(p)));
	if (recv(fd, text, 1, 0) != 1)
		fail("recv");
	rate(bytes, start);
	close(fd);
}

static void spread(const struct histogram *h)
{
	printf("p50_us=%llu p95_us=%llu\n", (unsigned long long)histogram_at(h, 0.5), (unsigned long long)histogram_at(h, 0.95));
}

static void first(uint64_t n)
{
	static struct histogram h;

	while (n--) {
		uint64_t start = now_ns();
		int fd = dial();

		echo(fd);
		histogram_add(&h, (now_ns() - start) / 1000);
		close(fd);
	}
	spread(&h);
}

static void echoes(uint64_t ms)
{
	static struct histogram h;
	uint64_t end = now_ns() + ms * 1000000;
	int fd = dial();

	echo(fd);
	while (now_ns() < end) {
		uint64_t start = now_ns();

		echo(fd);
		histogram_add(&h, (now_ns() - start) / 1000);
		(void)poll(NULL, 0, 1);
	}
	spread(&h);
}

static void parallel(uint64_t n)
{
	static struct pollfd fds[PARALLEL_MAX];
	uint64_t start = now_ns(), left = n;
	char c = 'x';

	for (uint64_t i = 0; i < n; i++) {
		fds[i] = (struct pollfd){ .fd = socket(to.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), .events = POLLOUT };
		if (connect(fds[i].fd, (struct sockaddr *)&to, to_len) < 0 && errno != EINPROGRESS)
			fail("connect");
	}
	while (left) {
		if (poll(fds, n, WAIT_MS) <= 0)
			fail("poll");
		for (uint64_t i = 0; i < n; i++) {
			if (fds[i].revents & POLLOUT) {
				put(fds[i].fd, &c, 1);
				fds[i].events = POLLIN;
			} else if (fds[i].revents) {
				if (recv(fds[i].fd, &c, 1, 0) != 1)
					fail("recv");
				fds[i].fd = -1 - fds[i].fd;
				left--;
			}
		}
	}
	printf("wall_us=%llu\n", (unsigned long long)(now_ns() - start) / 1000);
}

static void hold(uint64_t n)
{
	char c;

	while (n--)
		echo(dial());
	puts("held=1");
	fflush(stdout);
	while (read(STDIN_FILENO, &c, 1) > 0)
		;
}

static const struct {
	const char *mode;
	void (*run)(uint64_t n);
	const char *key;
	uint64_t otherwise, max;
} modes[] = {
	{ "down", down, "bytes", 1000000000, UINT64_MAX }, { "up", up, "bytes", 1000000000, UINT64_MAX },
	{ "first", first, "n", 100, 1000000 },		   { "parallel", parallel, "n", 50, PARALLEL_MAX },
	{ "echo", echoes, "ms", 3000, 600000 },		   { "hold", hold, "n", 1, 10000 },
};

int main(int argc, char **argv)
{
	struct hostport at;

	for (size_t i = 0; argc > 2 && i < ARRAY_SIZE(modes); i++) {
		if (!streq(argv[1], modes[i].mode) || hostport_parse(argv[2], 0, &at))
			continue;
		to_len = hostport_to_sockaddr(&at, &to);
		modes[i].run(option_number(argc - 2, argv + 2, modes[i].key, modes[i].otherwise, modes[i].max));
		return 0;
	}
	fprintf(stderr, "forwardload down|up|first|parallel|echo|hold ADDR:PORT [key=value]\n");
	return 2;
}
