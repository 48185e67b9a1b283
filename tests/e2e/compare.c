/* SPDX-License-Identifier: Apache-2.0 */
/* compare: asks two DNS servers the same questions and says where they differ.
 *   compare OURS[:PORT] THEIRS[:PORT] <questions	a line: "NAME TYPE…", the name with \DDD escapes
 * Each question goes over UDP without and with EDNS, every 7th over TCP as well. Compared are code, AA, TC, the OPT's presence,
 * each section's records without order, the SOA but for its serial; our TTL may be the smaller. A cache in front of theirs
 * counts TTLs down and keeps what was: what differs is asked again, once a second for 7 s. What theirs cannot find out itself
 * (SERVFAIL: it asks the world for unknown reverse names) is counted, and may be one question in a hundred. */
#include <errno.h>
#include <poll.h>
#include <sys/time.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "net/addr.h"
#include "net/dnswire.h"

#define ANSWER_MS 6000
#define ROUNDS 8
#define SHOWN 20
#define TCP_EACH 7

enum mode { MODE_UDP, MODE_EDNS, MODE_TCP, MODES };
static const char *const mode_names[MODES] = { "udp", "edns", "tcp" };

static const struct { const char *name; uint16_t type; } types[] = {
	{ "A", DNS_A }, { "AAAA", DNS_AAAA }, { "SRV", DNS_SRV }, { "PTR", DNS_PTR }, { "TXT", DNS_TXT }, { "CNAME", DNS_CNAME },
	{ "HTTPS", 65 }, { "ANY", DNS_ANY }, { "MX", DNS_MX }, { "NS", DNS_NS }, { "SOA", DNS_SOA }, { "NAPTR", 35 },
};

struct question {
	char *name, *type, *difference;		/* owned, borrowed, owned */
	bool unknown;				/* to them */
	struct dns_query query;
	enum mode mode;
};

struct list {
	struct question *v;			/* owned */
	size_t n;
};

struct answer {
	unsigned rcode, flags;
	bool opt, lost;
	struct strv records;			/* without TTL, sorted */
	uint32_t ttl;				/* the smallest; the OPT has none */
};

/* ---- questions --------------------------------------------------------------------------------------------------- */

static int question_add(struct list *l, const char *name, const char *type, enum mode mode)
{
	struct question q = { .mode = mode };

	q.query = (struct dns_query){ .flags = DNS_RD, .class = DNS_IN };
	q.query.edns = (struct dns_edns){ .present = mode == MODE_EDNS, .udp_size = 1232 };
	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		if (streq(types[i].name, type)) {
			q.query.type = types[i].type;
			q.type = (char *)types[i].name;
		}
	}
	if (!q.query.type || dns_name_parse(name, &q.query.name))
		return -EINVAL;
	q.query.id = (uint16_t)(l->n * 40503u + 1);
	q.name = xstrdup(name);
	l->v = xrealloc(l->v, l->n + 1, sizeof(*l->v));
	l->v[l->n++] = q;
	return 0;
}

static int line_read(struct list *l, const char *line, size_t *count)
{
	struct str rest = str_trim(str_from(line)), word;
	autofree char *name = str_split(&rest, ' ', &word) ? xstrndup(word.p, word.len) : NULL;
	int r = 0;

	while (!r && str_split(&rest, ' ', &word)) {
		autofree char *type = xstrndup(word.p, word.len);

		r = question_add(l, name, type, MODE_UDP);
		if (!r)
			r = question_add(l, name, type, MODE_EDNS);
		if (!r && ++*count % TCP_EACH == 0)
			r = question_add(l, name, type, MODE_TCP);
	}
	if (r)
		fprintf(stderr, "compare: no question: %s\n", line);
	return r;
}

/* ---- asking ------------------------------------------------------------------------------------------------------ */

static int server_open(const struct hostport *to, bool tcp)
{
	struct timeval limit = { .tv_sec = ANSWER_MS / 1000 };
	struct sockaddr_storage sa;
	socklen_t len = hostport_to_sockaddr(to, &sa);
	int fd = socket(to->addr.family, (tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC, 0);

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	if (connect(fd, (struct sockaddr *)&sa, len) == 0)
		return fd;
	close(fd);
	return -1;
}

static bool query_send(int fd, const struct question *q)
{
	uint8_t msg[2 + DNS_QUERY_MAX];
	size_t n = dns_query_build(&q->query, q->query.id, q->mode == MODE_EDNS, msg + 2);

	msg[0] = (uint8_t)(n >> 8);
	msg[1] = (uint8_t)n;
	if (q->mode == MODE_TCP)
		return send(fd, msg, n + 2, MSG_NOSIGNAL) == (ssize_t)n + 2;
	return send(fd, msg + 2, n, MSG_NOSIGNAL) == (ssize_t)n;
}

static ssize_t reply_receive(int fd, const struct question *q, uint8_t *out)
{
	uint8_t prefix[2];
	ssize_t n;

	if (q->mode == MODE_TCP)
		return recv(fd, prefix, 2, MSG_WAITALL) == 2 ? recv(fd, out, (size_t)prefix[0] << 8 | prefix[1], MSG_WAITALL) : -1;
	do {	/* what came too late for an earlier question is passed over */
		n = recv(fd, out, DNS_MSG_MAX, 0);
	} while (n >= 2 && (out[0] << 8 | out[1]) != q->query.id);
	return n;
}

/* ---- answers ----------------------------------------------------------------------------------------------------- */

/* The name at pos, expanded, in lower case; returns the position behind it, or 0. */
static size_t name_expand(const uint8_t *p, size_t n, size_t pos, struct buf *out)
{
	struct dns_name name = { 0 };
	char text[DNS_TEXT_MAX];
	size_t end = 0, limit = n;

	while (pos < limit && p[pos]) {
		if (p[pos] >= 0xc0) {
			size_t to = pos + 1 < n ? (size_t)(p[pos] & 0x3f) << 8 | p[pos + 1] : n;

			end = end ? end : pos + 2;
			limit = pos;		/* strictly backwards */
			pos = to;
			continue;
		}
		if (name.len + p[pos] + 2u > DNS_NAME_MAX || pos + p[pos] + 1 >= n)
			return 0;
		memcpy(name.b + name.len, p + pos, p[pos] + 1u);
		name.len = (uint8_t)(name.len + p[pos] + 1u);
		pos += p[pos] + 1u;
	}
	if (pos >= limit)
		return 0;
	name.b[name.len++] = 0;
	for (char *c = (char *)dns_name_text(&name, text); *c; c++)
		buf_addc(out, *c >= 'A' && *c <= 'Z' ? (char)(*c | 0x20) : *c);
	return end ? end : pos + 1;
}

static void hex_add(struct buf *b, const uint8_t *p, size_t n)
{
	buf_addc(b, ' ');
	for (size_t i = 0; i < n; i++)
		buf_addf(b, "%02x", p[i]);
}

/* How many bytes stand before the names in this type's data, and how many names there are. */
static void rdata_shape(uint16_t type, size_t *ret_head, unsigned *ret_names)
{
	*ret_head = type == DNS_SRV ? 6 : type == DNS_MX ? 2 : 0;
	*ret_names = type == DNS_SOA ? 2 : type == DNS_NS || type == DNS_CNAME || type == DNS_PTR || type == DNS_SRV || type == DNS_MX;
}

static char *record_text(const uint8_t *p, const struct dns_record *rec, unsigned section)
{
	static const char *const sections[] = { "answer", "authority", "additional" };
	struct buf b = BUF_INIT(1 << 17);
	char text[DNS_TEXT_MAX];
	size_t pos = rec->rdata, head;
	unsigned names;

	rdata_shape(rec->type, &head, &names);
	for (char *c = (char *)dns_name_text(&rec->name, text); *c; c++)
		*c = *c >= 'A' && *c <= 'Z' ? (char)(*c | 0x20) : *c;
	buf_addf(&b, "%s %s %u %u", sections[section], text, rec->class, rec->type);
	if (head)
		hex_add(&b, p + pos, head);
	for (pos += head; names && pos; names--) {
		buf_addc(&b, ' ');
		pos = name_expand(p, rec->end, pos, &b);
	}
	if (rec->type == DNS_SOA && pos)
		pos += 4;
	if (pos && pos < rec->end)
		hex_add(&b, p + pos, rec->end - pos);
	return buf_steal(&b);
}

static void answer_read(const struct question *q, const uint8_t *p, ssize_t n, struct answer *ret)
{
	struct dns_record rec;
	struct dns_edns edns;
	struct dns_walk w;
	unsigned section;

	*ret = (struct answer){ .ttl = UINT32_MAX };
	ret->lost = n < 0 || dns_reply_check(&q->query, q->query.id, p, (size_t)n, &ret->rcode, &edns) || dns_walk_start(&w, p, (size_t)n);
	if (ret->lost)
		return;
	ret->flags = (unsigned)(p[2] << 8 | p[3]) & (DNS_AA | DNS_TC);
	ret->opt = edns.present;
	while (dns_walk_next(&w, &rec, &section) > 0) {
		if (rec.type == DNS_OPT)
			continue;
		ret->ttl = MIN(ret->ttl, rec.ttl);
		strv_take(&ret->records, record_text(p, &rec, section));
	}
	strv_sort(&ret->records);
}

static char *answer_text(const struct answer *a)
{
	autofree char *records = strv_join(&a->records, " | ");

	if (a->lost)
		return xstrdup("no sound answer");
	return xasprintf("rcode %u%s%s%s ttl %d: %s", a->rcode, a->flags & DNS_AA ? " aa" : "", a->flags & DNS_TC ? " tc" : "",
			 a->opt ? " opt" : "", (int)a->ttl, records);
}

/* Of a cut answer the records are as many as fit, in any order. */
static bool answers_equal(const struct answer *ours, const struct answer *theirs)
{
	autofree char *a = strv_join(&ours->records, "|"), *b = strv_join(&theirs->records, "|");

	return !ours->lost && !theirs->lost && ours->rcode == theirs->rcode && ours->flags == theirs->flags && ours->opt == theirs->opt &&
	       ours->ttl <= theirs->ttl && (streq(a, b) || (ours->flags & DNS_TC));
}

/* ---- comparing --------------------------------------------------------------------------------------------------- */

static void server_ask(const struct question *q, const struct hostport *server, int udp, struct answer *ret)
{
	int fd = q->mode == MODE_TCP ? server_open(server, true) : udp;
	uint8_t *out = xcalloc(1, DNS_MSG_MAX);

	answer_read(q, out, fd >= 0 && query_send(fd, q) ? reply_receive(fd, q, out) : -1, ret);
	if (fd >= 0 && fd != udp)
		close(fd);
	free(out);
}

/* Theirs first: what they have to find out is in their cache when ours asks them. */
static void question_ask(struct question *q, const struct hostport servers[static 2], const int udp[static 2])
{
	struct answer ours, theirs;

	server_ask(q, &servers[1], udp[1], &theirs);
	server_ask(q, &servers[0], udp[0], &ours);
	free(steal(&q->difference));
	q->unknown = !theirs.lost && theirs.rcode == DNS_SERVFAIL;
	if (!answers_equal(&ours, &theirs)) {
		autofree char *a = answer_text(&ours), *b = answer_text(&theirs);

		q->difference = xasprintf("#   ours   %s\n#   theirs %s", a, b);
	}
	strv_done(&ours.records);
	strv_done(&theirs.records);
}

static size_t compare(struct list *l, const struct hostport servers[static 2])
{
	int udp[2] = { server_open(&servers[0], false), server_open(&servers[1], false) };
	size_t different = l->n;

	for (int round = 0; round < ROUNDS && different; round++) {
		if (round)
			(void)poll(NULL, 0, 1000);
		different = 0;
		for (size_t i = 0; i < l->n; i++) {
			if (!round || l->v[i].difference)
				question_ask(&l->v[i], servers, udp);
			different += l->v[i].difference != NULL;
		}
	}
	close(udp[0]);
	close(udp[1]);
	return different;
}

/* Of those that differ, the ones that they do not know are not ours to know better. */
static size_t unknown_forgive(struct list *l)
{
	size_t forgiven = 0;

	for (size_t i = 0; i < l->n; i++) {
		if (!l->v[i].difference || !l->v[i].unknown)
			continue;
		free(steal(&l->v[i].difference));
		forgiven++;
	}
	return forgiven;
}

static void differences_show(const struct list *l)
{
	size_t shown = 0;

	for (size_t i = 0; i < l->n && shown < SHOWN; i++) {
		if (!l->v[i].difference)
			continue;
		printf("# %s %s (%s)\n%s\n", l->v[i].name, l->v[i].type, mode_names[l->v[i].mode], l->v[i].difference);
		shown++;
	}
}

int main(int argc, char **argv)
{
	struct hostport servers[2];
	size_t count = 0, different, forgiven;
	struct list l = { 0 };
	char line[2 * DNS_TEXT_MAX];

	if (argc != 3 || hostport_parse(argv[1], 53, &servers[0]) || hostport_parse(argv[2], 53, &servers[1])) {
		fprintf(stderr, "compare OURS THEIRS <questions\n");
		return 2;
	}
	while (fgets(line, sizeof(line), stdin))
		if (line_read(&l, line, &count))
			return 2;
	different = compare(&l, servers);
	forgiven = unknown_forgive(&l);
	different -= forgiven;
	differences_show(&l);
	printf("# %zu questions, asked %zu times; %zu differ, %zu are unknown to the other\n", count, l.n, different, forgiven);
	return different || !l.n || forgiven > l.n / 100;
}
