#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The agent without root's rights, and kept alive: what is left of its rights, and every way for one of its two processes to end.
# shellcheck disable=SC2034 # for lib.sh
REAL_ROOT=1
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/lib.sh"

proc() { sed -n "s/^$2:[[:space:]]*//p" "/proc/$1/status"; }
answers() { "$FAKES" ask 127.0.53.53 localhost A | grep -q 127.0.0.1; }
is_ours() { grep -q '^nameserver 127.0.53.53' /etc/resolv.conf; }
runs() { [ -d "/proc/$1" ]; }
ended() { ! runs "$1"; }
restarts() { agent status -o json | sed -n '/"supervisor"/,/}/s/.*"restarts":[[:space:]]*\([0-9]*\).*/\1/p'; }
restarts_are() { [ "$(restarts)" = "$1" ]; }
restored() { cmp -s "$W/original" /etc/resolv.conf && [ -z "$(routes)" ]; }

ASK_MS=50
export ASK_MS
ip link add t0 type veth peer name t1
ip addr add 172.30.0.1/24 dev t0
ip link set t0 up
ip link set t1 up
nodes server-0 172.30.0.2 10.42.0.0/24 True
kube_start ''
agent start --no-wait --timeout 10s
soon has_route 10.42.0.0/24
pid=$(value pid) super=$(supervisor_pid)

# ---- rights
is "$(proc "$pid" CapPrm) $(proc "$pid" CapEff) $(proc "$pid" CapInh)" "0000000000001400 0000000000001400 0000000000000000" \
	"the worker has NET_ADMIN and NET_BIND_SERVICE, and nothing else"
is "$(proc "$pid" CapBnd)" 0000000000001400 "nor can it get anything"
is "$(proc "$pid" NoNewPrivs)" 1 "no new privileges"
if grep -q "seccomp\": true" <"$(agent status -o json >"$W/out"; echo "$W/out")"; then
	is "$(proc "$pid" Seccomp)" 2 "a list of system calls"
else
	ok 0 "a list of system calls # SKIP not under sanitizers"
fi
case $(cat /proc/self/uid_map) in
*4294967295*) is "$(proc "$pid" Uid | cut -f1)" 53053 "a user of its own" ;;
*) is "$(proc "$pid" Uid | cut -f1)" 0 "in this user namespace there is no other user" ;;
esac
[ "$(proc "$super" VmRSS | tr -dc 0-9)" -lt 20000 ]; r=$?; got=$(proc "$super" VmRSS)
ok $r "the supervisor is small"

# ---- the worker dies
kill -9 "$pid"
start=$(now_ms)
soon answers
took=$(($(now_ms) - start)); got="$took ms"; [ $took -lt 1000 ] && is_ours
ok $? "killed, the worker is back at once; resolv.conf was ours all the time"
has_route 10.42.0.0/24
ok $? "and so were the routes"
soon restarts_are 1
is "$(restarts) $(supervisor_pid)" "1 $super" "the same supervisor has counted it"
says 'killed by signal 9'
ok $? "status says how the last one ended"
files=$(find "/proc/$super/fd" -type l 2>/dev/null | wc -l)
for i in 2 3 4; do
	kill -9 "$(value pid)"
	soon restarts_are $i
done
is "$(find "/proc/$super/fd" -type l 2>/dev/null | wc -l)" "$files" "restarts leak no descriptor"

# ---- the supervisor dies
pid=$(value pid)
kill -9 "$super"
soon ended "$pid"
soon restored; got=$(cat /etc/resolv.conf; routes)
restored && ended "$pid"
ok $? "without its supervisor the worker ends in order: all is as it was"
agent start --no-wait --timeout 10s
soon has_route 10.42.0.0/24
agent_kill
soon ended "$(supervisor_pid)"
is_ours && has_route 10.42.0.0/24
ok $? "both killed: routes and resolv.conf stay"
agent start --no-wait --timeout 10s
soon answers
ok $? "the next start goes on with them"

# ---- it hangs
pid=$(value pid)
kill -STOP "$pid"
start=$(now_ms)
until ended "$pid" || [ $(($(now_ms) - start)) -gt 20000 ]; do sleep 0.2; done
soon answers
took=$(($(now_ms) - start)); got="$took ms"; answers && [ $took -lt 16000 ]
ok $? "hanging, it is killed and replaced within 15 s"

# ---- a credential that only root may read, as after a new `up`
cp "$W/kubeconfig" "$W/new"
chmod 600 "$W/new"
mv "$W/new" "$W/kubeconfig"
sleep 2.5
soon says 'API server connected'
r=$?; got=$(agent status)
ok $r "a credential that only root may read is followed"
[ "$(proc "$(value pid)" Uid | cut -f1)" = 0 ] || says 'restarts   .* exit code 75'
ok $? "by a new worker"

# ---- a credential in a folder that only root may enter
mkdir -m 700 "$W/secret"
cp "$W/kubeconfig" "$W/secret/kubeconfig"
sed -i "s|\"kubeconfig\":\"[^\"]*\"|\"kubeconfig\":\"$W/secret/kubeconfig\"|" "$W/agent.json"
agent start --no-wait --timeout 10s
sleep 4.5
is "$(restarts)" 0 "a credential in a folder that only root may enter is not taken for a new one"
mv "$W/secret/kubeconfig" "$W/secret/away"
soon restarts_are 1; says 'No such file' && sleep 2.5
is "$(restarts)" 1 "gone, it is missed once"
mv "$W/secret/away" "$W/secret/kubeconfig"
soon restarts_are 2; soon says 'API server connected'
r=$?; got=$(agent status)
ok $r "and followed when it is there again"

# ---- asked to end
agent stop --timeout 10s
r=$?; restored
is "$r $?" "0 0" "stop: all is as it was"
agent start --no-wait --timeout 10s || tail -5 "$W/agent.log" | sed 's/^/# /'
kill "$(supervisor_pid)"
soon restored
ok $? "SIGTERM to the supervisor as well"
agent start --no-wait --timeout 10s || tail -5 "$W/agent.log" | sed 's/^/# /'
kill "$(value pid)"
soon restored
ok $? "and SIGTERM to the worker"
agent undo
done_testing
