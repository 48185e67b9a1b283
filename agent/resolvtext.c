/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/resolvtext.h"

#include "base/mem.h"

#define MARK "# firestream agent: cluster names are answered here; `agent undo` restores the original"
#define SEARCH_DOMAINS 6
#define SEARCH_CHARS 256

static bool word_next(struct str *rest, struct str *ret)
{
	size_t i = 0;

	while (rest->len && strchr(" \t\r", rest->p[0]))
		*rest = (struct str){ rest->p + 1, rest->len - 1 };
	while (i < rest->len && !strchr(" \t\r", rest->p[i]))
		i++;
	*ret = (struct str){ rest->p, i };
	*rest = (struct str){ rest->p + i, rest->len - i };
	return i > 0;
}

static void words_add(struct strv *l, struct str rest)
{
	struct str word;

	while (l->n < 64 && word_next(&rest, &word))
		strv_addf(l, "%.*s", STR_ARG(word));
}

static void line_parse(struct str line, struct resolv *ret)
{
	struct str rest = line, key, word;

	if (!word_next(&rest, &key) || key.p[0] == '#' || key.p[0] == ';')
		return;
	if (str_eq(key, "nameserver")) {
		if (ret->nameservers.n < 16 && word_next(&rest, &word))
			strv_addf(&ret->nameservers, "%.*s", STR_ARG(word));
	} else if (str_eq(key, "search") || str_eq(key, "domain")) {
		strv_done(&ret->search);	/* the last one counts */
		ret->search = (struct strv){ 0 };
		words_add(&ret->search, rest);
	} else if (str_eq(key, "options")) {
		words_add(&ret->options, rest);
	} else if (ret->other.n < 64) {
		strv_addf(&ret->other, "%.*s", STR_ARG(line));
	}
}

void resolv_parse(const char *text, size_t n, struct resolv *ret)
{
	struct str rest = { text, n }, line;

	*ret = (struct resolv){ 0 };
	while (str_split(&rest, '\n', &line))
		if (!memchr(line.p, '\0', line.len))
			line_parse(line, ret);
}

void resolv_done(struct resolv *r)
{
	strv_done(&r->nameservers);
	strv_done(&r->search);
	strv_done(&r->options);
	strv_done(&r->other);
	*r = (struct resolv){ 0 };
}

size_t resolv_servers(const struct resolv *r, const struct addr *self, struct hostport ret[static RESOLV_NAMESERVERS])
{
	size_t n = 0;

	for (size_t i = 0; i < r->nameservers.n && n < RESOLV_NAMESERVERS; i++) {
		struct hostport h = { .port = 53 };

		if (!addr_parse(r->nameservers.v[i], &h.addr) && addr_cmp(&h.addr, self))
			ret[n++] = h;
	}
	if (!n && !r->nameservers.n) {
		ret[0] = (struct hostport){ .port = 53, .addr = { .family = AF_INET, .b = { 127, 0, 0, 1 } } };
		n = 1;
	}
	return n;
}

static void search_add(struct strv *l, size_t *chars, const char *domain)
{
	if (strv_has(l, domain) || l->n >= SEARCH_DOMAINS || *chars + strlen(domain) + 1 > SEARCH_CHARS)
		return;
	*chars += strlen(domain) + 1;
	strv_add(l, domain);
}

static void cluster_search(const struct config *c, struct strv *ret)
{
	strv_addf(ret, "%s.svc.%s", c->namespace, c->cluster_domain);
	strv_addf(ret, "svc.%s", c->cluster_domain);
	strv_addf(ret, "%s", c->cluster_domain);
}

static void search_compose(const struct resolv *original, const struct config *c, struct buf *out)
{
	auto(strv) struct strv ours = { 0 }, l = { 0 };
	size_t chars = 0;

	cluster_search(c, &ours);
	for (size_t i = 0; i < ours.n; i++)
		search_add(&l, &chars, ours.v[i]);
	for (size_t i = 0; i < original->search.n; i++)
		search_add(&l, &chars, original->search.v[i]);
	buf_adds(out, "search");
	for (size_t i = 0; i < l.n; i++)
		buf_addf(out, " %s", l.v[i]);
	buf_addc(out, '\n');
}

void resolv_compose(const struct resolv *original, const struct config *c, bool only_ours, struct buf *out)
{
	struct hostport servers[RESOLV_NAMESERVERS];
	size_t n = resolv_servers(original, &c->listen.addr, servers);
	char text[ADDR_STRLEN];

	buf_addf(out, "nameserver %s\n" MARK "\n", addr_format(&c->listen.addr, text));
	for (size_t i = 0; i < n && i < RESOLV_NAMESERVERS - 1 && !only_ours; i++)
		buf_addf(out, "nameserver %s\n", addr_format(&servers[i].addr, text));
	search_compose(original, c, out);
	buf_adds(out, "options ndots:5");
	for (size_t i = 0; i < original->options.n; i++) {
		const char *o = original->options.v[i];

		if (!str_starts(o, "ndots:") && !streq(o, "rotate"))
			buf_addf(out, " %s", o);
	}
	buf_addc(out, '\n');
	for (size_t i = 0; i < original->other.n; i++)
		buf_addf(out, "%s\n", original->other.v[i]);
}

bool resolv_is_ours(const char *text, size_t n)
{
	struct str rest = { text, n }, line;

	while (str_split(&rest, '\n', &line))
		if (str_eq(line, MARK))
			return true;
	return false;
}

void resolv_strip(const char *text, size_t n, const struct config *c, struct buf *out)
{
	auto(strv) struct strv ours = { 0 };
	auto(resolv) struct resolv r;
	char self[ADDR_STRLEN];
	size_t kept = 0;

	resolv_parse(text, n, &r);
	cluster_search(c, &ours);
	addr_format(&c->listen.addr, self);
	for (size_t i = 0; i < r.nameservers.n; i++)
		if (!streq(r.nameservers.v[i], self))
			buf_addf(out, "nameserver %s\n", r.nameservers.v[i]);
	for (size_t i = 0; i < r.search.n; i++)
		if (!strv_has(&ours, r.search.v[i]))
			buf_addf(out, "%s%s", kept++ ? " " : "search ", r.search.v[i]);
	buf_adds(out, kept ? "\n" : "");
	for (size_t i = kept = 0; i < r.options.n; i++)
		if (!streq(r.options.v[i], "ndots:5"))
			buf_addf(out, "%s%s", kept++ ? " " : "options ", r.options.v[i]);
	buf_adds(out, kept ? "\n" : "");
	for (size_t i = 0; i < r.other.n; i++)
		buf_addf(out, "%s\n", r.other.v[i]);
}
