#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The real agent in namespaces of its own: names, routes, resolv.conf, death and undo. Needs no root, but ip(8).
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/lib.sh"

ask() { "$FAKES" ask 127.0.53.53 "$@" 2>&1; }
code() { ask "$@" | cut -d' ' -f1; }
address() { ask "$@" | cut -d' ' -f4; }
resolve() { getent ahostsv4 "$1" | sed -n '1s/ .*//p'; }
cluster_is() { agent status | grep -q "^cluster    $1"; }
service() { # service NAMESPACE NAME ADDRESS PORT-NAME PORT
	printf '{"metadata":{"namespace":"%s","name":"%s"},"spec":{"clusterIP":"%s","clusterIPs":["%s"],"ports":[{"name":"%s","port":%s,"protocol":"TCP"}]}}' \
		"$1" "$2" "$3" "$3" "$4" "$5"
}
upstream_dns() {
	: >"$W/upstream.out"
	"$FAKES" dns 127.0.0.99:53 198.51.100.7 www example web big >"$W/upstream.out" &
	upstream_pid=$!
	soon grep -q ready "$W/upstream.out"
}
cluster_dns() {
	: >"$W/cluster.out"
	"$FAKES" dns 10.43.0.10:53 10.43.1.1 web kubernetes host >"$W/cluster.out" &
	cluster_pid=$!
	soon grep -q ready "$W/cluster.out"
}
external() { printf '{"metadata":{"namespace":"default","name":"%s"},"spec":{"type":"ExternalName","externalName":"%s"}}' "$1" "$2"; }

# ---- the world: a link to the nodes, the cluster's DNS, the original upstream, an API server
if ! ip link add t0 type veth peer name t1; then
	echo "1..0 # SKIP no veth here"
	exit 0
fi
ip addr add 172.30.0.1/24 dev t0
ip link set t0 up
ip link set t1 up
ip addr add 10.43.0.10/32 dev lo
upstream_dns
cluster_dns
nodes server-0 172.30.0.2 10.42.0.0/24 True agent-0 172.30.0.3 10.42.1.0/24 True
dns='{"metadata":{"namespace":"kube-system","name":"kube-dns"},"spec":{"clusterIPs":["10.43.0.10"],"ports":[{"name":"dns","port":53,"protocol":"UDP"}]}}'
objects endpointslices '{"metadata":{"namespace":"kube-system","name":"kube-dns-x","labels":{"kubernetes.io/service-name":"kube-dns"}},
"ports":[{"name":"dns","port":53,"protocol":"UDP"}],"endpoints":[{"addresses":["10.42.0.2"],"conditions":{"ready":true}}]}'
objects namespaces "$(namespace default)" "$(namespace kube-system)"
objects services "$dns" "$(service default web 10.43.1.1 http 80)" "$(service default kubernetes 10.43.0.1 https 443)"
objects configmaps '{"metadata":{"namespace":"kube-system","name":"coredns"},"data":{"Corefile":".:53 {\n kubernetes cluster.local {\n pods insecure\n }\n}\n",
"NodeHosts":"172.30.0.1 host.k3d.internal\n"}}'
kube_start '"stale":2,'

# ---- start
is "$(resolve www.example)" 198.51.100.7 "before the agent, the original upstream answers"
agent status >"$W/out" 2>&1
is "$?" 1 "without an agent, status says so by its exit code"
agent start --timeout 10s >"$W/out" 2>&1
got=$(cat "$W/out" "$W/agent.log"); [ -z "$(cat "$W/out")" ] && state_is ready
ok $? "start returns when the agent is ready"
is "$(head -n 1 /etc/resolv.conf)" "nameserver 127.0.53.53" "resolv.conf is ours"
pid=$(value pid)
agent start --timeout 5s &
one=$!
agent start --timeout 5s &
two=$!
agent start --timeout 5s
is "$?" 0 "start again is no error"
is "$(value pid)" "$pid" "and starts nothing"
wait $one $two
echo >>"$W/agent.json"
agent start --timeout 5s
[ $? = 0 ] && [ "$(value pid)" != "$pid" ] && state_is ready
ok $? "but start with another configuration exchanges the agent"

# ---- names
is "$(resolve web.default.svc.cluster.local)" 10.43.1.1 "a cluster name resolves"
for short in web web.default web.default.svc; do
	is "$(resolve $short)" 10.43.1.1 "so does plain $short, by the search list"
done
is "$(resolve www.example)" 198.51.100.7 "a name outside resolves as before"
is "$(code web.default.svc.cluster.local A tcp)" 0 "over TCP as well"
is "$(ask big.example TXT | cut -d' ' -f2) $(code big.example TXT tcp)" "0 0" "a big answer is cut over UDP and whole over TCP"
is "$(ask big.example TXT tcp | cut -d' ' -f2)" 1 "whole: with its record"
is "$(code nothing.default.svc.cluster.local A)" 3 "a name that the cluster does not know is NXDOMAIN"
is "$(address localhost A)" 127.0.0.1 "localhost is answered here"

# ---- the upstream goes and comes
asked=$(value asked)
is "$(address www.example A)" 198.51.100.7 "a name is known from the first answer on"
before=$(value hits)
is "$(address www.example A) $(value asked)" "198.51.100.7 $asked" "known: the upstream is not asked"
is "$(value hits)" $((before + 1)) "and status counts it"
kill $upstream_pid; wait $upstream_pid 2>/dev/null
is "$(address www.example A)" 198.51.100.7 "the upstream is gone: a known name is answered"
is "$(code www.big A)" 2 "another one is SERVFAIL"
upstream_dns

# ---- routes
is "$(routes)" "10.42.0.0/24 via 172.30.0.2;10.42.1.0/24 via 172.30.0.3;10.43.0.0/16 via 172.30.0.3;" "the routes are in place"
nodes server-0 172.30.0.2 10.42.0.0/24 True agent-0 172.30.0.4 10.42.1.0/24 True
soon has_route '10.42.1.0/24 via 172.30.0.4'; got=$(routes); has_route '10.42.1.0/24 via 172.30.0.4'
ok $? "a node's new address is followed"
nodes server-0 172.30.0.2 10.42.0.0/24 True
soon has_route '10.43.0.0/16 via 172.30.0.2'
is "$(routes)" "10.42.0.0/24 via 172.30.0.2;10.43.0.0/16 via 172.30.0.2;" "a removed node's routes go, services move"
ip route del 10.42.0.0/24
soon has_route 10.42.0.0/24; got=$(routes); has_route 10.42.0.0/24
ok $? "a route that somebody removes comes back"
ip route add 10.99.0.0/16 via 172.30.0.9
before=$(value changes); sleep 0.3
is "$(value changes)" "$before" "somebody else's route changes nothing"

# ---- names from memory
for name in web.default.svc.cluster.local web web.default web.default.svc; do
	is "$(address $name A)" 10.43.1.1 "$name is known here"
done
is "$(code nothing.default.svc.cluster.local A)" 3 "what does not exist, too"
is "$(address host.k3d.internal A)" 10.43.1.1 "a name of CoreDNS's own is asked of it"
objects services "$dns" "$(service default web 10.43.1.2 http 80)" "$(service default late 10.43.1.3 http 80)"
late_is_known() { [ "$(address late.default.svc.cluster.local A)" = 10.43.1.3 ]; }
soon late_is_known
is "$(address late A) $(address web A)" "10.43.1.3 10.43.1.2" "new and changed services are followed"
objects services "$dns" "$(service default web 10.43.1.1 http 80)" "$(service default kubernetes 10.43.0.1 https 443)" \
	"$(external away example)" "$(external twice away.default.svc.cluster.local)"
late_is_gone() { [ "$(code late.default.svc.cluster.local A)" = 3 ]; }
soon late_is_gone
is "$(address web A)" 10.43.1.1 "and removed ones"
is "$(ask away A | cut -d' ' -f1,2,4)" "0 2 198.51.100.7" "an ExternalName by its short name leads outside"

# ---- the cluster goes and comes
kill $cluster_pid; wait $cluster_pid 2>/dev/null
start=$(date +%s%N)
is "$(code host.k3d.internal A)" 3 "the cluster's DNS is gone: NXDOMAIN for what only it knows"
took=$((($(date +%s%N) - start) / 1000000)); got="$took ms"; [ $took -le 3200 ]
ok $? "within 3.2 s"
soon cluster_is silent; got=$(agent status); cluster_is silent
ok $? "which is noticed"
is "$(ask host.k3d.internal AAAA | cut -d' ' -f1,3 | sed 's/ [0-9]\{1,2\}$/ fast/')" "3 fast" "then at once, also for AAAA"
is "$(address web.default.svc.cluster.local A)" 10.43.1.1 "while what is known is answered"
is "$(ask twice.default.svc.cluster.local A | cut -d' ' -f1,2,4)" "0 3 198.51.100.7" "also where it leads outside"
is "$(resolve www.example)" 198.51.100.7 "names outside go on"
kill $kube_pid; wait $kube_pid 2>/dev/null
is "$(address web.default.svc.cluster.local A)" 10.43.1.1 "the API server is gone, too: names are known for a while"
web_is_gone() { [ "$(code web.default.svc.cluster.local A)" = 3 ]; }
soon web_is_gone
is "$(code web.default.svc.cluster.local A) $(code kubernetes.default.svc.cluster.local AAAA)" "3 3" "and then no more"
is "$(resolve www.example)" 198.51.100.7 "names outside go on"
api_start
cluster_dns
soon cluster_is up; got=$(agent status); cluster_is up
ok $? "the cluster is back within a second or two"
is "$(resolve web)" 10.43.1.1 "and so are its names"

# ---- other writers of resolv.conf
printf 'nameserver 127.0.0.99\nsearch corp.example\n' >/etc/resolv.conf
soon grep -q 'cluster.local corp.example' /etc/resolv.conf; got=$(cat /etc/resolv.conf)
grep -q 'cluster.local corp.example' /etc/resolv.conf
ok $? "what another program writes becomes the new original"
cp "$W/original" /etc/resolv.conf
soon grep -q 127.0.53.53 /etc/resolv.conf; got=$(cat /etc/resolv.conf); grep -q 127.0.53.53 /etc/resolv.conf
ok $? "each time"

# ---- death
agent_kill
is "$(resolve www.example)" 198.51.100.7 "killed: names outside resolve at once"
agent status >"$W/out" 2>&1
is "$?" 1 "status knows that it is dead"
before=$(routes)
agent start --timeout 10s
is "$?" 0 "it starts again"
is "$(routes)" "$before" "and keeps the routes that it finds"
is "$(resolve web)" 10.43.1.1 "names work again"
kill -STOP "$(value pid)"
agent undo --timeout 20s
is "$?" 0 "undo ends even one that does not react"
cmp -s "$W/original" /etc/resolv.conf
ok $? "resolv.conf is as it was, byte for byte"
is "$(routes)" "" "no route of ours is left"
is "$(ls -d "$W/state" "$W/run" 2>/dev/null)" "" "no file either"
agent start --timeout 10s && agent_kill
agent undo
cmp -s "$W/original" /etc/resolv.conf && [ -z "$(routes)" ] && [ ! -e "$W/state" ]
ok $? "undo cleans up behind one that was killed"
agent undo
is "$?" 0 "undo of nothing is no error"

# ---- stop, and life without a cluster
agent start --timeout 10s
agent stop
is "$?" 0 "stop works"
cmp -s "$W/original" /etc/resolv.conf && [ -z "$(routes)" ]
ok $? "resolv.conf and routes are as they were"
agent stop 2>/dev/null
is "$?" 0 "stop again is no error"
mv "$W/kubeconfig" "$W/kubeconfig.later"
agent start --no-wait --timeout 5s
is "$?" 0 "without a cluster it serves"
is "$(resolve www.example)" 198.51.100.7 "names outside"
is "$(code web.default.svc.cluster.local A)" 3 "and says NXDOMAIN for the cluster's"
agent start --timeout 500ms 2>"$W/out"
is "$?" 4 "start without --no-wait times out: $(cat "$W/out")"
mv "$W/kubeconfig.later" "$W/kubeconfig"
soon state_is ready; got=$(agent status); state_is ready
ok $? "once there is a kubeconfig it gets ready"
agent stop
"$AGENT" run --config "$W/agent.json" >"$W/run.out" 2>&1 &
run_pid=$!
soon state_is ready
kill "$run_pid"
wait "$run_pid"
r=$?; got=$(grep -v ' info: ' "$W/run.out"); [ $r = 0 ] && cmp -s "$W/original" /etc/resolv.conf
ok $? "in the foreground it ends in order by SIGTERM"
printf '{"kubeconfig":"/x"}' >"$W/bad.json"
"$AGENT" start --config "$W/bad.json" 2>"$W/out"
is "$?" 2 "a bad config is refused: $(cat "$W/out")"
agent undo
done_testing
