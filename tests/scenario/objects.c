/* SPDX-License-Identifier: Apache-2.0 */
/* What the API server's watches say: objects as it sends them, in short. */
#include "tests/scenario/play.h"

#include "agent/zone.h"
#include "base/mem.h"
#include "base/str.h"

#define COREFILE ".:53 {\n kubernetes cluster.local in-addr.arpa ip6.arpa {\n pods insecure\n fallthrough in-addr.arpa ip6.arpa\n }\n" \
	" cache 30\n forward . /etc/resolv.conf\n%s\n}\n"

static struct store *store(struct play *p)
{
	return p->w.a.zone->store;
}

static void object_put(struct play *p, enum store_kind kind, const json *o)
{
	if (store_put(store(p), kind, o))
		play_misread(p, "no object that the store takes");
}

/* An object with the namespace and name of "NS/NAME"; caller owns. */
static json *object_new(struct play *p, struct words *w)
{
	const char *word = words_next(w), *slash = word ? strchr(word, '/') : NULL;
	json *o = json_object(), *metadata = json_set(o, "metadata", json_object());
	autofree char *ns = slash ? xstrndup(word, (size_t)(slash - word)) : NULL;

	if (!slash)
		play_misread(p, "no NAMESPACE/NAME");
	json_set_str(metadata, "namespace", ns);
	json_set_str(metadata, "name", slash + 1);
	return o;
}

static void namespace_name(struct play *p, struct words *w, json *o)
{
	const char *name = words_next(w);

	if (!name)
		play_misread(p, "no name");
	json_set_str(json_set(o, "metadata", json_object()), "name", name);
}

void step_namespace(struct play *p, struct words *w)
{
	autojson json *o = json_object();

	namespace_name(p, w, o);
	object_put(p, STORE_NAMESPACES, o);
}

static void text_list(json *list, const char *text)
{
	struct str rest = str_from(text), field;

	while (str_split(&rest, ',', &field)) {
		autofree char *s = xstrndup(field.p, field.len);

		json_add_str(list, s);
	}
}

/* "http:80/tcp" */
static void port_add(struct play *p, json *ports, const char *word)
{
	char name[64], protocol[8];
	json *port = json_add(ports, json_object());
	unsigned number;

	if (sscanf(word, "%63[^:]:%u/%7s", name, &number, protocol) != 3)
		play_misread(p, "no NAME:PORT/PROTOCOL");
	json_set_str(port, "name", name);
	json_set_int(port, "port", number);
	json_set_str(port, "protocol", streq(protocol, "udp") ? "UDP" : "TCP");
}

void step_service(struct play *p, struct words *w)
{
	autojson json *o = object_new(p, w);
	json *spec = json_set(o, "spec", json_object()), *ports = json_set(spec, "ports", json_array());
	const char *word = words_next(w);

	if (streq(word, "external")) {
		json_set_str(spec, "type", "ExternalName");
		json_set_str(spec, "externalName", words_next(w));
	} else {
		json_set_str(spec, "type", "ClusterIP");
		text_list(json_set(spec, "clusterIPs", json_array()), streq(word, "headless") ? "None" : word ? word : "");
	}
	while ((word = words_next(w)))
		port_add(p, ports, word);
	object_put(p, STORE_SERVICES, o);
}

/* A slice with all endpoints of a service. */
void step_endpoints(struct play *p, struct words *w)
{
	autojson json *o = object_new(p, w);
	json *list = json_set(o, "endpoints", json_array()), *e;
	const char *word;

	json_set_str(json_set(json_get(o, "metadata"), "labels", json_object()), "kubernetes.io/service-name",
		     json_str(o, "metadata.name", ""));
	while ((word = words_next(w))) {
		e = json_add(list, json_object());
		text_list(json_set(e, "addresses", json_array()), word);
		if (words_take(w, "host"))
			json_set_str(e, "hostname", words_next(w));
		json_set_bool(json_set(e, "conditions", json_object()), "ready", !words_take(w, "not-ready"));
	}
	object_put(p, STORE_SLICES, o);
}

void step_delete(struct play *p, struct words *w)
{
	const char *kind = words_next(w);
	autojson json *o = streq(kind, "namespace") ? json_object() : object_new(p, w);

	if (streq(kind, "namespace"))
		namespace_name(p, w, o);
	store_delete(store(p), streq(kind, "namespace") ? STORE_NAMESPACES : streq(kind, "service") ? STORE_SERVICES : STORE_SLICES, o);
}

void step_synced(struct play *p, struct words *w)
{
	for (int kind = 0; kind < STORE_KINDS; kind++)
		store_end(store(p), (enum store_kind)kind);
}

void step_coredns(struct play *p, struct words *w)
{
	autofree char *line = NULL, *text = NULL;
	autojson json *map = json_object();
	struct strv words = { 0 };
	struct dns_name own;

	if (words_take(w, "none")) {
		zone_set_config(p->w.a.zone, false, NULL);
		return;
	}
	if (words_take(w, "owns")) {
		own = play_name(p, words_next(w), 0);
		transport_zone(&own);
	}
	while (w->at < w->n)
		strv_add(&words, words_next(w));
	line = strv_join(&words, " ");
	strv_done(&words);
	text = xasprintf(COREFILE, line);
	json_set_str(json_set(map, "data", json_object()), "Corefile", text);
	zone_set_config(p->w.a.zone, false, map);
}
