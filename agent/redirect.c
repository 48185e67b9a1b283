/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/redirect.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "agent/dns.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/linux/nft.h"
#include "net/sock.h"

#define TABLE "firestream-dns"
#define CHAIN "redirect"
#define LIVE "live"
#define PRIORITY -310			/* before conntrack (-200) and everybody's NAT */
#define LIVE_MS 3000
#define DNS_PORT 53

struct redirect {
	struct agent *agent;
	struct nft *nft;		/* owned; NULL: none to be had */
	struct redirect_rows want;
	bool in_place;
	struct timer renew;
	char why[200];			/* it is not in place */
};

/* ---- what it should be ------------------------------------------------------------------------------------------- */

static const uint8_t listeners4[3] = { 127, 0, 53 };

static void listener_of(const struct addr *server, size_t i, struct hostport *ret)
{
	if (server->family == AF_INET6) {
		*ret = (struct hostport){ { .family = AF_INET6, .b = { [15] = 1 } }, (uint16_t)(REDIRECT_PORT6 + i) };
		return;
	}
	*ret = (struct hostport){ { .family = AF_INET, .b = { [3] = (uint8_t)(1 + i) } }, DNS_PORT };
	memcpy(ret->addr.b, listeners4, sizeof(listeners4));
}

bool redirect_is_ours(const struct addr *a)
{
	return a->family == AF_INET && !memcmp(a->b, listeners4, sizeof(listeners4)) && a->b[3] >= 1 && a->b[3] <= REDIRECT_MAX;
}

static void rows_make(const struct hostport *servers, size_t n, struct redirect_rows *ret)
{
	*ret = (struct redirect_rows){ 0 };
	for (size_t i = 0; i < n && ret->n < REDIRECT_MAX; i++) {
		struct redirect_row *row = &ret->row[ret->n];
		bool again = servers[i].port != DNS_PORT || redirect_is_ours(&servers[i].addr);

		for (size_t k = 0; k < ret->n; k++)
			again |= addr_cmp(&ret->row[k].server, &servers[i].addr) == 0;
		if (again)
			continue;
		row->server = servers[i].addr;
		listener_of(&row->server, ret->n++, &row->to);
	}
}

static bool rows_equal(const struct redirect_rows *a, const struct redirect_rows *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (addr_cmp(&a->row[i].server, &b->row[i].server) || !hostport_eq(&a->row[i].to, &b->row[i].to))
			return false;
	return true;
}

bool redirect_plan(const struct hostport *servers, size_t n, const struct redirect_rows *have, struct redirect_rows *ret)
{
	rows_make(servers, n, ret);
	return !rows_equal(ret, have);
}

/* ---- rules ------------------------------------------------------------------------------------------------------- */

/* The way there, or, with back, that of the answers. */
static void rule_add(struct nft *n, const struct redirect_row *r, uint8_t protocol, bool back)
{
	bool port = r->to.port != DNS_PORT;

	nft_rule_begin(n, TABLE, CHAIN);
	if (back) {
		nft_match_saddr(n, &r->to.addr);
		nft_match_l4proto(n, protocol);
		nft_match_sport(n, r->to.port);
		nft_notrack(n);
		if (port)
			nft_set_sport(n, protocol, DNS_PORT);
		nft_set_saddr(n, &r->server);
	} else {
		nft_match_daddr(n, &r->server);
		nft_match_l4proto(n, protocol);
		nft_match_dport(n, DNS_PORT);
		nft_match_condition(n, LIVE);
		nft_notrack(n);
		if (port)
			nft_set_dport(n, protocol, r->to.port);
		nft_set_daddr(n, &r->to.addr);
	}
	nft_rule_end(n);
}

static void rules_add(struct nft *n, const struct redirect_rows *rows, bool back)
{
	for (size_t i = 0; i < rows->n; i++) {
		rule_add(n, &rows->row[i], IPPROTO_UDP, back);
		rule_add(n, &rows->row[i], IPPROTO_TCP, back);
	}
}

static void table_build(struct redirect *r)
{
	struct nft *n = r->nft;

	nft_table_renew(n, TABLE);
	nft_condition_add(n, TABLE, LIVE, LIVE_MS);
	nft_hook_add(n, TABLE, CHAIN, NFT_ROUTE, PRIORITY);
	nft_rule_begin(n, TABLE, CHAIN);
	nft_match_mark(n, SOCK_MARK);
	nft_accept(n);
	nft_rule_end(n);
	rules_add(n, &r->want, true);
	rules_add(n, &r->want, false);
}

static void failed(struct redirect *r, const struct err *err)
{
	r->in_place = false;
	snprintf(r->why, sizeof(r->why), "%s", err_text(err));
	trouble_note(&r->agent->trouble, "redirect", "%s", r->why);
}

static void on_renew(struct timer *t);

static void table_set(struct redirect *r)
{
	struct err err = { 0 };

	nft_begin(r->nft);
	if (r->want.n)
		table_build(r);
	else if (r->in_place)
		nft_table_delete(r->nft, TABLE);
	if (nft_commit(r->nft, &err)) {
		failed(r, &err);
	} else {
		r->in_place = r->want.n > 0;
		if (r->in_place)
			r->why[0] = '\0';
	}
	timer_start(r->agent->loop, &r->renew, NFT_CONDITION_RENEW_MS, on_renew);
}

static void on_renew(struct timer *t)
{
	struct redirect *r = container_of(t, struct redirect, renew);
	struct err err = { 0 };

	timer_start(r->agent->loop, t, NFT_CONDITION_RENEW_MS, on_renew);
	if (r->in_place && nft_condition_renew(r->nft, TABLE, LIVE, LIVE_MS, &err)) {
		log_warn("redirect: the table is gone: made anew");
		r->in_place = false;
	}
	if (!r->in_place && r->want.n)
		table_set(r);
}

/* ---- neighbours -------------------------------------------------------------------------------------------------- */

static int row_listen(struct redirect *r, const struct hostport *at, struct err *err)
{
	if (hostport_eq(at, &r->agent->config.listen))
		return err_set(err, -EADDRINUSE, "\"listen\" is an address that the redirect needs; choose another");
	return dns_listen(r->agent->dns, at, err);
}

/* Leaves out the rows whose listener cannot be had. */
static void rows_listen(struct redirect *r, struct redirect_rows *rows)
{
	size_t kept = 0;

	for (size_t i = 0; i < rows->n; i++) {
		struct err err = { 0 };

		if (row_listen(r, &rows->row[i].to, &err))
			failed(r, &err);
		else
			rows->row[kept++] = rows->row[i];
	}
	rows->n = kept;
}

void redirect_set(struct redirect *r, const struct hostport *servers, size_t n)
{
	static const struct redirect_rows none;
	struct redirect_rows rows;

	if (!r || !r->nft || !redirect_plan(servers, n, r->in_place ? &r->want : &none, &rows))
		return;
	r->why[0] = '\0';
	rows_listen(r, &rows);
	r->want = rows;
	table_set(r);
}

static bool is_redirected(const struct redirect_rows *rows, const struct hostport *server)
{
	for (size_t i = 0; i < rows->n; i++)
		if (!addr_cmp(&rows->row[i].server, &server->addr) && server->port == DNS_PORT)
			return true;
	return false;
}

bool redirect_covers(const struct redirect *r, const struct hostport *servers, size_t n)
{
	if (!r || !r->in_place)
		return false;
	for (size_t i = 0; i < n; i++)
		if (!is_redirected(&r->want, &servers[i]))
			return false;
	return true;
}

int redirect_start(struct agent *a, struct err *err)
{
	struct redirect *r = a->redirect = xcalloc(1, sizeof(*r));
	struct err why = { 0 };

	r->agent = a;
	r->nft = nft_new(&why);
	if (r->nft)
		nft_close_first(r->nft);
	else
		failed(r, &why);
	return 0;
}

void redirect_stop(struct agent *a)
{
	struct redirect *r = a->redirect;

	if (!r)
		return;
	timer_stop(&r->renew);
	nft_free(r->nft);		/* and with it the table */
	free(steal(&a->redirect));
}

void redirect_status(struct agent *a, json *o)
{
	const struct redirect *r = a->redirect;
	json *j = json_set(o, "redirect", json_object()), *list;
	char text[HOSTPORT_STRLEN];

	if (!r)
		return;
	json_set_bool(j, "in_place", r->in_place);
	if (*r->why)
		json_set_str(j, "error", r->why);
	list = json_set(j, "servers", json_array());
	for (size_t i = 0; r->in_place && i < r->want.n; i++) {
		json *row = json_add(list, json_object());

		json_set_str(row, "server", addr_format(&r->want.row[i].server, text));
		json_set_str(row, "to", hostport_format(&r->want.row[i].to, text));
	}
}
