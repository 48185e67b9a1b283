#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# An agent node more, and one less: followed by the cluster, and by the routes of the dev container.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
routes() { exec_in ip route show proto 98 | grep -c '^10\.42\.'; }
node_ready() { exec_in kubectl get nodes --no-headers | grep -c ' Ready '; }

cat >"$E2E/agents.json" <<'CONFIG'
{ "cluster": { "agents": 1 }, "services": [ { "service_name": "web", "build": "web", "ports": [80], "ui": true, "replicaCount": 3 } ] }
CONFIG
try "up with an agent node and three replicas" bs up "$E2E/agents.json" --yes --headless
is "$(node_ready)" 2 "two nodes are Ready"
is "$(routes)" 2 "each node's pod network has its route"
far=$(exec_in kubectl get pods -l app.kubernetes.io/name=web -o 'jsonpath={range .items[*]}{.spec.nodeName} {.status.podIP}{"\n"}{end}' |
	sed -n 's/.*agent-0 //p' | head -n 1)
if [ -n "$far" ]; then
	try "a pod on the agent node answers ping" exec_in ping -c 1 -W 3 "$far"
	is "$(exec_in curl -s -o /dev/null -w '%{http_code}' "http://$far")" 200 "and HTTP, at its own address"
else
	ok 1 "a pod runs on the agent node"
fi
try "up without it" bs up --yes --headless
is "$(node_ready)" 1 "one node is left"
sleep 1
is "$(routes)" 1 "and one route"
is "$(exec_in curl -s -o /dev/null -w '%{http_code}' http://web)" 200 "the service answers"
finish
