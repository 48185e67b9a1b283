/* SPDX-License-Identifier: Apache-2.0 */
/* agent: what the agent's modules may share, nothing else.
 *
 * A module is a row of main.c's table: started in order, stopped in reverse. start() puts the module's struct into its
 * pointer here; stop() frees it and sets NULL, and is called also after a start that failed half-way. status() adds the
 * module's keys to the status object. Modules call each other only through the headers' functions, which all cope with
 * a neighbour that is not there (NULL). One thread, one loop; callbacks never block. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "agent/config.h"
#include "agent/nodes.h"
#include "agent/trouble.h"
#include "base/err.h"
#include "base/json.h"
#include "base/loop.h"

struct module;

struct agent {
	const struct module *modules;	/* main.c's table, ended by {0} */
	struct loop *loop;
	struct config config;
	struct trouble trouble;		/* last errors, for status */
	struct nodes nodes;		/* what the watch says */
	uint64_t started_ns;
	const char *identity;		/* borrowed; of program and configuration, see daemon.h */
	bool serving;			/* every module has started */
	bool forward;			/* connections are carried (agent/mode), not routed */
	bool stop;			/* ends the main loop */
	bool again;			/* and asks for a new worker */
	struct supervision *supervision;	/* borrowed; NULL in tests of parts */

	struct worker *worker;
	struct privilege *privilege;
	struct calls *ctl;
	struct upstreams *upstreams;
	struct zone *zone;
	struct carry *carry;
	struct rules *rules;
	struct dns *dns;
	struct cluster *cluster;
	struct redirect *redirect;
	struct resolvconf *resolvconf;
	struct hops *hops;
	struct reconcile *reconcile;
	struct watch *watch;
	struct token *token;
	struct calls *metrics;
};

struct module {
	const char *name;
	int (*start)(struct agent *a, struct err *err);
	void (*stop)(struct agent *a);
	void (*status)(struct agent *a, json *o);	/* may be NULL */
};

/* status.c: are the cluster's names and addresses answered, too? */
bool agent_is_ready(const struct agent *a);
json *agent_status(struct agent *a);
/* A status object for people; caller owns. */
char *status_text(const json *status);
