#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# "mode": "auto": by routes where a node is in a network of ours, else carried; decided anew when networks come and go.
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/lib.sh"

tables() { nft list tables 2>/dev/null | grep -c firestream; }
redirects() { nft list table inet firestream-svc 2>/dev/null | grep -c 'redirect to'; }
mode_is() { [ "$(value mode)" = "$1" ]; }
redirects_are() { [ "$(redirects)" = "$1" ]; }
connect() { "$FAKES" connect "$1" "$2"; }
attach() { # the network that the nodes are in
	ip link add d0 type veth peer name d1
	ip link set d1 up
	ip addr add 172.18.0.5/16 dev d0
	ip link set d0 up
}
service() {
	printf '{"metadata":{"namespace":"default","name":"web"},"spec":{"clusterIPs":["10.43.0.80","fd43::80"],"ports":[{"name":"p","port":80,"protocol":"TCP"}]}}'
}
slice() {
	printf '{"metadata":{"namespace":"default","name":"web-%s","labels":{"kubernetes.io/service-name":"web"}},"ports":[{"name":"p","port":80,"protocol":"TCP"}],' "$1"
	printf '"endpoints":[{"addresses":["%s"],"conditions":{"ready":true},"targetRef":{"kind":"Pod","name":"web-a","namespace":"default"}}]}' "$2"
}

# ---- a world without the nodes' network
ip link add e0 type veth peer name e1
ip link set e1 up
ip addr add 192.0.2.1/24 dev e0
ip addr add fd99::1/64 dev e0 nodad
ip link set e0 up
ip route add default via 192.0.2.2
ip -6 route add default via fd99::2
nft add table inet other
nft add chain inet other out '{ type nat hook output priority -100; }'
nft add rule inet other out ip daddr 10.99.0.0/16 accept
nft list ruleset >"$W/rules.original"
ip route show >"$W/routes.original"
"$FAKES" dns 127.0.0.99:53 198.51.100.7 >"$W/upstream.out" &
soon grep -q ready "$W/upstream.out"
nodes server-0 172.18.0.2 10.42.0.0/24 True
objects namespaces "$(namespace default)"
objects services "$(service)"
objects endpointslices "$(slice 4 10.42.0.3)" "$(slice 6 fd42::3)"
kube_start '"mode":"auto",'
sed -i 's|"pod_cidr":"[^"]*","service_cidr":"[^"]*"|"pod_cidr":"10.42.0.0/16,fd42::/64","service_cidr":"10.43.0.0/16,fd43::/64"|' "$W/agent.json"
agent start --no-wait >"$W/start.out" 2>&1; is $? 0 "the agent starts in auto mode"

# ---- carried
soon mode_is forward; is "$(value mode)" forward "no node is in a network of ours: connections are carried"
soon redirects_are 4; is "$(redirects) $(routes)" "4 " "by rules for services and pods of both families, and no route"
soon says 'the rest is refused'
is "$(connect 10.43.0.80 80)" connected "a served port is caught"
is "$(connect fd43::80 80)" connected "of IPv6, too"
is "$(connect 10.43.0.80 81)" refused "one that nobody serves is refused"
is "$(grep -c 'mode forward: ' "$W/agent.log")" 1 "the log says it once"
before=$(route_changes)
ip addr add 192.0.2.77/24 dev e0; sleep 0.4
is "$(value mode) $(route_changes) $(grep -c 'mode forward: ' "$W/agent.log")" "forward $before 1" "another network changes nothing, and nothing is said"

# ---- never caught
hear() { "$FAKES" hear "$1" "$2"; }	# what is caught and leads to nobody is reset
is "$(hear 10.42.200.9 80) $(hear 10.42.99.9 6443)" "reset reset" "an address in the pod networks is caught"
"$FAKES" serve 7777 >"$W/serve.out" &
ip addr add 10.42.200.1/24 dev e0
ip addr add fd42::aa:1/112 dev e0 nodad
objects endpointslices "$(slice 4 10.42.0.3)" "$(slice 6 fd42::3)" "$(slice 9 10.42.99.9 | sed 's/web-9/kubernetes-9/; s/"web"/"kubernetes"/')"
spared() { nft list chain inet firestream-svc ping | grep -c 'daddr.* accept$'; }
spared_are() { [ "$(spared)" = "$1" ]; }
soon spared_are 5; is "$(spared)" 5 "two own addresses, their networks, and the API server's are spared"
not_caught() { got=$(connect "$1" "$2"); case $got in connected | *reset*) false ;; esac; }
not_caught 10.42.200.9 80; ok $? "a network of ours is not caught"
not_caught 10.42.99.9 6443; ok $? "nor an API server, as default/kubernetes has it"
is "$(hear fd42::aa:1 7777)" silent "our own address leads to us"
is "$(hear 10.42.0.9 80)" reset "what is not spared is still caught"
ip addr del 10.42.200.1/24 dev e0
ip addr del fd42::aa:1/112 dev e0
objects endpointslices "$(slice 4 10.42.0.3)" "$(slice 6 fd42::3)"
soon spared_are 0; is "$(spared)" 0 "and nothing is spared when it is over"

# ---- and routed, and back
attach
soon mode_is route; is "$(value mode)" route "the nodes' network comes: routes"
soon has_route 10.43.0.0/16; is "$(routes)" "10.42.0.0/24 via 172.18.0.2;10.43.0.0/16 via 172.18.0.2;" "which lead through the node"
soon redirects_are 0; is "$(redirects)" 0 "and nothing is caught any more"
is "$(agent status | grep -c '^hop .*172.18.0.2')" 1 "the node is probed"
ip link del d0
soon mode_is forward; is "$(value mode) $(routes)" "forward " "it goes: carried again, no route is left"
soon redirects_are 4; is "$(redirects) $(agent status | grep -c '^hop ')" "4 0" "caught, and no node is probed"
soon says 'the rest is refused'
is "$(connect 10.43.0.80 80)" connected "and connected"
nft list table inet other | grep -q 10.99.0.0/16; ok $? "rules of others stay"

# ---- the end
agent_kill
gone() { [ "$(tables)" = 0 ]; }
soon gone; is "$(tables)" 0 "killed, it leaves no rules"
agent undo; is $? 0 "undone"
nft list ruleset >"$W/rules"; cmp -s "$W/rules" "$W/rules.original"; ok $? "all rules are as they were"
ip addr del 192.0.2.77/24 dev e0; ip route show >"$W/routes"; cmp -s "$W/routes" "$W/routes.original"; ok $? "and all routes"
cmp -s /etc/resolv.conf "$W/original"; ok $? "and resolv.conf"

# ---- an account that may list nothing
printf forbidden >"$W/kube/fault"
ip addr add 10.42.200.1/24 dev e0
sed -i 's/"mode":"auto"/"mode":"forward"/' "$W/agent.json"
agent start --no-wait >"$W/start.out" 2>&1
soon spared_are 2; is "$(value mode) $(spared)" "forward 2" "a network of ours is spared though no node is known"
agent undo; is $? 0 "undone again"
done_testing
