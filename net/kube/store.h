/* SPDX-License-Identifier: Apache-2.0 */
/* store: the cluster's Services, EndpointSlices and Namespaces in memory, reduced to what names and forwarding need.
 *
 * Fed with the objects of kube_watch: begin → put… → end around a full list drops what was not named, put and delete
 * follow its events. An object with the uid and resourceVersion of the one kept changes nothing; every other change
 * raises the generation. Pointers handed out are borrowed until the next put, delete or end. Names and addresses are
 * checked on entry: what breaks the grammar of Kubernetes is left out. At most STORE_MAX objects of a kind. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/json.h"
#include "net/addr.h"

#define STORE_MAX 100000u	/* objects of one kind */
#define STORE_LIST_MAX 1000u	/* addresses or ports of one object (the API server's own limit) */

enum store_kind { STORE_SERVICES, STORE_SLICES, STORE_NAMESPACES, STORE_KINDS };
enum store_type { STORE_CLUSTER_IP, STORE_NODE_PORT, STORE_LOAD_BALANCER, STORE_EXTERNAL_NAME };

struct store;
struct store_slice;

struct store_port {
	char *name;			/* owned; "" for an unnamed one */
	int32_t number;			/* -1: none said */
	uint8_t protocol;		/* IPPROTO_TCP, _UDP, _SCTP; 0: none said */
};

/* An address in the reverse index. */
struct store_ip {
	struct addr addr;
	struct store_ip *next;
	void *owner;			/* struct store_service or struct store_slice */
};

struct store_service {
	char *ns, *name, *external_name;	/* owned; the last NULL except for STORE_EXTERNAL_NAME */
	enum store_type type;
	bool headless, publish_not_ready;
	bool has_selector;		/* its endpoints are pods, which a controller finds */
	bool by_client;			/* sessionAffinity ClientIP: one client, one endpoint */
	struct store_port *ports;	/* owned */
	struct store_ip *ips;		/* owned; cluster IPs */
	unsigned port_count, ip_count;
	uint64_t version;
	unsigned mark;
};

/* One address of one endpoint. */
struct store_endpoint {
	struct store_ip ip;
	const char *hostname, *pod;	/* in the slice's text, or NULL; the pod is in the slice's namespace */
	bool ready, serving, terminating;
};

struct store_slice {
	char *text;			/* owned; all strings, in one piece: there are tens of thousands */
	const char *ns, *service;
	struct store_slice *next, *prev;	/* of the same service */
	struct store_endpoint *endpoints;	/* owned */
	struct store_port *ports;		/* owned */
	unsigned endpoint_count, port_count;
	uint64_t version;
	unsigned mark;
};

struct store *store_new(void);
/* Called with each change of a service or of its slices; an object that is replaced may be told of more than once. From
 * within put, delete and end: it looks at nothing yet. */
typedef void (*store_fn)(void *arg, const char *ns, const char *service);
void store_notify(struct store *s, store_fn fn, void *arg);
void store_each_service(const struct store *s, store_fn fn, void *arg);
struct store *store_free(struct store *s);	/* returns NULL */

/* 0; -EINVAL: no object of that kind; -ENOSPC. After a failure an older one of that name is gone. */
int store_put(struct store *s, enum store_kind kind, const json *object);
void store_delete(struct store *s, enum store_kind kind, const json *object);
void store_begin(struct store *s, enum store_kind kind);
void store_end(struct store *s, enum store_kind kind);
/* Has every kind been listed once? */
bool store_synced(const struct store *s);
uint64_t store_generation(const struct store *s);
unsigned store_count(const struct store *s, enum store_kind kind);

bool store_namespace(const struct store *s, const char *ns);
const struct store_service *store_service(const struct store *s, const char *ns, const char *name);
/* The first slice of a service (which need not exist); go on with ->next. */
const struct store_slice *store_slices(const struct store *s, const char *ns, const char *service);
/* The slice's port that serves this one of its service: by name, says the API. NULL: it does not. */
const struct store_port *store_slice_port(const struct store_slice *s, const struct store_port *p);
/* The service with this cluster IP, or NULL. */
const struct store_service *store_service_of(const struct store *s, const struct addr *a);
/* The first/next endpoint with this address, of any slice, ready or not; NULL. Its slice is ->ip.owner. */
const struct store_endpoint *store_endpoint_of(const struct store *s, const struct addr *a, const struct store_endpoint *after);
