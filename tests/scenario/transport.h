/* SPDX-License-Identifier: Apache-2.0 */
/* transport: net/linux/upstream without sockets: the same symbols, so that the real one is left out of the link.
 *
 * A question waits here until the scenario answers it, or as long as the real one waits (two tries: timeout, then twice
 * that). What may not happen, whatever the scenario, is noted as a breach: a name of the cluster asked elsewhere, another
 * name asked of the cluster, options that leave in our OPT. */
#pragma once

#include "net/linux/upstream.h"

#define TRANSPORT_MSG_MAX 4096

enum transport_mode { TRANSPORT_WAIT, TRANSPORT_DOWN, TRANSPORT_SERVE };

struct upstream_flight {
	struct upstream *server;
	struct upstream_query *q;		/* NULL: cancelled */
	struct upstream_flight *next;
	struct timer timer;
	struct dns_query query;
	uint8_t msg[TRANSPORT_MSG_MAX];
	size_t len;
	uint16_t id;
	enum transport_mode mode;		/* the server's when it was asked */
	bool seen;				/* the scenario has named it */
	bool tcp;				/* asked again, after a truncated answer */
};

struct transport;

/* One world at a time. */
struct transport *transport_start(const struct dns_name *cluster_domain, const struct hostport *cluster_dns);
void transport_stop(void);
void transport_zone(const struct dns_name *zone);	/* is the cluster's, too */
struct upstream *transport_find(const struct hostport *server);
const char *transport_breach(void);		/* NULL: none */

void upstream_mode(struct upstream *u, enum transport_mode mode, char **words, size_t n);
/* The oldest question that no scenario's line has named (seen false), or the last that one has; NULL. */
struct upstream_flight *upstream_flight_next(struct upstream *u);
struct upstream_flight *upstream_flight_named(struct upstream *u);
/* Ends a flight: an answer (checked as the real one does) or a failure. */
void flight_answer(struct upstream_flight *f, const uint8_t *msg, size_t n);
void flight_fail(struct upstream_flight *f, int code);
