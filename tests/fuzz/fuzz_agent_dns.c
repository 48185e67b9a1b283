/* SPDX-License-Identifier: Apache-2.0 */
/* The whole DNS side of the agent, as tests/scenario plays it. The input is a list of steps: what happens, one byte of length,
 * so many bytes: a client's message, the body of a server's answer to what was asked of it, bytes over TCP, time.
 * No name may leave for the wrong side, and every answer belongs to a question and is a whole message. */
#include <errno.h>
#include <sys/socket.h>

#include "agent/cluster.h"
#include "agent/upstreams.h"
#include "agent/zone.h"
#include "base/cur.h"
#include "base/log.h"
#include "tests/scenario/world.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const objects[STORE_KINDS] = {
	[STORE_SERVICES] = "{\"metadata\":{\"namespace\":\"default\",\"name\":\"web\"},\"spec\":{\"clusterIPs\":[\"10.43.0.80\"],"
			   "\"ports\":[{\"name\":\"http\",\"port\":80,\"protocol\":\"TCP\"}]}}",
	[STORE_SLICES] = "{\"metadata\":{\"namespace\":\"default\",\"name\":\"a\",\"labels\":{\"kubernetes.io/service-name\":\"web\"}},"
			 "\"endpoints\":[{\"addresses\":[\"10.42.0.8\"]}]}",
	[STORE_NAMESPACES] = "{\"metadata\":{\"name\":\"default\"}}",
};
static const char corefile[] = "{\"data\":{\"Corefile\":\".:53 {\\n kubernetes cluster.local {\\n pods insecure\\n }\\n"
			       " forward own.example 10.0.0.53\\n}\\n\"}}";
static const char outside[] = "{\"metadata\":{\"namespace\":\"default\",\"name\":\"out\"},\"spec\":{\"type\":\"ExternalName\","
			      "\"externalName\":\"www.example\"}}";

static void zone_fill(struct zone *z)
{
	autojson json *map = json_parse(corefile, strlen(corefile), NULL);
	struct store *s = z->store;
	struct dns_name own;

	for (int kind = 0; kind < STORE_KINDS; kind++) {
		autojson json *o = json_parse(objects[kind], strlen(objects[kind]), NULL);
		autojson json *more = kind == STORE_SERVICES ? json_parse(outside, strlen(outside), NULL) : NULL;

		if (store_put(s, (enum store_kind)kind, o) || (more && store_put(s, (enum store_kind)kind, more)))
			abort();
		store_end(s, (enum store_kind)kind);
	}
	if (dns_name_parse("own.example", &own))
		abort();
	transport_zone(&own);
	zone_set_config(z, false, map);
}

/* What the neighbours say, one bit each: the cluster's DNS answers, is routed, the watches stand; other upstreams; the
 * namespace is gone. */
static void neighbours_set(struct world *w, unsigned bits)
{
	struct hostport servers[] = { world_upstream(bits & 8 ? 3 : 1), world_upstream(2) };
	autojson json *ns = json_parse(objects[STORE_NAMESPACES], strlen(objects[STORE_NAMESPACES]), NULL);

	w->alive = bits & 1;
	cluster_set_routed(w->a.cluster, bits & 2);
	zone_set_live(w->a.zone, bits & 4, false);
	upstreams_set(&w->a, servers, bits & 16 ? 1 : 2);
	if (bits & 32)
		store_delete(w->a.zone->store, STORE_NAMESPACES, ns);
	else if (store_put(w->a.zone->store, STORE_NAMESPACES, ns))
		abort();
}

static void ask(struct world *w, struct client *c, const uint8_t *p, size_t n)
{
	struct dns_query q;

	(void)!dns_query_read(p, n, &q);
	world_ask(w, c, 0, &q, p, n);
}

/* The header's flags and counts and all records are the input's, id and question what was asked. */
static void answer(struct upstream_flight *f, const uint8_t *p, size_t n)
{
	static uint8_t msg[DNS_MSG_MAX];
	size_t question;

	if (!f || n < 8)
		return;
	question = DNS_HEADER + f->query.name.len + 4u;
	memcpy(msg, f->msg, question);
	msg[2] = p[0] | 0x80;
	msg[3] = p[1];
	memcpy(msg + 6, p + 2, 6);
	memcpy(msg + question, p + 8, n - 8);
	f->seen = true;
	flight_answer(f, msg, question + n - 8);
}

/* What is sent over TCP need not be messages, and what comes back is not read. */
static void tcp_send(struct world *w, struct client **at, const uint8_t *p, size_t n)
{
	if (!*at) {
		*at = world_client(w, true);
		(*at)->deaf = true;
	}
	(void)!send((*at)->fd, p, n, MSG_NOSIGNAL);
}

static void step(struct world *w, struct client *c, struct client **tcp, unsigned what, const uint8_t *p, size_t n)
{
	struct hostport at = what % 2 ? world_upstream(1 + what / 8 % 2) : w->a.config.dns[0];
	struct upstream *u = transport_find(&at);

	switch (what % 8) {
	case 0: ask(w, c, p, n); break;
	case 1: case 2: answer(u ? upstream_flight_next(u) : NULL, p, n); break;
	case 3: if (u && upstream_flight_next(u)) flight_fail(upstream_flight_next(u), -ECONNREFUSED); break;
	case 4: tcp_send(w, tcp, p, n); break;
	case 5: world_advance(w, n * 20); break;
	case 6: neighbours_set(w, n); break;
	case 7: ask(w, c, p, n); ask(w, c, p, n); break;
	}
	world_settle(w);
}

static void answers_check(const struct world *w)
{
	struct dns_record rec;
	unsigned section;
	struct dns_walk walk;
	int r;

	for (size_t i = 0; i < w->n; i++) {
		const struct question *q = &w->questions[i];

		if (!q->answer || q->len == DNS_HEADER || !(q->answer[4] | q->answer[5]))
			continue;
		r = dns_walk_start(&walk, q->answer, q->len);
		while (!r && (r = dns_walk_next(&walk, &rec, &section)) > 0)
			r = 0;
		if (r || walk.pos != q->len)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cur in = cur_init(data, size);
	struct world w;
	struct client *c, *tcp = NULL;

	log_set_level(LOG_ERROR);
	if (world_open(&w, "", NULL)) {		/* another process took the port */
		world_close(&w);
		return 0;
	}
	zone_fill(w.a.zone);
	c = world_client(&w, false);
	for (int i = 0; i < 64 && in.pos < size; i++) {
		unsigned what = cur_u8(&in);
		size_t n = MIN((size_t)cur_u8(&in), size - in.pos);
		const uint8_t *p = cur_take(&in, n);

		if (!p)
			break;
		step(&w, c, &tcp, what, p, n);
	}
	answers_check(&w);
	if (*w.broken) {
		fprintf(stderr, "%s\n", w.broken);
		abort();
	}
	world_close(&w);
	return 0;
}
