#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Who asks the original DNS server is answered by the agent while it lives, and by the server at once when it does not.
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/lib.sh"

ASK_MS=100
export ASK_MS
old() { "$FAKES" ask 127.0.0.99 "$@" 2>&1; }
code() { old "$@" | cut -d' ' -f1; }
who() { # who answers at the old server's address: only the agent knows localhost
	case $(old localhost A "$@" | cut -d' ' -f4) in 127.0.0.1) echo agent ;; 198.51.100.7) echo server ;; *) echo nobody ;; esac
}
who_is() { [ "$(who)" = "$1" ]; }

"$FAKES" dns 127.0.0.99:53 198.51.100.7 >"$W/upstream.out" &
soon grep -q ready "$W/upstream.out"
: >"$W/kube/nodes"
kube_start '"stale":1,'
is "$(who)" server "before, the server answers"

agent start --no-wait --timeout 5s
if says 'redirect   none'; then
	reason=$(agent status | sed -n 's/redirect   none: //p')
	[ "${MUST_WORK:-}" = 1 ] && { echo "not ok $((count + 1)) - a redirect: $reason"; echo "1..$((count + 1))"; exit 1; }
	echo "1..$count # SKIP no redirect here: $reason"
	agent stop
	exit 0
fi
is "$(who)" agent "the agent runs: it answers at the old server's address"
is "$(who tcp)" agent "over TCP as well"
is "$(old example A | cut -d' ' -f4)" 198.51.100.7 "its own questions reach the server"
is "$(value asked)" 1 "without a loop"
says 'redirect   127.0.0.99 to 127.0.53.1'
ok $? "status shows it"

# ---- other programs
if command -v nft >/dev/null; then
	nft flush ruleset 2>/dev/null
	soon who_is agent
	is "$(who)" agent "another program's flush of all rules does not remove it for long"
	nft add rule inet firestream-dns redirect accept 2>/dev/null
	[ $? != 0 ]
	ok $? "nobody else can change it"
fi
printf 'nameserver 127.0.0.98\nnameserver 127.0.0.99\n' >/etc/resolv.conf
two() { says 'redirect   127.0.0.98 to 127.0.53.1' && says 'redirect   127.0.0.99 to 127.0.53.2'; }
soon two; got=$(agent status)
two
ok $? "other servers in resolv.conf are followed"
is "$(who)" agent "and the second one is answered"
cp "$W/original" /etc/resolv.conf
one() { ! says '127.0.0.98'; }
soon one
is "$(who)" agent "back again"

# ---- death
start=$(now_ms)
agent_kill
soon who_is server
took=$(($(now_ms) - start)); got="$took ms"; [ $took -lt 500 ] && who_is server
ok $? "killed: the server answers at once, but for a question that was asked that very moment"
agent start --no-wait --timeout 5s
is "$(who)" agent "started again: the agent"
agent stop
is "$(who)" server "stopped: the server"
cmp -s "$W/original" /etc/resolv.conf
ok $? "and resolv.conf is as it was"

# ---- it hangs
agent start --no-wait --timeout 5s
pid=$(value pid)
kill -STOP "$pid"
start=$(now_ms)
until who_is server || [ $(($(now_ms) - start)) -gt 8000 ]; do sleep 0.1; done
took=$(($(now_ms) - start)); got="$took ms"; who_is server
ok $? "hanging: the server answers after a while"
kill -CONT "$pid"
soon who_is agent
is "$(who)" agent "going on: the agent again"
agent undo
is "$(who)" server "undone: the server"

# ---- Docker's own resolver, as the engine sets it up: DNAT of 127.0.0.11 to a port of its own
for back in iptables-nft iptables-legacy; do
	if ! command -v $back >/dev/null || ! $back -t nat -L OUTPUT >/dev/null 2>&1; then
		[ "${MUST_WORK:-}" = 1 ] && [ $back = iptables-nft ]
		[ $? != 0 ]
		ok $? "Docker's rules by $back # SKIP it does not work here"
		continue
	fi
	"$FAKES" dns 127.0.0.11:40053 198.51.100.11 >"$W/docker.out" &
	docker_pid=$!
	soon grep -q ready "$W/docker.out"
	for proto in udp tcp; do
		$back -t nat -A OUTPUT -d 127.0.0.11/32 -p $proto --dport 53 -j DNAT --to-destination 127.0.0.11:40053
		$back -t nat -A POSTROUTING -s 127.0.0.11/32 -p $proto --sport 40053 -j SNAT --to-source :53
	done
	printf 'nameserver 127.0.0.11\noptions ndots:0\n' >/etc/resolv.conf
	docker() { "$FAKES" ask 127.0.0.11 "$@" 2>&1 | cut -d' ' -f4; }
	is "$(docker localhost A)" 198.51.100.11 "$back: Docker's resolver answers"
	before=$($back -t nat -S)
	agent start --no-wait --timeout 5s
	is "$(docker localhost A) $(docker localhost A tcp)" "127.0.0.1 127.0.0.1" "$back: the agent answers at its address"
	is "$(docker example A)" 198.51.100.11 "$back: and asks it"
	is "$($back -t nat -S)" "$before" "$back: Docker's rules are as they were"
	agent_kill
	docker_again() { [ "$(docker localhost A)" = 198.51.100.11 ]; }
	soon docker_again
	is "$(docker localhost A)" 198.51.100.11 "$back: killed: Docker's resolver again"
	agent undo
	$back -t nat -F OUTPUT
	$back -t nat -F POSTROUTING
	kill $docker_pid
	wait $docker_pid 2>/dev/null
	cp "$W/original" /etc/resolv.conf
done
is "$(nft list tables 2>/dev/null | grep -c firestream)" 0 "no table of ours is left"
done_testing
