#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A cluster that is there already: `up` makes none, and its dev container has the cluster's names and addresses all the same, carried
# through the API server. The dev container's network is not the nodes': no route leads there.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
OTHER=$WORK-other
other() { (cd "$OTHER" && "$OTHER/bootstrap" "$@"); }
inside() { other exec "$@" </dev/null; }
sock=${DOCKER_HOST:-unix:///var/run/docker.sock}
sock=${sock#unix://}
name=e2e-there-$$
clean() {
	other down --purge --headless >/dev/null 2>&1 </dev/null
	"$BOOTSTRAP" cluster delete $name --headless >/dev/null 2>&1 </dev/null
	rm -rf "$OTHER"
}
trap clean EXIT

# ---- the cluster of somebody else, at an address of this machine
git clone -q "$WORK" "$OTHER"
cp -a "$WORK/build" "$OTHER/build"
echo '{ "cluster": { "api": { "host": "0.0.0.0" } } }' >"$E2E/there.json"
try "a cluster is there" "$BOOTSTRAP" cluster create $name --config "$E2E/there.json" --headless
bridge=$(curl -s --unix-socket "$sock" http://engine/networks/bridge | jq -r '.Options["com.docker.network.bridge.name"]')
host=$(ip -4 -o addr show "$bridge" | awk '{ sub("/.*", "", $4); print $4; exit }')
sed "s|server: \"*https://127.0.0.1:\([0-9]*\)\"*|server: https://$host:\1\n      tls-server-name: 127.0.0.1|" \
	"$XDG_STATE_HOME/firestream/cluster-$name/kubeconfig" >"$OTHER/there.yaml"
echo '{ "cluster": { "kubeconfig": "there.yaml" }, "services": [] }' >"$OTHER/firestream.json"
before=$(engine_objects | grep -v " /\{0,1\}$(basename "$OTHER")")

# ---- up
try "up takes it as it is" other up --yes --headless
is "$(engine_objects | grep -v " /\{0,1\}$(basename "$OTHER")")" "$before" "nothing is made but a dev container"
like "$(other status)" '^cluster +external +https://' "the status says whose it is"
like "$(other status)" '^agent +ready' "the agent is ready"
is "$(inside dig +short kube-dns.kube-system.svc.cluster.local)" 10.43.0.10 "a name has the address that it has in the cluster"
like "$(inside curl -s -m 5 http://kube-dns.kube-system:9153/metrics)" coredns_build_info "which answers"
is "$(inside dig +tcp +short @10.43.0.10 kube-dns.kube-system.svc.cluster.local)" 10.43.0.10 "CoreDNS itself, too, over TCP"
pod=$(inside dig +short kube-dns.kube-system.svc.cluster.local SRV | awk 'NR == 1 { print $4 }')
like "$(inside dig +short "$pod" A)" '^10\.' "SRV leads on"
try "it can be pinged" inside ping -c 1 -W 2 kube-dns.kube-system
like "$(inside sh -c 'curl -s -m 5 http://10.43.0.99/ || echo $?')" '^7$' "an address that nobody has is refused"
try "a second up changes nothing" other up --yes --headless
like "$(cat "$E2E/try.out")" 'agent unchanged' "as it says"
try "down removes the dev container" other down --headless
like "$(curl -s --unix-socket "$sock" "http://engine/containers/k3d-$name-server-0/json" | jq -r .State.Status)" running "and nothing of the cluster"
finish
