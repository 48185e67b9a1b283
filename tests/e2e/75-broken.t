#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A service that cannot start is named with its cause; the others are up; the next run repairs. A deadline ends with 4.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

cat >"$E2E/broken.json" <<'CONFIG'
{
  "services": [
    { "service_name": "web", "build": "web", "ports": [80], "ui": true },
    { "service_name": "broken", "build": "web", "ports": [80], "command": ["/no/such/program"] }
  ]
}
CONFIG
out=$(bs up "$E2E/broken.json" --yes --headless 2>&1 </dev/null)
is $? 1 "up with a service that cannot start ends with 1"
like "$out" 'service "broken": pod broken-[a-z0-9-]+: [A-Z][A-Za-z]+: .*/no/such/program' "the service, its pod and the reason are named"
is "$(exec_in curl -s -o /dev/null -w '%{http_code}' http://web)" 200 "the other service is up"

out=$(bs up "$E2E/broken.json" --yes --headless --timeout 1s 2>&1 </dev/null)
code=$?
[ $code = 4 ] || [ $code = 1 ]
ok $? "a deadline ends it (with $code)"

printf '{ "services": [ { "service_name": "web", "image": { "repository": "nowhere.invalid/none", "tag": "1" }, "ports": [80] } ] }\n' >"$E2E/image.json"
out=$(bs up "$E2E/image.json" --yes --headless 2>&1 </dev/null)
[ $? != 0 ]
ok $? "an image that nobody has is a failure"
like "$out" 'nowhere\.invalid/none' "and it is named"

try "the config mended, up repairs" bs up --yes --headless
try "what the config does not name any more goes away" exec_in kubectl wait --for=delete deployment/broken --timeout=60s
finish
