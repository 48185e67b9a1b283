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
follow() { "$FAKES" follow 127.0.0.99 localhost "$1" >"$W/follow" 2>&1 & following=$!; sleep 0.1; } # a socket that is connected already
followed() { # followed MILLISECONDS SENTENCE: it got the awaited answer, and was not without any for longer
	wait $following
	got="$(cat "$W/follow") ms"
	echo "# $got"
	[ "$(cat "$W/follow")" -le "$1" ] 2>/dev/null
	ok $? "$2"
}

"$FAKES" dns 127.0.0.99:53 198.51.100.7 >"$W/upstream.out" &
soon grep -q ready "$W/upstream.out"
: >"$W/kube/nodes"
kube_start '"stale":1,'
is "$(who)" server "before, the server answers"

follow 127.0.0.1
agent start --no-wait --timeout 5s
if says 'redirect   none'; then
	reason=$(agent status | sed -n 's/redirect   none: //p')
	[ "${MUST_WORK:-}" = 1 ] && { echo "not ok $((count + 1)) - a redirect: $reason"; echo "1..$((count + 1))"; exit 1; }
	echo "1..$count # SKIP no redirect here: $reason"
	agent stop
	exit 0
fi
followed 50 "the agent starts: it answers a socket that was connected to the old server"
is "$(who)" agent "and who asks anew"
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
follow 198.51.100.7
agent_kill
followed 100 "killed: the server answers at once, on the connected socket"
is "$(who) $(who tcp)" "server server" "and who asks anew, over TCP as well"
is_away() { ! agent status; }
soon is_away # its other sockets go a little later
agent start --no-wait --timeout 5s
is "$(who)" agent "started again: the agent"
follow 198.51.100.7
agent stop
followed 50 "stopped: the server answers the connected socket"
is "$(who)" server "stopped: the server"
cmp -s "$W/original" /etc/resolv.conf
ok $? "and resolv.conf is as it was"

# ---- it hangs
agent start --no-wait --timeout 5s
pid=$(value pid)
follow 198.51.100.7
kill -STOP "$pid"
followed 4000 "hanging: the server answers within 4 s"
follow 127.0.0.1
kill -CONT "$pid"
followed 50 "going on: the agent answers the connected socket"
is "$(who)" agent "going on: the agent again"
agent undo
is "$(who)" server "undone: the server"

# ---- servers elsewhere, which need not be there
ip link add far0 type veth peer name far1 2>/dev/null && ip link set far1 up
if ip addr add 192.0.2.1/24 dev far0 && ip -6 addr add fd53::1/64 dev far0 nodad && ip link set far0 up; then
	printf 'nameserver 192.0.2.53\nnameserver fd53::53\nnameserver ::1\n' >/etc/resolv.conf
	agent start --no-wait --timeout 5s
	for server in 192.0.2.53 fd53::53 ::1; do
		for proto in "" tcp; do
			is "$("$FAKES" ask $server localhost A $proto 2>&1 | cut -d' ' -f4)" 127.0.0.1 "at the address of $server the agent answers ${proto:-udp}"
		done
	done
	agent stop
else
	ok 0 "servers elsewhere # SKIP no pair of links, or no IPv6, here"
fi
printf 'nameserver 127.0.53.1\nnameserver 127.0.0.99\n' >/etc/resolv.conf
agent start --no-wait --timeout 5s
is "$(old example A | cut -d' ' -f4)" 198.51.100.7 "a listener of ours in resolv.conf is no server"
says '127.0.53.1:53  healthy'
[ $? = 1 ]
ok $? "and not asked"
agent stop
cp "$W/original" /etc/resolv.conf

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
nothing_left() { ! nft list tables 2>/dev/null | grep firestream; }
soon nothing_left; got=$(nft list tables 2>&1); nothing_left
ok $? "no table of ours is left"
done_testing
