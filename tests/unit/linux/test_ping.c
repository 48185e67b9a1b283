/* SPDX-License-Identifier: Apache-2.0 */
/* Messages by table; sockets in a network namespace of its own (user namespace: no root needed). */
#include "net/linux/ping.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>

#include "base/mem.h"
#include "tests/tap.h"

static const struct ping_mark mark = { 0x1234, "0123456789abcde" };

static void hex(const uint8_t *p, size_t n, char *ret)
{
	for (size_t i = 0; i < n; i++)
		snprintf(ret + 2 * i, 3, "%02x", p[i]);
}

static void test_build(void)
{
	uint8_t msg[PING_MSG];
	char text[2 * PING_MSG + 1];

	ping_build(&mark, AF_INET, 0xfffe, msg);
	hex(msg, 8, text);
	is_str(text, "0800b6fb1234fffe", "an IPv4 request with its checksum");
	ping_build(&mark, AF_INET6, 1, msg);
	hex(msg, 8, text);
	is_str(text, "8000000012340001", "an IPv6 request; the kernel puts the checksum");
}

#define BODY "0123456789abcde"		/* and its '\0' */

static void test_parse(void)
{
	static const struct { const char *what, *msg; size_t n; int family; enum ping_kind kind; int want; } rows[] = {
		{ "a ping socket's reply", "\0\0xx??\0\7" BODY, 24, AF_INET, PING_DGRAM, 7 },
		{ "a raw one behind an IP header", "\x45" "9876543210987654321" "\0\0xx\x12\x34\1\2" BODY, 44, AF_INET, PING_RAW, 0x102 },
		{ "with IP options", "\x46" "98765432109876543214321" "\0\0xx\x12\x34\1\2" BODY, 48, AF_INET, PING_RAW, 0x102 },
		{ "IPv6", "\x81\0xx\x12\x34\0\1" BODY, 24, AF_INET6, PING_RAW, 1 },
		{ "another program's identifier", "\x81\0xx\x12\x35\0\1" BODY, 24, AF_INET6, PING_RAW, -EBADMSG },
		{ "another secret", "\0\0xx??\0\7" "0123456789abcdE", 24, AF_INET, PING_DGRAM, -EBADMSG },
		{ "a request", "\x08\0xx??\0\7" BODY, 24, AF_INET, PING_DGRAM, -EBADMSG },
		{ "a code that is none", "\0\1xx??\0\7" BODY, 24, AF_INET, PING_DGRAM, -EBADMSG },
		{ "cut", "\0\0xx??\0\7" BODY, 23, AF_INET, PING_DGRAM, -EBADMSG },
		{ "too long", "\0\0xx??\0\7" BODY "\0", 25, AF_INET, PING_DGRAM, -EBADMSG },
		{ "an IP header that is longer than the message", "\x4f" "9876543210987654321", 20, AF_INET, PING_RAW, -EBADMSG },
		{ "an IP header of no length", "\x40" "9876543210987654321" "\0\0xx\x12\x34\1\2" BODY, 44, AF_INET, PING_RAW, 0x102 },
		{ "nothing", "", 0, AF_INET, PING_RAW, -EBADMSG },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint16_t seq = 0;
		int r = ping_parse(&mark, rows[i].family, rows[i].kind, rows[i].msg, rows[i].n, &seq);

		is_int(r ? r : seq, rows[i].want, "%s", rows[i].what);
	}
}

/* ---- sockets ----------------------------------------------------------------------------------------------------- */

static bool file_put(const char *path, const char *text)
{
	autoclose int fd = open(path, O_WRONLY | O_CLOEXEC);

	return fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
}

static bool namespace_enter(void)
{
	autofree char *uid = xasprintf("0 %d 1", (int)getuid()), *gid = xasprintf("0 %d 1", (int)getgid());
	autoclose int fd = -1;
	struct ifreq lo = { .ifr_name = "lo", .ifr_flags = IFF_UP };

	if (unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
		return false;
	(void)file_put("/proc/self/setgroups", "deny");
	if (!file_put("/proc/self/uid_map", uid) || !file_put("/proc/self/gid_map", gid))
		return false;
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	return ioctl(fd, SIOCSIFFLAGS, &lo) == 0;
}

struct heard {
	bool done;
	uint16_t seq;
	struct addr from;
};

static void on_reply(void *owner, const struct addr *from, uint16_t seq)
{
	*(struct heard *)owner = (struct heard){ true, seq, *from };
}

static void test_echo(const char *to, enum ping_kind want)
{
	struct loop *l = loop_new(LOOP_DEFAULT);
	struct heard heard = { 0 };
	struct ping *p = ping_new(l, on_reply, &heard);
	struct addr a;
	int code;

	if (addr_parse(to, &a))
		abort();
	is_str(ping_kind_name(ping_kind(p, a.family, &code)), ping_kind_name(want), "%s: a socket of kind %s", to, ping_kind_name(want));
	ok(!ping_send(p, &a, 513) && !loop_run(l, &heard.done, loop_deadline(2000)), "%s answers", to);
	ok(heard.seq == 513 && addr_cmp(&heard.from, &a) == 0, "%s: with sequence and address", to);
	ping_free(p);
	loop_free(l);
}

int main(void)
{
	test_build();
	test_parse();
	if (!namespace_enter()) {
		skip("echo", "no network namespace here");
		return tap_done();
	}
	test_echo("127.0.0.1", PING_RAW);
	test_echo("::1", PING_RAW);
	if (file_put("/proc/sys/net/ipv4/ping_group_range", "0 0")) {
		test_echo("127.0.0.1", PING_DGRAM);
		test_echo("::1", PING_DGRAM);
	} else {
		skip("ping sockets", "ping_group_range cannot be set here");
	}
	return tap_done();
}
