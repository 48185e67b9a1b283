/* SPDX-License-Identifier: Apache-2.0 */
/* A network that loses, refuses, forges and has no room: what becomes of the other questions. In a network namespace of its own,
 * where that is allowed; send() is ours. */
#include "net/linux/upstream.h"

#include <errno.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>

#include "net/sock.h"
#include "tests/fake/craft.h"
#include "tests/fake/dns.h"
#include "tests/tap.h"

#define TRY_MS 400
#define AT_ONCE_MS 350
#define MANY 100
#define ELSEWHERE "10.9.9.9"	/* not a loopback address, but reached there */

static unsigned no_room;	/* so many sends fail */

ssize_t send(int fd, const void *p, size_t n, int flags)
{
	if (no_room) {
		no_room--;
		errno = EAGAIN;
		return -1;
	}
	return sendto(fd, p, n, flags, NULL, 0);
}

struct ask {
	struct upstream_query q;
	struct dns_query query;
	bool done;
	int code;
	unsigned calls, ms;
	uint64_t start;
};

static void on_reply(struct upstream_query *q, int code, unsigned rcode, const uint8_t *reply, size_t len)
{
	struct ask *a = q->owner;

	a->code = code;
	a->calls++;
	a->ms = (unsigned)((loop_deadline(0) - a->start) / 1000000);
	a->done = true;
}

static void ask_start(struct ask *a, struct upstream *u, const char *name)
{
	*a = (struct ask){ .query = { .flags = DNS_RD, .type = DNS_A, .class = DNS_IN }, .start = loop_deadline(0) };
	a->q.owner = a;
	if (dns_name_parse(name, &a->query.name) || upstream_ask(u, &a->q, &a->query, on_reply))
		ok(false, "%s is asked", name);
}

static void ask_wait(struct ask *a, struct loop *l)
{
	if (loop_run(l, &a->done, loop_deadline(4000)))
		ok(false, "it completes");
}

static size_t answer(const uint8_t *q, size_t n, uint8_t *out)
{
	memcpy(out, q, n);
	out[2] |= 0x80;
	return n;
}

static size_t make_answer(struct craft *c, const uint8_t *q, size_t n, bool tcp, uint8_t *out)
{
	return answer(q, n, out);
}

static size_t make_silence(struct craft *c, const uint8_t *q, size_t n, bool tcp, uint8_t *out)
{
	return 0;
}

/* ---- one bad among many ---- */

struct held {
	uint8_t q[MANY][512];
	size_t len[MANY];
	unsigned n;
};

/* The last of many gets garbage at once, the others are held. */
static size_t make_held(struct craft *c, const uint8_t *q, size_t n, bool tcp, uint8_t *out)
{
	struct held *h = c->owner;

	memcpy(h->q[h->n], q, n);
	h->len[h->n] = n;
	if (++h->n < MANY)
		return 0;
	n = answer(q, n, out);
	out[n - 11] = 0xff;		/* the owner of OPT */
	return n;
}

static void test_one_bad(struct loop *l)
{
	static struct held h;
	struct craft c = { .make = make_held, .owner = &h };
	struct ask asks[MANY];
	struct upstream *u;
	unsigned good = 0;

	craft_start(&c, l, "127.0.0.1");
	u = upstream_new(l, &c.at, TRY_MS, NULL);
	for (int i = 0; i < MANY; i++)
		ask_start(&asks[i], u, "web.example");
	ask_wait(&asks[MANY - 1], l);
	ok(asks[MANY - 1].code == -EBADMSG && asks[MANY - 1].ms < AT_ONCE_MS, "one broken answer among many questions is known at once");
	is_int(upstream_stats(u)->in_flight, MANY - 1, "and the others are under way as before");
	for (unsigned i = 0; i < MANY - 1; i++) {
		uint8_t reply[512];

		craft_send(&c, reply, answer(h.q[i], h.len[i], reply));
	}
	for (int i = 0; i < MANY - 1; i++) {
		ask_wait(&asks[i], l);
		good += !asks[i].code && asks[i].ms < TRY_MS;
	}
	is_int(good, MANY - 1, "each has its answer");
	is_int(c.udp_seen, MANY, "to the one time that it was asked");
	upstream_free(u);
	craft_stop(&c);
}

/* ---- forgery ---- */

static size_t make_forged(struct craft *c, const uint8_t *q, size_t n, bool tcp, uint8_t *out)
{
	static const uint8_t short_one[5];
	uint8_t forged[512];

	craft_send(c, short_one, sizeof(short_one));
	answer(q, n, forged);
	forged[0] ^= 1;
	craft_send(c, forged, n);			/* another id */
	answer(q, n, forged);
	forged[DNS_HEADER + 1] ^= 1;
	craft_send(c, forged, n);			/* another name */
	answer(q, n, forged);
	forged[n - 14] ^= 2;
	craft_send(c, forged, n);			/* another type */
	n = answer(q, n, out);
	craft_send(c, out, n);
	return n;					/* twice */
}

static void test_forged(struct loop *l)
{
	struct craft c = { .make = make_forged };
	struct upstream *u;
	struct ask a;

	craft_start(&c, l, "127.0.0.1");
	u = upstream_new(l, &c.at, TRY_MS, NULL);
	for (int i = 0; i < 3; i++) {
		ask_start(&a, u, "web.example");
		ask_wait(&a, l);
		ok(!a.code && a.calls == 1 && a.ms < AT_ONCE_MS, "answers to others are nobody's, the right one counts, once");
	}
	is_int(c.udp_seen, 3, "nothing is asked twice for it");
	upstream_free(u);
	craft_stop(&c);
}

/* ---- loss ---- */

static size_t make_second(struct craft *c, const uint8_t *q, size_t n, bool tcp, uint8_t *out)
{
	return c->udp_seen % 2 ? 0 : answer(q, n, out);
}

static void test_lost(struct loop *l)
{
	struct craft c = { .make = make_second };
	struct upstream *u;
	struct ask a;

	craft_start(&c, l, "127.0.0.1");
	u = upstream_new(l, &c.at, TRY_MS, NULL);
	ask_start(&a, u, "web.example");
	ask_wait(&a, l);
	ok(!a.code && c.udp_seen == 2 && a.ms >= TRY_MS && a.ms < 2 * TRY_MS, "what is lost is asked once more (%u ms)", a.ms);
	c.make = make_silence;
	c.udp_seen = 0;
	ask_start(&a, u, "web.example");
	ask_wait(&a, l);
	ok(a.code == -ETIMEDOUT && c.udp_seen == 2 && a.ms >= 3 * TRY_MS && a.ms < 4 * TRY_MS, "and not a third time (%u ms)", a.ms);
	c.make = make_answer;
	no_room = 1;
	ask_start(&a, u, "web.example");
	ok(!a.done, "without room to send, the question waits");
	ask_wait(&a, l);
	ok(!a.code && a.ms < AT_ONCE_MS, "for a moment (%u ms)", a.ms);
	upstream_free(u);
	craft_stop(&c);
}

static void test_refused(struct loop *l)
{
	struct craft c = { .make = make_silence };
	struct ask asks[20], last;
	struct upstream *u;
	unsigned refused = 0;

	craft_start(&c, l, "127.0.0.1");
	u = upstream_new(l, &c.at, 4 * TRY_MS, NULL);
	for (int i = 0; i < 20; i++)
		ask_start(&asks[i], u, "web.example");
	craft_stop(&c);
	ask_start(&last, u, "web.example");
	ask_wait(&last, l);
	for (int i = 0; i < 20; i++) {
		ask_wait(&asks[i], l);
		refused += asks[i].code == -ECONNREFUSED && asks[i].calls == 1 && asks[i].ms < AT_ONCE_MS;
	}
	ok(last.code == -ECONNREFUSED && refused == 20, "a server that goes away refuses all that is under way, at once");
	ask_start(&last, u, "web.example");
	upstream_cancel(&last.q);
	is_int(upstream_stats(u)->in_flight, 0, "one that is refused may be cancelled");
	upstream_free(u);
}

/* ---- signed messages ---- */

static size_t make_formerr(struct craft *c, const uint8_t *q, size_t n, bool tcp, uint8_t *out)
{
	n = answer(q, n, out);
	out[3] |= DNS_FORMERR;
	return n;
}

/* What the caller has built goes out as it is, twice when need be, and is not asked in another way. */
static void test_raw(struct loop *l)
{
	struct craft c = { .make = make_second };
	struct ask a = { .query = { .flags = DNS_RD, .type = DNS_A, .class = DNS_IN } };
	uint8_t raw[DNS_QUERY_MAX];
	struct upstream *u;
	size_t n;

	craft_start(&c, l, "127.0.0.1");
	u = upstream_new(l, &c.at, TRY_MS, NULL);
	if (dns_name_parse("wEb.example", &a.query.name))
		return;
	n = dns_query_build(&a.query, 4711, false, raw);
	raw[3] |= 0x40;			/* that bit we never set */
	a.q = (struct upstream_query){ .owner = &a, .raw = raw, .raw_len = n };
	for (int i = 0; i < 2; i++) {
		a.done = false;
		c.udp_seen = 0;
		if (upstream_ask(u, &a.q, &a.query, on_reply))
			ok(false, "it is asked");
		ask_wait(&a, l);
		ok(!a.code && c.udp_seen == 2u - i && c.question_len == n && !memcmp(c.question + 2, raw + 2, n - 2),
		   "the caller's own bytes go out, %s", i ? "and a FORMERR is their answer" : "twice when the first is lost");
		c.make = make_formerr;
	}
	upstream_free(u);
	craft_stop(&c);
}

/* ---- ports ---- */

static bool network_is_ours(void)
{
	struct ifreq up = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING }, address = { .ifr_name = "lo:1" };
	struct sockaddr_in *sa = (struct sockaddr_in *)&address.ifr_addr;
	struct hostport at;
	struct sockaddr_storage storage;
	bool good;
	int fd;

	if (unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0 || hostport_parse(ELSEWHERE, 53, &at))
		return false;
	hostport_to_sockaddr(&at, &storage);
	memcpy(sa, &storage, sizeof(*sa));
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	good = fd >= 0 && !ioctl(fd, SIOCSIFFLAGS, &up) && !ioctl(fd, SIOCSIFADDR, &address);
	if (fd >= 0)
		close(fd);
	return good;
}

struct seen {
	uint8_t ports[65536], ids[65536];
	unsigned port_count, id_count;
};

static size_t make_seen(struct craft *c, const uint8_t *q, size_t n, bool tcp, uint8_t *out)
{
	struct seen *s = c->owner;
	unsigned id = (unsigned)(q[0] << 8 | q[1]);

	s->port_count += !s->ports[c->from_port]++;
	s->id_count += !s->ids[id]++;
	return answer(q, n, out);
}

static void test_ports(struct loop *l)
{
	static struct seen s;
	struct craft c = { .make = make_seen, .owner = &s };
	struct upstream *u;
	struct ask asks[10];
	unsigned good = 0;

	craft_start(&c, l, ELSEWHERE);
	u = upstream_new(l, &c.at, TRY_MS, NULL);
	for (int round = 0; round < 1200; round++) {
		for (int i = 0; i < 10; i++)
			ask_start(&asks[i], u, "web.example");
		for (int i = 0; i < 10; i++) {
			ask_wait(&asks[i], l);
			good += !asks[i].code;
		}
	}
	is_int(good, 12000, "of 12,000 questions each is answered");
	ok(s.port_count >= 12, "they come from ports that change (%u)", s.port_count);
	ok(s.id_count > 10000, "with ids that do not follow a small circle (%u)", s.id_count);
	upstream_free(u);
	craft_stop(&c);
}

static void test_ipv6(struct loop *l)
{
	struct hostport at = { 0 };
	struct fake_dns f;
	struct upstream *u;
	struct ask a;
	int fd = hostport_parse("::1", 0, &at) ? -1 : sock_udp_bind(&at, NULL);

	if (fd < 0) {
		skip("IPv6", "no IPv6 here");
		return;
	}
	close(fd);
	fake_dns_start(&f, l, "::1");
	u = upstream_new(l, &f.at, TRY_MS, NULL);
	ask_start(&a, u, "web.example");
	ask_wait(&a, l);
	is_int(a.code, 0, "a server of IPv6 is asked");
	upstream_free(u);
	fake_dns_stop(&f);
}

static void test_unreachable(struct loop *l)
{
	struct hostport nowhere;
	struct upstream *u;
	struct ask a;

	if (hostport_parse("192.0.2.1", 53, &nowhere))
		return;
	u = upstream_new(l, &nowhere, TRY_MS, NULL);
	ask_start(&a, u, "web.example");
	ok(!a.done, "without a route, the failure does not come from inside of the call");
	ask_wait(&a, l);
	ok(a.code == -EIO && a.ms < AT_ONCE_MS, "but at once");
	upstream_free(u);
}

int main(void)
{
	struct loop *l;
	bool ours = network_is_ours();

	l = loop_new(LOOP_DEFAULT);
	test_one_bad(l);
	test_forged(l);
	test_lost(l);
	test_refused(l);
	test_raw(l);
	if (ours) {
		test_ipv6(l);
		test_ports(l);
		test_unreachable(l);
	} else {
		skip("ports that change, IPv6, no route", "no network of its own here");
	}
	loop_free(l);
	return tap_done();
}
