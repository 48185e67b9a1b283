/* SPDX-License-Identifier: Apache-2.0 */
/* kubeconfig: reading, writing and merging of kubeconfig files (v1), and the HTTP endpoint of a context.
 *
 * A config is JSON data as in the file, unknown fields included. Scalars that look like numbers stay text (a token of
 * digits is a token). Nothing here is cached; errors are -EINVAL unless a file or a lock says otherwise. */
#pragma once

#include "base/err.h"
#include "base/json.h"
#include "net/http.h"

/* Reads a kubeconfig text (YAML or JSON); NULL on error; {} for an empty one. Relative paths in it are made absolute,
 * from file's directory. Caller frees. */
json *kubeconfig_parse(const char *file, const void *p, size_t n, struct err *err);
/* The endpoint of `context` (NULL: current-context): server, CA, client certificate or token, inline (…-data) or by file.
 * A readable tokenFile goes before token, as in client-go. Users of exec plugins are refused, in a sentence; */
int kubeconfig_endpoint(const json *config, const char *context, struct http_endpoint *ret, struct err *err) must_check;
/* or, for net/kube/auth.h, which runs them, are taken without a credential. */
int kubeconfig_endpoint_exec(const json *config, const char *context, struct http_endpoint *ret, struct err *err) must_check;
/* -EINVAL: it has no such context, but one of a similar name, or others. */
int kubeconfig_unknown(const json *config, const char *context, struct err *err);
/* May it stand in a header? One line of printable characters. */
bool kubeconfig_is_token(const char *s);
/* What a context that has an endpoint consists of; borrowed, NULL where there is none. */
struct kubeconfig_user {
	const char *name;
	const json *user, *cluster;
};

void kubeconfig_user(const json *config, const char *context, struct kubeconfig_user *ret);
/* All of $KUBECONFIG's files that are there (the first that has something keeps it, as in client-go), or ~/.kube/config; file: that
 * one alone. NULL on failure; -ENOPKG when there is none. Caller frees. */
json *kubeconfig_load(const char *file, struct err *err);
/* The single cluster/user/context named "default" (k3s's) under other names and with another server (NULL: its own);
 * caller frees. */
json *kubeconfig_rename(const json *config, const char *cluster, const char *user, const char *context, const char *server,
			struct err *err);
/* Puts config's entries over those of the same name in file (made 0600 when absent, kept mode else), current-context
 * set when make_current or none was set; file replaced as a whole, symlink followed, under a lock beside it (kubectl's:
 * FILE.lock), which is waited for 5 s: -EBUSY. */
int kubeconfig_merge(const char *file, const json *config, bool make_current, struct err *err) must_check;
/* Removes the three entries (NULL: none of that sort); current-context is emptied if it was ours. 0 when absent. */
int kubeconfig_remove(const char *file, const char *cluster, const char *user, const char *context,
		      struct err *err) must_check;
/* $KUBECONFIG's first file, or ~/.kube/config. Caller owns. */
char *kubeconfig_path(void);
char *kubeconfig_text(const json *config);	/* YAML; caller owns; NULL beyond 1 MiB */
