#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The published image's contract: POSTGRES_PASSWORD, _USER, _DB, _INITDB_ARGS, _INITDB_WALDIR and _HOST_AUTH_METHOD (or the first three and
# INITDB_ARGS as NAME_FILE), PGDATA, and the scripts of /docker-entrypoint-initdb.d when the data folder is empty.
set -eo pipefail

fail() { echo "error: $*" >&2; exit 1; }

# NAME DEFAULT: from NAME, or what the file says that NAME_FILE names
value() {
	local file=$1_FILE
	[ -z "${!1:-}" ] || [ -z "${!file:-}" ] || fail "both $1 and $file are set"
	if [ -n "${!file:-}" ]; then
		export "$1=$(<"${!file}")"
	else
		export "$1=${!1:-$2}"
	fi
	unset "$file"
}

values() {
	value POSTGRES_PASSWORD ''
	value POSTGRES_USER postgres
	value POSTGRES_DB "$POSTGRES_USER"
	value POSTGRES_INITDB_ARGS ''
	: "${POSTGRES_HOST_AUTH_METHOD:=}"
	[ -n "$POSTGRES_PASSWORD" ] || [ "$POSTGRES_HOST_AUTH_METHOD" = trust ] ||
		fail "there is no data yet and no password for it: set POSTGRES_PASSWORD, or POSTGRES_HOST_AUTH_METHOD=trust to let everybody in"
}

folders() {
	mkdir -p "$PGDATA" /var/run/postgresql
	chmod 700 "$PGDATA" 2>/dev/null || true
	chmod 3775 /var/run/postgresql 2>/dev/null || true
	[ -z "${POSTGRES_INITDB_WALDIR:-}" ] || { mkdir -p "$POSTGRES_INITDB_WALDIR" && chmod 700 "$POSTGRES_INITDB_WALDIR"; }
	[ "$(id -u)" = 0 ] || return 0
	find "$PGDATA" \! -user postgres -exec chown postgres '{}' +
	find /var/run/postgresql \! -user postgres -exec chown postgres '{}' +
	[ -z "${POSTGRES_INITDB_WALDIR:-}" ] || find "$POSTGRES_INITDB_WALDIR" \! -user postgres -exec chown postgres '{}' +
}

# initdb wants that the user has a name.
cluster_make() {
	local wrapper
	wrapper=/usr/lib/$(uname -m)-linux-gnu/libnss_wrapper.so
	if ! getent passwd "$(id -u)" >/dev/null && [ -e "$wrapper" ]; then
		NSS_WRAPPER_PASSWD=$(mktemp) NSS_WRAPPER_GROUP=$(mktemp)
		echo "postgres:x:$(id -u):$(id -g):PostgreSQL:$PGDATA:/bin/false" >"$NSS_WRAPPER_PASSWD"
		echo "postgres:x:$(id -g):" >"$NSS_WRAPPER_GROUP"
		export LD_PRELOAD=$wrapper NSS_WRAPPER_PASSWD NSS_WRAPPER_GROUP
	fi
	[ -z "${POSTGRES_INITDB_WALDIR:-}" ] || set -- --waldir "$POSTGRES_INITDB_WALDIR"
	eval "initdb --username=\"\$POSTGRES_USER\" --pwfile=<(printf '%s\n' \"\$POSTGRES_PASSWORD\") $POSTGRES_INITDB_ARGS \"\$@\""
	[ -z "${NSS_WRAPPER_PASSWD:-}" ] || { rm -f "$NSS_WRAPPER_PASSWD" "$NSS_WRAPPER_GROUP"; unset LD_PRELOAD NSS_WRAPPER_PASSWD NSS_WRAPPER_GROUP; }
	printf '\nhost all all all %s\n' "${POSTGRES_HOST_AUTH_METHOD:-$(postgres -C password_encryption)}" >>"$PGDATA/pg_hba.conf"
}

docker_process_sql() {
	psql -v ON_ERROR_STOP=1 --username "$POSTGRES_USER" --no-password --no-psqlrc ${POSTGRES_DB:+--dbname "$POSTGRES_DB"} "$@"
}

scripts_run() {
	local f
	for f; do
		case $f in
		*.sh) # shellcheck disable=SC1090 # the user's
			if [ -x "$f" ]; then "$f"; else . "$f"; fi ;;
		*.sql) docker_process_sql -f "$f" ;;
		*.sql.gz) gunzip -c "$f" | docker_process_sql ;;
		*.sql.xz) xzcat "$f" | docker_process_sql ;;
		*.sql.zst) zstd -dc "$f" | docker_process_sql ;;
		*) echo "$f is neither a script nor SQL: ignored" ;;
		esac
	done
}

# A server that only this container reaches, while the database and what the scripts make are not there yet.
cluster_fill() {
	export PGHOST='' PGHOSTADDR='' PGPASSWORD=${PGPASSWORD:-$POSTGRES_PASSWORD}
	pg_ctl -D "$PGDATA" -o "-c listen_addresses='' -p ${PGPORT:-5432}" -w start
	local wanted=$POSTGRES_DB
	[ "$wanted" = postgres ] || POSTGRES_DB=postgres docker_process_sql --set "db=$wanted" <<<'CREATE DATABASE :"db";'
	scripts_run /docker-entrypoint-initdb.d/*
	pg_ctl -D "$PGDATA" -m fast -w stop
	unset PGHOST PGHOSTADDR PGPASSWORD
}

only_asks() {
	local a
	for a; do
		case $a in -'?' | --help | --describe-config | -V | --version) return 0 ;; esac
	done
	return 1
}

[ "${1:0:1}" != - ] || set -- postgres "$@"
if [ "$1" = postgres ] && ! only_asks "$@"; then
	folders
	[ "$(id -u)" != 0 ] || exec setpriv --reuid=postgres --regid=postgres --init-groups "${BASH_SOURCE[0]}" "$@"
	if [ ! -s "$PGDATA/PG_VERSION" ]; then
		values
		shopt -s nullglob
		cluster_make
		cluster_fill
		echo "PostgreSQL init process complete; ready for start up."
	fi
fi
exec "$@"
