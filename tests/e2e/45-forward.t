#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Real services and real clients through the API server's port-forward: databases, HTTP of all versions, WebSocket, gRPC, a gigabyte; while
# pods roll and crash, and the API server restarts. The hosts file is a copy, mounted over the real one for this script alone.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
for tool in docker jq unshare; do
	command -v $tool >/dev/null && [ "$(id -u)" = 0 ] && continue
	skip "services are forwarded" "takes root and $tool"
	finish
	exit
done
HOSTS=$E2E/hosts
if [ -z "${IN_NAMESPACE:-}" ]; then
	cp /etc/hosts "$HOSTS"
	cp "$HOSTS" "$HOSTS.before"
	export IN_NAMESPACE=1
	# shellcheck disable=SC2016 # for the inner shell
	exec unshare -m sh -c 'mount --bind "$1" /etc/hosts && exec "$2"' sh "$HOSTS" "$0"
fi
kubectl() { exec_in kubectl "$@" </dev/null; }
node=k3d-${WORK##*/}-server-0
domain=default.svc.cluster.local
found() { jq -r "$1" "$E2E/found"; }
soon() { # SECONDS COMMAND…
	deadline=$(($(now_ms) + $1 * 1000))
	shift
	until "$@" >/dev/null 2>&1 </dev/null; do [ "$(now_ms)" -lt $deadline ] || return 1; done
}
below() { # GOT LIMIT SENTENCE
	awk -v got="${1:-x}" -v limit="$2" 'BEGIN { exit !(got ~ /^-?[0-9.]+$/ && got + 0 <= limit + 0) }'
	ok $? "$3 ($1, at most $2)"
}

# ---- the services
mkdir -p "$WORK/images/apps" && cp "$ROOT"/tests/e2e/apps/* "$WORK/images/apps"
cat >"$E2E/forward.json" <<END
{ "services": [
  { "service_name": "web", "build": "web", "ports": [80], "ui": true },
  { "service_name": "postgres", "build": "postgres", "ports": [5432], "publish": -1,
    "env": { "POSTGRES_USER": "shop", "POSTGRES_PASSWORD": "only here", "POSTGRES_DB": "orders",
             "POSTGRES_INITDB_ARGS": "--auth-host=scram-sha-256" } },
  { "service_name": "redis", "build": "redis", "ports": [6379], "publish": -1 },
  { "service_name": "apps", "build": "apps", "ports": [80, 443, 50051], "replicaCount": 3, "publish": -1 },
  { "service_name": "far", "build": "apps", "ports": [80, 443, 50051], "args": ["far.$domain"], "publish": -1 } ] }
END
start=$(now_ms)
try "PostgreSQL, Redis and the tests' server are built and brought up" bs up "$E2E/forward.json" --yes --headless || { finish; exit; }
echo "# up took $((($(now_ms) - start) / 1000)) s"
image() { kubectl get deployment "$1" -o 'jsonpath={.spec.template.spec.containers[0].image}'; }
postgres=$(image postgres) redis=$(image redis)
id=$(docker create "$(image far)")
docker cp -q "$id:/apps" "$WORK/build/apps"
docker rm "$id" >/dev/null

# ---- clients: here (with the host's network), and in the dev container
here() { if [ "$where" = host ]; then (cd "$WORK" && "$@"); else exec_in "$@"; fi; }
client() { # IMAGE COMMAND…: of an image, in the same network
	image=$1 program=$2
	shift 2
	# shellcheck disable=SC2086 # options
	docker run --rm -i --network "$network" $mount -e "PGPASSWORD=${password:-only here}" --entrypoint "$program" "$image" "$@"
}
sql() { client "$postgres" psql -h "postgres.$domain" -U shop -d orders -v ON_ERROR_STOP=1 -Atq "$@"; }
cli() { client "$redis" redis-cli -h "redis.$domain" "$@"; }
apps() { here build/apps "$@"; }
load() { apps load "$@" >"$E2E/found" 2>"$E2E/try.out"; } # until stdin ends
failures() { jq -c '.failures[]' "$E2E/found" | head -n 20 | sed 's/^/# /'; }

# ---- what each of them does
databases() {
	is "$(sql -c 'select current_user, current_database()' </dev/null)" "shop|orders" "PostgreSQL: the user and the database of the image's variables"
	is "$(password=wrong && sql -c 'select 1' </dev/null 2>&1 | grep -c 'password authentication failed')" 1 "PostgreSQL: a wrong password is refused, in words"
	seq 200000 | awk '{ print $1 "\titem " $1 }' >"$E2E/rows"
	{
		echo 'create temporary table items (n int primary key, name text); copy items from stdin;'
		cat "$E2E/rows"
		printf '%s\n' '\.' 'copy items to stdout;'
	} | sql >"$E2E/back"
	is "$(sha256sum <"$E2E/back")" "$(sha256sum <"$E2E/rows")" "PostgreSQL: 200000 rows go in by COPY and come back the same"
	client "$postgres" pgbench -h "postgres.$domain" -U shop -d orders -i -q >/dev/null 2>&1 </dev/null
	out=$(client "$postgres" pgbench -h "postgres.$domain" -U shop -d orders -c 8 -t 25 -C 2>&1 </dev/null)
	like "$out" 'actually processed: 200/200' "PostgreSQL: pgbench, 8 clients, a connection for each of 200 transactions"
	printf '%s\n' "$out" | grep -E 'tps|latency average|average connection' | sed 's/^/# /'

	is "$(cli ping </dev/null)" PONG "Redis: PONG"
	seq 100000 | sed 's/.*/SET key:& value:&/' | cli --pipe >"$E2E/pipe"
	like "$(cat "$E2E/pipe")" 'errors: 0, replies: 100000' "Redis: 100000 commands in a pipeline, as many answers"
	is "$(cli get key:77777 </dev/null)" value:77777 "Redis: what was written is read"
	out=$(client "$redis" redis-benchmark -h "redis.$domain" -c 50 -n 20000 -t set,get -q </dev/null | tr '\r' '\n' | grep 'requests per second')
	is "$(printf '%s\n' "$out" | wc -l)" 2 "Redis: 50 clients at once"
	printf '%s\n' "$out" | sed 's/^/# /'
}
protocols() {
	is "$(here curl -s -o /dev/null -w '%{num_connects} %{http_version} %{http_code}\n' "http://far.$domain/?[1-100]" | sort | uniq -c | tr -s ' \n' ' ')" \
		" 99 0 1.1 200 1 1 1.1 200 " "HTTP/1.1: 100 requests on one connection"
	is "$(here curl -s --http2-prior-knowledge -o /dev/null -w '%{http_version} %{http_code}' "http://far.$domain/")" "2 200" "HTTP/2 without TLS"
	here curl -s "http://far.$domain/certificate" >"$WORK/build/far.pem"
	is "$(here curl -sZ --no-progress-meter --parallel-max 50 --http2 --cacert build/far.pem -o /dev/null -w '%{http_version} %{http_code}\n' \
		"https://far.$domain/?ms=20&[1-100]" | sort | uniq -c | tr -s ' \n' ' ')" " 100 2 200 " "HTTP/2 over TLS: 100 requests side by side, the certificate is checked"
	apps websocket "ws://apps.$domain/echo" >"$E2E/found" 2>"$E2E/try.out" </dev/null
	is "$(found '"\(.messages) \(.pongs)"')" "32 32" "WebSocket: messages up to 8 MiB come back as they were, pings are answered, the end is in order"
	sed 's/^/# /' "$E2E/try.out"
	apps grpc "apps.$domain:50051" >"$E2E/found" 2>"$E2E/try.out" </dev/null
	is "$(found .cases)" 11 "gRPC: its own interoperability tests, streams and cancellation among them"
	sed 's/^/# /' "$E2E/try.out"
}
gigabyte() {
	bytes=1000000000
	want=$(here curl -s "http://far.$domain/sum?n=$bytes")
	start=$(now_ms)
	is "$(here sh -c "curl -sS 'http://far.$domain/data?n=$bytes' | sha256sum" </dev/null 2>"$E2E/try.out" | cut -d' ' -f1)" "$want" "1 GB comes as it was sent"
	sed 's/^/# /' "$E2E/try.out"
	echo "# in $(($(now_ms) - start)) ms, with its checksum"
	head -c 100000000 /dev/urandom >"$WORK/build/up"
	sleep 10 | apps unread "far.$domain:80" 1000 >/dev/null &
	idle=$!
	is "$(here curl -sS -m 30 --limit-rate 10M -o /dev/null -w '%{size_download}' "http://far.$domain/data?n=50000000")" 50000000 \
		"50 MB come to a client that takes 10 MB in a second, beside an idle connection"
	kill $idle
	is "$(here curl -s -T build/up "http://far.$domain/sum")" "$(sha256sum <"$WORK/build/up" | cut -d' ' -f1)" "and 100 MB the other way"
}
crowds() {
	apps together -n 200 "apps.$domain:80" >"$E2E/found" 2>"$E2E/try.out" </dev/null
	is "$(found '"\(.connections) \(.failed) \(.pods | length)"')" "200 0 3" "200 connections at once, all used, on all three pods"
	sed 's/^/# /' "$E2E/try.out" "$E2E/found"

	sleep 4 | load -workers 50 "http://far.$domain/?ms=5"
	alone=$(found .p95_ms)
	sleep 7 | apps unread "far.$domain:80" 100000000 >"$E2E/unread" 2>&1 &
	unread=$!
	sleep 1
	sleep 4 | load -workers 50 "http://far.$domain/?ms=5"
	is "$(found '.failures | length')" 0 "50 busy clients beside one that never reads: none fails ($(found .requests) requests)"
	below "$(found .p95_ms)" "$(awk -v a="$alone" 'BEGIN { print a * 1.5 + 10 }')" "and they are as quick as without it, p95 in ms"
	wait $unread
	is "$(jq -r .sha256 "$E2E/unread")" "$(here curl -s "http://far.$domain/sum?n=100000000")" "and it gets all, when it reads at last"
}

rolling() {
	{
		sleep 1
		kubectl rollout restart deployment apps && kubectl rollout status deployment apps --timeout=60s
		sleep 3
	} 2>&1 >"$E2E/rollout" | load "http://apps.$domain/?ms=20"
	is "$(found '"\(.failures | length) \(.pods | length)"')" "0 6" "a rolling restart of three pods under load: no request fails ($(found .requests) requests, $(found .max_ms) ms at most)"
	failures
}
crash() {
	kubectl get pods -l app.kubernetes.io/name=apps -o name >"$E2E/pods"
	restarts() { kubectl get pods -l app.kubernetes.io/name=apps -o 'jsonpath={.items[*].status.containerStatuses[0].restartCount}' | tr ' ' '\n' | awk '{ n += $1 } END { print n }'; }
	before=$(restarts)
	{
		sleep 2
		docker exec "$node" sh -c 'kill -9 "$(pgrep -fx "/apps serve" | head -n 1)"'
		now_ms >"$E2E/killed"
		sleep 5
	} | load "http://apps.$domain/?ms=50"
	is "$(restarts)" $((before + 1)) "a pod is killed under load"
	like "$(found '.failures | length')" '^([0-9]|1[0-6])$' "no more requests fail than were on their way ($(found '.failures | length') of $(found .requests), 16 at a time)"
	is "$(found ".failures | map(select(.began > $(cat "$E2E/killed"))) | length")" 0 "none that began later"
	failures
}

# ---- bootstrap forward, on this machine
where=host network=host mount="-v $HOSTS:/etc/hosts:ro"
bs kubeconfig --print >"$E2E/kubeconfig"
start=$(now_ms)
# shellcheck disable=SC2317,SC2329 # called by the trap
stop() { kill "$forward"; }
trap 'stop 2>/dev/null' EXIT
(cd "$WORK" && exec "$BOOTSTRAP" forward --kubeconfig "$E2E/kubeconfig" -n default --no-watch -o json) >"$E2E/forward.log" 2>&1 </dev/null &
forward=$!
soon 20 grep -q '"type":"ready"' "$E2E/forward.log"
ok $? "bootstrap forward is ready (after $(($(now_ms) - start)) ms)"
is "$(curl -s -o /dev/null -w '%{http_code}' http://web)" 200 "a bare name answers on this machine"
databases
protocols
gigabyte
crowds
rolling
crash

# ---- the API server restarts, and with it the node
server=$(sed -n 's/ *server: "*\([^"]*\)"*$/\1/p' "$E2E/kubeconfig")
published=$(bs status -o json | jq -r '.services[] | select(.name == "web").url')
direct() { curl -sk -m 1 -o /dev/null "$server/readyz" && curl -sf -m 1 -o /dev/null "$published"; }
forwarded() { curl -sf -m 1 -o /dev/null "http://web.$domain"; }
grep firestream -A 100 "$HOSTS" >"$E2E/block"
docker stop -t 2 "$node" >/dev/null
sleep 1
start=$(now_ms)
curl -s -m 5 -o /dev/null "http://web.$domain"
code=$?
like $code '^(7|55|56)$' "without an API server connections are refused or reset"
below $(($(now_ms) - start)) 500 "at once, in ms"
is "$(grep firestream -A 100 "$HOSTS")" "$(cat "$E2E/block")" "and the names stay"
docker start "$node" >/dev/null
{ soon 60 direct && now_ms >"$E2E/direct"; } &
direct=$!
soon 60 forwarded
at=$(now_ms)
wait $direct
ok $? "the service is back without forwarding"
below $((at - $(cat "$E2E/direct"))) 1000 "the service answers as soon as without forwarding, ms later"
soon 60 kubectl wait --for=condition=Available deployment --all --timeout=50s
ok $? "all services are back"
is "$(apps together -n 50 "apps.$domain:80" 2>&1 </dev/null | jq .failed)" 0 "and all their pods are used again"

# ---- the end
trap - EXIT
kill -TERM $forward
wait $forward
is $? 0 "it ends in order"
is "$(cat "$HOSTS")" "$(cat "$HOSTS.before")" "the hosts file is as it was"
grep -v '"type":"\(forward\|state\|ready\|context\)"' "$E2E/forward.log" | head -n 20 | sed 's/^/# /'

# ---- the agent's forward mode, in the dev container
where=dev network=container:$(docker ps -q --filter "label=devcontainer.local_folder=$WORK") mount=
jq '.network = { mode: "forward" }' "$E2E/forward.json" >"$E2E/agent.json"
agent=/opt/firestream/firestream-agent/agent
try "up in forward mode" bs up "$E2E/agent.json" --yes --headless
is "$(exec_in --user 0 $agent status -o json | jq -r .mode) $(exec_in ip route show proto 98)" "forward " "the agent was told, and no route leads to the cluster"
databases
protocols
gigabyte
crowds
rolling
crash
docker stop -t 2 "$node" >/dev/null
sleep 1
start=$(now_ms)
exec_in curl -s -m 5 -o /dev/null "http://web.$domain"
code=$?
like $code '^(7|55|56)$' "without an API server connections are refused or reset"
below $(($(now_ms) - start)) 1000 "at once, in ms, and the name is known"
docker start "$node" >/dev/null
soon 60 direct
soon 60 exec_in curl -sf -m 1 -o /dev/null "http://web.$domain"
ok $? "the service answers again"
exec_in --user 0 $agent status -o json | jq -c '.forward // empty' | sed 's/^/# /'

try "the services are removed, and routes lead there again" bs up --yes --headless
like "$(exec_in ip route show proto 98)" via "as before"
rm -rf "$WORK/images/apps" "$WORK/build/apps" "$WORK/build/up" "$WORK/build/far.pem"
finish
