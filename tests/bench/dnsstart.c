/* SPDX-License-Identifier: Apache-2.0 */
/* Starts a DNS server and prints the milliseconds until it answers; ends it then. dnsstart ADDR:PORT NAME COMMAND… */
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "net/addr.h"
#include "net/dnswire.h"
#include "tests/bench/figures.h"

#define LIMIT_NS 5000000000u
#define AGAIN_US 200

/* Asked again and again: until the server listens, the kernel refuses at once. */
static bool is_answered(int fd, const uint8_t *msg, size_t n)
{
	struct timespec again = { .tv_nsec = AGAIN_US * 1000 };
	struct pollfd p = { .fd = fd, .events = POLLIN };
	uint8_t out[4096];

	if (send(fd, msg, n, 0) < 0)
		(void)!ppoll(NULL, 0, &again, NULL);
	return ppoll(&p, 1, &again, NULL) > 0 && recv(fd, out, sizeof(out), MSG_DONTWAIT) > DNS_HEADER;
}

int main(int argc, char **argv)
{
	struct dns_query q = { .id = 4711, .flags = DNS_RD, .type = DNS_A, .class = DNS_IN };
	struct sockaddr_storage sa;
	uint8_t msg[DNS_QUERY_MAX];
	struct hostport to;
	uint64_t start;
	socklen_t len;
	size_t n;
	pid_t pid;
	int fd;

	if (argc < 4 || hostport_parse(argv[1], 53, &to) || dns_name_parse(argv[2], &q.name)) {
		fprintf(stderr, "dnsstart ADDR:PORT NAME COMMAND…\n");
		return 2;
	}
	n = dns_query_build(&q, q.id, false, msg);
	len = hostport_to_sockaddr(&to, &sa);
	fd = socket(sa.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&sa, len) < 0)
		return 1;
	start = now_ns();
	pid = fork();
	if (!pid) {
		execvp(argv[3], argv + 3);
		_exit(127);
	}
	while (!is_answered(fd, msg, n) && now_ns() - start < LIMIT_NS)
		;
	printf("%.1f\n", (double)(now_ns() - start) / 1e6);
	kill(pid, SIGTERM);
	waitpid(pid, NULL, 0);
	return 0;
}
