/* SPDX-License-Identifier: Apache-2.0 */
/* existing: a cluster that is there already, named by cluster.context or cluster.kubeconfig: nothing of it is made, started or removed.
 *
 * Its context is taken out of the user's kubeconfig, with what it refers to inside, and kept where our own cluster's access is
 * (run.state_dir/kubeconfig), so that everything else works with either. */
#pragma once

#include "base/err.h"
#include "base/json.h"
#include "boot/run.h"
#include "net/kube/client.h"

bool existing_is_meant(const struct config *c);

/* The step `cluster`: access to it, and does it answer? */
int existing_up(struct step_ctx *c, struct err *err) must_check;

/* The server of the cluster that the last `up` found there; NULL when it made one of its own, or there was none. Caller owns. */
char *existing_server(const struct run *r);

/* One context of a kubeconfig by itself: files are put inside, under the name `name`. context NULL: the current one. Caller owns; NULL
 * with a sentence for an unknown one, and for credentials that only this machine can renew. */
json *existing_extract(const json *config, const char *context, const char *name, struct err *err);

/* What the agent has to know of a cluster's networks. Strings owned; pods NULL where nobody says. */
struct existing_networks {
	char *pods, *services, *dns;		/* lists with commas; dns: an address */
};

int existing_networks(struct kube *k, struct existing_networks *ret, struct err *err) must_check;
void existing_networks_done(struct existing_networks *n);
