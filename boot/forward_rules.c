/* SPDX-License-Identifier: Apache-2.0 */
/* Options of `forward` that shape the plan. */
#include <errno.h>

#include "base/mem.h"
#include "base/num.h"
#include "boot/forward_plan.h"

static int port_of(struct str s, uint16_t *ret)
{
	autofree char *text = xstrndup(s.p, s.len);
	int r = num_u16(text, ret);

	return r ? r : *ret ? 0 : -EINVAL;
}

int forward_rules_map(struct forward_rules *r, const char *text, struct err *err)
{
	struct str rest = str_from(text), part[4];
	struct forward_map m = { 0 };
	size_t n = 0;

	while (n < ARRAY_SIZE(part) && str_split(&rest, ':', &part[n]))
		n++;
	if ((n != 2 && n != 3) || port_of(part[n - 2], &m.from) || port_of(part[n - 1], &m.to))
		return err_set(err, -EINVAL, "--map must be SRC:DST or SERVICE:SRC:DST with ports from 1 to 65535, not \"%s\"", text);
	m.service = n == 3 ? xstrndup(part[0].p, part[0].len) : NULL;
	if (m.service && !str_is_label(m.service)) {
		free(m.service);
		return err_set(err, -EINVAL, "--map %s: \"%.*s\" is no name of a service", text, STR_ARG(part[0]));
	}
	r->maps = xrealloc(r->maps, r->n_maps + 1, sizeof(*r->maps));
	r->maps[r->n_maps++] = m;
	return 0;
}

static int reserve_check(const struct forward_rules *r, const char *text, const struct forward_reserve *e, struct err *err)
{
	if (!str_is_label(e->service) || (e->ns && !str_is_label(e->ns)))
		return err_set(err, -EINVAL, "--reserve must be SERVICE=ADDRESS or SERVICE.NAMESPACE=ADDRESS, not \"%s\"", text);
	if (e->addr.family != AF_INET || !addr_is_loopback(&e->addr))
		return err_set(err, -EINVAL, "--reserve %s: the address must be a loopback one, 127.0.0.0/8", text);
	for (size_t i = 0; i < r->n_reserves; i++)
		if (addr_cmp(&r->reserves[i].addr, &e->addr) == 0)
			return err_set(err, -EINVAL, "--reserve %s: %s has that address already", text, r->reserves[i].service);
	return 0;
}

int forward_rules_reserve(struct forward_rules *r, const char *text, struct err *err)
{
	const char *equals = strchr(text, '='), *dot = memchr(text, '.', equals ? (size_t)(equals - text) : 0);
	struct forward_reserve e = { 0 };
	int code;

	if (!equals || addr_parse(equals + 1, &e.addr))
		return err_set(err, -EINVAL, "--reserve must be SERVICE=ADDRESS or SERVICE.NAMESPACE=ADDRESS, not \"%s\"", text);
	e.service = xstrndup(text, (size_t)((dot ? dot : equals) - text));
	e.ns = dot ? xstrndup(dot + 1, (size_t)(equals - dot - 1)) : NULL;
	code = reserve_check(r, text, &e, err);
	if (code) {
		free(e.service);
		free(e.ns);
		return code;
	}
	r->reserves = xrealloc(r->reserves, r->n_reserves + 1, sizeof(*r->reserves));
	r->reserves[r->n_reserves++] = e;
	return 0;
}

void forward_rules_done(struct forward_rules *r)
{
	for (size_t i = 0; i < r->n_maps; i++)
		free(r->maps[i].service);
	for (size_t i = 0; i < r->n_reserves; i++) {
		free(r->reserves[i].service);
		free(r->reserves[i].ns);
	}
	free(r->maps);
	free(r->reserves);
	*r = (struct forward_rules){ 0 };
}

/* "arn:aws:eks:eu-west-1:1:cluster/Shop" is "shop", "admin@shop.example" is "admin-shop.example". */
char *forward_label(const char *context)
{
	const char *slash = strrchr(context, '/');
	char *label = xstrdup(slash && slash[1] ? slash + 1 : context);
	size_t n = 0;

	for (const char *p = label; *p; p++) {
		char c = *p >= 'A' && *p <= 'Z' ? (char)(*p - 'A' + 'a') : *p;
		bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');

		if (plain || (n && label[n - 1] != '-' && label[n - 1] != '.'))
			label[n++] = plain || c == '.' ? c : '-';
	}
	while (n && (label[n - 1] == '-' || label[n - 1] == '.'))
		n--;
	label[n] = '\0';
	if (str_is_subdomain(label))
		return label;
	free(label);
	return xstrdup("context");
}
