/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/check.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/str.h"
#include "net/addr.h"
#include "net/dnswire.h"

#define DNS_MS 3000
#define DNS_TRIES 2
#define CONNECT_MS 3000

static int nameserver(struct hostport *ret, struct err *err)
{
	auto(buf) struct buf text = BUF_INIT(1 << 16);
	struct str rest, line;
	int r = file_read("/etc/resolv.conf", &text, err);

	if (r < 0)
		return r;
	for (rest = str_from(buf_str(&text)); str_split(&rest, '\n', &line);) {
		autofree char *s = NULL;
		struct str value;

		if (line.len < 11 || memcmp(line.p, "nameserver", 10) != 0)
			continue;
		value = str_trim((struct str){ line.p + 10, line.len - 10 });
		s = xstrndup(value.p, value.len);
		if (hostport_parse(s, 53, ret) == 0)
			return 0;
	}
	return err_set(err, -ENOENT, "/etc/resolv.conf names no nameserver");
}

static int connected(int type, const struct hostport *to, int timeout_ms)
{
	struct sockaddr_storage sa;
	socklen_t n = hostport_to_sockaddr(to, &sa), len = sizeof(int);
	autoclose int fd = socket(sa.ss_family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct pollfd p = { .fd = fd, .events = POLLOUT };
	int code = 0;

	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&sa, n) < 0) {
		if (errno != EINPROGRESS)
			return -errno;
		if (poll(&p, 1, timeout_ms) <= 0)
			return -ETIMEDOUT;
		getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &len);
		if (code)
			return -code;
	}
	return steal_fd(&fd);
}

/* The first address record of an answer. */
static int address_of(const uint8_t *reply, size_t n, struct addr *ret)
{
	struct dns_walk w;
	struct dns_record rec;
	unsigned section;
	int r = dns_walk_start(&w, reply, n);

	while (r >= 0 && (r = dns_walk_next(&w, &rec, &section)) > 0)
		if (section == 0 && rec.type == DNS_A && rec.rdata_len == 4) {
			*ret = addr_from_bytes(AF_INET, reply + rec.rdata);
			return 0;
		}
	return -ENOENT;
}

/* One question, one wait. */
static int ask(int fd, const struct dns_query *q, uint8_t *reply, size_t max, unsigned *rcode)
{
	uint8_t query[DNS_QUERY_MAX];
	size_t n = dns_query_build(q, q->id, true, query);
	struct pollfd p = { .fd = fd, .events = POLLIN };
	struct dns_edns edns;
	ssize_t got;

	if (send(fd, query, n, 0) != (ssize_t)n || poll(&p, 1, DNS_MS) <= 0)
		return -ETIMEDOUT;
	got = recv(fd, reply, max, 0);
	if (got < 0)
		return -errno;
	return dns_reply_check(q, q->id, reply, (size_t)got, rcode, &edns) < 0 ? -EBADMSG : (int)got;
}

static int resolve(const char *name, struct addr *ret, struct err *err)
{
	struct dns_query q = { .flags = DNS_RD, .type = DNS_A, .class = DNS_IN };
	uint8_t reply[DNS_LOCAL_MAX];
	struct hostport server;
	unsigned rcode = 0;
	int r = nameserver(&server, err);
	autoclose int fd = r < 0 ? -1 : connected(SOCK_DGRAM, &server, 0);

	if (r < 0)
		return r;
	if (fd < 0)
		return err_set(err, fd, "the nameserver of /etc/resolv.conf cannot be reached");
	if (dns_name_parse(name, &q.name) < 0)
		return err_set(err, -EINVAL, "\"%s\" is no name", name);
	random_bytes(&q.id, sizeof(q.id));
	r = -ETIMEDOUT;
	for (int i = 0; r < 0 && i < DNS_TRIES; i++)
		r = ask(fd, &q, reply, sizeof(reply), &rcode);
	if (r < 0)
		return err_set(err, r, "no answer for %s", name);
	if (rcode == DNS_NXDOMAIN)
		return err_set(err, -ENOENT, "%s does not exist", name);
	if (rcode != DNS_NOERROR || address_of(reply, (size_t)r, ret) < 0)
		return err_set(err, -ENOENT, "%s has no address (code %u)", name, rcode);
	return 0;
}

int check_target(const char *target, struct err *err)
{
	const char *colon = strrchr(target, ':');
	autofree char *name = xstrndup(target, colon ? (size_t)(colon - target) : 0);
	struct hostport to = { 0 };
	char text[HOSTPORT_STRLEN];
	int r;

	if (!colon || num_u16(colon + 1, &to.port) < 0)
		return err_set(err, -EINVAL, "\"%s\" must be NAME:PORT", target);
	r = resolve(name, &to.addr, err);
	if (r < 0)
		return r;
	r = connected(SOCK_STREAM, &to, CONNECT_MS);
	if (r < 0)
		return err_set(err, r, "%s (%s): %s", target, hostport_format(&to, text), err_text(&(struct err){ .code = r }));
	close(r);
	return 0;
}
