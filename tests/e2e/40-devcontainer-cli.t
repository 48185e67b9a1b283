#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The real devcontainer CLI takes the container that bootstrap made, and runs no hook a second time.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

leave() { # REASON
	skip "the devcontainer CLI adopts the container" "$1"
	finish
	exit
}
command -v docker >/dev/null || leave "no docker command line"
cli=$(command -v devcontainer) || {
	command -v npm >/dev/null || leave "neither devcontainer nor npm"
	npm install --silent --no-save --prefix "$E2E/npm" @devcontainers/cli >"$E2E/npm.log" 2>&1 || leave "npm could not install @devcontainers/cli"
	cli=$E2E/npm/node_modules/.bin/devcontainer
}
[ "$(id -u)" != 0 ] || export FIRESTREAM_USER=root

containers() { docker ps -aq --no-trunc --filter "label=devcontainer.local_folder=$WORK"; }
cli_up() { "$cli" up --workspace-folder "$WORK" 2>&1 | tee "$E2E/cli.log" | grep '"outcome":"success"'; }
cli_exec() { "$cli" exec --workspace-folder "$WORK" "$@" 2>/dev/null | tr -d '\r'; }

before=$(containers)
like "$before" '^[0-9a-f]{64}$' "bootstrap left one dev container"
try "devcontainer up succeeds" cli_up
is "$(grep -o '"containerId":"[0-9a-f]*"' "$E2E/cli.log" | cut -d'"' -f4)" "$before" "it took the container that is there"
is "$(containers)" "$before" "and made no other"
is "$(grep -E 'Running the (onCreate|updateContent|postCreate|postStart)Command' "$E2E/cli.log")" "" "no hook ran again"
is "$(cli_exec pwd)" "$(exec_in pwd)" "its commands run in the same folder"
is "$(cli_exec id -un)" "$(exec_in id -un)" "as the same user"
is "$(cli_exec printenv KUBECONFIG)" "$(exec_in printenv KUBECONFIG)" "with the same environment"
"$cli" exec --workspace-folder "$WORK" sh -c 'exit 7' >/dev/null 2>&1
is "$?" 7 "and its exit code is passed on"
exec_in sh -c 'exit 7' >/dev/null 2>&1
is "$?" 7 "as bootstrap's is"
finish
