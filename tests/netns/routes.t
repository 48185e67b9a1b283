#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The real agent's routes among other programs: what they remove, replace, flood, and networks that overlap.
# shellcheck source=tests/netns/lib.sh
. "${0%/*}/lib.sh"

POD='10.42.1.0/24 via 172.30.0.3'
back() { # back: how long the pod route takes to be there again
	start=$(now_ms)
	soon has_route "$POD"
	took=$(($(now_ms) - start)); got="$(routes) after $took ms"
	has_route "$POD" && [ $took -le 1000 ]
}

if ! ip link add t0 type veth peer name t1; then
	echo "1..0 # SKIP no veth here"
	exit 0
fi
ip addr add 172.30.0.1/24 dev t0
ip link set t0 up
ip link set t1 up
nodes server-0 172.30.0.2 10.42.0.0/24 True agent-0 172.30.0.3 10.42.1.0/24 True
kube_start
agent start --no-wait --timeout 10s >"$W/out" 2>&1
soon has_route 10.43.0.0/16; got=$(agent status)
is "$(routes)" "10.42.0.0/24 via 172.30.0.2;10.42.1.0/24 via 172.30.0.3;10.43.0.0/16 via 172.30.0.3;" "the routes are in place"

# ---- contests
ip route del 10.42.1.0/24
back
ok $? "a removed route is back within a second"
ip route replace 10.42.1.0/24 via 172.30.0.99
back
ok $? "so is a replaced one"
got=$(agent status); says 'another program removed or replaced the route'
ok $? "status has it"
ip route flush proto 98
back && has_route 10.43.0.0/16
ok $? "and all of them"
for _ in 1 2 3; do ip route del 10.42.1.0/24; back; done
ip route del 10.42.1.0/24
sleep 1
got=$(routes); ! has_route "$POD" && has_route 10.42.0.0/24
ok $? "the seventh time in a minute it rests"
got=$(agent status); says "^problem    another program removes or replaces the route $POD again and again"
ok $? "and says so"
before=$(route_changes)
n=0; while [ $n -lt 400 ] && ! has_route "$POD"; do n=$((n + 1)); sleep 0.1; done
got="$(route_changes) changes, before $before"; has_route "$POD" && [ "$(route_changes)" = $((before + 1)) ]
ok $? "30 s later it is put back, once"

# ---- networks that overlap
ip link add o0 type veth peer name o1
ip link set o1 up
ip link set o0 up
ip addr add 10.42.0.7/16 dev o0
soon says 'overlaps 10.42.0.0/16 on o0'; got=$(agent status)
is "$(routes)" "10.43.0.0/16 via 172.30.0.3;" "a network of the machine that overlaps the pods', later: it keeps its addresses"
is "$(ip route get 10.42.1.5 | sed -n 's/.* dev \([a-z0-9]*\).*/\1/p')" o0 "and works"
got=$(agent status); says "^problem    the cluster's network 10.42.1.0/24 overlaps 10.42.0.0/16 on o0"
ok $? "and it is explained"
ip addr del 10.42.0.7/16 dev o0
back
ok $? "it goes: the routes are back at once, this is no contest"
ip addr add 10.43.7.1/24 dev o0
soon says 'overlaps 10.43.7.0/24 on o0'; got=$(routes); ! has_route 10.43.0.0/16
ok $? "one inside of the services' network likewise"
agent stop
agent start --no-wait --timeout 5s
soon has_route "$POD"
is "$(routes)" "10.42.0.0/24 via 172.30.0.2;$POD;" "also when it was there first"
ip addr del 10.43.7.1/24 dev o0
soon has_route 10.43.0.0/16
is "$(routes | tr ';' '\n' | grep -c 10.43)" 1 "and once it goes the services are routed"

# ---- somebody was first
agent stop
ip route add unreachable 10.42.1.0/24
agent start --no-wait --timeout 5s
soon says '10.42.1.0/24 has a route already, "unreachable 10.42.1.0/24"'
is "$(routes) $(ip route show type unreachable)" "10.42.0.0/24 via 172.30.0.2;10.43.0.0/16 via 172.30.0.3; unreachable 10.42.1.0/24 " \
	"a network that another program refuses is left so"
ip route del unreachable 10.42.1.0/24
back
ok $? "until it does no more"

# ---- a flood of changes
pid=$(value pid)
kill -STOP "$pid"
i=0; while [ $i -lt 4000 ]; do
	echo "route add 10.$((100 + i / 250)).$((i % 250)).0/24 via 172.30.0.50"
	i=$((i + 1))
done >"$W/batch"
ip -batch "$W/batch"
sed 's/route add/route del/' "$W/batch" >"$W/batch.del"
ip -batch "$W/batch.del"
ip route del 10.42.1.0/24
kill -CONT "$pid"
back
ok $? "notices were lost: what has changed meanwhile is seen all the same"
got=$(agent status -o json); [ "$(value notices_lost)" -ge 1 ]
ok $? "the loss is counted ($(value notices_lost))"
ip -batch "$W/batch" &
ip route del 10.42.0.0/24
soon has_route 10.42.0.0/24; got=$(routes); has_route 10.42.0.0/24
ok $? "nor does a flood under way keep it from repairs"
wait $!
got=$(grep error "$W/agent.log"); [ -z "$got" ]
ok $? "no error in the log"
agent stop
is "$(routes)" "" "stop removes what is ours"
is "$(ip route show | grep -c 'via 172.30.0.50')" 4000 "and nothing else"
done_testing
