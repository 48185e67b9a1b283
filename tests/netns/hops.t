#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The real agent beside three nodes, which are namespaces behind a bridge: who carries the services when one dies, sleeps or moves.
# shellcheck source=tests/netns/lib.sh
. "${0%/*}/lib.sh"

node_add() { # node_add NAME ADDRESS IPV6-ADDRESS DNS-ANSWER: with the cluster's DNS on it
	ip netns add "$1" || return
	ip link add "$1" type veth peer name eth0 netns "$1" || return
	ip link set "$1" master br0 up
	ip -n "$1" link set lo up
	ip -n "$1" addr add "$2/24" dev eth0
	ip -n "$1" addr add "$3/64" dev eth0 nodad
	ip -n "$1" link set eth0 up
	ip -n "$1" addr add 10.43.0.10/32 dev lo
	ip netns exec "$1" "$FAKES" dns 10.43.0.10:53 "$4" web kubernetes >"$W/$1.out" &
	soon grep -q ready "$W/$1.out"
}
carrier() { ip route get 10.43.0.10 | sed -n 's/.*via \([0-9.]*\).*/\1/p'; }
carrier6() { ip -6 route get fd43::10 | sed -n 's/.*via \([0-9a-f:]*\).*/\1/p'; }
carrier6_is() { [ "$(carrier6)" = "$1" ]; }
carrier_is() { [ "$(carrier)" = "$1" ]; }
web() { "$FAKES" ask 10.43.0.10 web.default.svc.cluster.local A 2>&1 | cut -d' ' -f4; }
hop_is() { agent status | grep -q "^hop        $1  [a-z0-9-]*  $2"; }
cpu_ns() { cat /proc/"$1"/task/*/schedstat | awk '{ s += $1 } END { print s }'; }

if ! ip link add br0 type bridge; then
	echo "1..0 # SKIP no bridge here"
	exit 0
fi
ip addr add 172.30.0.1/24 dev br0
ip addr add fd30::1/64 dev br0 nodad
ip link set br0 up
node_add n1 172.30.0.2 fd30::2 10.43.1.1 && node_add n2 172.30.0.3 fd30::3 10.43.1.2 && node_add n3 172.30.0.4 fd30::4 10.43.1.3
nodes n1 172.30.0.2,fd30::2 10.42.0.0/24 True n2 172.30.0.3,fd30::3 10.42.1.0/24 True n3 172.30.0.4 10.42.2.0/24 True
kube_start '"service_cidr":"10.43.0.0/16,fd43::/112",'
agent start --timeout 10s >"$W/out" 2>&1
got=$(cat "$W/out" "$W/agent.log"); state_is ready
ok $? "the agent is ready"
is "$(carrier) $(carrier6) $(web)" "172.30.0.2 fd30::2 10.43.1.1" "services go through the first node"
soon hop_is 172.30.0.2 alive && soon hop_is 172.30.0.3 alive && soon hop_is 172.30.0.4 alive
soon hop_is fd30::2 alive && soon hop_is fd30::3 alive
got=$(agent status); hop_is fd30::2 alive && hop_is fd30::3 alive && hop_is 172.30.0.2 alive && hop_is 172.30.0.3 alive && hop_is 172.30.0.4 alive
ok $? "status says that all nodes answer"

# ---- all is well
pid=$(value pid)
changes=$(route_changes) cpu=$(cpu_ns "$pid")
sleep 10
cpu=$(($(cpu_ns "$pid") - cpu))
is "$(route_changes)" "$changes" "10 s in which all is well change nothing"
got="$((cpu / 1000)) us"; [ "$cpu" -le 10000000 ]
ok $? "and take at most 0.1 % of a CPU ($got)"

# ---- a node dies
start=$(now_ms)
ip -n n1 link set eth0 down
soon carrier_is 172.30.0.3
took=$(($(now_ms) - start)); got="$(carrier) after $took ms"; carrier_is 172.30.0.3 && [ $took -le 4000 ]
ok $? "the node's link goes down: within 4 s the services go through the next one ($took ms)"
is "$(web)" 10.43.1.2 "and the cluster's DNS answers from there"
soon carrier6_is fd30::3
took=$(($(now_ms) - start)); got="$(carrier6) after $took ms"; carrier6_is fd30::3 && [ $took -le 4500 ]
ok $? "so do those of IPv6 ($took ms)"
has_route '10.42.0.0/24 via 172.30.0.2'
ok $? "its pods keep their route"
got=$(agent status); says '^problem    node n1 does not answer at 172.30.0.2 for [0-9]* s: its pods cannot be reached'
ok $? "status explains"
state_is ready
ok $? "and the agent stays ready"

# ---- it comes back
ip -n n1 link set eth0 up
soon hop_is 172.30.0.2 alive; got=$(agent status); hop_is 172.30.0.2 alive
ok $? "it answers again: alive"
changes=$(route_changes)
sleep 1
is "$(carrier) $(route_changes)" "172.30.0.3 $changes" "and the carrier stays where it is"
ip -n n1 addr flush dev eth0
ip -n n1 addr add 172.30.0.12/24 dev eth0
start=$(now_ms)
nodes n1 172.30.0.12 10.42.0.0/24 True n2 172.30.0.3 10.42.1.0/24 True n3 172.30.0.4 10.42.2.0/24 True
soon has_route '10.42.0.0/24 via 172.30.0.12'
took=$(($(now_ms) - start)); got="$(routes) after $took ms"; has_route '10.42.0.0/24 via 172.30.0.12' && [ $took -le 1000 ]
ok $? "its new address is followed within a second of the API's word ($took ms)"
soon hop_is 172.30.0.12 alive; got=$(agent status); hop_is 172.30.0.12 alive && ! hop_is 172.30.0.2 .
ok $? "and probed in place of the old one"

# ---- what the API says may be old
nodes n1 172.30.0.12 10.42.0.0/24 Unknown n2 172.30.0.3 10.42.1.0/24 Unknown n3 172.30.0.4 10.42.2.0/24 Unknown
sleep 1
is "$(carrier) $(web)" "172.30.0.3 10.43.1.2" "no node is ready by the API: one that answers goes on"
ip -n n2 link set eth0 down
soon carrier_is 172.30.0.12; got=$(carrier); carrier_is 172.30.0.12
ok $? "and hands over to another one that answers"
nodes n1 172.30.0.12 10.42.0.0/24 True n2 172.30.0.3 10.42.1.0/24 True n3 172.30.0.4 10.42.2.0/24 True
soon hop_is 172.30.0.3 dead

# ---- sleep
ip -n n2 link set eth0 up
soon hop_is 172.30.0.3 alive
changes=$(route_changes)
ip -n n2 link set eth0 down		# silent, but not for long enough
sleep 1.8
kill -STOP "$pid"
ip -n n2 link set eth0 up
sleep 5
kill -CONT "$pid"
sleep 1.5
got=$(agent status; cat "$W/agent.log"); [ "$(route_changes)" = "$changes" ] && ! hop_is . dead
ok $? "probes that the agent slept through do not count"

# ---- all die
for n in n2 n3; do ip -n $n link set eth0 down; done
soon hop_is 172.30.0.3 dead && soon hop_is 172.30.0.4 dead
ip -n n1 link set eth0 down
soon hop_is 172.30.0.12 dead
is "$(carrier) $(route_changes)" "172.30.0.12 $changes" "all nodes are dead: nothing is replaced"
agent stop
is "$(routes)" "" "stop removes the routes"

# ---- without the right to probe
if command -v setpriv >/dev/null; then
	setpriv --bounding-set=-net_raw --inh-caps=-net_raw "$AGENT" start --no-wait --timeout 10s --config "$W/agent.json"
	soon carrier_is 172.30.0.12; got=$(agent status); says '^problem    nodes cannot be probed (no ICMP socket)' && ! says '^hop '
	ok $? "no socket: status says that nodes cannot be probed"
	is "$(carrier)" 172.30.0.12 "and a node that the API calls ready carries"
	nodes n1 172.30.0.12 10.42.0.0/24 Unknown n2 172.30.0.3 10.42.1.0/24 True n3 172.30.0.4 10.42.2.0/24 True
	soon carrier_is 172.30.0.3; got=$(carrier); carrier_is 172.30.0.3
	ok $? "until the API does not"
	agent stop
fi
done_testing
