#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Addresses of services: a ping goes to an endpoint, a port that is served is left alone, and all the rest is refused at once.
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/lib.sh"

service() { # service NAME IPv4 IPv6 PORT
	printf '{"metadata":{"namespace":"default","name":"%s"},"spec":{"clusterIPs":["%s","%s"],"ports":[{"name":"p","port":%s,"protocol":"TCP"},{"name":"u","port":%s,"protocol":"UDP"}]}}' \
		"$1" "$2" "$3" "$4" "$4"
}
slice() { # slice SERVICE NUMBER ADDRESS READY
	printf '{"metadata":{"namespace":"default","name":"%s-%s","labels":{"kubernetes.io/service-name":"%s"}},"ports":[{"name":"p","port":80,"protocol":"TCP"},{"name":"u","port":80,"protocol":"UDP"}],"endpoints":[{"addresses":["%s"],"conditions":{"ready":%s}}]}' \
		"$1" "$2" "$1" "$3" "$4"
}
# connect ADDRESS PORT: how a connection ends, and the milliseconds that it took
connect() {
	start=$(now_ms)
	got_code=$("$FAKES" connect "$1" "$2")
	took=$(($(now_ms) - start))
	[ $took -lt 1000 ] && echo "$got_code at once" || echo "$got_code late"
}
pings() { ping -n -c 1 -W 1 "$1" >"$W/ping.out" 2>&1; }
refused_at_once() {
	start=$(now_ms)
	pings "$1" && return 1
	case $1 in *:*) ;; *) [ $(($(now_ms) - start)) -lt 900 ] || return 1 ;; esac # ping -6 waits on, whatever it is told
	grep -qi unreachable "$W/ping.out"
}

# ---- the world: pods behind a node, and a kube-proxy of two rules in it
ip link add t0 type veth peer name t1
ip addr add 172.30.0.1/24 dev t0
ip addr add fd30::1/64 dev t0 nodad
ip link set t0 up
unshare -n sleep 1000 &
pod=$!
sleep 0.2
ip link set t1 netns $pod
in_pod() { nsenter -t $pod -n "$@"; }
in_pod sh -c 'ip link set lo up; ip link set t1 up; ip addr add 172.30.0.2/24 dev t1; ip addr add fd30::2/64 dev t1 nodad
	for a in 10.42.0.3/32 10.42.0.4/32 10.43.0.80/32 10.43.0.10/32; do ip addr add $a dev lo; done
	for a in fd42::3/128 fd43::80/128; do ip addr add $a dev lo nodad; done'
in_pod "$FAKES" serve 80 >"$W/serve.out" &
in_pod "$FAKES" dns 10.43.0.10:53 10.43.0.80 kubernetes >"$W/cluster.out" &
"$FAKES" dns 127.0.0.99:53 198.51.100.7 >"$W/upstream.out" &
soon grep -q ready "$W/upstream.out"
cat >"$W/kube/nodes" <<'END'
{"metadata":{"name":"server-0"},"spec":{"podCIDRs":["10.42.0.0/24","fd42::/64"]},"status":{"conditions":[{"type":"Ready","status":"True"}],
"addresses":[{"type":"InternalIP","address":"172.30.0.2"},{"type":"InternalIP","address":"fd30::2"}]}}
END
objects namespaces "$(namespace default)"
web=$(service web 10.43.0.80 fd43::80 80)
none=$(service none 10.43.0.81 fd43::81 80)
objects services "$web" "$none"
objects endpointslices "$(slice web 4 10.42.0.3 true)" "$(slice web 6 fd42::3 true)" "$(slice none 4 10.42.0.9 false)"
kube_start '"stale":2,'
sed -i 's|"pod_cidr":"[^"]*","service_cidr":"[^"]*"|"pod_cidr":"10.42.0.0/16,fd42::/64","service_cidr":"10.43.0.0/16,fd43::/64"|' "$W/agent.json"
in_pod ip addr del 10.43.0.80/32 dev lo		# as for a real node, which answers no ping for it
ip route add 10.43.0.0/16 via 172.30.0.2
ping -n -i 0.2 10.43.0.80 >"$W/early.out" 2>&1 &
early=$!
sleep 0.5
ip route del 10.43.0.0/16
agent start --timeout 10s
if says 'rules      none'; then
	reason=$(agent status | sed -n 's/rules      none: //p')
	[ "${MUST_WORK:-}" = 1 ] && { echo "not ok $((count + 1)) - rules: $reason"; echo "1..$((count + 1))"; exit 1; }
	echo "1..$count # SKIP no rules here: $reason"
	agent stop
	exit 0
fi
refusing() { [ "$(value refusing)" = true ]; }
soon refusing
says 'rules      4 ports, 2 pings'; got=$(agent status)
says 'rules      4 ports, 2 pings'
ok $? "status shows what is served"

# ---- pings
for address in 10.43.0.80 fd43::80; do
	pings $address; r=$?; got=$(cat "$W/ping.out")
	ok $r "$address, a service with endpoints, answers a ping"
done
for address in 10.43.0.81 fd43::81 10.43.0.99 fd43::99; do
	refused_at_once $address; r=$?; got=$(cat "$W/ping.out")
	ok $r "$address, without endpoints or unknown, is unreachable at once"
done

early_answers() { grep -q 'bytes from' "$W/early.out"; }
soon early_answers; r=$?; got=$(tail -3 "$W/early.out")
ok $r "so does one that began before the agent"
kill $early
in_pod ip addr add 10.43.0.80/32 dev lo

# ---- connections
for address in 10.43.0.80 fd43::80; do
	is "$(connect $address 80)" "connected at once" "$address port 80 is connected to"
	is "$(connect $address 81)" "refused at once" "$address port 81 is refused"
	is "$("$FAKES" connect $address 81 udp)" refused "over UDP as well"
done
for address in 10.43.0.81 10.43.0.99 fd43::99; do
	is "$(connect $address 80)" "refused at once" "$address, without endpoints or unknown, is refused"
done
is "$(connect 172.30.0.2 81)" "refused at once" "other networks are not our business: the node itself refuses"

# ---- changes
ping -n -i 0.2 10.43.0.80 >"$W/long.out" 2>&1 &
long=$!
sleep 0.5
objects endpointslices "$(slice web 4 10.42.0.4 true)" "$(slice web 6 fd42::3 true)" "$(slice none 4 10.42.0.4 true)"
none_answers() { pings 10.43.0.81; }
soon none_answers
ok $? "a service that gets an endpoint answers a ping"
in_pod ip addr del 10.42.0.3/32 dev lo
sleep 0.5
before=$(grep -c 'bytes from' "$W/long.out")
sleep 1
got="$before, then $(grep -c 'bytes from' "$W/long.out")"; [ "$(grep -c 'bytes from' "$W/long.out")" -ge $((before + 3)) ]
ok $? "a ping that runs moves with its endpoint"
kill $long
objects services "$web" "$none" "$(service late 10.43.0.82 fd43::82 8080)"
objects endpointslices "$(slice web 4 10.42.0.4 true)" "$(slice late 4 10.42.0.4 true)"
late_answers() { pings 10.43.0.82; }
soon late_answers
ok $? "so does a new service"
gone() { refused_at_once 10.43.0.81; }
soon gone
ok $? "one that loses its endpoints is refused again"
objects services "$web" "$(service heir 10.43.0.82 fd43::82 80)"
objects endpointslices "$(slice web 4 10.42.0.4 true)" "$(slice heir 4 10.42.0.4 true)"
heir() { says 'rules      4 ports, 2 pings' && pings 10.43.0.82; }
soon heir; got=$(agent status)
heir
ok $? "an address that changes hands is its new service's"

# ---- others, and the end
if command -v iptables-nft >/dev/null && iptables-nft -t nat -A OUTPUT -d 10.43.0.99 -p tcp -j DNAT --to-destination 172.30.0.2:80 2>/dev/null; then
	rule=$(iptables-nft -t nat -S OUTPUT)
	agent stop
	agent start --timeout 10s
	soon refusing
	is "$(iptables-nft -t nat -S OUTPUT)" "$rule" "other programs' rules are left alone"
	iptables-nft -t nat -F OUTPUT
fi
pid=$(value pid)
kill -STOP "$pid"
passes() { [ "$(connect 10.43.0.99 80)" != "refused at once" ]; }
start=$(now_ms)
passed=1
until [ $passed = 0 ] || [ $(($(now_ms) - start)) -gt 9000 ]; do
	passes
	passed=$?
done
ok $passed "hanging: nothing is refused any more after a while"
kill -CONT "$pid"
again() { [ "$(connect 10.43.0.99 80)" = "refused at once" ]; }
soon again
ok $? "going on: it is"
agent_kill
soon passes
ok $? "killed: nothing is refused"
agent undo
is "$(nft list tables 2>/dev/null | grep -c firestream)" 0 "no table of ours is left"
kill $pod
done_testing
