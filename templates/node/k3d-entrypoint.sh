#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Entry point of a node: the fixes beside this file, then k3s in this process's place. k3d writes its own file of this name on
# `k3d cluster start`; both run every k3d-entrypoint-*.sh.
for fix in /bin/k3d-entrypoint-*.sh; do
	[ -x "$fix" ] || continue
	"$fix" || {
		echo "$fix failed" >&2
		exit 1
	}
done
exec /bin/k3s "$@"
