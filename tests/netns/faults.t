#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What the world may do to the agent that no engine is needed for: an API server that is slow, talks garbage, never ends or sends too
# much, credentials that change, no descriptors, no room on the disk, and ten thousand services at once.
# shellcheck source=tests/netns/lib.sh
. "$(dirname "$0")/lib.sh"
ip link add t0 type veth peer name t1
ip addr add 172.30.0.1/24 dev t0
ip link set t0 up
ip link set t1 up
nodes server-0 172.30.0.2 10.42.0.0/24 True
"$FAKES" dns 127.0.0.99:53 198.51.100.7 >"$W/upstream.out" &

items() { # KIND: items from stdin become the list
	cat >"$W/new"
	mv "$W/new" "$W/kube/$1"
}
services() { # NAME ADDRESS…
	while [ $# -gt 0 ]; do
		printf '%s{"metadata":{"namespace":"default","name":"%s"},"spec":{"clusterIPs":["%s"],"ports":[{"port":80,"protocol":"TCP"}]}}' "$sep" "$1" "$2"
		sep=,
		shift 2
	done
}
fault() { printf '%s' "$1" >"$W/kube/fault"; }
address() { "$FAKES" ask 127.0.53.53 "$1" A 2>&1 | cut -d' ' -f4; }
is_at() { [ "$(address "$1.default.svc.cluster.local")" = "$2" ]; }
outside() { [ "$(address "$1.example")" = 198.51.100.7 ]; }
said() { agent status | grep -q "^error .*$1"; }
resident_kb() { sed -n 's/^VmRSS:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$pid/status"; }
ticks() { sed 's/.*) //' "/proc/$pid/stat" | awk '{ print $12 + $13 }'; }

printf '{"metadata":{"name":"default"}}' | items namespaces
sep='' && services web 10.43.1.1 | items services
printf old >"$W/token"
kube_start ''
sed -i "s|\"token\":\"t\"|\"tokenFile\":\"$W/token\"|" "$W/kubeconfig"
agent start --no-wait --timeout 10s
soon is_at web 10.43.1.1
ok $? "a service is known"
pid=$(value pid)

slack=1 # for memory and time
[ "$(nm "$AGENT" 2>/dev/null | grep -c ' __asan_init')" = 0 ] || slack=10

# ---- the API server misbehaves; what was known goes on, what is new comes once it behaves
last=1
for kind in garbage endless slow; do
	last=$((last + 1))
	fault $kind
	sep='' && services web 10.43.1.$last | items services
	[ $kind = slow ] || sleep 0.5
	is "$(address web.default.svc.cluster.local)" 10.43.1.$((last - 1)) "an API server with $kind lists: what was known is answered"
	before=$(ticks)
	start=$(now_ms)
	outside "a-$kind"
	r=$? took=$(($(now_ms) - start)) got="$took ms"
	[ $r = 0 ] && [ $took -lt 500 ]
	ok $? "and names outside, at once"
	sleep 1
	got="$(($(ticks) - before)) ticks in 1 s"
	[ $(($(ticks) - before)) -lt 50 ]
	ok $? "without burning a processor"
	rm "$W/kube/fault"
	soon is_at web 10.43.1.$last || soon is_at web 10.43.1.$last || soon is_at web 10.43.1.$last
	ok $? "once it behaves, what is new is known"
done
fault token
touch "$W/kube/services"
soon said Unauthorized || soon said Unauthorized	# the pause before the next try has grown up to 6 s
ok $? "a token that is not taken any more is said"
is "$(address web.default.svc.cluster.local)" 10.43.1.$last "and what was known goes on"
printf new >"$W/token"
sep='' && services web 10.43.1.9 | items services
soon is_at web 10.43.1.9 || soon is_at web 10.43.1.9
ok $? "a new one is used"
rm "$W/kube/fault"

# ---- objects of ten megabytes
before=$(resident_kb)
{
	printf '{"metadata":{"namespace":"default","name":"fat","annotations":{"x":"'
	head -c 10000000 /dev/zero | tr '\0' x
	printf '"}},"spec":{"clusterIPs":["10.43.2.1"],"ports":[{"port":80}]}},'
	sep='' && services web 10.43.1.10
} | items services
soon is_at fat 10.43.2.1 || soon is_at fat 10.43.2.1
ok $? "an object of 10 MB is read"
is_at web 10.43.1.10
ok $? "with those beside it"
sep='' && services web 10.43.1.11 | items services
soon is_at web 10.43.1.11
got="$before kB before, $(resident_kb) kB after"
[ "$(resident_kb)" -lt $((before + 8000 * slack)) ]
ok $? "and what it took is given back"

# ---- no descriptors
prlimit --pid "$pid" --nofile=8:4096
before=$(ticks)
touch "$W/kube/services"
is_at web 10.43.1.11
ok $? "without a descriptor more, what is known is answered"
sleep 1
prlimit --pid "$pid" --nofile=1024:4096
sep='' && services web 10.43.1.12 | items services
soon is_at web 10.43.1.12 || soon is_at web 10.43.1.12
ok $? "with descriptors again, what is new is known"
got="$(($(ticks) - before)) ticks"
[ $(($(ticks) - before)) -lt 100 ]
ok $? "it did not spin meanwhile"
is "$(grep -c 'has ended' "$W/agent.log")" 0 "nor did it end"

# ---- ten thousand services, forty thousand endpoints, at once
awk 'BEGIN { for (i = 0; i < 10000; i++) printf "%s{\"metadata\":{\"namespace\":\"default\",\"name\":\"s%d\"},\"spec\":{\"clusterIPs\":[\"10.43.%d.%d\"],\"ports\":[{\"name\":\"http\",\"port\":80,\"protocol\":\"TCP\"}]}}", i ? "," : "", i, 100 + i / 250, i % 250 }' | items services
awk 'BEGIN { for (i = 0; i < 10000; i++) { printf "%s{\"metadata\":{\"namespace\":\"default\",\"name\":\"s%d-x\",\"labels\":{\"kubernetes.io/service-name\":\"s%d\"}},\"ports\":[{\"name\":\"http\",\"port\":80,\"protocol\":\"TCP\"}],\"endpoints\":[", i ? "," : "", i, i; for (k = 0; k < 4; k++) printf "%s{\"addresses\":[\"10.42.%d.%d\"],\"conditions\":{\"ready\":true}}", k ? "," : "", i % 250, (i / 250 + k * 60) % 250; printf "]}" } }' | items endpointslices
start=$(now_ms) worst=0
until is_at s9999 10.43.139.249 || [ $(($(now_ms) - start)) -gt 20000 ]; do
	at=$(now_ms)
	outside "m-$at"
	took=$(($(now_ms) - at))
	[ $took -le $worst ] || worst=$took
done
took=$(($(now_ms) - start)) got="$took ms, $(resident_kb) kB"
[ $took -lt 20000 ]
ok $? "10,000 services with 40,000 endpoints are known ($took ms; slowest answer meanwhile $worst ms)"
[ $worst -lt $((1000 * slack)) ]
ok $? "and names outside were answered all the time"
got="$(resident_kb) kB"
[ "$(resident_kb)" -lt $((60000 * slack)) ]
ok $? "in bounded memory ($got)"
agent stop

# ---- no room on the disk where resolv.conf is
umount /etc/resolv.conf
mkdir "$W/full"
mount -t tmpfs -o size=4k,nr_inodes=4 tmpfs "$W/full"
cp "$W/original" "$W/full/resolv.conf"
mount --bind "$W/full/resolv.conf" /etc/resolv.conf
head -c 65536 /dev/zero >"$W/full/rest" 2>/dev/null
agent start --no-wait --timeout 10s 2>"$W/out"
got=$(cat "$W/out" /etc/resolv.conf)
cmp -s "$W/original" /etc/resolv.conf || grep -q '^nameserver 127.0.53.53' /etc/resolv.conf
ok $? "on a full disk resolv.conf is either the original or ours, never half of it"
outside x
ok $? "and names are answered"
agent undo
cmp -s "$W/original" /etc/resolv.conf
ok $? "undo leaves the original"
done_testing
