#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# bootstrap forward against a fake API server: addresses, names, ports, what is carried and said, with loopback and hosts file of its own.
# shellcheck source=tests/netns/lib.sh
. "${0%/*}/lib.sh"

FORWARD=$BUILD_DIR/bootstrap
FIRESTREAM_ROOT=$PWD XDG_STATE_HOME=$W/state HOME=$W
KUBECONFIG=$W/kubeconfig
export FIRESTREAM_ROOT XDG_STATE_HOME HOME KUBECONFIG
cd "$W" || exit 1

service() { # service NAMESPACE NAME PORT[,PORT] [KEYS-OF-SPEC]
	printf '{"metadata":{"namespace":"%s","name":"%s","labels":{"app":"%s"}},"spec":{%s"selector":{"app":"%s"},"ports":[' "$1" "$2" "$2" "${4:-\"clusterIP\":\"10.43.0.1\",}" "$2"
	printf '{"port":%s,"protocol":"TCP"}' "$(printf %s "$3" | sed 's/,/,"protocol":"TCP"},{"port":/g')"
	printf ']}}'
}
slice() { # slice NAMESPACE SERVICE PORT POD…
	printf '{"metadata":{"namespace":"%s","name":"%s-x","labels":{"kubernetes.io/service-name":"%s"}},"addressType":"IPv4","ports":[{"port":%s,"protocol":"TCP"}],"endpoints":[' \
		"$1" "$2" "$2" "$3"
	shift 3
	sep=
	for pod; do
		printf '%s{"addresses":["10.42.0.%s"],"hostname":"%s","conditions":{"ready":true},"targetRef":{"kind":"Pod","name":"%s"}}' "$sep" "${#sep}" "$pod" "$pod"
		sep=,$sep
	done
	printf ']}'
}
forward() { # forward LOG OPTION…: in the background, until it says that it is ready
	log=$W/$1
	shift
	# shellcheck disable=SC2094 # its own output is looked at
	"$FORWARD" forward "$@" >"$log" 2>&1 &
	forward_pid=$!
	soon grep -q 'Ctrl-C ends it\|"type":"ready"' "$log"
}
end() { # end [SIGNAL] [PID]
	kill "-${1:-TERM}" "${2:-$forward_pid}"
	wait "${2:-$forward_pid}"
}
address() { sed -n "s/^\([0-9.]*\) \(.* \)\{0,1\}$1\( .*\)\{0,1\}\$/\1/p" "${2:-/etc/hosts}" | head -n 1; }
connects() { [ "$("$FAKES" connect "$1" "$2")" = connected ]; }
refuses() { [ "$("$FAKES" connect "$1" "$2")" = refused ]; }
has_name() { [ -n "$(address "$1")" ]; }
has_no_name() { ! has_name "$1"; }
blocks() { grep -c 'firestream forward begin' /etc/hosts; }
refusal() { # refusal CODE SENTENCE OPTION…: wrong use
	want=$1 sentence=$2
	shift 2
	timeout 10 "$FORWARD" forward "$@" >"$W/out" 2>&1
	code=$?
	got=$(cat "$W/out")
	[ "$code" = "$want" ] && grep -q "$sentence" "$W/out" && [ "$(wc -l <"$W/out")" = 1 ]
	ok $? "$sentence"
}

# ---- the world
printf '127.0.0.1 localhost\n10.9.9.9 taken' >"$W/hosts"
chmod 644 "$W/hosts"
cp "$W/hosts" "$W/hosts.original"
mount --bind "$W/hosts" /etc/hosts
refusal 3 "there is no kubeconfig $W/kubeconfig"
objects namespaces "$(namespace default)" "$(namespace prod)"
objects services "$(service default web 80,8080)" "$(service default db 5432 '"clusterIP":"None",')" "$(service default taken 80)" \
	"$(service prod api 9000)" "$(service prod ext 80 '"type":"ExternalName","externalName":"example.com",')"
objects endpointslices "$(slice default web 80 web-a web-b)" "$(slice default db 5432 db-0 db-1)" "$(slice default taken 80 t)" "$(slice prod api 9000 api-a)"
api_start

# ---- addresses, ports, names, in a hosts file that cannot be replaced
forward 1.log
web=$(address web)
got=$(cat "$W/1.log" /etc/hosts); [ -n "$web" ] && [ "$web" = "$(address web.default)" ] && [ "$web" = "$(address web.default.svc)" ] && [ "$web" = "$(address web.default.svc.cluster.local)" ]
ok $? "a service has an address and four names"
connects "$web" 80 && connects "$web" 8080 && refuses "$web" 81
ok $? "it listens there at its own ports"
[ "$(address db-0.db)" != "$(address db-1.db)" ] && connects "$(address db-0.db.default.svc)" 5432 && connects "$(address db-1.db)" 5432
ok $? "each pod of a headless service has its own"
is "$(grep -c ' db ' /etc/hosts)" 2 "and the service has those of its pods"
is "$(address taken) $(grep -c 'taken is in the hosts file already' "$W/1.log")" "10.9.9.9 1" "a name that is there already is left alone, which is said"
has_no_name api.prod
ok $? "other namespaces are not forwarded"

# ---- what changes
objects services "$(service default web 81)" "$(service default new 80)"
soon refuses "$web" 80; connects "$web" 81 && refuses "$web" 80
ok $? "an edited port is another one, at the same address"
soon has_name new; got=$(cat "$W/1.log"); connects "$(address new)" 80 && has_no_name db
ok $? "a new service appears, one that is gone goes"
grep -q ' new.default ' "$W/1.log" && grep -q 'default/db/db-0 gone' "$W/1.log"
ok $? "which a line says for each"
objects endpointslices "$(slice prod api 9000 api-a)"
soon grep -q 'web.default .* waiting' "$W/1.log"; has_name web && connects "$web" 81
ok $? "without a ready pod the name and the port stay"
printf '127.0.0.1 localhost\n' >/etc/hosts
soon has_name web
ok $? "names come back when another program has written the file"
printf '127.0.0.1 localhost\n10.9.9.9 taken' >/etc/hosts
soon has_name web
end INT; is "$?" 0 "an interrupt is its orderly end"
cmp -s "$W/hosts.original" /etc/hosts; is "$?" 0 "the hosts file is what it was, without a newline at its end"
refuses "$web" 81
ok $? "and nobody listens"

# ---- what is carried: port 19 says the name of its pod, 20001 sends 64 KiB; the service has it as port 80
asks() { curl -s --http0.9 --max-time 5 --noproxy '*' "http://$1" 2>/dev/null; }
says_only() { [ "$(for _ in 1 2 3 4; do asks "$1" && echo; done | sort -u | tr '\n' ' ')" = "$2" ]; }
if command -v curl >/dev/null; then
	objects services "$(service default web 80)" "$(service default db 19,20001 '"clusterIP":"None",')"
	objects endpointslices "$(slice default web 19 web-a web-b)" "$(slice default db '19,"protocol":"TCP"},{"port":20001' db-0 db-1)"
	forward 1b.log
	got=$(for _ in 1 2 3 4; do asks web:80; echo; done; cat "$W/1b.log"); says_only web.default.svc.cluster.local:80 "web-a web-b "
	ok $? "connections by name go to each pod in turn"
	is "$(asks db-1.db:19) $(asks db-0.db:20001 | wc -c)" "db-1 65536" "by a pod's name to that pod"
	objects endpointslices "$(slice default web 19 web-b)"
	soon says_only web:80 "web-b "; says_only web:80 "web-b "
	ok $? "and to no pod that has gone"
	end
fi

# ---- several instances, and dead ones
objects services "$(service default web 80)" "$(service prod web 80)" "$(service prod api 9000)"
objects endpointslices "$(slice default web 80 web-a)" "$(slice prod api 9000 api-a)"
forward 2.log -n default
first=$forward_pid again=$(address web)
is "$again" "$web" "the address is the same in every run"
forward 3.log -n prod
is "$(blocks)" 2 "two at once have a block each"
has_name web.default && has_name web.prod
ok $? "and their names"
end KILL >/dev/null 2>&1
is "$(blocks)" 2 "one that is killed leaves its block"
refuses "$(address web.prod)" 80
ok $? "where nobody listens"
forward 4.log -n prod
is "$(blocks)" 2 "which the next one takes out"
end
end TERM "$first"
cmp -s "$W/hosts.original" /etc/hosts; is "$?" 0 "after the last one all is as it was"
forward 5.log -n default
second=$forward_pid
forward 6.log -n default
[ "$(grep -c ' web.default ' /etc/hosts)" = 2 ] && [ "$(address web)" = "$web" ] && connects "$(grep ' web.default ' /etc/hosts | sed -n '2s/ .*//p')" 80
ok $? "the same service twice has two addresses"
end HUP
end HUP "$second"
umount /etc/hosts && mount --bind "$W/hosts.original" /etc/hosts
cmp -s "$W/hosts.original" "$W/hosts"; is "$?" 0 "a terminal that is closed ends it in order"

# ---- a hosts file that is replaced as a whole
mkdir "$W/dir" && cp "$W/hosts.original" "$W/dir/hosts" && cp "$W/hosts.original" "$W/dir/reader"
inode=$(stat -c %i "$W/dir/hosts")
forward 7.log --hosts-path "$W/dir/hosts" -n prod -n default
[ "$(stat -c %i "$W/dir/hosts")" != "$inode" ] && [ -n "$(address web.default "$W/dir/hosts")" ] && cmp -s "$W/hosts.original" /etc/hosts
ok $? "another hosts file is replaced as a whole"
is "$(address web "$W/dir/hosts")" "$(address web.prod "$W/dir/hosts")" "the first namespace has the bare names"
end

# ---- options
forward 8.log -A -l app=web -m 80:8000,api:9000:9001 -r web.prod=127.9.9.9 -d example.org
[ "$(address web.prod.svc.example.org)" = 127.9.9.9 ] && connects 127.9.9.9 8000 && has_no_name api.prod
ok $? "-A, -l, -m, -r, -d"
is "$(address web)" "$web" "with -A the context's own namespace has the bare names"
end
"$FORWARD" forward --list -A -r nothing=127.9.9.9 >"$W/list"; code=$? got=$(cat "$W/list")
is "$code $(grep -c '^web\|^api' "$W/list") $(blocks) $(grep -c 'there is no service nothing' "$W/list")" "0 3 0 1" "--list says what would be done, and does not do it"
got=$("$FORWARD" forward --list -o json -n prod | tr '\n' ' ')
case $got in *'"type":"forward","context":"c","namespace":"prod","service":"api","address":"127.'*'"ports":[{"port":9000,"listen":9000}],"names":["api","api.prod"'*) true ;; *) false ;; esac
ok $? "as JSON as well"
forward 9.log -o json -n prod
objects services "$(service prod api 9001)"
soon grep -q '"port":9001' "$W/9.log"; soon grep -q '"service":"web","state":"gone"' "$W/9.log"; got=$(cat "$W/9.log")
grep -q '"type":"ready","forwards":2,"refused":0,"hosts":"/etc/hosts"' "$W/9.log" && grep -q '"port":9001' "$W/9.log" && grep -q '"service":"web","state":"gone"' "$W/9.log"
ok $? "changes are JSON lines"
is "$(grep -vc '^{.*}$' "$W/9.log")" 0 "each line is an object"
end
if command -v script >/dev/null; then
	timeout -s TERM 2 script -qfc "stty rows 6 cols 60; '$FORWARD' forward -A" "$W/screen" </dev/null >/dev/null 2>&1
	soon cmp -s "$W/hosts.original" /etc/hosts
	got=$(cat -v "$W/screen"); tr -d '\r' <"$W/screen" | sed 's/\x1b\[[0-9;]*[A-Za-z]//g' | grep -q '^SERVICE *ADDRESS'
	ok $? "on a terminal there is a table"
fi

# ---- the API server goes
objects services "$(service default web 80)"
forward 10.log
kill $kube_pid; wait $kube_pid 2>/dev/null
soon grep -q 'web.default .* away' "$W/10.log"; got=$(cat "$W/10.log")
grep -q 'web.default .* away' "$W/10.log" && grep -q 'context c: ' "$W/10.log" && [ "$(address web)" = "$web" ]
ok $? "without the API server names stay"
from=$(now_ms); asks web:80 >/dev/null; got="$(($(now_ms) - from)) ms"; [ "${got% ms}" -lt 1000 ]
ok $? "and connections end at once"
port=$(sed -n 's/ready //p' "$W/kube.out")
end
refusal 1 "context c: cannot connect to http://127.0.0.1:$port"
api_start

# ---- whose kubeconfig
mkdir -p "$W/dev/.kube"
cp "$W/kubeconfig" "$W/dev/.kube/config"
printf 'root:x:0:0::/:/bin/sh\ndev:x:1234:1234::%s/dev:/bin/sh\n' "$W" >"$W/passwd"
mount --bind "$W/passwd" /etc/passwd
got=$(env -u KUBECONFIG SUDO_UID=1234 "$FORWARD" forward --list 2>&1)
case $got in *web.default*) true ;; *) false ;; esac
ok $? "under sudo it is that of who called"
umount /etc/passwd

# ---- mistakes
sed 's/"name":"c","context"/"name":"prod","context"/' "$W/kubeconfig" >"$W/other"
refusal 2 'the kubeconfig has no context "prd"; did you mean "prod"?' --kubeconfig "$W/other" -x prd
refusal 2 'the kubeconfig has no context "zzzzzz"; it has prod' --kubeconfig "$W/other" -x zzzzzz
refusal 2 'context c has no namespace "prd"; did you mean "prod"?' -n prd
refusal 2 'context c has no namespace "zzzzzzzz"$' -n zzzzzzzz
refusal 2 'map must be SRC:DST' -m 80
echo forbidden >"$W/kube/fault"
refusal 1 'cannot be listed in default: services is forbidden' -n default
refusal 1 'in all namespaces (name some with -n): services is forbidden' -A
echo slow >"$W/kube/fault"
refusal 4 'timed out waiting for the services of context c' -A --timeout 1s
rm "$W/kube/fault"

# ---- without root
if setpriv --help >/dev/null 2>&1 && [ "$(cat /proc/sys/net/ipv4/ip_unprivileged_port_start)" -gt 443 ]; then
	rm -rf "$W/state"; chmod 777 "$W"
	setpriv --bounding-set=-all --inh-caps=-all "$FORWARD" forward --hosts-path /proc/version >"$W/11.log" 2>&1 &
	forward_pid=$!
	soon grep -q 'Ctrl-C ends it' "$W/11.log"; got=$(cat "$W/11.log")
	grep -q '/proc/version cannot be written: there are no names (sudo makes them)' "$W/11.log" && grep -q "web.default $web 80>8080 ready" "$W/11.log" && connects "$web" 8080
	ok $? "low ports are high ones, and a sentence says that there are no names"
	end
fi
got=$(grep -l Sanitizer "$W"/*.log); [ -z "$got" ]
ok $? "no log has a finding of a sanitizer"
echo "1..$count"
[ $failed = 0 ]
