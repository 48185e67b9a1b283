/* SPDX-License-Identifier: Apache-2.0 */
/* In a network namespace of its own: what the rules do to packets, and what the kernel says of nonsense. */
#include "net/linux/nft.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "net/sock.h"
#include "tests/namespace.h"
#include "tests/tap.h"

#define TABLE "firestream-test"
#define MARK 0x5157

static struct addr addr(const char *text)
{
	struct addr a;

	if (addr_parse(text, &a))
		abort();
	return a;
}

static int listener(const char *at)
{
	struct hostport h;
	int fd = hostport_parse(at, 53, &h) ? -1 : sock_udp_bind(&h, NULL);

	if (fd < 0)
		abort();
	return fd;
}

static int client(const char *to, uint32_t mark)
{
	struct sockaddr_storage sa;
	struct hostport h;
	int fd;

	if (hostport_parse(to, 53, &h))
		abort();
	fd = socket(h.addr.family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (mark)
		(void)setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, sizeof(mark));
	return connect(fd, (struct sockaddr *)&sa, hostport_to_sockaddr(&h, &sa)) < 0 ? -1 : fd;
}

/* Sends from c, and echoes at whichever of the two got it; 'a', 'b', or '-' for nobody; a capital when the echo came back. */
static char arrives(int c, int a, int b)
{
	struct pollfd p[2] = { { .fd = a, .events = POLLIN }, { .fd = b, .events = POLLIN } }, back = { .fd = c, .events = POLLIN };
	struct sockaddr_storage sa;
	socklen_t n = sizeof(sa);
	char byte = 'x';
	int at;

	if (send(c, &byte, 1, 0) < 0 || poll(p, 2, 200) <= 0)
		return '-';
	at = p[0].revents ? a : b;
	if (recvfrom(at, &byte, 1, 0, (struct sockaddr *)&sa, &n) < 0 || sendto(at, &byte, 1, 0, (struct sockaddr *)&sa, n) < 0)
		return '!';
	if (poll(&back, 1, 200) <= 0 || recv(c, &byte, 1, 0) < 0)
		return at == a ? 'a' : 'b';
	return at == a ? 'A' : 'B';
}

/* Redirects from one address to another, statelessly, but for marked sockets. */
static int redirect(struct nft *n, const char *from, const char *to, struct err *err)
{
	struct addr old = addr(from), new = addr(to);

	nft_begin(n);
	nft_table_add(n, TABLE);
	nft_hook_add(n, TABLE, "redirect", NFT_ROUTE, -310);
	nft_rule_begin(n, TABLE, "redirect");
	nft_match_mark(n, MARK);
	nft_accept(n);
	nft_rule_end(n);
	nft_rule_begin(n, TABLE, "redirect");
	nft_match_daddr(n, &old);
	nft_match_l4proto(n, IPPROTO_UDP);
	nft_match_dport(n, 53);
	nft_notrack(n);
	nft_set_daddr(n, &new);
	nft_rule_end(n);
	nft_rule_begin(n, TABLE, "redirect");
	nft_match_saddr(n, &new);
	nft_match_l4proto(n, IPPROTO_UDP);
	nft_match_sport(n, 53);
	nft_notrack(n);
	nft_set_saddr(n, &old);
	nft_rule_end(n);
	return nft_commit(n, err);
}

static void test_redirect(const char *from, const char *to, const char *what)
{
	int a = listener(from), b = listener(to), c = client(from, 0), marked = client(from, MARK);
	struct err err = { 0 };
	struct nft *n = nft_new(&err), *other = nft_new(NULL);

	ok(arrives(c, a, b) == 'A', "%s: before, the old server answers", what);
	ok(redirect(n, from, to, &err) == 0, "%s: a redirect is made: %s", what, err_text(&err));
	ok(arrives(c, a, b) == 'B', "%s: a socket that was connected before is answered by the new one", what);
	ok(arrives(marked, a, b) == 'A', "%s: a marked socket by the old one", what);
	nft_begin(other);
	nft_table_delete(other, TABLE);
	ok(nft_commit(other, NULL) == -EPERM, "%s: nobody else can remove the table", what);
	nft_free(n);
	ok(arrives(c, a, b) == 'A', "%s: it goes with its socket", what);
	nft_free(other);
	for (int i = 0, fds[] = { a, b, c, marked }; i < 4; i++)
		close(fds[i]);
}

/* Is a TCP connection to port refused, or does it hang or stand? */
static int connects(const char *to)
{
	struct sockaddr_storage sa;
	struct hostport h;
	int fd, r;

	if (hostport_parse(to, 80, &h))
		abort();
	fd = socket(h.addr.family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	r = connect(fd, (struct sockaddr *)&sa, hostport_to_sockaddr(&h, &sa)) < 0 ? -errno : 0;
	close(fd);
	return r;
}

static void reject_rules(struct nft *n, const char *net, int family)
{
	bool v6 = family == AF_INET6;
	unsigned port = v6 ? 5 : 2;
	struct prefix p;

	if (prefix_parse(net, &p))
		abort();
	nft_set_add(n, TABLE, "usable", v6 ? NFT_KEY_PORT6 : NFT_KEY_PORT4, false, false);
	nft_hook_add(n, TABLE, "reject", NFT_FILTER, 0);
	nft_rule_begin(n, TABLE, "reject");
	nft_match_daddr_in(n, &p);
	nft_match_new(n);
	nft_match_l4proto(n, IPPROTO_TCP);
	nft_load_daddr(n, family, 0);
	nft_load_l4proto(n, port - 1);
	nft_load_dport(n, port);
	nft_match_not_in(n, "usable", 0);
	nft_reject(n, NFT_TCP_RESET);
	nft_rule_end(n);
}

static void test_reject(const char *net, const char *good, const char *bad)
{
	enum nft_key key = addr(good).family == AF_INET6 ? NFT_KEY_PORT6 : NFT_KEY_PORT4;
	struct nft_element e[3] = { { addr(good), IPPROTO_TCP, 80, { 0 } }, { addr(good), IPPROTO_TCP, 81, { 0 } }, { addr(good), IPPROTO_UDP, 82, { 0 } } };
	struct hostport at = { addr(good), 80 };
	struct err err = { 0 };
	struct nft *n = nft_new(&err);
	int fd = sock_tcp_listen(&at, NULL);

	ok(fd >= 0 && connects(good) == 0, "%s: before, a connection is made", net);
	nft_begin(n);
	nft_table_add(n, TABLE);
	reject_rules(n, net, e[0].addr.family);
	nft_elements_add(n, TABLE, "usable", key, e, 3, 0);
	ok(nft_commit(n, &err) == 0, "%s: rules with a set are made: %s", net, err_text(&err));
	ok(connects(good) == 0, "%s: what is in the set passes", net);
	ok(connects(bad) == -ECONNREFUSED, "%s: what is not is refused", net);
	nft_begin(n);
	nft_elements_delete(n, TABLE, "usable", key, e, 1);
	ok(nft_commit(n, &err) == 0 && connects(good) == -ECONNREFUSED, "%s: also what is taken out: %s", net, err_text(&err));
	nft_begin(n);
	nft_elements_delete(n, TABLE, "usable", key, e, 1);
	ok(nft_commit(n, &err) == -ENOENT && strstr(err_text(&err), "elements of usable"), "taking it out again fails with its name: %s", err_text(&err));
	nft_begin(n);
	nft_elements_add(n, TABLE, "usable", key, e, 1, 0);
	nft_elements_add(n, TABLE, "nosuch", key, e, 1, 0);
	ok(nft_commit(n, NULL) == -ENOENT && connects(good) == -ECONNREFUSED, "of a transaction that fails nothing is done");
	close(fd);
	nft_free(n);
}

static void conditional_redirect(struct nft *n, const struct addr *from, const struct addr *to, uint64_t holds_ms)
{
	nft_begin(n);
	nft_table_renew(n, TABLE);
	nft_condition_add(n, TABLE, "live", holds_ms);
	nft_hook_add(n, TABLE, "redirect", NFT_ROUTE, -310);
	nft_rule_begin(n, TABLE, "redirect");
	nft_match_daddr(n, from);
	nft_match_condition(n, "live");
	nft_set_daddr(n, to);
	nft_rule_end(n);
}

/* Redirects while a condition holds. */
static void test_condition(void)
{
	struct addr old = addr("127.0.0.9"), new = addr("127.0.53.1");
	int a = listener("127.0.0.9"), b = listener("127.0.53.1"), c = client("127.0.0.9", 0), r = 0;
	struct err err = { 0 };
	struct nft *n = nft_new(&err);

	conditional_redirect(n, &old, &new, 300);
	ok(nft_commit(n, &err) == 0 && arrives(c, a, b) == 'b', "a condition may hold from the table's start");
	poll(NULL, 0, 400);
	ok(arrives(c, a, b) == 'A', "for as long as was said");
	conditional_redirect(n, &old, &new, 0);
	ok(nft_commit(n, &err) == 0 && arrives(c, a, b) == 'A', "a condition that was never renewed does not hold");
	for (int i = 0; !r && i < 4; i++) {
		r = nft_condition_renew(n, TABLE, "live", 300, &err);
		poll(NULL, 0, i < 3 ? 200 : 0);
	}
	ok(r == 0 && arrives(c, a, b) == 'b', "it holds while it is renewed");
	poll(NULL, 0, 400);
	ok(arrives(c, a, b) == 'A', "and not for long when it is not");
	ok(nft_condition_renew(n, TABLE, "live", 300, &err) == 0 && arrives(c, a, b) == 'b', "it can be renewed again");
	ok(nft_condition_renew(n, TABLE, "nosuch", 300, &err) == -ENOENT, "one that is not there is said: %s", err_text(&err));
	for (int i = 0, fds[] = { a, b, c }; i < 3; i++)
		close(fds[i]);
	nft_free(n);
}

static void test_map(void)
{
	struct nft_element e = { .addr = addr("127.7.0.1"), .value = addr("127.0.0.8") };
	struct err err = { 0 };
	struct nft *n = nft_new(&err);
	int a = listener("127.7.0.1"), b = listener("127.0.0.8"), c;

	nft_begin(n);
	nft_table_add(n, TABLE);
	nft_set_add(n, TABLE, "ways", NFT_KEY_ADDR4, true, false);
	nft_hook_add(n, TABLE, "nat", NFT_NAT, -110);
	nft_rule_begin(n, TABLE, "nat");
	nft_match_family(n, AF_INET);
	nft_load_daddr(n, AF_INET, 0);
	nft_load_from(n, "ways", 0, 0);
	nft_dnat(n, AF_INET, 0);
	nft_rule_end(n);
	nft_elements_add(n, TABLE, "ways", NFT_KEY_ADDR4, &e, 1, 0);
	ok(nft_commit(n, &err) == 0, "a map of addresses: %s", err_text(&err));
	c = client("127.7.0.1", 0);
	ok(arrives(c, a, b) == 'B', "leads to the address that it has, and the answer comes back");
	for (int i = 0, fds[] = { a, b, c }; i < 3; i++)
		close(fds[i]);
	nft_free(n);
}

static void test_many(void)
{
	size_t count = 20000;
	struct nft_element *e = xcalloc(count, sizeof(*e));
	struct err err = { 0 };
	struct nft *n = nft_new(&err);
	int r;

	nft_begin(n);
	nft_table_add(n, TABLE);
	nft_set_add(n, TABLE, "many", NFT_KEY_PORT4, false, false);
	r = nft_commit(n, &err);
	nft_begin(n);
	for (size_t i = 0; i < count; i++)
		e[i] = (struct nft_element){ { AF_INET, { 10, 43, (uint8_t)(i >> 8), (uint8_t)i } }, IPPROTO_TCP, 80, { 0 } };
	for (size_t i = 0; !r && i < count; i += 500) {
		nft_elements_add(n, TABLE, "many", NFT_KEY_PORT4, &e[i], 500, 0);
		if (nft_pending(n) < NFT_BATCH_SOFT && i + 500 < count)
			continue;
		r = nft_commit(n, &err);
		nft_begin(n);
	}
	ok(r == 0, "20,000 elements: %s", err_text(&err));
	free(e);
	nft_free(n);
}

int main(void)
{
	struct err err = { 0 };
	struct nft *n;

	if (!namespace_enter() || !RUN("ip", "link", "set", "lo", "up")) {
		skip("rules in a namespace", "none can be made here");
		return tap_done();
	}
	n = nft_new(&err);
	nft_table_add(n, TABLE);
	if (nft_commit(n, &err)) {
		skip("rules in a namespace", err_text(&err));
		return tap_done();
	}
	nft_free(n);
	ok(RUN("ip", "addr", "add", "fd00::1/128", "dev", "lo") && RUN("ip", "addr", "add", "fd00::2/128", "dev", "lo"), "a namespace");
	test_redirect("127.0.0.9", "127.0.53.1", "IPv4");
	test_redirect("fd00::1", "fd00::2", "IPv6");
	test_reject("127.7.0.0/16", "127.7.0.1", "127.7.0.2");
	test_reject("fd00::/64", "fd00::1", "fd00::2");
	test_condition();
	test_map();
	test_many();
	return tap_done();
}
