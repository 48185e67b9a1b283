#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What CoreDNS has beyond Services (k3s's NodeHosts and coredns-custom) resolves in the dev container as in a pod, and no longer once
# it is removed; names outside and those known from memory go on while CoreDNS is exchanged.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
kubectl() { exec_in kubectl "$@"; }
restart_coredns() { # instead of a minute for the kubelet and CoreDNS to notice
	kubectl rollout restart deployment/coredns -n kube-system >/dev/null &&
		kubectl rollout status deployment/coredns -n kube-system --timeout=60s >/dev/null
}
# the address that a program in the dev container gets
address() { exec_in getent ahostsv4 "$1" </dev/null | sed -n '1s/ .*//p'; }

hosts=$(kubectl get configmap coredns -n kube-system -o json | jq -r .data.NodeHosts)
node_hosts() { jq -n --arg hosts "$1" '{data: {NodeHosts: $hosts}}' | kubectl patch configmap coredns -n kube-system --type merge --patch-file /dev/stdin >/dev/null; }
node_hosts "$hosts
10.9.9.1 db.corp.example
10.9.9.2 host.default.svc.cluster.local"
kubectl apply -f - >/dev/null <<'YAML'
apiVersion: v1
kind: ConfigMap
metadata: {name: coredns-custom, namespace: kube-system}
data:
  own.server: |
    own.example:53 {
      hosts {
        10.9.9.3 a.own.example
      }
    }
  more.override: |
    rewrite name exact alias.example web.default.svc.cluster.local
    rewrite name exact alias.default.svc.cluster.local kubernetes.default.svc.cluster.local
    template IN A magic.default.svc.cluster.local {
      answer "{{ .Name }} 60 IN A 10.9.9.4"
    }
    template IN A tmpl.example {
      answer "{{ .Name }} 60 IN A 10.9.9.5"
    }
YAML
restart_coredns
ok $? "CoreDNS takes zones, rewrites, templates and hosts of our own"

web=$(kubectl get service web -o 'jsonpath={.spec.clusterIP}')
while read -r name want; do
	is "$(address "$name")" "$want" "$name resolves"
done <<TABLE
db.corp.example 10.9.9.1
host.default.svc.cluster.local 10.9.9.2
host 10.9.9.2
a.own.example 10.9.9.3
alias.example $web
alias.default.svc.cluster.local 10.43.0.1
magic.default.svc.cluster.local 10.9.9.4
x.magic.default.svc.cluster.local 10.9.9.4
any.tmpl.example 10.9.9.5
web.default.svc.cluster.local $web
TABLE
{
	for name in db.corp.example host.default.svc.cluster.local a.own.example b.own.example own.example x.a.own.example alias.example \
		alias.default.svc.cluster.local magic.default.svc.cluster.local x.magic.default.svc.cluster.local tmpl.example any.tmpl.example \
		web.default.svc.cluster.local no-such.default.svc.cluster.local; do
		echo "$name A AAAA"
	done
} >"$E2E/questions"
exec_in sh -c 'cat >/tmp/compare && chmod 755 /tmp/compare' <"$BUILD_DIR/e2e/compare"
out=$(exec_in /tmp/compare 127.0.53.53 10.43.0.10 <"$E2E/questions" 2>&1)
ok $? "all of it as CoreDNS says it"
printf '%s\n' "$out"

node_hosts "$hosts"
kubectl delete configmap coredns-custom -n kube-system >/dev/null
restart_coredns
ok $? "CoreDNS takes it back"
for name in host.default.svc.cluster.local alias.default.svc.cluster.local magic.default.svc.cluster.local db.corp.example a.own.example; do
	is "$(address $name)" "" "$name is gone"
done
is "$(address web)" "$web" "and web is there"
finish
