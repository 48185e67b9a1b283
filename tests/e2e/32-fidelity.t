#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The cluster's names from memory are what its CoreDNS says, to the last flag: every kind of object, every type, and a thousand
# names that do not exist (see compare.c).
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
agent=/opt/firestream/firestream-agent/agent
types="A AAAA SRV PTR TXT CNAME HTTPS ANY MX NS SOA NAPTR"
kubectl() { exec_in kubectl "$@"; }
counter() { exec_in --user 0 $agent status -o json | jq ".dns.$1"; }

# ---- the objects
image=$(kubectl get deployment web -o 'jsonpath={.spec.template.spec.containers[0].image}')
{
	sed "s|IMAGE|$image|" "$ROOT/tests/e2e/fidelity.yaml"
	# more addresses than a message holds
	printf -- '---\n{"apiVersion":"discovery.k8s.io/v1","kind":"EndpointSlice","addressType":"IPv4","ports":[{"name":"http","port":80}],'
	printf '"metadata":{"name":"big-1","namespace":"fid","labels":{"kubernetes.io/service-name":"big"}},"endpoints":['
	seq -f '{"addresses":["10.42.251.%.0f"]}' -s , 1 100
	printf ']}\n'
} >"$E2E/fidelity.yaml"
kubectl apply -f - <"$E2E/fidelity.yaml" >"$E2E/applied" 2>&1
is "$(grep -vE ' (created|unchanged|configured)$' "$E2E/applied")" "" "objects of every kind are taken by the cluster"
try "their pods are ready" kubectl wait -n fid --for=condition=Ready pod -l app!=never --timeout=60s
try "and what is never ready runs" kubectl wait -n fid --for=jsonpath='{.status.phase}'=Running pod -l app=never --timeout=60s
[ "$(kubectl get service dual -n fid -o 'jsonpath={.spec.ipFamilies[*]}')" = "IPv4 IPv6" ] || echo "# the cluster is single-stack: IPv6 is that of slices alone"

# ---- the questions
kubectl get services,endpointslices,pods,namespaces -A -o json >"$E2E/objects.json"
# Left out: reverse names of addresses outside of the cluster's networks, which are the engine's; and that of an endpoint of no
# service, of which CoreDNS makes a name that it cannot send.
positive() {
	jq -r '
		def dashes: gsub("[.:]"; "-") | if endswith("-") then . + "0" else . end;
		def reverse4: split(".") | reverse | join(".") + ".in-addr.arpa";
		.items[] | .metadata.namespace as $ns | .metadata.name as $name |
		if .kind == "Namespace" then "\($name).svc", "\($name).pod", "10-1-2-3.\($name).pod", "no-such.\($name).svc"
		elif .kind == "Service" then "\($name).\($ns).svc" as $full |
			$full, "no-such.\($full)", "_no-such._tcp.\($full)", "_tcp.\($full)",
			(.spec.ports // [] | .[] | "_\(.name)._\(.protocol | ascii_downcase).\($full)", "_\(.name)._sctp.\($full)",
				"\(.name // "x").\(.protocol | ascii_downcase).\($full)", "_x.\(.name // "x")._tcp.\($full)"),
			(.spec.clusterIPs // [] | .[] | select(. != "None" and contains(":") == false) | "\(dashes).\($ns).pod", "\(reverse4)." )
		elif .kind == "EndpointSlice" then (.metadata.labels["kubernetes.io/service-name"] // "none") as $service |
			.endpoints // [] | .[:8][] | (.hostname // empty | "\(.).\($service).\($ns).svc"), (.addresses[] |
				"\(dashes).\($service).\($ns).svc", "_http._tcp.\(dashes).\($service).\($ns).svc", "\(dashes).\($ns).pod",
				(select($service != "none" and startswith("10.4")) | "\(reverse4)."))
		else "\($name).\($ns).pod", "\(.spec.hostname // $name).\($ns).svc",
			(.status.podIPs[]?.ip | "\(dashes).\($ns).pod", "\(dashes).default.pod", "\(reverse4).") end |
		if endswith(".") then . else . + ".cluster.local" end' "$E2E/objects.json"
	printf '%s.cluster.local\n' svc pod dns ns.dns x.ns.dns dns-version x.dns-version 1.dns.svc hostmaster x.x.x.x.x.x.x
	# no NS, and no ns.dns, of a zone in upper case: CoreDNS does not find them
	printf '%s\n' cluster.local Named.FID.svc.CLUSTER.local _HTTP._TCP.named.fid.svc.cluster.local FID.SVC.cluster.local NS.dns.cluster.local \
		DNS-version.CLUSTER.local \
		251.250.43.10.in-addr.arpa x.0.0.42.10.in-addr.arpa
}
# What search lists make of names outside, and what people mistype.
negative() {
	for outside in example.com www.example.org a.b.c.example.net api github.com registry-1.docker.io localhost web.default x \
		a.very.long.name.with.many.labels.in.it xn--bcher-kva.example no-such kubernetes.default.svc web.default.svc \
		1.2.3.4 10.43.0.1 _ldap._tcp.dc._msdcs corp '*' '*.example.com' wpad isatap; do
		for zone in default.svc.cluster.local svc.cluster.local cluster.local fid.svc.cluster.local pod.cluster.local fid.pod.cluster.local; do
			echo "$outside.$zone"
		done
	done
	for label in '*' '\000' '\032' '\255' '\127' 'a\.b' 'na\.med' 'named\000' '\\' '-' '--' '_' '__' '_http' '@' 'a\032b' 'NAMED' 'nAmEd' '\195\164' 'named-' \
		'-named' 'any' 'none' '0' '1-2-3' '1-2-3-4-5' '256-1-1-1' '01-2-3-4' '1-2-3-4' '1--2' '--1' '---' '1-2--3-4' 'fe80--1' '--ffff-1-2-3-4' '1-2-3-x' \
		'2001-db8---1' '2001-db8--' '1-2-3-004' '١-2-3-4' '10_1_2_3' '%' "$(printf '%063d' 0)"; do
		for below in fid.svc named.fid.svc headless.fid.svc db.fid.svc _tcp.named.fid.svc _tcp.headless.fid.svc fid.pod no-such.svc no-such.pod svc pod \
			a.b.c.fid.svc x.fid.pod to-inside.fid.svc manual-headless.fid.svc '*.svc' dns svc.svc; do
			echo "$label.$below.cluster.local"
		done
	done
	seq -f 'no-such-%.0f.fid.svc.cluster.local' 1 60
	seq -f 'web.no-such-%.0f.svc.cluster.local' 1 60
}
{
	# what is no PTR there is asked of the engine's upstream: not of interest, and slow
	positive | sed 's/\.$//' | sort -u | sed "/\.arpa\$/s/\$/ PTR/; t; s/\$/ $types/"
	# shellcheck disable=SC2086 # a list of types
	negative | sort -u | awk -v list="$types" '{ n = split(list, t, " "); print $0, "A AAAA", t[3 + NR % (n - 2)] }'
} >"$E2E/questions"
names=$(wc -l <"$E2E/questions")
[ "$(negative | sort -u | wc -l)" -ge 1000 ]
ok $? "there are a thousand names that do not exist, among $names"

# ---- the answers
exec_in sh -c 'cat >/tmp/compare && chmod 755 /tmp/compare' <"$BUILD_DIR/e2e/compare"
memory=$(counter memory) queries=$(counter queries)
compare() { exec_in /tmp/compare 127.0.53.53 10.43.0.10 <"$E2E/questions"; }
out=$(compare 2>&1)
ok $? "each is answered as the cluster's CoreDNS answers it"
printf '%s\n' "$out"
memory=$(($(counter memory) - memory)) queries=$(($(counter queries) - queries))
[ $((memory * 10)) -ge $((queries * 9)) ]
ok $? "nine of ten from memory ($memory of $queries)"
kubectl delete -f - --wait=false <"$E2E/fidelity.yaml" >/dev/null 2>&1
finish
