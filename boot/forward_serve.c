/* SPDX-License-Identifier: Apache-2.0 */
/* The plan carried out: listeners, the hosts block. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/num.h"
#include "boot/forward_hosts.h"
#include "boot/forward_run.h"
#include "net/sock.h"

#define CHANGE_MS 20		/* what comes together is planned together */
#define LOOK_MS 2000		/* at the hosts file, and at what could not be opened */
#define RELIEF_MS 100		/* no descriptor is left */
#define ACCEPTS 64		/* in one turn */
#define LOW_PORTS 1024
#define KEY_MAX 1024

/* ---- the machine ------------------------------------------------------------------------------------------------- */

/* 0, or why one cannot listen there. */
static int port_try(const struct addr *a, uint16_t port)
{
	const struct hostport at = { *a, port };
	autoclose int fd = sock_tcp_listen(&at, NULL);

	return fd < 0 ? fd : 0;
}

/* The first port that everybody may use: the kernel may say another than 1024. */
static uint16_t low_ports(void)
{
	const struct addr odd = forward_addr_at(FORWARD_ADDRESSES - 1);
	auto(buf) struct buf b = BUF_INIT(64);
	uint64_t start = LOW_PORTS;
	char *text;

	if (port_try(&odd, 1) != -EACCES && port_try(&odd, 1) != -EPERM)
		return 0;
	(void)!file_read("/proc/sys/net/ipv4/ip_unprivileged_port_start", &b, NULL);
	text = b.data;
	if (text)
		text[strcspn(text, "\n")] = '\0';
	return !text || num_u64(text, UINT16_MAX, &start) < 0 ? LOW_PORTS : (uint16_t)start;
}

static void files_raise(void)
{
	struct rlimit l;

	if (getrlimit(RLIMIT_NOFILE, &l) < 0 || l.rlim_cur == l.rlim_max)
		return;
	l.rlim_cur = l.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &l);
}

static bool name_taken(void *arg, const char *name)
{
	const struct forwarding *f = arg;

	return map_get(&f->taken, name) != NULL;
}

void forward_machine(struct forwarding *f)
{
	const struct addr odd = forward_addr_at(FORWARD_ADDRESSES - 1);

	files_raise();
	f->rules.single = port_try(&odd, 0) == -EADDRNOTAVAIL;
	f->rules.low = f->rules.single ? 0 : low_ports();
	f->hosts_path = f->run->opt->hosts_path ? f->run->opt->hosts_path : "/etc/hosts";
	f->names = hosts_writable(f->hosts_path) && !f->rules.single;
	if (f->rules.single)
		f->nameless = xstrdup("this machine has no loopback address but 127.0.0.1: ports are ours, and there are no names");
	else if (!f->names)
		f->nameless = xasprintf("%s cannot be written: there are no names (sudo makes them)", f->hosts_path);
	if (f->names) {
		f->rules.taken = name_taken;
		f->rules.arg = f;
	}
	places_init(&f->addresses, FORWARD_ADDRESSES);
	places_init(&f->ports, FORWARD_PORTS);
}

/* ---- listeners --------------------------------------------------------------------------------------------------- */

static void on_relief(struct timer *t)
{
	struct forwarding *f = container_of(t, struct forwarding, relief);

	for (size_t i = 0; i < f->n_listeners; i++)
		if (f->listeners[i]->fd >= 0)
			io_set(&f->listeners[i]->io, IO_IN);
}

static void on_connection(struct io *io, unsigned events)
{
	struct listener *l = container_of(io, struct listener, io);
	struct sockaddr_storage peer;
	struct hostport from;
	int fd = 0;

	for (unsigned i = 0; i < ACCEPTS && (fd = sock_accept(l->fd, &peer)) >= 0; i++) {
		bool known = hostport_from_sockaddr((struct sockaddr *)&peer, &from) == 0;

		forward_carry(l->forward, fd, known ? &from.addr : NULL);
	}
	if (fd == -EMFILE || fd == -ENFILE) {	/* the loop would call for ever */
		for (size_t i = 0; i < l->f->n_listeners; i++)
			if (l->f->listeners[i]->fd >= 0)
				io_set(&l->f->listeners[i]->io, 0);
		timer_start(l->f->loop, &l->f->relief, RELIEF_MS, on_relief);
	}
}

static void listener_open(struct listener *l)
{
	const struct hostport at = { l->at.addr, l->at.listen };
	char text[HOSTPORT_STRLEN];

	l->fd = sock_tcp_listen(&at, &l->err);
	if (l->fd == -EADDRINUSE)
		(void)err_set(&l->err, -EADDRINUSE, "%s is another program's", hostport_format(&at, text));
	if (l->fd == -EACCES)
		(void)err_set(&l->err, -EACCES, "%s needs root: map it with -m %u:%u", hostport_format(&at, text), l->at.number,
			      forward_port_high(l->at.number, 0));
	if (l->fd >= 0)
		io_start(l->f->loop, &l->io, l->fd, IO_IN, on_connection);
}

static struct listener *listener_new(struct forwarding *f, const struct forward_slot *at)
{
	const struct forward_row *row = at->row;
	const struct target_want want = {
		.ns = row->ns, .service = row->service, .pod = row->pod, .port = at->number, .protocol = IPPROTO_TCP,
	};
	struct listener *l = xcalloc(1, sizeof(*l));

	l->f = f;
	l->at = *at;
	l->at.row = NULL;
	l->at.key = xstrdup(at->key);
	l->forward = forward_new(f->followed[row->scope].forwarder, &want);
	listener_open(l);
	return l;
}

static void listener_free(struct listener *l)
{
	io_stop(&l->io);
	if (l->fd >= 0)
		close(l->fd);
	forward_free(l->forward);
	free((char *)l->at.key);
	free(l);
}

static void slot_name(const char *key, uint16_t number, char ret[static KEY_MAX])
{
	snprintf(ret, KEY_MAX, "%s %u", key, number);
}

struct listener *forward_listener(const struct forwarding *f, const struct forward_row *row, uint16_t number)
{
	char name[KEY_MAX];

	slot_name(row->key, number, name);
	return map_get(&f->index, name);
}

static void listeners_index(struct forwarding *f)
{
	char name[KEY_MAX];

	map_done(&f->index);
	for (size_t i = 0; i < f->n_listeners; i++) {
		slot_name(f->listeners[i]->at.key, f->listeners[i]->at.number, name);
		map_set(&f->index, name, f->listeners[i]);
	}
}

/* ---- the plan ---------------------------------------------------------------------------------------------------- */

static bool address_busy(void *arg, const struct forward_row *row, const struct addr *a, uint16_t port)
{
	return port_try(a, port) == -EADDRINUSE;
}

static bool hosts_changed(const struct forwarding *f)
{
	struct stat st;

	return stat(f->hosts_path, &st) < 0 || st.st_ino != f->hosts_seen.st_ino || st.st_size != f->hosts_seen.st_size ||
	       st.st_mtime != f->hosts_seen.st_mtime;
}

static void hosts_note(struct forwarding *f)
{
	if (stat(f->hosts_path, &f->hosts_seen) < 0)
		f->hosts_seen = (struct stat){ 0 };
}

/* Only what others write changes the names that they have. */
static void hosts_look(struct forwarding *f)
{
	auto(buf) struct buf text = BUF_INIT(HOSTS_MAX);

	if (!f->names || !hosts_changed(f))
		return;
	hosts_note(f);
	map_done(&f->taken);
	if (file_read(f->hosts_path, &text, NULL) == 0)
		hosts_names(buf_str(&text), text.len, &f->taken);
}

void forward_plan_renew(struct forwarding *f)
{
	forward_plan_done(&f->plan);
	hosts_look(f);
	forward_plan_make(f->scopes, f->n_followed, &f->rules, &f->plan);
	forward_plan_place(&f->plan, &f->rules, &f->addresses, &f->ports, address_busy, f);
}

static void slots_there(const struct forwarding *f, struct forward_slots *ret)
{
	*ret = (struct forward_slots){ .v = xcalloc(f->n_listeners + 1, sizeof(*ret->v)), .n = f->n_listeners };
	for (size_t i = 0; i < f->n_listeners; i++)
		ret->v[i] = f->listeners[i]->at;
}

static void listeners_apply(struct forwarding *f)
{
	struct forward_slots wanted, there;
	struct forward_op *ops;
	size_t n, opened = 0, kept = 0;

	forward_plan_slots(&f->plan, &wanted);
	slots_there(f, &there);
	n = forward_plan_diff(&wanted, &there, &ops);
	f->listeners = xrealloc(f->listeners, there.n + n + 1, sizeof(*f->listeners));
	for (size_t i = 0; i < n; i++) {
		const struct forward_slot *s = ops[i].open ? &wanted.v[ops[i].slot] : NULL;

		if (s) {
			f->listeners[there.n + opened++] = listener_new(f, s);
			continue;
		}
		listener_free(f->listeners[ops[i].slot]);
		f->listeners[ops[i].slot] = NULL;
	}
	for (size_t i = 0; i < there.n + opened; i++)
		if (f->listeners[i])
			f->listeners[kept++] = f->listeners[i];
	f->n_listeners = kept;
	listeners_index(f);
	free(ops);
	free(wanted.v);
	free(there.v);
}

static void hosts_renew(struct forwarding *f)
{
	auto(buf) struct buf lines = BUF_INIT(HOSTS_MAX / 2);
	struct err err = { 0 };

	if (!f->names)
		return;
	forward_plan_hosts(&f->plan, &lines);
	if (hosts_apply(f->hosts_path, buf_str(&lines), &err) < 0)
		forward_view_error(f->view, "%s", err_text(&err));
	hosts_note(f);
}

/* Another program may have written the hosts file anew, or left a port. */
static void on_look(struct timer *t)
{
	struct forwarding *f = container_of(t, struct forwarding, look);
	bool opened = false;

	timer_start(f->loop, t, LOOK_MS, on_look);
	if (f->names && hosts_changed(f))
		forward_changed(f);
	for (size_t i = 0; i < f->n_listeners; i++) {
		if (f->listeners[i]->fd >= 0)
			continue;
		listener_open(f->listeners[i]);
		opened |= f->listeners[i]->fd >= 0;
	}
	if (opened)
		forward_view_change(f->view);
}

void forward_serve(struct forwarding *f)
{
	forward_plan_renew(f);
	listeners_apply(f);
	hosts_renew(f);
	for (size_t i = 0; i < f->n_followed; i++)
		forwarder_renew(f->followed[i].forwarder);
	if (!f->planned) {
		f->planned = true;
		forward_view_start(f->view);
		timer_start(f->loop, &f->look, LOOK_MS, on_look);
	} else {
		forward_view_change(f->view);
	}
}

static void on_change(struct timer *t)
{
	struct forwarding *f = container_of(t, struct forwarding, change);

	if (forward_synced(f))
		forward_serve(f);
}

void forward_changed(struct forwarding *f)
{
	if (!f->change.loop && f->planned)
		timer_start(f->loop, &f->change, CHANGE_MS, on_change);
}

void forward_serve_end(struct forwarding *f)
{
	struct err err = { 0 };

	timer_stop(&f->change);
	timer_stop(&f->look);
	timer_stop(&f->relief);
	for (size_t i = 0; i < f->n_listeners; i++)
		listener_free(f->listeners[i]);
	free(steal(&f->listeners));
	map_done(&f->index);
	f->n_listeners = 0;
	if (f->planned && f->names && hosts_apply(f->hosts_path, "", &err) < 0)
		forward_view_error(f->view, "%s: our block stays there until the next `bootstrap forward`", err_text(&err));
	forward_plan_done(&f->plan);
	places_done(&f->addresses);
	places_done(&f->ports);
	map_done(&f->taken);
	free(steal(&f->nameless));
}
