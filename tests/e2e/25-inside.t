#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# `bootstrap up` typed in the dev container finds everything through the mounted socket, and does what is missing.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

before=$(engine_objects)
try "up in the dev container succeeds" exec_in ./bootstrap up --yes --headless
is "$(engine_objects)" "$before" "it found what up on the host had made"
inside=$(exec_in ./bootstrap status -o json | jq -r '.project, .cluster.name, .devcontainer.id, .services[0].state' | tr '\n' ' ')
is "$inside" "$(bs status -o json | jq -r '.project, .cluster.name, .devcontainer.id, .services[0].state' | tr '\n' ' ')" \
	"status there says what status here says"
exec_in ./bootstrap down >/dev/null 2>&1
is $? 2 "down there is refused: it would remove the container it runs in"

exec_in kubectl delete helmchart -n kube-system web >/dev/null
try "what was deleted is made again from inside" exec_in ./bootstrap up --yes --headless
is "$(exec_in curl -s -o /dev/null -w '%{http_code}' http://web)" 200 "and answers"
try "up on the host still works" bs up --yes --headless
finish
