/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/carry.h"

#include <errno.h>
#include <linux/netfilter_ipv4.h>
#include <netinet/in.h>
#include <unistd.h>

#include "agent/cluster.h"
#include "agent/mode.h"
#include "agent/rules.h"
#include "agent/upstreams.h"
#include "agent/zone.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"
#include "net/forward/forwarder.h"
#include "net/sock.h"

#define FAMILIES 2			/* IPv4, IPv6 */
#define DESTINATIONS_MAX 4096u
#define FORGET_MS 60000
#define ACCEPTS 64			/* in one go */
#define PAUSE_MS 100			/* without descriptors */
#define IP6T_SO_ORIGINAL_DST 80		/* linux/netfilter_ipv6/ip6_tables.h, which does not go with netinet/in.h */
#define KEY_MAX 700

struct listener {
	struct carry *carry;
	struct io io;
	int family;
	int fd;				/* owned; -1: none */
	uint16_t port;
};

struct destination {
	struct forward *forward;	/* the forwarder's, which we free */
	uint64_t carried;		/* connections, when it was looked at last */
};

struct carry {
	struct agent *agent;
	struct forwarder *forwarder;	/* owned */
	struct listener listener[FAMILIES];
	struct map destinations;	/* "NS/SERVICE/POD:PORT" → struct destination, owned */
	struct timer renew, forget, pause;
	bool connected;
	struct addr api;		/* family 0: unknown */
	struct spare own, spare;	/* spare: own and the servers */
	uint64_t lost;			/* connections that led to nobody */
	struct forward_count gone;	/* of destinations that were forgotten */
	char trouble[400];		/* the last one's */
};

static struct carry *usable(struct carry *c)
{
	return c && c->forwarder ? c : NULL;
}

uint16_t carry_port(const struct carry *c, int family)
{
	return !c || !c->forwarder ? 0 : c->listener[family == AF_INET6].port;
}

const struct spare *carry_spare(const struct carry *c)
{
	static const struct spare none;

	return c ? &c->spare : &none;
}

/* ---- destinations ------------------------------------------------------------------------------------------------ */

static void count_add(struct forward_count *sum, const struct forward *w)
{
	struct forward_count n;

	forward_count(w, &n);
	sum->open += n.open;
	sum->connections += n.connections;
	sum->failed += n.failed;
	sum->received += n.received;
	sum->sent += n.sent;
}

static void destination_free(void *p)
{
	struct destination *d = p;

	forward_free(d->forward);
	free(d);
}

static void destination_forget(struct carry *c, const char *key, const struct destination *d)
{
	count_add(&c->gone, d->forward);
	map_del(&c->destinations, key);
}

/* Those that nobody has used for a while. */
static void on_forget(struct timer *t)
{
	struct carry *c = container_of(t, struct carry, forget);

	map_foreach(&c->destinations, it) {
		struct destination *d = it->value;
		struct forward_count n;

		forward_count(d->forward, &n);
		if (!n.open && n.connections == d->carried)
			destination_forget(c, it->key, d);
		else
			d->carried = n.connections;
	}
	if (c->destinations.live)
		timer_start(c->agent->loop, &c->forget, FORGET_MS, on_forget);
}

static struct forward *destination_get(struct carry *c, const struct target_want *w)
{
	char key[KEY_MAX];
	struct destination *d;

	snprintf(key, sizeof(key), "%s/%s/%s:%u", w->ns, w->service ? w->service : "", w->pod ? w->pod : "", w->port);
	d = map_get(&c->destinations, key);
	if (d)
		return d->forward;
	if (c->destinations.live >= DESTINATIONS_MAX)
		on_forget(&c->forget);
	if (c->destinations.live >= DESTINATIONS_MAX)
		return NULL;
	d = xcalloc(1, sizeof(*d));
	d->forward = forward_new(c->forwarder, w);
	map_set(&c->destinations, key, d);
	if (!c->forget.loop)
		timer_start(c->agent->loop, &c->forget, FORGET_MS, on_forget);
	return d->forward;
}

/* ---- connections ------------------------------------------------------------------------------------------------- */

static int original_destination(int fd, int family, struct hostport *ret)
{
	struct sockaddr_storage to = { 0 };
	socklen_t n = sizeof(to);
	int r = family == AF_INET6 ? getsockopt(fd, IPPROTO_IPV6, IP6T_SO_ORIGINAL_DST, &to, &n) :
				     getsockopt(fd, IPPROTO_IP, SO_ORIGINAL_DST, &to, &n);

	return r < 0 ? -errno : hostport_from_sockaddr((struct sockaddr *)&to, ret);
}

static void refuse(struct carry *c, int fd, const struct hostport *to)
{
	const struct linger now = { .l_onoff = 1 };
	char text[HOSTPORT_STRLEN];

	c->lost++;
	if (to)
		snprintf(c->trouble, sizeof(c->trouble), "%s belongs to nobody", hostport_format(to, text));
	(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	close(fd);
}

static void carry_one(struct carry *c, int fd, int family, const struct sockaddr_storage *peer)
{
	struct hostport to, from;
	struct target_want want;
	struct forward *w = NULL;

	if (original_destination(fd, family, &to) < 0 || addr_is_loopback(&to.addr)) {
		refuse(c, fd, NULL);
		return;
	}
	if (target_of_addr(c->agent->zone->store, &to.addr, to.port, IPPROTO_TCP, &want) == 0)
		w = destination_get(c, &want);
	if (!w)
		refuse(c, fd, &to);
	else if (hostport_from_sockaddr((const struct sockaddr *)peer, &from) < 0)
		forward_carry(w, fd, NULL);
	else
		forward_carry(w, fd, &from.addr);
}

static void on_connection(struct io *io, unsigned events);

static void listeners_watch(struct carry *c)
{
	for (int i = 0; i < FAMILIES; i++)
		if (c->listener[i].fd >= 0)
			io_start(c->agent->loop, &c->listener[i].io, c->listener[i].fd, IO_IN, on_connection);
}

static void on_pause(struct timer *t)
{
	listeners_watch(container_of(t, struct carry, pause));
}

static void listeners_pause(struct carry *c)
{
	for (int i = 0; i < FAMILIES; i++)
		io_stop(&c->listener[i].io);
	timer_start(c->agent->loop, &c->pause, PAUSE_MS, on_pause);
}

static void on_connection(struct io *io, unsigned events)
{
	struct listener *l = container_of(io, struct listener, io);

	for (int i = 0; i < ACCEPTS; i++) {
		struct sockaddr_storage peer;
		int fd = sock_accept(io->fd, &peer);

		if (fd == -EMFILE || fd == -ENFILE || fd == -ENOBUFS || fd == -ENOMEM) {
			trouble_note(&l->carry->agent->trouble, "forward", "cannot accept a connection: %s", strerror(-fd));
			listeners_pause(l->carry);
		}
		if (fd < 0)
			return;
		carry_one(l->carry, fd, l->family, &peer);
	}
}

/* ---- neighbours -------------------------------------------------------------------------------------------------- */

static void spare_look(struct carry *c)
{
	const struct agent *a = c->agent;
	struct spare new = c->own;

	spare_addr(&new, &a->config, &c->api);
	spare_servers(&new, &a->config, a->zone->store);
	for (size_t i = 0; a->upstreams && i < a->upstreams->n; i++)
		spare_addr(&new, &a->config, &upstream_server(a->upstreams->v[i]->channel)->addr);
	if (spare_equal(&new, &c->spare))
		return;
	c->spare = new;
	rules_rebuild(a->rules);
}

void carry_set_own(struct carry *c, const struct link_addr *own, size_t count, const struct route *routes, size_t route_count)
{
	if (!usable(c))
		return;
	c->own = (struct spare){ 0 };
	for (size_t i = 0; i < count; i++)
		spare_own(&c->own, &c->agent->config, &own[i]);
	for (size_t i = 0; i < route_count; i++)
		if (routes[i].proto != ROUTE_PROTO)
			spare_addr(&c->own, &c->agent->config, &routes[i].via);
	spare_look(c);
}

static void api_read(struct carry *c, const char *base)
{
	const char *host = strstr(base, "://");
	struct hostport at;

	c->api = (struct addr){ 0 };
	if (host && hostport_parse(host + 3, 443, &at) == 0)
		c->api = at.addr;
	spare_look(c);
}

void carry_set_client(struct carry *c, struct kube *k)
{
	if (!usable(c))
		return;
	forwarder_set_client(c->forwarder, k);
	if (k)
		api_read(c, kube_endpoint(k)->base);
	else
		carry_set_connected(c, false);
}

void carry_set_connected(struct carry *c, bool connected)
{
	if (!usable(c))
		return;
	c->connected = connected;
	forwarder_set_connected(c->forwarder, connected);
	carry_follow(c);
}

void carry_follow(struct carry *c)
{
	if (usable(c) && c->agent->forward)
		cluster_set_routed(c->agent->cluster, c->connected);
}

static void on_renew(struct timer *t)
{
	struct carry *c = container_of(t, struct carry, renew);

	spare_look(c);
	forwarder_renew(c->forwarder);
}

void carry_changed(struct carry *c)
{
	if (usable(c) && !c->renew.loop)
		timer_start(c->agent->loop, &c->renew, 0, on_renew);
}

/* ---- module ------------------------------------------------------------------------------------------------------ */

/* Without IPv6 there is none; without IPv4, a failure. */
static int listener_open(struct carry *c, int i, struct err *err)
{
	struct listener *l = &c->listener[i];
	struct hostport at = { .addr = { .family = i ? AF_INET6 : AF_INET, .b = { [0] = i ? 0 : 127, [3] = i ? 0 : 1, [15] = i ? 1 : 0 } } };

	l->carry = c;
	l->family = at.addr.family;
	l->fd = sock_tcp_listen(&at, err);
	if (l->fd < 0)
		return i ? 0 : l->fd;
	if (sock_local(l->fd, &at) == 0)
		l->port = at.port;
	return 0;
}

int carry_start(struct agent *a, struct err *err)
{
	struct carry *c = a->carry = xcalloc(1, sizeof(*c));
	int r = 0;

	c->agent = a;
	c->destinations = (struct map)MAP_INIT(destination_free);
	for (int i = 0; i < FAMILIES; i++)
		c->listener[i].fd = -1;
	mode_begin(a);
	if (a->config.mode == CONFIG_ROUTE)
		return 0;
	c->forwarder = forwarder_new(a->loop, NULL, a->zone->store);
	forwarder_set_connected(c->forwarder, false);
	for (int i = 0; i < FAMILIES && !r; i++)
		r = listener_open(c, i, err);
	listeners_watch(c);
	return r;
}

void carry_stop(struct agent *a)
{
	struct carry *c = a->carry;

	if (!c)
		return;
	timer_stop(&c->renew);
	timer_stop(&c->forget);
	timer_stop(&c->pause);
	for (int i = 0; i < FAMILIES; i++) {
		io_stop(&c->listener[i].io);
		if (c->listener[i].fd >= 0)
			close(c->listener[i].fd);
	}
	map_done(&c->destinations);
	forwarder_free(c->forwarder);
	free(steal(&a->carry));
}

void carry_status(struct agent *a, json *o)
{
	const struct carry *c = a->carry;
	struct forward_count sum;
	struct forwarder_count n;
	const char *trouble;
	json *j;

	json_set_str(o, "mode", a->forward ? "forward" : "route");
	json_set_bool(o, "mode_auto", a->config.mode == CONFIG_AUTO);
	if (!c || !c->forwarder)
		return;
	j = json_set(o, "forward", json_object());
	sum = c->gone;
	trouble = c->trouble;
	map_foreach(&c->destinations, it) {
		const struct destination *d = it->value;

		count_add(&sum, d->forward);
		if (*forward_trouble(d->forward))
			trouble = forward_trouble(d->forward);
	}
	forwarder_count(c->forwarder, &n);
	json_set_int(j, "sessions", n.sessions);
	json_set_int(j, "warm", n.warm);
	json_set_int(j, "threads", n.threads);
	json_set_int(j, "destinations", (int64_t)c->destinations.live);
	json_set_int(j, "open", sum.open);
	json_set_int(j, "connections", (int64_t)sum.connections);
	json_set_int(j, "failed", (int64_t)(sum.failed + c->lost));
	json_set_int(j, "received", (int64_t)sum.received);
	json_set_int(j, "sent", (int64_t)sum.sent);
	if (*trouble)
		json_set_str(j, "error", trouble);
}
