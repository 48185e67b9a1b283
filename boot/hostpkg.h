/* SPDX-License-Identifier: Apache-2.0 */
/* hostpkg: this machine's package-client configuration (apt, pip, npm, Go, Maven, netrc, proxies), for builds.
 *
 * It is read once and written as a folder .host/ into build contexts and builder containers. `.host/run COMMAND…` runs a
 * command with all of it and leaves nothing behind. Addresses and tokens in it are secrets: it never enters an image key, a
 * build argument or a log. */
#pragma once

#include <stdbool.h>

#include "base/err.h"
#include "base/loop.h"
#include "base/str.h"
#include "base/tar.h"

struct apt_mirror {
	char *main, *security; /* URIs of the distribution's archive; NULL: not configured */
	bool updates, trusted;
};

struct hostpkg {
	char *distribution; /* os-release ID, "" unknown */
	struct apt_mirror mirror;
	struct strv env;				 /* "NAME=value" */
	struct strv apt_conf;				 /* lines of apt.conf: proxies, timeouts */
	char *apt_auth, *npmrc, *netrc, *maven_settings; /* texts; NULL: none */
	char *ca_pem; /* extra certificate authorities the host trusts, concatenated PEM; NULL: none */
};

/* root: "" for this machine (tests: a folder with etc/ and home/); home: the user's. loop: to run apt-config on, NULL: its
 * files are not looked at. */
void hostpkg_load(struct loop *loop, const char *root, const char *home, struct hostpkg *ret);
void hostpkg_done(struct hostpkg *h);
/* Writes the folder PREFIX/ (".host"); script: text of its `run` (templates/host-run.sh). */
int hostpkg_fill(const struct hostpkg *h, struct tar *t, const char *prefix, const char *script, struct err *err) must_check;
/* http(s)_proxy of the environment, or else of apt: for a child that only looks at the environment. NULL: none. Borrowed. */
const char *hostpkg_proxy(const struct hostpkg *h);

/* ---- parsers, one per file format ---- */

/* sources.list (deb822: a .sources file): entries of the distribution's own archive with component main. */
void hostpkg_apt_sources(const char *text, bool deb822, const char *codename, struct apt_mirror *m);
/* Output of `apt-config dump`: the lines that matter in a container. */
void hostpkg_apt_config(const char *dump, struct strv *lines);
/* pip.conf → PIP_* and UV_* variables that are not there yet. */
void hostpkg_pip(const char *text, struct strv *env);
/* .npmrc → its lines on registries, tokens and proxies, ${VARIABLES} replaced. Caller owns; NULL when nothing is left. */
char *hostpkg_npmrc(const char *text);
