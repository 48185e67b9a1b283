/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/nodes.h"

#include "base/mem.h"
#include "base/str.h"

void node_free(void *p)
{
	struct node *n = p;

	if (n)
		free(n->name);
	free(n);
}

static void addrs_read(struct node *n, const json *object)
{
	json_each(e, json_get(object, "status.addresses")) {
		if (n->addr_count == NODE_LIST_MAX || !streq(json_str(e, "type", ""), "InternalIP"))
			continue;
		if (!addr_parse(json_str(e, "address", ""), &n->addrs[n->addr_count]))
			n->addr_count++;
	}
}

static void cidrs_read(struct node *n, const json *object)
{
	json_each(e, json_get(object, "spec.podCIDRs"))
		if (n->cidr_count < NODE_LIST_MAX && cJSON_IsString(e) && !prefix_parse(e->valuestring, &n->cidrs[n->cidr_count]))
			n->cidr_count++;
	if (!n->cidr_count && !prefix_parse(json_str(object, "spec.podCIDR", ""), &n->cidrs[0]))
		n->cidr_count = 1;
}

struct node *node_from_json(const json *object)
{
	const char *name = json_str(object, "metadata.name", "");
	struct node *n;

	if (!str_is_subdomain(name))
		return NULL;
	n = xcalloc(1, sizeof(*n));
	n->name = xstrdup(name);
	json_each(e, json_get(object, "status.conditions"))
		if (streq(json_str(e, "type", ""), "Ready"))
			n->ready = streq(json_str(e, "status", ""), "True");
	addrs_read(n, object);
	cidrs_read(n, object);
	return n;
}

bool node_equal(const struct node *a, const struct node *b)
{
	if (a->ready != b->ready || a->addr_count != b->addr_count || a->cidr_count != b->cidr_count || !streq(a->name, b->name))
		return false;
	for (size_t i = 0; i < a->addr_count; i++)
		if (addr_cmp(&a->addrs[i], &b->addrs[i]))
			return false;
	for (size_t i = 0; i < a->cidr_count; i++)
		if (prefix_cmp(&a->cidrs[i], &b->cidrs[i]))
			return false;
	return true;
}

bool nodes_put(struct nodes *n, const json *object)
{
	struct node *new = node_from_json(object), *old;
	bool changed;

	if (!new)
		return false;
	old = map_get(&n->by_name, new->name);
	if (!old && n->by_name.live >= NODES_MAX) {
		node_free(new);
		return false;
	}
	changed = !old || !node_equal(old, new);
	new->seen = true;
	map_set(&n->by_name, new->name, new);
	return changed;
}

bool nodes_drop(struct nodes *n, const json *object)
{
	return map_del(&n->by_name, json_str(object, "metadata.name", ""));
}

void nodes_list_begin(struct nodes *n)
{
	map_foreach(&n->by_name, it)
		((struct node *)it->value)->seen = false;
}

bool nodes_list_end(struct nodes *n)
{
	bool changed = !n->synced;

	map_foreach(&n->by_name, it)
		if (!((struct node *)it->value)->seen)
			changed |= map_del(&n->by_name, it->key);
	n->synced = true;
	return changed;
}

void nodes_done(struct nodes *n)
{
	map_done(&n->by_name);
}

json *nodes_status(const struct nodes *n)
{
	char text[PREFIX_STRLEN];
	json *list = json_array();

	map_foreach(&n->by_name, it) {
		const struct node *node = it->value;
		json *o = json_add(list, json_object());
		json *addrs, *cidrs;

		json_set_str(o, "name", node->name);
		json_set_bool(o, "ready", node->ready);
		addrs = json_set(o, "addresses", json_array());
		for (size_t i = 0; i < node->addr_count; i++)
			json_add_str(addrs, addr_format(&node->addrs[i], text));
		cidrs = json_set(o, "pod_cidrs", json_array());
		for (size_t i = 0; i < node->cidr_count; i++)
			json_add_str(cidrs, prefix_format(&node->cidrs[i], text));
	}
	return list;
}
