#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Real resolvers in the dev container: glibc, musl, Go, Node, Python, Java, and the tools that ask by themselves. Each finds what is
# there, with the search list and without, learns what is not, and waits for nothing.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
root() { exec_in --user 0 "$@"; }
apt() { root env DEBIAN_FRONTEND=noninteractive apt-get -q "$@" </dev/null; }
packages="musl-tools golang-go nodejs python3-minimal openjdk-17-jre-headless bsh ldnsutils knot-dnsutils"

# ---- the clients
leave() {
	skip "real clients ask" "$1"
	finish
	exit
}
apt update >"$E2E/apt.log" 2>&1 || leave "no package mirror answers in the dev container"
root mkdir -p /usr/share/man/man1 # Java's package wants it
# shellcheck disable=SC2086 # a list of names
apt install -y --no-install-recommends $packages >"$E2E/apt.log" 2>&1 || leave "not all of $packages can be installed"
tar -C "$ROOT/tests/e2e/clients" -cf - . | root sh -c 'mkdir -p /tmp/clients && tar -C /tmp/clients -xf - && chmod -R go+rwX /tmp/clients'
build() {
	exec_in sh -c 'cd /tmp/clients && gcc -o glibc lookup.c && musl-gcc -static -o musl lookup.c && CGO_ENABLED=0 go build -o go lookup.go'
}
try "the clients compile" build

# ---- what they are asked
kubectl() { exec_in kubectl "$@" </dev/null; }
exec_in kubectl apply -f - >/dev/null <<'YAML'
apiVersion: v1
kind: Service
metadata: {name: web-headless}
spec: {clusterIP: None, selector: {app.kubernetes.io/name: web}, ports: [{port: 80}]}
YAML
web=$(kubectl get service web -o 'jsonpath={.spec.clusterIP}')
pod=$(kubectl get pods -l app.kubernetes.io/name=web -o 'jsonpath={.items[0].status.podIP}')
headless() { exec_in dig +short web-headless.default.svc.cluster.local </dev/null | grep -q .; }
n=0
until headless || [ $((n += 1)) -gt 50 ]; do :; done
outside=$(sed -n 's|^[^#]*https\{0,1\}://\([a-z0-9.-]*\)/.*|\1|p' /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null | head -n 1)

# NAME WANTED: an address, "none" or "some"
full=".default.svc.cluster.local"
searched="web:$web web.default:$web web.default.svc:$web no-such:none no-such.default:none"
absolute="web$full:$web web$full.:$web web.default.:$web web.default.svc.:$web web-headless$full:$pod no-such$full:none no.such.invalid:none"
[ -z "$outside" ] || absolute="$absolute $outside:some"

# WHO TABLE COMMAND…: names of the cluster within a second, others within four (the upstream's affair)
asks() {
	who=$1 table=$2
	shift 2
	names=
	for row in $table; do names="$names ${row%%:*}"; done
	# shellcheck disable=SC2086 # a list of names
	exec_in "$@" $names >"$E2E/answers" 2>"$E2E/try.out" </dev/null
	for row in $table; do
		name=${row%%:*} want=${row#*:}
		line=$(grep "^$name " "$E2E/answers" | head -n 1)
		got=${line#* } ms=${line##* }
		got=${got% *} limit=4000
		case $name in web* | *.cluster.local) limit=1000 ;; esac
		[ "$want" != some ] || case $got in '' | none) ;; *) want=$got ;; esac
		[ "$got" = "$want" ] && [ "${ms:-9999}" -le $limit ]
		ok $? "$who: $name is $want at once"
		[ "$got" = "$want" ] && [ "${ms:-9999}" -le $limit ] || { echo "#   got: $line"; sed 's/^/# /' "$E2E/try.out"; }
	done
}
asks glibc "$searched $absolute" /tmp/clients/glibc
asks "glibc without search list" "web.default:$web web.default.svc:$web $absolute" env LOCALDOMAIN=. RES_OPTIONS=ndots:1 /tmp/clients/glibc
asks musl "$searched $absolute" /tmp/clients/musl
asks Go "$searched $absolute" /tmp/clients/go
asks Python "$searched $absolute" python3 /tmp/clients/lookup.py
asks "Node, dns.lookup" "$searched $absolute" node /tmp/clients/lookup.js
asks "Node, dns.resolve4" "web.default:$web web.default.svc:$web $absolute" env FUNCTION=resolve4 node /tmp/clients/lookup.js
asks Java "$searched $absolute" bsh /tmp/clients/lookup.bsh

# ---- tools
for tool in "dig +short" "dig +short +tcp" "dig +short +noedns" "dig +short +bufsize=512" "drill -Q" "drill -Q -t" "kdig +short" "kdig +short +tcp" \
	"kdig +short +tcp +keepopen"; do
	# shellcheck disable=SC2086 # a command and its options
	is "$(exec_in $tool web$full A </dev/null)" "$web" "$tool has the address"
done
is "$(exec_in dig +short web$full A web-headless$full A </dev/null | tr '\n' ' ')" "$web $pod " "dig asks two at once"
kubectl delete service web-headless >/dev/null
finish
