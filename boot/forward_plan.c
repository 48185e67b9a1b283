/* SPDX-License-Identifier: Apache-2.0 */
#include "boot/forward_plan.h"

#include <errno.h>
#include <netinet/in.h>

#include "base/mem.h"

#define PORTS_MAX 256u		/* of one row */
#define HIGH_TRIES 8u

struct planner {
	const struct forward_scope *scope;
	const struct forward_rules *rules;
	unsigned number;		/* of the scope */
	struct forward_plan *plan;
	struct map claims;		/* name → CONTEXT/NAMESPACE/SERVICE that has it; owned */
	bool *reserved;			/* reservations that have their row */
};

static struct forward_row *row_add(struct planner *p, const struct store_service *s, const char *pod)
{
	struct forward_plan *plan = p->plan;
	struct forward_row *row;

	if ((plan->n & (plan->n - 1)) == 0)
		plan->rows = xrealloc(plan->rows, MAX(plan->n * 2, (size_t)1), sizeof(*plan->rows));
	row = &plan->rows[plan->n++];
	*row = (struct forward_row){
		.key = xasprintf("%s/%s/%s%s%s", p->scope->context, s->ns, s->name, pod ? "/" : "", pod ? pod : ""),
		.ns = xstrdup(s->ns), .service = xstrdup(s->name), .pod = xstrdup(pod), .scope = p->number,
	};
	for (size_t i = 0; i < p->rules->n_reserves; i++) {
		const struct forward_reserve *e = &p->rules->reserves[i];

		if (p->reserved[i] || !streq(e->service, s->name) || (e->ns && !streq(e->ns, s->ns)))
			continue;
		p->reserved[i] = true;
		row->reserved = e->addr;
		break;
	}
	return row;
}

static void row_done(struct forward_row *row)
{
	char *const owned[] = { row->key, row->ns, row->service, row->pod, row->hostname, row->refused, row->note };

	for (size_t k = 0; k < ARRAY_SIZE(owned); k++)
		free(owned[k]);
	for (unsigned k = 0; k < row->n_ports; k++)
		free(row->ports[k].name);
	free(row->ports);
	strv_done(&row->names);
}

/* ---- ports ------------------------------------------------------------------------------------------------------- */

static bool is_listened(const struct forward_row *row, uint16_t port)
{
	for (unsigned i = 0; i < row->n_ports; i++)
		if (row->ports[i].listen == port)
			return true;
	return false;
}

static bool port_map(const struct forward_rules *r, const char *service, uint16_t *port)
{
	for (int own = 1; own >= 0; own--)
		for (size_t i = 0; i < r->n_maps; i++) {
			const struct forward_map *m = &r->maps[i];

			if (m->from != *port || (own ? !streq(m->service, service) : m->service != NULL))
				continue;
			*port = m->to;
			return true;
		}
	return false;
}

/* Where a port listens; 0: nowhere. */
static uint16_t port_listen(const struct forward_rules *r, const struct forward_row *row, uint16_t number)
{
	uint16_t port = number;
	bool mapped = port_map(r, row->service, &port);

	if (port >= r->low || mapped)	/* who maps it there has a reason */
		return is_listened(row, port) ? 0 : port;
	for (unsigned i = 0; (port = forward_port_high(number, i)); i++)
		if (!is_listened(row, port))
			return port;
	return 0;
}

static void note_set(char **note, char *text)
{
	free(*note);
	*note = text;
}

static void port_add(const struct forward_rules *rules, struct forward_row *row, const struct store_port *p)
{
	struct forward_port port = { .number = (uint16_t)p->number };

	if (p->number < 1 || p->number > UINT16_MAX || row->n_ports == PORTS_MAX)
		return;
	if (p->protocol != IPPROTO_TCP && p->protocol != 0) {
		note_set(&row->note, xasprintf("port %d of %s is not TCP, and a port-forward carries nothing else", p->number, row->service));
		return;
	}
	for (unsigned i = 0; i < row->n_ports; i++)
		if (row->ports[i].number == port.number)
			return;
	port.listen = port_listen(rules, row, port.number);
	if (!port.listen) {
		note_set(&row->note, xasprintf("port %d of %s would be where another of its ports is", p->number, row->service));
		return;
	}
	port.name = xstrdup(p->name ? p->name : "");
	row->ports = xrealloc(row->ports, row->n_ports + 1, sizeof(*row->ports));
	row->ports[row->n_ports++] = port;
}

/* ---- rows -------------------------------------------------------------------------------------------------------- */

struct ready {
	unsigned ready, pods, all;	/* endpoints: ready ones that are pods, pods, of any kind */
};

static bool is_ipv6_twin(const struct store_slice *first, const struct store_endpoint *e)
{
	if (e->ip.addr.family == AF_INET)
		return false;
	for (const struct store_slice *s = first; s; s = s->next)
		for (unsigned i = 0; i < s->endpoint_count; i++)
			if (s->endpoints[i].ip.addr.family == AF_INET && streq(s->endpoints[i].pod, e->pod))
				return true;
	return false;
}

/* A pod with two addresses is in two slices, and counts once. */
static struct ready ready_count(const struct store_slice *first)
{
	struct ready r = { 0 };

	for (const struct store_slice *s = first; s; s = s->next)
		for (unsigned i = 0; i < s->endpoint_count; i++) {
			const struct store_endpoint *e = &s->endpoints[i];

			r.all++;
			r.pods += e->pod != NULL;
			r.ready += e->pod && e->ready && !is_ipv6_twin(first, e);
		}
	return r;
}

static char *row_refusal(const struct store_service *s, const struct forward_row *row, const struct ready *r)
{
	if (s->type == STORE_EXTERNAL_NAME)
		return xasprintf("%s is another name for %s (ExternalName), which is no pod", s->name, s->external_name ? s->external_name : "?");
	if (!s->port_count)
		return xasprintf("%s has no port", s->name);
	if (!row->n_ports)
		return xasprintf("%s has no TCP port, and a port-forward carries nothing else", s->name);
	if (r->all && !r->pods)
		return xasprintf("the endpoints of %s are no pods, and a port-forward reaches nothing else", s->name);
	if (!s->has_selector && !r->all)
		return xasprintf("%s has neither a selector nor endpoints", s->name);
	return NULL;
}

static void service_row(struct planner *p, const struct store_service *s, const struct ready *r)
{
	struct forward_row *row = row_add(p, s, NULL);

	for (unsigned i = 0; i < s->port_count && s->type != STORE_EXTERNAL_NAME; i++)
		port_add(p->rules, row, &s->ports[i]);
	row->ready = r->ready;
	row->refused = row_refusal(s, row, r);
	if (row->refused)
		note_set(&row->note, NULL);
}

static int row_order(const void *a, const void *b)
{
	return strcmp(((const struct forward_row *)a)->pod, ((const struct forward_row *)b)->pod);
}

/* An endpoint may be in two slices while it moves between them. */
static void twins_drop(struct forward_plan *plan, size_t from)
{
	size_t n = from;

	for (size_t i = from; i < plan->n; i++) {
		if (n > from && streq(plan->rows[n - 1].pod, plan->rows[i].pod))
			row_done(&plan->rows[i]);
		else
			plan->rows[n++] = plan->rows[i];
	}
	plan->n = n;
}

/* The ready pods, each with the ports that it listens at itself; sorted. False: there is none. */
static bool pod_rows(struct planner *p, const struct store_service *s)
{
	const struct store_slice *first = store_slices(p->scope->store, s->ns, s->name);
	size_t from = p->plan->n;

	for (const struct store_slice *slice = first; slice; slice = slice->next)
		for (unsigned i = 0; i < slice->endpoint_count; i++) {
			const struct store_endpoint *e = &slice->endpoints[i];
			struct forward_row *row;

			if (!e->pod || !e->ready || is_ipv6_twin(first, e))
				continue;
			row = row_add(p, s, e->pod);
			row->hostname = xstrdup(e->hostname);
			row->ready = 1;
			for (unsigned k = 0; k < slice->port_count; k++)
				port_add(p->rules, row, &slice->ports[k]);
		}
	if (p->plan->n > from + 1)
		qsort(p->plan->rows + from, p->plan->n - from, sizeof(*p->plan->rows), row_order);
	twins_drop(p->plan, from);
	return p->plan->n > from;
}

static void rows_of(struct planner *p, const struct store_service *s)
{
	struct ready r = ready_count(store_slices(p->scope->store, s->ns, s->name));

	if (!s->headless || s->type == STORE_EXTERNAL_NAME || !s->port_count || !pod_rows(p, s))
		service_row(p, s, &r);
}

static void service_list(void *arg, const char *ns, const char *service)
{
	strv_addf(arg, "%s/%s", ns, service);
}

static void scope_rows(struct planner *p)
{
	struct strv keys = { 0 };

	store_each_service(p->scope->store, service_list, &keys);
	strv_sort(&keys);
	for (size_t i = 0; i < keys.n; i++) {
		char *slash = strchr(keys.v[i], '/');
		const struct store_service *s;

		if (i && streq(keys.v[i], keys.v[i - 1]))
			continue;
		*slash = '\0';
		s = store_service(p->scope->store, keys.v[i], slash + 1);
		*slash = '/';
		if (s)
			rows_of(p, s);
	}
	strv_done(&keys);
}

/* ---- names ------------------------------------------------------------------------------------------------------- */

static void note_add(struct forward_plan *plan, char *text)
{
	if (!strv_has(&plan->notes, text))
		strv_take(&plan->notes, steal(&text));
	free(text);
}

static void name_add(struct planner *p, struct forward_row *row, const char *base, const char *rest, const char *label)
{
	autofree char *name = xasprintf("%s%s%s%s", base, rest, label ? "." : "", label ? label : "");
	autofree char *owner = xasprintf("%s/%s/%s", p->scope->context, row->ns, row->service);
	const char *other = map_get(&p->claims, name);

	if (!str_is_subdomain(name))
		return;
	if (streq(name, "localhost") || (!other && p->rules->taken && p->rules->taken(p->rules->arg, name)))
		note_add(p->plan, xasprintf("%s is in the hosts file already: %s has its longer names only", name, owner));
	else if (other && !streq(other, owner))
		note_add(p->plan, xasprintf("%s is %s's: %s has it not", name, other, owner));
	else
		strv_add(&row->names, name);
	if (!other && row->names.n && streq(row->names.v[row->names.n - 1], name))
		map_set(&p->claims, name, steal(&owner));
}

static void names_of(struct planner *p, struct forward_row *row, const char *base)
{
	const struct forward_scope *s = p->scope;
	autofree char *ns = xasprintf(".%s", row->ns), *svc = xasprintf(".%s.svc", row->ns);
	autofree char *full = xasprintf(".%s.svc.%s", row->ns, p->rules->domain);
	const char *const rests[] = { streq(row->ns, s->bare_ns) ? "" : NULL, ns, svc, full };

	for (size_t i = 0; i < ARRAY_SIZE(rests) && s->plain; i++)
		if (rests[i])
			name_add(p, row, base, rests[i], NULL);
	for (size_t i = 0; i < ARRAY_SIZE(rests) && s->label; i++)
		if (rests[i])
			name_add(p, row, base, rests[i], s->label);
}

/* Is it among the first pods of its service? */
static bool is_named(const struct forward_plan *plan, size_t i)
{
	const struct forward_row *row = &plan->rows[i], *before = i < FORWARD_PODS_NAMED ? NULL : row - FORWARD_PODS_NAMED;

	return !row->pod || !before || before->scope != row->scope || !streq(before->ns, row->ns) ||
	       !streq(before->service, row->service);
}

/* Services first: a pod's name may look like one of theirs. */
static void plan_names(struct planner *p, const struct forward_scope *scopes)
{
	struct forward_plan *plan = p->plan;

	for (size_t i = 0; i < plan->n; i++) {
		p->scope = &scopes[plan->rows[i].scope];
		if (plan->rows[i].n_ports && !plan->rows[i].refused && is_named(plan, i))
			names_of(p, &plan->rows[i], plan->rows[i].service);
	}
	for (size_t i = 0; i < plan->n; i++) {
		struct forward_row *row = &plan->rows[i];
		autofree char *base = row->hostname ? xasprintf("%s.%s", row->hostname, row->service) : NULL;

		p->scope = &scopes[row->scope];
		if (base && row->n_ports)
			names_of(p, row, base);
	}
}

void forward_plan_make(const struct forward_scope *scopes, size_t n, const struct forward_rules *rules, struct forward_plan *ret)
{
	autofree bool *reserved = xcalloc(rules->n_reserves + 1, sizeof(*reserved));
	struct planner p = { .rules = rules, .plan = ret, .claims = MAP_INIT(free), .reserved = reserved };

	*ret = (struct forward_plan){ 0 };
	for (size_t i = 0; i < n; i++) {
		p.scope = &scopes[i];
		p.number = (unsigned)i;
		scope_rows(&p);
	}
	plan_names(&p, scopes);
	for (size_t i = 0; i < rules->n_reserves; i++)
		if (!reserved[i])
			note_add(ret, xasprintf("--reserve: there is no service %s%s%s", rules->reserves[i].service, rules->reserves[i].ns ? "." : "",
						rules->reserves[i].ns ? rules->reserves[i].ns : ""));
	map_done(&p.claims);
}

void forward_plan_done(struct forward_plan *p)
{
	for (size_t i = 0; i < p->n; i++)
		row_done(&p->rows[i]);
	free(p->rows);
	strv_done(&p->notes);
	*p = (struct forward_plan){ 0 };
}
