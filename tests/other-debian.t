#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The tree on another Debian, in a root made from its packages and namespaces of its own: no warning, unit tests, corpus, the real
# agent. Usage: other-debian.t [SUITE]. Packages come from where this machine's apt has them; inside there is no network. The
# root is kept in the cache by what it was made of and made anew when it is not there; what is built is in build/SUITE.
# MUST_WORK=1 makes a skip a failure.
cd "$(dirname "$0")/.." || exit
SUITE=${1:-trixie}
count=0 failed=0
line() { # RESULT SENTENCE
	count=$((count + 1))
	if [ "$1" = 0 ]; then
		echo "ok $count - $2"
	else
		echo "not ok $count - $2"
		failed=$((failed + 1))
	fi
}

# ---- inside: $3 is the root, $4 the folder for what is built, $5 the version
if [ "${2:-}" = inside ]; then
	set -e
	ROOT=$3 OUT=$4 VERSION=$5
	mount --bind "$ROOT" "$ROOT"
	mount --bind . "$ROOT/src"
	mount -o remount,bind,ro "$ROOT/src"
	mount --bind "$OUT" "$ROOT/out"
	mount --rbind /sys "$ROOT/sys"
	mount --rbind /dev "$ROOT/dev"
	mount -t proc proc "$ROOT/proc"
	for folder in tmp run root; do mount -t tmpfs tmpfs "$ROOT/$folder"; done
	cd "$ROOT"
	pivot_root . mnt
	umount -l /mnt
	cd /src
	ip link set lo up
	set +e
	jobs=$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)
	build() { nice make --no-print-directory -Otarget -j"$jobs" O=/out VERSION="$VERSION" WERROR=1 PROVE_FLAGS=-v "$@" </dev/null 2>&1; }
	part() { # SENTENCE COMMAND…: one line for all that it says
		what=$1
		shift
		{ "$@"; echo $? >/tmp/code; } | tests/tap-sum /tmp/sum >/tmp/said
		read -r passed bad skipped <<-SUM
			$(tail -n 1 /tmp/sum)
		SUM
		[ "$(cat /tmp/code)" = 0 ] && [ "$bad" = 0 ] && [ "$passed" -gt 0 ] && { [ "$skipped" = 0 ] || [ "$MUST_WORK" != 1 ]; }
		result=$?
		line $result "$what: $passed passed, $bad failed, $skipped skipped"
		[ $result = 0 ] || grep -nE '^not ok|^#|SKIP|rror|Failed' /tmp/said | head -n 60 | sed 's/^/#   /'
	}
	versions="gcc $(gcc -dumpversion), c-ares $(pkg-config --modversion libcares), curl $(pkg-config --modversion libcurl)"
	build all tests >/tmp/said
	result=$?
	line $result "builds without a warning on $SUITE ($versions)"
	[ $result = 0 ] || grep -E 'error|warning|Error' /tmp/said | head -n 30 | sed 's/^/#   /'
	part "unit tests" build unit
	part "corpus" build replay
	part "the real agent in namespaces" build netns
	echo "1..$count"
	[ $failed = 0 ]
	exit
fi

# ---- outside: the root
skip() {
	[ "${MUST_WORK:-}" = 1 ] && { echo "not ok 1 - $SUITE: $1"; echo "1..1"; exit 1; }
	echo "1..0 # SKIP $1"
	exit 0
}
if [ "$(id -u)" != 0 ]; then
	sudo -n true 2>/dev/null || skip "not root"
	exec sudo -n MUST_WORK="${MUST_WORK:-}" XDG_CACHE_HOME="${XDG_CACHE_HOME:-$HOME/.cache}" "$PWD/tests/other-debian.t" "$@"
fi
export LC_ALL=C DEBIAN_FRONTEND=noninteractive
command -v apt-get >/dev/null || skip "no apt on this machine"
if ! command -v debootstrap >/dev/null || ! command -v ip >/dev/null; then
	{ apt-get -qq update && apt-get -qq -y --no-install-recommends install debootstrap debian-archive-keyring iproute2; } >/dev/null 2>&1 ||
		skip "no debootstrap, and apt cannot install it"
fi
unshare -m -p -n -u -f --propagation private true 2>/dev/null || skip "no namespaces here"

packages=$(make -s debs | tr ' ' ,),ca-certificates,iproute2,nftables,procps,perl,busybox,git,curl,iputils-ping,jq,openssl,util-linux
key=$(printf '%s\n' "$SUITE" "$(dpkg --print-architecture)" "$packages" | sha256sum | cut -c1-16)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/firestream-tests
ROOT=$cache/$SUITE-$key

# The archive of this machine's own release, without its updates; nothing: debootstrap's own default.
archives() {
	# shellcheck disable=SC2016 # apt's variables
	apt-get indextargets --format '$(SUITE) $(CODENAME) $(RELEASE) $(COMPONENT) $(ORIGIN) $(REPO_URI)' 'Created-By: Packages' 2>/dev/null |
		awk '$4 == "main" && $5 == "Debian" && $2 !~ /-/ { print $6; exit }'
}
mirror() { # its lists may have been dropped
	[ -n "$(archives)" ] || apt-get -qq update >/dev/null 2>&1
	archives
}
proxy() { # SCHEME: apt's, where the environment has none
	value=
	eval "$(apt-config shell value "Acquire::$1::Proxy")"
	printf '%s' "$value"
}
make_root() {
	[ -n "${http_proxy:-}" ] || http_proxy=$(proxy http)
	[ -n "${https_proxy:-}" ] || https_proxy=$(proxy https)
	[ -z "$http_proxy" ] || export http_proxy
	[ -z "$https_proxy" ] || export https_proxy
	rm -rf --one-file-system "$cache"/*.new
	# shellcheck disable=SC2046 # perhaps no address
	nice unshare -m -p -f --kill-child --propagation private \
		debootstrap --variant=minbase --include="$packages" "$SUITE" "$ROOT.new" $(mirror) >"$cache/log" 2>&1 || return
	rm -rf "$ROOT.new"/var/cache/apt/archives/*.deb "$ROOT.new"/usr/share/doc "$ROOT.new"/usr/share/man "$ROOT.new"/usr/share/locale
	mkdir -p "$ROOT.new/src" "$ROOT.new/out"
	mv "$ROOT.new" "$ROOT"
}
mkdir -p "$cache" "build/$SUITE" || skip "no folder for the root"
exec 9>"$cache/lock"
flock 9
if [ ! -d "$ROOT" ]; then
	find "$cache" -mindepth 1 -maxdepth 1 -name "$SUITE-*" -exec rm -rf --one-file-system {} + # of other packages
	if ! make_root; then
		tail -n 5 "$cache/log" | sed 's/^/# /'
		skip "debootstrap cannot make $SUITE"
	fi
fi
version=$(git describe --tags --always --dirty 2>/dev/null || echo unknown)
env -i HOME=/root PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 MUST_WORK="${MUST_WORK:-}" \
	unshare -m -p -n -u -f --kill-child --propagation private \
	"$PWD/tests/other-debian.t" "$SUITE" inside "$ROOT" "$PWD/build/$SUITE" "$version"
result=$?
[ -z "${SUDO_UID:-}" ] || chown -R "$SUDO_UID:${SUDO_GID:-0}" "build/$SUITE"
exit $result
