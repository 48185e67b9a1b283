/* SPDX-License-Identifier: Apache-2.0 */
/* How it works: a Corefile is lines of words with `{` at a line's end and `}` alone (the Caddyfile's grammar, of which CoreDNS
 * uses little). A stack of three depths is enough: zones, directives, lines of a directive. */
#include "agent/corefile.h"

#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "net/addr.h"

#define WORDS_MAX 64

struct reader {
	struct corefile *c;
	const struct dns_name *zone;
	unsigned depth;
	bool ours, served;		/* the server block is for our zone; kubernetes in it, too */
	char directive[32];		/* of the block at depth 2 */
};

struct words {
	struct str v[WORDS_MAX];
	size_t n;
	bool opens;			/* ends in a brace */
};

/* ---- names ------------------------------------------------------------------------------------------------------- */

static void name_add(struct reader *r, struct str text, bool below)
{
	autofree char *s = xstrndup(text.p, text.len);
	struct corefile *c = r->c;
	struct dns_name name;

	if (dns_name_parse(s, &name) || name.len == 1)
		return;
	if (c->n == COREFILE_NAMES_MAX) {
		c->opaque = true;
		return;
	}
	c->names = xrealloc(c->names, c->n + 1, sizeof(*c->names));
	c->names[c->n++] = (struct corefile_name){ name, below };
}

/* A word is a zone when it reads as one: "corp.example", "corp.example.:1053", "dns://corp.example"; not a path, not ".". */
static bool word_zone(struct str w, struct str *ret)
{
	const char *scheme = memmem(w.p, w.len, "://", 3), *colon;

	if (scheme)
		w = (struct str){ scheme + 3, w.len - (size_t)(scheme + 3 - w.p) };
	colon = memchr(w.p, ':', w.len);
	if (colon)
		w.len = (size_t)(colon - w.p);
	*ret = w;
	return w.len && !str_eq(w, ".") && !memchr(w.p, '/', w.len);
}

static bool zone_is_ours(const struct reader *r, struct str zone)
{
	autofree char *s = xstrndup(zone.p, zone.len);
	struct dns_name name;

	return !dns_name_parse(s, &name) && dns_name_eq(&name, r->zone);
}

static bool zone_is_reverse(struct str zone)
{
	autofree char *s = xstrndup(zone.p, zone.len);

	return str_ends(s, ".arpa") || str_ends(s, ".arpa.");
}

/* Is the word a zone? One that is neither ours nor a reverse one is noted. */
static bool zone_add(struct reader *r, struct str word)
{
	struct str zone;

	if (!word_zone(word, &zone))
		return false;
	if (!zone_is_ours(r, zone) && !zone_is_reverse(zone))
		name_add(r, zone, true);
	return true;
}

/* Returns how many of the words were zones. */
static size_t zones_add(struct reader *r, const struct words *w, size_t from)
{
	size_t found = 0;

	for (size_t i = from; i < w->n; i++)
		found += zone_add(r, w->v[i]);
	return found;
}

static void hosts_line(struct reader *r, const struct words *w, bool nodes)
{
	autofree char *first = w->n ? xstrndup(w->v[0].p, w->v[0].len) : NULL;
	struct addr a;

	if (!first || addr_parse(first, &a))
		return;
	for (size_t i = 1; i < w->n; i++)
		if (!nodes || memchr(w->v[i].p, '.', w->v[i].len))
			name_add(r, w->v[i], false);
}

/* ---- directives -------------------------------------------------------------------------------------------------- */

/* rewrite [continue|stop] name [exact|suffix|…] FROM TO; in its block form a line begins at the field. */
static void rewrite_read(struct reader *r, const struct words *w, size_t at)
{
	if (at < w->n && (str_eq(w->v[at], "continue") || str_eq(w->v[at], "stop")))
		at++;
	if (at >= w->n || str_eq(w->v[at], "answer") || str_eq(w->v[at], "ttl") || str_eq(w->v[at], "edns0"))
		return;
	if (!str_eq(w->v[at], "name")) {
		r->c->opaque = true;
		return;
	}
	at++;
	if (at + 1 < w->n && str_eq(w->v[at], "suffix")) {
		struct str suffix = w->v[at + 1];

		if (suffix.len && suffix.p[0] == '.')
			suffix = (struct str){ suffix.p + 1, suffix.len - 1 };
		name_add(r, suffix, true);
		return;
	}
	if (at < w->n && str_eq(w->v[at], "exact"))
		at++;
	else if (w->n - at != 2 && !(w->n > at + 2 && str_eq(w->v[at + 2], "answer")))
		r->c->opaque = true;
	if (at < w->n && !r->c->opaque)
		name_add(r, w->v[at], false);
}

static void kubernetes_read(struct reader *r, const struct words *w)
{
	for (size_t i = 1; i < w->n; i++)
		if (zone_is_ours(r, w->v[i]))
			r->c->known = r->served = true;
	zones_add(r, w, 1);
}

static void kubernetes_line(struct reader *r, const struct words *w)
{
	static const char *const changes[] = { "endpoint_pod_names", "namespaces", "namespace_labels", "labels", "noendpoints", "ignore" };

	if (str_eq(w->v[0], "pods"))
		r->c->pods_insecure = w->n > 1 && str_eq(w->v[1], "insecure");
	if (str_eq(w->v[0], "fallthrough"))
		r->c->fallthrough |= w->n == 1;
	for (size_t i = 1; str_eq(w->v[0], "fallthrough") && i < w->n; i++)
		r->c->fallthrough |= str_eq(w->v[i], ".") || zone_is_ours(r, w->v[i]);
	for (size_t i = 0; i < ARRAY_SIZE(changes); i++)
		r->c->opaque |= str_eq(w->v[0], changes[i]);
}

static void directive_read(struct reader *r, const struct words *w)
{
	const char *d = r->directive;

	snprintf(r->directive, sizeof(r->directive), "%.*s", STR_ARG(w->v[0]));
	if (streq(d, "kubernetes"))
		kubernetes_read(r, w);
	else if (streq(d, "rewrite"))
		rewrite_read(r, w, 1);
	else if (streq(d, "hosts"))
		zones_add(r, w, 2);
	else if ((streq(d, "forward") || streq(d, "grpc")) && w->n > 1)
		(void)zone_add(r, w->v[1]);
	else if (streq(d, "file"))
		zones_add(r, w, 2);
	else if (streq(d, "template"))
		r->c->opaque |= !zones_add(r, w, 3);
	else if (streq(d, "dns64") || streq(d, "acl") || streq(d, "any"))
		r->c->opaque = true;
	else if (streq(d, "secondary") || streq(d, "k8s_external") || streq(d, "etcd"))
		zones_add(r, w, 1);
}

static void block_line(struct reader *r, const struct words *w)
{
	if (streq(r->directive, "kubernetes"))
		kubernetes_line(r, w);
	else if (streq(r->directive, "hosts"))
		hosts_line(r, w, false);
	else if (streq(r->directive, "rewrite"))
		rewrite_read(r, w, 0);
}

/* ---- text -------------------------------------------------------------------------------------------------------- */

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* The words of a line; quotes are taken off, a comment ends it. */
static void line_split(struct str line, struct words *ret)
{
	size_t i = 0;

	*ret = (struct words){ 0 };
	while (ret->n < WORDS_MAX) {
		size_t from;
		char quote = 0;

		while (i < line.len && is_space(line.p[i]))
			i++;
		if (i >= line.len || line.p[i] == '#')
			break;
		if (line.p[i] == '"')
			quote = line.p[i++];
		for (from = i; i < line.len && (quote ? line.p[i] != quote : !is_space(line.p[i])); i++)
			;
		ret->v[ret->n++] = (struct str){ line.p + from, i - from };
		i += quote != 0;
	}
	if (ret->n && str_eq(ret->v[ret->n - 1], "{")) {
		ret->opens = true;
		ret->n--;
	}
}

static void server_begin(struct reader *r, const struct words *w)
{
	struct str zone;

	zones_add(r, w, 0);
	r->ours = r->served = false;
	for (size_t i = 0; i < w->n; i++)
		r->ours |= word_zone(w->v[i], &zone) && zone_is_ours(r, zone);
}

/* A block for our zone without kubernetes answers it in ways of its own. */
static void server_end(struct reader *r)
{
	r->c->opaque |= r->ours && !r->served;
	r->ours = false;
}

/* depth: where its first line stands; an override begins inside of a server block. */
static void text_read(struct reader *r, const char *text, unsigned depth)
{
	struct str rest = str_from(text), line;
	struct words w;

	r->depth = depth;
	while (str_split(&rest, '\n', &line)) {
		line_split(line, &w);
		if (w.n == 1 && str_eq(w.v[0], "}")) {
			r->depth -= r->depth > 0;
			if (!r->depth)
				server_end(r);
			continue;
		}
		if (w.n && r->depth == 0 && w.opens && w.v[0].p[0] != '(')
			server_begin(r, &w);
		else if (w.n && r->depth == 1)
			directive_read(r, &w);
		else if (w.n && r->depth == 2)
			block_line(r, &w);
		r->depth += w.opens;
	}
}

static void hosts_read(struct reader *r, const char *text)
{
	struct str rest = str_from(text), line;
	struct words w;

	while (str_split(&rest, '\n', &line)) {
		line_split(line, &w);
		hosts_line(r, &w, true);
	}
}

void corefile_read(const json *main, const json *custom, const struct dns_name *zone, struct corefile *ret)
{
	struct reader r = { .c = ret, .zone = zone };

	*ret = (struct corefile){ 0 };
	text_read(&r, json_str(main, "data.Corefile", ""), 0);
	hosts_read(&r, json_str(main, "data.NodeHosts", ""));
	json_each(e, json_get(custom, "data")) {
		if (cJSON_IsString(e) && str_ends(e->string, ".server"))
			text_read(&r, e->valuestring, 0);
		if (cJSON_IsString(e) && str_ends(e->string, ".override"))
			text_read(&r, e->valuestring, 1);
	}
}

void corefile_done(struct corefile *c)
{
	free(c->names);
	*c = (struct corefile){ 0 };
}

const struct dns_name *corefile_find(const struct corefile *c, const struct dns_name *name)
{
	for (size_t i = 0; i < c->n; i++)
		if (c->names[i].below ? dns_name_within(name, &c->names[i].name) : dns_name_eq(name, &c->names[i].name))
			return &c->names[i].name;
	return NULL;
}
