#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The node image's Go: formatted, vetted, tested. A line a package. The binaries themselves are tested by every end-to-end run.
cd "$(dirname "$0")/.." || exit
count=0
line() { count=$((count + 1)); if [ "$1" = 0 ]; then echo "ok $count - $2"; else echo "not ok $count - $2"; fi; }

want=$(sed -n 's/^go //p' images/node/go.mod)
have=$(go env GOVERSION 2>/dev/null | sed 's/^go//')
if [ -z "$have" ] || [ "$(printf '%s\n%s\n' "$want" "$have" | sort -V | head -n 1)" != "$want" ]; then
	echo "1..0 # SKIP no Go $want or later"
	exit 0
fi
export CGO_ENABLED=0 GOFLAGS=-mod=readonly
out=$(mktemp)
trap 'rm -f "$out"' EXIT

module() { # FOLDER PACKAGE…
	folder=$1
	shift
	unformatted=$(gofmt -l "$folder")
	[ -z "$unformatted" ]
	line $? "$folder is formatted $unformatted"
	(cd "$folder" && go test "$@") >"$out" 2>&1
	while read -r state package _; do
		case $state in
		ok) line 0 "$package" ;;
		FAIL) [ -z "$package" ] || line 1 "$package" ;;
		esac
	done <"$out"
	grep -q '^ok' "$out" || line 1 "$folder has tests that run"
	grep -q FAIL "$out" && sed 's/^/# /' "$out"
}

module images/node ./internal/... ./cmd/podimages ./cmd/helm-entry
module images/web .
echo "1..$count"
