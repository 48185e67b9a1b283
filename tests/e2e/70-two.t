#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Two projects side by side, and a cluster alone.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
mkdir -p "$WORK-other"
other() { (cd "$WORK-other" && "$BOOTSTRAP" "$@"); }
id() { jq -r .project; }

try "a second project comes up beside the first" other up --yes --headless
is "$(other exec curl -s -o /dev/null -w '%{http_code}' http://web)" 200 "its service answers in its dev container"
is "$(exec_in curl -s -o /dev/null -w '%{http_code}' http://web)" 200 "the first one's still answers in its own"
[ "$(other status -o json | jq -r '.services[0].url')" != "$(bs status -o json | jq -r '.services[0].url')" ]
ok $? "their URLs differ"
other up "$WORK-other/missing.json" >/dev/null 2>&1
is $? 2 "a config that is not there is wrong use"
try "the second project goes away" other down --purge --headless
is "$(exec_in curl -s -o /dev/null -w '%{http_code}' http://web)" 200 "the first one has not noticed"

name=e2e-alone-$$
kubeconfig=$(bs cluster create $name --headless 2>"$E2E/try.out")
ok $? "a cluster is created alone"
[ -s "$kubeconfig" ]
ok $? "it prints where its kubeconfig is"
like "$(bs cluster list)" "^$name +1 +0 +1" "it is listed"
try "it is deleted" bs cluster delete $name --headless
is "$(bs cluster list | grep -c "^$name ")" 0 "and gone"
finish
