#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What is in the cluster survives stop and start, down and up.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

exec_in kubectl create configmap kept --from-literal=word=first-light >/dev/null
word() { exec_in kubectl get configmap kept -o 'jsonpath={.data.word}'; }
is "$(word)" first-light "an object is made"
try "stop" bs stop --headless
bs status >/dev/null 2>&1
is $? 1 "status says that not all is up"
try "start" bs start --yes --headless
is "$(word)" first-light "it is there after stop and start"
try "down" bs down --headless
try "up" bs up --yes --headless
is "$(word)" first-light "it is there after down and up"
finish
