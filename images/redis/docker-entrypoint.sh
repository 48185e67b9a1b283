#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The published image's contract: a configuration file or options alone are the server's, it runs as redis, and it serves other machines
# (no protected mode) unless it is told otherwise.
set -e

case ${1:-} in -* | *.conf) set -- redis-server "$@" ;; esac
if [ "$(id -u)" = 0 ] && { [ "$1" = redis-server ] || [ "$1" = redis-sentinel ]; }; then
	find . \! -user redis -exec chown redis '{}' +
	exec setpriv --reuid=redis --regid=redis --init-groups "$0" "$@"
fi
umask=$(umask)
[ "$umask" != 0022 ] || umask 0077

# What comes later in the line overrides, and a file comes first.
if [ "$1" = redis-server ]; then
	shift
	file=
	case ${1:-} in '' | -*) ;; *) file=$1 && shift ;; esac
	if [ -z "$file" ] || ! grep -qi '^[[:space:]]*protected-mode' "$file"; then set -- --protected-mode no "$@"; fi
	set -- redis-server ${file:+"$file"} "$@"
fi
exec "$@"
