#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Killed at three points of its progress, up goes on where it was; Ctrl-C leaves a state from which both up and down work.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

# Kills the run when the step starts: signal, step
killed_at() {
	mkfifo "$E2E/events.$2.$1"
	(cd "$WORK" && exec setsid "$BOOTSTRAP" up --yes --headless -o json >/dev/null 2>"$E2E/events.$2.$1" </dev/null) &
	pid=$!
	seen=1
	while read -r line; do
		case $line in *'"event":"start"'*"\"step\":\"$2\""* | *"\"step\":\"$2\""*'"event":"start"'*)
			seen=0
			kill -"$1" -"$pid" 2>/dev/null || kill -"$1" "$pid"
			break
			;;
		esac
	done <"$E2E/events.$2.$1"
	wait $pid
	killed=$?
	return $seen
}

for step in cluster services agent; do
	try "down before a run that is killed at $step" bs down --headless
	killed_at KILL "$step"
	ok $? "up is killed when $step starts"
	try "the next up goes on and ends well" bs up --yes --headless
	is "$(exec_in curl -s -o /dev/null -w '%{http_code}' http://web)" 200 "and the service answers"
done
try "down before a run that is interrupted" bs down --headless
killed_at INT cluster
is $killed 130 "a run that was interrupted ends with 130"
try "down works after it" bs down --headless
try "up works after that" bs up --yes --headless
finish
