#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Forward mode: no route leads to the cluster; connections to its services and pods are carried through the API server.
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/lib.sh"

service() { # service NAME IPv4 IPv6 PORT
	printf '{"metadata":{"namespace":"default","name":"%s"},"spec":{"selector":{"app":"x"},"clusterIPs":["%s","%s"],"ports":[{"name":"p","port":%s,"protocol":"TCP"}]}}' \
		"$1" "$2" "$3" "$4"
}
slice() { # slice SERVICE PORT ADDRESS POD READY…
	printf '{"metadata":{"namespace":"default","name":"%s-%s%s","labels":{"kubernetes.io/service-name":"%s"}},"ports":[{"name":"p","port":%s,"protocol":"TCP"}],"endpoints":[' \
		"$1" "$4" "${3##*:}" "$1" "$2"
	printf '{"addresses":["%s"],"conditions":{"ready":%s},"targetRef":{"kind":"Pod","name":"%s","namespace":"default"}}]}' "$3" "$5" "$4"
}
hear() { "$FAKES" hear "$1" "$2"; }
# ends ADDRESS PORT: how it ends, and whether at once
ends() {
	start=$(now_ms)
	end=$("$FAKES" connect "$1" "$2" ${3:+"$3"})
	[ $(($(now_ms) - start)) -lt 1000 ] && echo "$end at once" || echo "$end late"
}
heard() { # heard TIMES ADDRESS PORT: the different things that are said
	i=0
	while [ $i -lt "$1" ]; do hear "$2" "$3"; i=$((i + 1)); done | sort -u | tr '\n' ' '
}
pings() { ping -n -c 1 -W 1 "$1" >"$W/ping.out" 2>&1; }
tables() { nft list tables 2>/dev/null | grep -c firestream; }
chain() { nft list table inet firestream-svc | grep -c redirect; }

# ---- the world: a network that leads nowhere
ip link add d0 type veth peer name d1
ip link set d1 up
ip addr add 192.0.2.1/24 dev d0
ip addr add fd99::1/64 dev d0 nodad
ip link set d0 up
ip route add default via 192.0.2.2
ip -6 route add default via fd99::2 2>/dev/null
nft add table inet other
nft add chain inet other out '{ type nat hook output priority -100; }'
nft add rule inet other out ip daddr 10.99.0.0/16 counter
nft list ruleset >"$W/rules.original"
"$FAKES" dns 127.0.0.99:53 198.51.100.7 >"$W/upstream.out" &
soon grep -q ready "$W/upstream.out"
nodes server-0 172.30.0.2 10.42.0.0/24 True
objects namespaces "$(namespace default)"
web=$(service web 10.43.0.80 fd43::80 80)
none=$(service none 10.43.0.81 fd43::81 80)
objects services "$web" "$none"
a=$(slice web 19 10.42.0.3 web-a true) b=$(slice web 19 10.42.0.4 web-b true)
objects endpointslices "$a" "$b" "$(slice web 19 fd42::3 web-a true)" "$(slice web 19 fd42::4 web-b true)" "$(slice none 19 10.42.0.9 none-a false)"
kube_start '"mode":"forward","stale":2,'
sed -i 's|"pod_cidr":"[^"]*","service_cidr":"[^"]*"|"pod_cidr":"10.42.0.0/16,fd42::/64","service_cidr":"10.43.0.0/16,fd43::/64"|' "$W/agent.json"
agent start --no-wait >"$W/start.out" 2>&1; is $? 0 "the agent starts in forward mode"
soon says 'the rest is refused'

# ---- what is carried
is "$(value mode) $(routes)" "forward " "it says so, and routes nothing"
is "$(heard 4 10.43.0.80 80)" "web-a web-b " "connections to a service go to its pods in turns"
is "$(hear 10.42.0.4 19)" "web-b" "to a pod's address, to that pod"
is "$(heard 4 fd43::80 80)" "web-a web-b " "IPv6 addresses of services, too"
is "$("$FAKES" ask 127.0.53.53 web.default.svc.cluster.local A | cut -d' ' -f4)" 10.43.0.80 "names have the addresses that they have in the cluster"
is "$(ends 10.43.0.80 81)" "refused at once" "a port that the service has not is refused"
is "$(ends 10.43.0.81 80)" "refused at once" "a service without a ready endpoint, too"
is "$(ends 10.43.0.99 80)" "refused at once" "an address that no service has, too"
is "$(hear 10.42.0.77 80)" reset "a pod that nobody knows ends at once"
is "$(ends 10.43.0.80 80 udp)" "refused at once" "UDP is refused"
pings 10.43.0.80; is $? 0 "a ping of a service with endpoints is answered"
start=$(now_ms); pings 10.43.0.81 && false || [ $(($(now_ms) - start)) -lt 900 ]; ok $? "of one without it fails at once"
is "$(agent status -o json | grep -c '"sessions": [12]')" 1 "the status has the sessions"
got=$(agent status | grep '^forward '); printf '%s' "$got" | grep -q ' 9 ever'; ok $? "and counts connections"

# ---- what changes
objects endpointslices "$b"
soon test "$(heard 3 10.43.0.80 80)" = "web-b "; is "$(heard 4 10.43.0.80 80)" "web-b " "an endpoint that is gone gets no connections"
objects services "$(service web 10.43.0.80 fd43::80 8080)"
answers_now() { [ "$(hear 10.43.0.80 8080)" = web-b ]; }
soon answers_now; is "$(ends 10.43.0.80 80)" "refused at once" "an edited port is followed"
nft list table inet other >"$W/other"; grep -q 10.99.0.0/16 "$W/other"; ok $? "rules of others stay"
printf 'slow' >"$W/kube/fault"
kill $kube_pid; wait $kube_pid 2>/dev/null
disconnected() { agent status -o json | grep -q '"live": false'; }
soon disconnected
is "$(hear 10.43.0.80 8080)" reset "without the API server connections end at once"
rm "$W/kube/fault"
objects services "$(service web 10.43.0.80 fd43::80 80)"
api_start
again() { [ "$(hear 10.43.0.80 80)" = web-b ]; }
soon again; is "$(hear 10.43.0.80 80)" web-b "and are carried again when it is back"

# ---- the end
agent_kill
gone() { [ "$(tables)" = 0 ]; }
soon gone; is "$(tables)" 0 "killed, it leaves no rules"
agent start --no-wait >"$W/start.out" 2>&1
soon again; is "$(hear 10.43.0.80 80)" web-b "started again, it carries on"
agent stop
printf no-nodes >"$W/kube/fault"
: >"$W/agent.log"
agent start --no-wait >"$W/start.out" 2>&1
soon again; sleep 5
got=$(cat "$W/agent.log"); [ "$(grep -c 'API server: nodes' "$W/agent.log") $(grep -c 'credential is read again' "$W/agent.log")" = "1 0" ] && again
ok $? "an account that may not see nodes is as good, which is said once"
agent undo; nft list ruleset >"$W/rules"; sed 's/packets.*bytes.*//' "$W/rules.original" >"$W/a"; sed 's/packets.*bytes.*//' "$W/rules" >"$W/b"
cmp -s "$W/a" "$W/b"; ok $? "undone, all rules are as they were"
cmp -s /etc/resolv.conf "$W/original"; ok $? "and resolv.conf"
done_testing
