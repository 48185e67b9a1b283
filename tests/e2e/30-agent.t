#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The agent killed, restarted and undone: names outside go on, nothing is left behind.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
agent=/opt/firestream/firestream-agent/agent
config=/etc/firestream/agent.json
root() { exec_in --user 0 "$@"; }
answers() { exec_in curl -s -o /dev/null -m 10 http://web.default.svc.cluster.local; }

like "$(root $agent status -o json)" '"ready": *true' "agent status says ready"
like "$(exec_in ip route show proto 98)" '10\.43\.0\.0/16' "the service network has a route of ours"
root pkill -9 -f firestream-agent/bin/agent
try "after a SIGKILL it starts again" root $agent start --config $config
try "and the service answers" answers
try "agent undo, the agent running" root sh -c "$agent stop --config $config; $agent undo --config $config"
is "$(exec_in ip route show proto 98)" "" "no route of ours is left"
is "$(exec_in grep -c firestream /etc/resolv.conf)" 0 "resolv.conf is the engine's again"
! answers
ok $? "without the agent the name does not answer"
try "up starts it again" bs up --yes --headless
try "and the service answers again" answers
finish
