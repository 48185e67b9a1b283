/* SPDX-License-Identifier: Apache-2.0 */
/* nodes: the cluster's nodes as the API says; strings and CIDRs checked here, where they enter. */
#pragma once

#include "base/json.h"
#include "base/map.h"
#include "net/addr.h"

#define NODE_LIST_MAX 4
#define NODES_MAX 5000

struct node {
	char *name;		/* owned */
	bool ready, seen;	/* seen: named by the list under way */
	struct addr addrs[NODE_LIST_MAX];	/* InternalIP */
	size_t addr_count;
	struct prefix cidrs[NODE_LIST_MAX];	/* podCIDRs */
	size_t cidr_count;
};

struct nodes {
	struct map by_name;	/* struct node, owned */
	bool synced;		/* a full list has been seen */
};

#define NODES_INIT { .by_name = MAP_INIT(node_free) }

void node_free(void *node);
/* NULL when the object is no node with a valid name. */
struct node *node_from_json(const json *object);
bool node_equal(const struct node *a, const struct node *b);		/* `seen` left out */

/* Return whether something changed that matters. */
bool nodes_put(struct nodes *n, const json *object);
bool nodes_drop(struct nodes *n, const json *object);
/* Around a full list: forget what it did not name. */
void nodes_list_begin(struct nodes *n);
bool nodes_list_end(struct nodes *n);
void nodes_done(struct nodes *n);
json *nodes_status(const struct nodes *n);
