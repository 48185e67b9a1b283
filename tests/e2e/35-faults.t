#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The cluster breaks in every way that a developer's machine knows, and comes back: what is known goes on, what is not is said at
# once, names outside never notice, and nothing is left behind.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
agent=/opt/firestream/firestream-agent/agent
cluster=${WORK##*/} node=k3d-${WORK##*/}-server-0
root() { exec_in --user 0 "$@"; }
kubectl() { exec_in kubectl "$@"; }

command -v docker >/dev/null || {
	skip "the cluster breaks and comes back" "no docker command line"
	finish
	exit
}
dev=$(docker ps -q --filter "label=devcontainer.local_folder=$WORK")

# ---- observing
soon() { # SECONDS COMMAND…: until it succeeds; $took says when
	deadline=$(($(now_ms) + $1 * 1000)) start=$(now_ms)
	shift
	until "$@" >/dev/null 2>&1 </dev/null; do
		[ "$(now_ms)" -lt $deadline ] || break
	done
	took=$(($(now_ms) - start))
	[ "$(now_ms)" -lt $deadline ]
}
back() { # SECONDS SENTENCE COMMAND…
	what=$2 limit=$1
	shift 2
	soon "$limit" "$@"
	code=$?
	ok $code "$what (within $limit s)"
	echo "# after $took ms"
	[ $code = 0 ] || root $agent status | sed 's/^/# /'
}
dig() { exec_in dig +tries=1 +timeout=6 "$@" </dev/null; }
address() { dig +short "$1" A; }
says() { root $agent status -o json | jq -e "$1" >/dev/null; }
answers() { [ "$(exec_in curl -s -o /dev/null -m 2 -w '%{http_code}' http://web.default.svc.cluster.local)" = 200 ]; }
# QUESTION STATUS LIMIT SENTENCE
is_said() {
	# shellcheck disable=SC2086 # with its options
	out=$(dig $1)
	ms=$(printf '%s\n' "$out" | sed -n 's/^;; Query time: \([0-9]*\) .*/\1/p')
	printf '%s\n' "$out" | grep -Eq "status: ($2)" && [ "${ms:-9999}" -le "$3" ]
	code=$?
	ok $code "$4 (after ${ms:-no} ms)"
	[ $code = 0 ] || printf '%s\n' "$out" | sed 's/^/# /'
}
known() { is "$(address web.default.svc.cluster.local)" "$web" "$1: a known name is answered"; }
descriptors() { root sh -c "ls /proc/$(root $agent status -o json | jq .pid)/fd | wc -l"; }
routes() { exec_in ip route show proto 98 | sed 's/ dev .*//' | sort; }

# Names outside, ten a second, all the time.
outside=$(sed -n 's|^[^#]*https\{0,1\}://\([a-z0-9.-]*\)/.*|\1|p' /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null | head -n 1)
if [ -n "$outside" ] && exec_in getent hosts "$outside" >/dev/null; then
	exec_in sh -c "rm -f /tmp/outside; touch /tmp/watched
		while [ -e /tmp/watched ]; do getent ahostsv4 $outside >/dev/null && echo yes || echo no; sleep 0.1; done >/tmp/outside" </dev/null &
	watcher=$!
fi

web=$(kubectl get service web -o 'jsonpath={.spec.clusterIP}')
answers || {
	ok 1 "the service answers before"
	root $agent status | sed 's/^/# /'
	finish
	exit
}
ok 0 "the service answers before"
fds=$(descriptors) before=$(routes)

# ---- addresses
try "ping reaches a service by its name" exec_in ping -c 1 -W 2 web.default.svc.cluster.local
start=$(now_ms)
exec_in curl -s -o /dev/null -m 5 http://10.43.250.250
code=$? took=$(($(now_ms) - start))
[ $code = 7 ] && [ $took -le 1000 ]
ok $? "an address of no service is refused at once ($took ms, code $code)"

# ---- CoreDNS
kubectl scale deployment coredns -n kube-system --replicas=0 >/dev/null
try "CoreDNS is gone" kubectl wait -n kube-system --for=delete pod -l k8s-app=kube-dns --timeout=60s
known "CoreDNS gone"
is_said no-such.default.svc.cluster.local NXDOMAIN 100 "what does not exist is known, too"
is_said "-x 10.43.250.250" NXDOMAIN 3200 "what only CoreDNS knows does not exist within 3.2 s"
soon 5 says '.cluster.state != "up"'
ok $? "its absence is noticed"
is_said "-x 10.43.250.251" NXDOMAIN 100 "and then it is said at once"
kubectl scale deployment coredns -n kube-system --replicas=1 >/dev/null
kubectl rollout status deployment/coredns -n kube-system --timeout=60s >/dev/null
back 5 "CoreDNS is asked again" says '.cluster.state == "up"'

# ---- the node hangs
docker pause "$node" >/dev/null
known "the node hangs"
is_said no-such.default.svc.cluster.local NXDOMAIN 3200 "what is not there does not exist within 3.2 s"
is_said "-x 10.43.250.252" NXDOMAIN 3200 "nor what only CoreDNS knows"
docker unpause "$node" >/dev/null
back 5 "the service answers again" answers

# ---- the API server restarts
try "the node restarts" docker restart -t 2 "$node"
known "the node restarts"
back 60 "the agent is ready again" says .ready
back 10 "the service answers again" answers

# ---- the dev container loses the network
docker network disconnect "k3d-$cluster" "$dev"
known "the network is gone"
docker network connect "k3d-$cluster" "$dev"
back 10 "connected again, the service answers" answers
is "$(routes)" "$before" "by the same routes"

# ---- the token
root sh -c 'cp /etc/firestream/agent/token /tmp/token; printf wrong >/etc/firestream/agent/token'
back 10 "a token that is refused is said" says '[.errors[].text] | any(test("401|nauthorized"))'
known "the token is refused"
kubectl create service clusterip new --tcp=80 >/dev/null
new=$(kubectl get service new -o 'jsonpath={.spec.clusterIP}')
is "$(address new.default.svc.cluster.local)" "$new" "what is new is asked of CoreDNS"
root sh -c 'cat /tmp/token >/etc/firestream/agent/token; rm /tmp/token'
back 10 "with a good one the cluster is followed again" says .names.live
kubectl delete service new >/dev/null
gone() { [ -z "$(address new.default.svc.cluster.local)" ]; }
back 2 "a removed service is gone" gone

# ---- the node comes back with another address, and the dev container, too: they exchange theirs
address_of() { docker inspect "$1" | jq -r ".[0].NetworkSettings.Networks[\"k3d-$cluster\"].IPAddress"; }
old=$(address_of "$node")
higher=$(printf '%s\n%s\n' "$old" "$(address_of "$dev")" | sort -V | tail -n 1)
docker stop -t 2 "$node" >/dev/null
known "the node stopped"
docker network disconnect "k3d-$cluster" "$dev"
[ "$higher" != "$old" ] || docker start "$node" >/dev/null # who comes first gets the lower one
docker network connect "k3d-$cluster" "$dev"
docker start "$node" >/dev/null
new=$(address_of "$node")
[ -n "$new" ] && [ "$new" != "$old" ]
ok $? "the node has another address ($old before, $new now)"
back 60 "the agent is ready" says ".ready and any(.nodes[].addresses[]; . == \"$new\")"
back 20 "the service answers" answers
like "$(routes)" "via $new\$" "routes lead to the new address"

# ---- the cluster is made anew
docker rm -fv "$node" >/dev/null
docker volume ls -q --filter "name=k3d-$cluster-data" | xargs -r docker volume rm >/dev/null
is_said web.default.svc.cluster.local "NOERROR|NXDOMAIN" 3200 "the cluster is deleted: a name of it is answered all the same"
try "up makes another" bs up --yes --headless
back 20 "its service answers" answers
is "$(address web.default.svc.cluster.local)" "$(kubectl get service web -o 'jsonpath={.spec.clusterIP}')" "at its new address"

# ---- what is left
if [ -n "${watcher:-}" ]; then
	exec_in rm /tmp/watched
	wait "$watcher"
	is "$(exec_in grep -c no /tmp/outside)" 0 "names outside resolved all the time ($(exec_in sh -c 'wc -l </tmp/outside') lookups)"
else
	skip "names outside resolved all the time" "this machine resolves none"
fi
now=$(descriptors)
[ "$now" -le $((fds + 4)) ] # four sockets to a server are opened as they are needed
ok $? "no descriptor is lost ($fds before, $now after)"
is "$(routes | wc -l)" "$(printf '%s\n' "$before" | wc -l)" "as many routes as before"
finish
