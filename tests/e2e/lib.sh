# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# What the end-to-end scripts share. TAP on stdout; a test is a sentence.
# From tests/e2e/run: ROOT, E2E (scratch folder), WORK (the project), BOOTSTRAP (its launcher).
count=0

ok() { # CODE SENTENCE
	count=$((count + 1))
	if [ "$1" = 0 ]; then echo "ok $count - $2"; else echo "not ok $count - $2"; fi
}

# SENTENCE COMMAND…: output is shown when it fails
try() {
	what=$1
	shift
	if "$@" >"$E2E/try.out" 2>&1 </dev/null; then ok 0 "$what"; else
		code=$?
		ok 1 "$what"
		echo "# exit code $code of: $*"
		tail -n 40 "$E2E/try.out" | sed 's/^/# /'
		return 1
	fi
}

is() { # GOT WANT SENTENCE
	[ "$1" = "$2" ]
	ok $? "$3"
	[ "$1" = "$2" ] || printf '#   got: %s\n#  want: %s\n' "$1" "$2"
}

# GOT EXTENDED-REGEXP SENTENCE
like() {
	printf '%s\n' "$1" | grep -Eq -- "$2"
	code=$?
	ok $code "$3"
	[ $code = 0 ] || printf '#   got: %s\n#  want: %s\n' "$1" "$2"
}

skip() { # SENTENCE REASON
	count=$((count + 1))
	if [ "${MUST_WORK:-}" = 1 ]; then echo "not ok $count - $1 # SKIP $2"; else echo "ok $count - $1 # SKIP $2"; fi
}

finish() { echo "1..$count"; }

bs() { (cd "$WORK" && "$BOOTSTRAP" "$@"); }
exec_in() { bs exec "$@"; }
now_ms() { date +%s%3N; }

# The engine's containers, networks and volumes, one a line; what firestream's image building keeps is not counted.
engine_objects() {
	sock=${DOCKER_HOST:-unix:///var/run/docker.sock}
	sock=${sock#unix://}
	for what in "containers/json?all=1:.[]|\"container \"+.Names[0]" "networks:.[]|\"network \"+.Name" \
		"volumes:.Volumes[]?|\"volume \"+.Name"; do
		curl -s --unix-socket "$sock" "http://engine/${what%%:*}" | jq -r "${what#*:}"
	done | grep -v 'volume firestream-cache-' | sort
}
