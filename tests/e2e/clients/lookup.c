/* SPDX-License-Identifier: Apache-2.0 */
/* Looks each argument up as a program of this libc does; a line each: NAME ADDRESS|none MILLISECONDS. */
#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <time.h>

static long now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *list = NULL;
		char text[INET6_ADDRSTRLEN] = "none";
		long start = now_ms();

		if (getaddrinfo(argv[i], "80", &hints, &list) == 0) {
			getnameinfo(list->ai_addr, list->ai_addrlen, text, sizeof(text), NULL, 0, NI_NUMERICHOST);
			freeaddrinfo(list);
		}
		printf("%s %s %ld\n", argv[i], text, now_ms() - start);
	}
	return 0;
}
