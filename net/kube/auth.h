/* SPDX-License-Identifier: Apache-2.0 */
/* auth: the credential of a kubeconfig's user that has to be fetched, and fetched again: by a program (exec), or from a file.
 *
 * Programs are client-go credential plugins (client.authentication.k8s.io/v1 and v1beta1, client-authentication reference of
 * kubernetes.io): run as kubectl runs them, with KUBERNETES_EXEC_INFO, their standard error shown, their standard input the terminal only
 * where they may ask. What they print is never logged. They run again shortly before their credential expires, and, at most each
 * 10 s, when the server has refused it. A tokenFile is read again each minute. Requests and port-forwards that start from then on have the
 * new credential. */
#pragma once

#include "base/json.h"
#include "net/kube/client.h"

struct kube_auth;

/* The endpoint of a context (NULL: current-context) with its credential; runs the loop while a program runs, 60 s at most. *ret_auth is NULL
 * where nothing is to be renewed. */
int kube_auth_open(struct loop *l, const json *config, const char *context, struct kube_auth **ret_auth, struct http_endpoint *ret,
		   struct err *err) must_check;
void kube_auth_follow(struct kube_auth *a, struct kube *k);	/* from now on k is given what is new; before kube_free: free a. NULL is fine */
void kube_auth_refused(struct kube_auth *a);			/* the server has refused it: 401. NULL is fine */
struct kube_auth *kube_auth_free(struct kube_auth *a);		/* returns NULL */

/* What a program printed. Strings owned; expires: seconds of the epoch, 0: never. Pure. */
struct kube_credential {
	char *token, *cert_pem, *key_pem;
	int64_t expires;
};

int kube_credential_parse(const char *text, size_t n, const char *api_version, struct kube_credential *ret, struct err *err) must_check;
void kube_credential_done(struct kube_credential *c);
