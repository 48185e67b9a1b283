#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A second run changes nothing; a changed config changes only what it names.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

before=$(engine_objects)
start=$(now_ms)
try "up again succeeds" bs up --yes --headless
took=$(($(now_ms) - start))
[ $took -le 3000 ]
ok $? "up again takes at most 3 s (took $took ms)"
is "$(engine_objects)" "$before" "up again makes and removes nothing"
bs up --yes --headless -o json >"$E2E/again.json" 2>"$E2E/again.events" </dev/null
is "$(jq -rs '[.[] | select(.event == "done" or .event == "unchanged" or .event == "failed") | .event] | unique | join(" ")' "$E2E/again.events")" unchanged "every step says unchanged"

# the one before may still be ending
newest() { exec_in kubectl get pod -l app.kubernetes.io/name=web --sort-by=.metadata.creationTimestamp -o 'jsonpath={.items[-1:].metadata.name}'; }
old=$(newest)
sed 's/"service_name": "web"/"service_name": "web", "env": { "GREETING": "changed" }/' "$WORK/examples/first-light.json" >"$E2E/changed.json"
try "up with another value of a service" bs up "$E2E/changed.json" --yes --headless
new=$(newest)
[ -n "$new" ] && [ "$old" != "$new" ]
ok $? "the service was rolled"
try "and back" bs up --yes --headless
finish
