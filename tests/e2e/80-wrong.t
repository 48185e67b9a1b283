#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Wrong input ends with 2 and one sentence, before anything is touched.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
before=$(engine_objects)

# name|text of the config|what the sentence has to say
while IFS='|' read -r name text want; do
	[ -n "$name" ] || continue
	printf '%s\n' "$text" >"$E2E/wrong.json"
	out=$(bs up "$E2E/wrong.json" --headless 2>&1 </dev/null)
	is $? 2 "$name ends with 2"
	like "$out" "$want" "and says so"
done <<'TABLE'
an unknown key|{ "servces": [] }|wrong\.json:1:3: .*"servces".*"services"
a wrong type|{ "services": 7 }|wrong\.json:1:[0-9]+: .*services
a bad name|{ "services": [ { "service_name": "No Good" } ] }|wrong\.json:1:[0-9]+: .*No Good
broken JSON|{ "services": [ }|wrong\.json:1:[0-9]+
two services of one name|{ "services": [ { "service_name": "web" }, { "service_name": "web" } ] }|wrong\.json:1:[0-9]+: .*web
TABLE
out=$(bs up "$E2E/no-such-file.json" 2>&1 </dev/null)
is $? 2 "a file that is not there ends with 2"
out=$(bs upp 2>&1 </dev/null)
is $? 2 "a command that is not there ends with 2"
like "$out" '"up"' "and names the nearest"
out=$(DOCKER_HOST=unix:///nowhere/docker.sock bs status 2>&1 </dev/null)
is $? 3 "an engine that is not there is a missing prerequisite"
like "$out" '/nowhere/docker\.sock' "and the sentence names the socket"
bs --help >/dev/full 2>/dev/null
is $? 1 "an output that is lost is a failure"
is "$(engine_objects)" "$before" "nothing was touched"
finish
