#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The real devcontainer CLI and bootstrap share one container: each adopts what the other made, and no hook runs twice.
set -u
cd "$(dirname "$0")" || exit 1
# shellcheck source=/dev/null
. ./lib.sh

count=0 failed=0
ok() { # SENTENCE COMMAND…
	what=$1
	shift
	count=$((count + 1))
	if "$@"; then echo "ok $count - $what"; else failed=1; echo "not ok $count - $what"; fi
}
skip_all() {
	if [ "${MUST_WORK:-}" = 1 ]; then echo "1..1"; echo "not ok 1 - $1"; exit 1; fi
	echo "1..0 # SKIP $1"
	exit 0
}

command -v docker >/dev/null || skip_all "no docker command line"
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
cli=$(command -v devcontainer) || {
	command -v npm >/dev/null || skip_all "neither devcontainer nor npm"
	npm install --silent --no-save --prefix "$tmp/npm" @devcontainers/cli >"$tmp/npm.log" 2>&1 ||
		{ sed 's/^/# /' "$tmp/npm.log"; skip_all "the devcontainer CLI cannot be installed"; }
	cli=$tmp/npm/node_modules/.bin/devcontainer
}
[ "$(id -u)" != 0 ] || export FIRESTREAM_USER=root

containers() { docker ps -aq --no-trunc --filter "label=devcontainer.local_folder=$WORK"; }
cli_up() { "$cli" up --workspace-folder "$WORK" >"$tmp/up.json" 2>"$tmp/up.log" || { sed 's/^/# /' "$tmp/up.log"; return 1; }; }
same() { [ "$1" = "$2" ] || { echo "# $1"; echo "# $2"; return 1; }; }

before=$(containers)
ok "bootstrap left one dev container" [ -n "$before" ]
ok "devcontainer up succeeds" cli_up
ok "it took the container that is there" grep -q "\"containerId\":\"$before\"" "$tmp/up.json"
ok "and made no other" same "$before" "$(containers)"
ok "no hook ran again" sh -c '! grep -q "Running the .*Command" "$1"' - "$tmp/up.log"
ok "devcontainer exec runs in the same workspace" same "$("$cli" exec --workspace-folder "$WORK" pwd 2>/dev/null | tr -d '\r')" "$(exec_in pwd)"
ok "as the same user" same "$("$cli" exec --workspace-folder "$WORK" id -un 2>/dev/null | tr -d '\r')" "$(exec_in id -un)"
ok "with the same remote environment" same "$("$cli" exec --workspace-folder "$WORK" printenv KUBECONFIG 2>/dev/null | tr -d '\r')" \
	"$(exec_in printenv KUBECONFIG)"
"$cli" exec --workspace-folder "$WORK" sh -c 'exit 7' >/dev/null 2>&1
ok "both pass the exit code on" same "$?" "$(exec_in sh -c 'exit 7' >/dev/null 2>&1; echo $?)"
echo "1..$count"
exit $failed
