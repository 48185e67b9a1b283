#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The images that 45-forward.t had built keep the published ones' contract.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
newest() { docker images "firestream/$1" --format '{{.Repository}}:{{.Tag}}' 2>/dev/null | head -n 1; }
postgres=$(newest postgres) redis=$(newest redis)
if [ -z "$postgres" ] || [ -z "$redis" ]; then
	skip "images keep the published ones' contract" "not built, or no docker command line"
	finish
	exit
fi
name=firestream-e2e-images-$$
volume=$name
# shellcheck disable=SC2317,SC2329 # called by the trap
clean() { docker rm -fv $name >/dev/null 2>&1; docker volume rm $volume >/dev/null 2>&1; }
trap clean EXIT
until_says() { # SECONDS COMMAND…
	n=$(($1 * 5))
	shift
	until "$@" >/dev/null 2>&1; do [ $((n -= 1)) -gt 0 ] || return 1; sleep 0.2; done
}

# ---- PostgreSQL
mkdir -p "$E2E/initdb" && chmod 755 "$E2E" "$E2E/initdb"
echo 'create table first (n int); insert into first values (1);' >"$E2E/initdb/1.sql"
# shellcheck disable=SC2016 # for the shell there
printf '#!/bin/sh\npsql -U "$POSTGRES_USER" -d "$POSTGRES_DB" -c "insert into first values (2)"\n' >"$E2E/initdb/2.sh"
chmod 755 "$E2E/initdb/2.sh"
echo 'insert into first values (3);' | gzip >"$E2E/initdb/3.sql.gz"
echo 'not in the environment' >"$E2E/password"
chmod 644 "$E2E/password" "$E2E"/initdb/*.sql*

out=$(docker run --rm "$postgres" 2>&1)
is $? 1 "PostgreSQL: without a password there is none"
like "$out" 'POSTGRES_PASSWORD' "and it says why"
start_postgres() { # OPTION…
	docker rm -fv $name >/dev/null 2>&1
	docker run -d --name $name -v "$E2E/initdb:/docker-entrypoint-initdb.d:ro" -v "$E2E/password:/password:ro" -e POSTGRES_USER=shop \
		-e POSTGRES_PASSWORD_FILE=/password -e POSTGRES_DB=orders "$@" >/dev/null
	until_says 30 docker exec $name pg_isready -h 127.0.0.1 -U shop || docker logs $name 2>&1 | tail -n 20 | sed 's/^/# /'
}
rows() { docker exec $name psql -U shop -d orders -Atc 'select string_agg(n::text, $$ $$ order by n) from first'; }
start_postgres -v $volume:/var/lib/postgresql/data "$postgres" -c max_connections=33
is "$(rows)" "1 2 3" "SQL, programs and packed SQL of /docker-entrypoint-initdb.d have run"
is "$(docker exec $name psql -U shop -d orders -Atc 'show max_connections')" 33 "options alone are the server's"
is "$(docker exec $name stat -c %u /proc/1 /var/lib/postgresql/data | tr '\n' ' ')" "999 999 " "server and data are 999's"
address=$(docker inspect -f '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' $name)
is "$(docker exec -e 'PGPASSWORD=not in the environment' $name psql -h "$address" -U shop -d orders -Atc 'select 1')" 1 "the password of POSTGRES_PASSWORD_FILE is taken"
is "$(docker exec -e PGPASSWORD=wrong $name psql -h "$address" -U shop -d orders -Atc 'select 1' 2>&1 | grep -c 'authentication failed')" 1 "and no other"
docker stop -t 20 $name >/dev/null
is "$(docker inspect -f '{{.State.ExitCode}}' $name)" 0 "it stops in order"
start_postgres -v $volume:/var/lib/postgresql/data "$postgres"
is "$(rows)" "1 2 3" "another container finds the data, and makes none anew"
start_postgres --user 12345:0 --tmpfs /data:mode=1777 -e PGDATA=/data/pg "$postgres"
is "$(rows) $(docker exec $name stat -c %u /proc/1)" "1 2 3 12345" "any user and any PGDATA will do"

# ---- Redis
start_redis() { # OPTION… IMAGE ARGUMENT…
	docker rm -fv $name >/dev/null 2>&1
	docker run -d --name $name "$@" >/dev/null
	until_says 10 docker exec $name redis-cli ping
}
cli() { docker exec $name redis-cli "$@"; }
start_redis "$redis" --appendonly yes
is "$(cli config get appendonly | tail -n 1) $(cli config get protected-mode | tail -n 1)" "yes no" "Redis: options alone are the server's, and others may ask it"
is "$(docker exec $name stat -c %u /proc/1 /data | tr '\n' ' ')" "999 999 " "server and data are 999's"
printf 'protected-mode yes\nmaxclients 77\n' >"$E2E/my.conf"
chmod 644 "$E2E/my.conf"
start_redis -v "$E2E/my.conf:/my.conf:ro" "$redis" /my.conf
is "$(cli config get maxclients | tail -n 1) $(cli config get protected-mode | tail -n 1)" "77 yes" "a file alone is its configuration, which decides"
is "$(docker run --rm "$redis" redis-cli --version | cut -d' ' -f1)" redis-cli "another command is run as it is"
finish
