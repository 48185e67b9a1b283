#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# .host/run COMMAND...: runs it with the package-client configuration of the machine that builds, and leaves nothing of it
# behind: variables, files named by variables, an apt configuration by APT_CONFIG with lists of its own (so update and install belong
# into one call), and files in the home directory only for the command's duration. POSIX sh, for dash and busybox.
[ $# -gt 0 ] || { echo 'usage: run COMMAND [ARGUMENT...]' >&2; exit 2; }
here=$(cd "$(dirname "$0")" && pwd) || exit 1
work=$(mktemp -d) || exit 1
chmod 755 "$work"
home=${HOME:-/root}

put() { # FILE TARGET
	[ -f "$here/$1" ] || return 0
	[ -d "$(dirname "$2")" ] || { mkdir -p "$(dirname "$2")" && : >"$work/$1.made"; } || return 1
	if [ -e "$2" ]; then cp -p "$2" "$work/$1.saved" || return 1; fi
	(umask 077; cat "$here/$1" >"$2")
}

take() { # FILE TARGET
	[ -f "$here/$1" ] || return 0
	rm -f "$2"
	if [ -e "$work/$1.saved" ]; then cp -p "$work/$1.saved" "$2"; fi
	if [ -e "$work/$1.made" ]; then rmdir "$(dirname "$2")" 2>/dev/null; fi
	return 0
}

cleanup() {
	take netrc "$home/.netrc"
	take settings.xml "$home/.m2/settings.xml"
	rm -rf "$work"
}

# The mirror serves the image's own release, when it is of the same distribution and not what the image has anyway.
apt_mirror() {
	[ -f "$here/sources.list" ] && [ -r /etc/os-release ] || return 0
	read -r id main <"$here/mirror"
	# shellcheck disable=SC1091
	suite=$(. /etc/os-release; [ "$ID" != "$id" ] || echo "${VERSION_CODENAME:-}")
	[ -n "$suite" ] || return 0
	if cat /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null | grep -v '^#' | tr -s '[:blank:]' '\n' |
		sed 's,/$,,' | grep -qxF "${main%/}"; then return 0; fi
	mkdir -p "$work/parts" "$work/lists/partial"
	sed "s/ SUITE/ $suite/" "$here/sources.list" >"$work/sources.list"
	for f in /etc/apt/sources.list.d/*; do
		case $f in */debian.sources | */ubuntu.sources) continue ;; esac
		[ -f "$f" ] || continue
		grep -qE '(debian|ubuntu)-archive-keyring' "$f" || cp "$f" "$work/parts/"
	done
	{
		echo "Dir::Etc::sourcelist \"$work/sources.list\";"
		echo "Dir::Etc::sourceparts \"$work/parts\";"
		echo "Dir::State::lists \"$work/lists\";"
		echo 'Dir::Cache::pkgcache ""; Dir::Cache::srcpkgcache "";'
	} >>"$work/apt.conf"
}

apt_setup() {
	command -v apt-get >/dev/null 2>&1 || return 0
	: >"$work/apt.conf"
	[ ! -f "$here/apt.conf" ] || cat "$here/apt.conf" >>"$work/apt.conf"
	[ ! -f "$here/apt-auth.conf" ] || echo "Dir::Etc::netrc \"$here/apt-auth.conf\";" >>"$work/apt.conf"
	apt_mirror
	[ ! -s "$work/apt.conf" ] || export APT_CONFIG="$work/apt.conf"
}

trap cleanup EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM
# shellcheck disable=SC1091
[ ! -f "$here/env" ] || . "$here/env"
[ ! -f "$here/npmrc" ] || export NPM_CONFIG_USERCONFIG="$here/npmrc"
put netrc "$home/.netrc" && put settings.xml "$home/.m2/settings.xml" || exit 1
apt_setup
"$@"
