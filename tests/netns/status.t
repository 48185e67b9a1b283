#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What the real agent says of itself: status --watch, and metrics for Prometheus.
# shellcheck source=tests/netns/lib.sh
. "${0%/*}/lib.sh"

get() { # get ARGUMENT…: the answer to an HTTP request, headers and all
	curl -sS -i --noproxy '*' --max-time 8 "$@" 2>&1 | tr -d '\r'
}
metric() { get http://127.0.0.1:9153/metrics | sed -n "s/^firestream_agent_$1 //p"; }
lines() { wc -l <"$1"; }
grows() { [ "$(lines "$1")" -gt "$2" ]; }

if ! ip link add t0 type veth peer name t1; then
	echo "1..0 # SKIP no veth here"
	exit 0
fi
ip addr add 172.30.0.1/24 dev t0
ip link set t0 up
ip link set t1 up
ip addr add 10.43.0.10/32 dev lo
"$FAKES" dns 10.43.0.10:53 10.43.1.1 web kubernetes >"$W/cluster.out" &
soon grep -q ready "$W/cluster.out"
nodes server-0 172.30.0.2 10.42.0.0/24 True
kube_start
agent status --watch >"$W/text" 2>&1 &
text_pid=$!
soon grep -q 'the agent is not running' "$W/text"; got=$(cat "$W/text")
grep -q 'the agent is not running' "$W/text"
ok $? "watch begins before the agent does"
agent start --timeout 10s
is "$?" 0 "the agent is ready"
soon grep -q '^agent      ready' "$W/text"; got=$(cat "$W/text"); grep -q '^agent      ready' "$W/text"
ok $? "and goes on with it"

# ---- watch
soon grep -q '^hop .* dead' "$W/text"		# nobody is at the node's address
sleep 1.2
before=$(lines "$W/text")
sleep 2.5
is "$(lines "$W/text")" "$before" "without a change nothing is printed"
"$FAKES" ask 127.0.53.53 web.default.svc.cluster.local A >/dev/null
soon grows "$W/text" "$before"; got=$(tail -n 20 "$W/text"); grows "$W/text" "$before"
ok $? "with one it is"
kill $text_pid
agent status --watch -o json >"$W/json" 2>&1 &
json_pid=$!
soon grows "$W/json" 0
is "$(lines "$W/json") $(grep -c '^{.*"state":"ready".*}$' "$W/json")" "1 1" "as JSON: a line for a status"
agent stop
soon grep -q '"stopped"' "$W/json"; got=$(cat "$W/json"); grep -q '"stopped"' "$W/json"
ok $? "and one for its end"
kill $json_pid
if command -v script >/dev/null; then
	agent start --timeout 10s
	timeout 3 script -qfc "$AGENT status --watch --config $W/agent.json" "$W/screen" </dev/null >/dev/null 2>&1
	n=$(grep -c "$(printf '\033')\[H" "$W/screen"); got=$n; [ "$n" -ge 2 ]
	ok $? "on a terminal it is drawn anew each second"
	agent stop
fi
agent status --watch 2>&1 | head -n 1 >/dev/null &
pipe_pid=$!
sleep 0.3
agent start --timeout 10s
soon eval "! kill -0 $pipe_pid"
! kill -0 $pipe_pid 2>/dev/null
ok $? "it ends when nobody reads"
agent stop

# ---- metrics
get http://127.0.0.1:9153/metrics | grep -q 'connect'
ok $? "without the key there are none"
printf '{"kubeconfig":"/x","pod_cidr":"10.42.0.0/16","service_cidr":"10.43.0.0/16","dns":"10.43.0.10","metrics":"0.0.0.0:9153"}' >"$W/bad.json"
"$AGENT" start --config "$W/bad.json" 2>"$W/out"
is "$? $(grep -c 'is no loopback address' "$W/out")" "2 1" "another than a loopback address is refused"
sed -i 's/^{/{"metrics":"127.0.0.1:9153",/' "$W/agent.json"
agent start --timeout 10s
got=$(get http://127.0.0.1:9153/metrics | head -n 5)
is "$(get http://127.0.0.1:9153/metrics | sed -n '1p;/^Content-Type/p' | tr '\n' ' ')" \
	"HTTP/1.1 200 OK Content-Type: text/plain; version=0.0.4; charset=utf-8 " "GET /metrics"
is "$(metric ready) $(metric routes) $(metric 'hop_alive{node="server-0",address="172.30.0.2"}')" "1 2 0" "has what the status has"
before=$(metric dns_queries_total)
"$FAKES" ask 127.0.53.53 web.default.svc.cluster.local A >/dev/null
is "$(metric dns_queries_total) $before" "$((before + 1)) $before" "counters grow"
is "$(get http://127.0.0.1:9153/metrics | grep -c '^# TYPE')" "$(get http://127.0.0.1:9153/metrics | grep '^# TYPE' | sort -u | grep -c .)" \
	"each metric has one type"
is "$(get http://127.0.0.1:9153/ | head -n 1)" "HTTP/1.1 404 Not Found" "another path is 404"
is "$(get -d x http://127.0.0.1:9153/metrics | sed -n '1p;/^Allow/p' | tr '\n' ' ')" "HTTP/1.1 405 Method Not Allowed Allow: GET " "another method is 405"
is "$(get -H "X: $(head -c 9000 /dev/zero | tr '\0' x)" http://127.0.0.1:9153/metrics | head -n 1)" \
	"HTTP/1.1 431 Request Header Fields Too Large" "a head without end is 431"
for _ in $(seq 20); do
	curl -s --noproxy '*' --max-time 10 telnet://127.0.0.1:9153 </dev/zero >/dev/null 2>&1 &
done
sleep 0.5
is "$("$FAKES" ask 127.0.53.53 web.default.svc.cluster.local A | cut -d' ' -f1)" 0 "twenty that send rubbish do not disturb it"
sleep 5.5
is "$(get http://127.0.0.1:9153/metrics | head -n 1)" "HTTP/1.1 200 OK" "and are gone after 5 s"
fds=$(ls "/proc/$(value pid)/fd" | wc -l)
for _ in $(seq 50); do metric ready >/dev/null; done
sleep 0.2
got="$(ls "/proc/$(value pid)/fd" | wc -l), before $fds"; [ "${got%%,*}" -le "$fds" ]
ok $? "no descriptor is lost"
"$FAKES" kube "$W/kube" >"$W/other.out" &
soon grep -q ready "$W/other.out"
sed -i "s/127.0.0.1:9153/127.0.0.1:$(sed -n 's/ready //p' "$W/other.out")/" "$W/agent.json"
agent start --timeout 10s
got=$(agent status); says 'metrics: cannot bind tcp'
ok $? "a port that is taken is said, and hinders nothing"
agent stop
done_testing
