#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The main job: one command, and what it promised answers.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

# An engine that does not run yet may hold things from before: it is started first, by the cheapest command that does.
if [ -z "$(engine_objects)" ]; then
	try "a cluster alone starts the engine, where none ran" bs cluster create "${WORK##*/}-first" --yes --headless
	bs cluster delete "${WORK##*/}-first" --headless >/dev/null 2>&1
fi
engine_objects >"$E2E/before"

start=$(now_ms)
try "up brings it all up" bs up --yes --headless || { finish; exit 1; }
echo "# up took $((($(now_ms) - start) / 1000)) s"
grep -E '127\.0\.0\.1:[0-9]+' "$E2E/try.out" >"$E2E/urls"

is "$(exec_in curl -s -o /dev/null -w '%{http_code}' http://web.default.svc.cluster.local)" 200 "a service answers by its full name in the dev container"
is "$(exec_in curl -s -o /dev/null -w '%{http_code}' http://web)" 200 "a service answers by its bare name"
is "$(exec_in curl -s -o /dev/null -w '%{http_code}' http://web.default)" 200 "a service answers by name and namespace"
page=$(exec_in curl -s http://web)
like "$page" 'web-' "the page says which pod it is"
like "$(exec_in dig +short +tcp web.default.svc.cluster.local)" '^10\.43\.' "the name resolves over TCP too"

pod=$(exec_in kubectl get pods -l app.kubernetes.io/name=web -o 'jsonpath={.items[0].status.podIP}' | tr . -)
try "a pod answers ping by its name" exec_in ping -c 1 -W 3 "$pod.default.pod.cluster.local"
outside=$(sed -n 's|^[^#]*https\{0,1\}://\([a-z0-9.-]*\)/.*|\1|p' /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null | head -n 1)
if [ -n "$outside" ] && getent hosts "$outside" >/dev/null; then
	try "an external name still resolves" exec_in getent hosts "$outside"
else
	skip "an external name still resolves" "this machine resolves none"
fi
is "$(exec_in dig +noall +comments nothing.default.svc.cluster.local | grep -c NXDOMAIN)" 1 "a name that is not there is NXDOMAIN"

like "$(exec_in agent status 2>/dev/null)" '^agent +ready' "the agent can be asked by its bare name"
exec_in nosuchcommand >/dev/null 2>&1
is $? 127 "a command that is not there is 127"
exec_in /etc/passwd >/dev/null 2>&1
is $? 126 "one that cannot be executed 126"
exec_in sh -c 'exit 7'
is $? 7 "exec passes the exit code on"
is "$(echo hello | exec_in cat)" hello "exec passes standard input on"
is "$(exec_in cat <&- && echo ended)" ended "exec goes without standard input"
like "$(exec_in kubectl version 2>&1)" 'Server Version: v1\.' "kubectl works in the dev container"
like "$(exec_in sh -c 'helm version --short || true' 2>&1)" '^v3|not found' "helm is there, where the node has it"

while read -r line; do
	url=$(printf '%s\n' "$line" | grep -oE 'http://127\.0\.0\.1:[0-9]+' | head -n 1)
	[ -n "$url" ] || continue
	is "$(curl -s -o /dev/null -w '%{http_code}' -m 10 "$url")" 200 "the printed URL $url answers on this machine"
done <"$E2E/urls"
[ -s "$E2E/urls" ]
ok $? "up printed a URL"

bs status -o json >"$E2E/status.json"
is $? 0 "status says that all is up"
is "$(jq -r '.cluster.state, .agent.ready, .services[0].state' "$E2E/status.json" | tr '\n' ' ')" "running true available " \
	"status -o json is valid and tells the same"
finish
