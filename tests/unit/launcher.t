#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The launcher, with a program of ten lines in place of ours.
set -u
here=$(cd "$(dirname "$0")/../.." && pwd)
tmp=$(mktemp -d)
trap 'chmod -R u+w "$tmp"; rm -rf "$tmp"' EXIT
chmod 755 "$tmp"
count=0

ok() { # STATUS SENTENCE
	count=$((count + 1))
	if [ "$1" = 0 ]; then echo "ok $count - $2"; else
		echo "not ok $count - $2"
		sed 's/^/# /' "$tmp/out" "$tmp/err" 2>/dev/null
	fi
}
check() { what=$1; shift; "$@" >/dev/null 2>&1; ok $? "$what"; }
run() { "$@" >"$tmp/out" 2>"$tmp/err" </dev/null; code=$?; }

checkout() { # FOLDER: a checkout whose program prints its arguments and its root
	mkdir -p "$1/base"
	cp "$here/bootstrap" "$1/bootstrap"
	cat >"$1/bootstrap.c" <<'C'
#include <stdio.h>
#include <stdlib.h>
int main(int argc, char **argv)
{
	printf("root=%s\n", getenv("FIRESTREAM_ROOT"));
	for (int i = 1; i < argc; i++)
		printf("[%s]\n", argv[i]);
	return argc > 1 && argv[1][0] == '7' ? 7 : 0;
}
C
	cat >"$1/Makefile" <<'M'
B = $(O)/$(BUILD)
all:
	@mkdir -p $(B)
	@echo made >> $(O)/made
	@cc -o $(B)/bootstrap bootstrap.c
M
}
made() { cat "$1"/build/*/made 2>/dev/null | wc -l; }

a="$tmp/a folder"
checkout "$a"
run "$a/bootstrap" one 'two words' ''
check "a path with spaces builds and runs" [ "$code" = 0 ]
check "all arguments arrive as they were" [ "$(sed 1d "$tmp/out" | tr -d '\n')" = '[one][two words][]' ]
check "the program learns where the checkout is" grep -qxF "root=$a" "$tmp/out"
check "a build without a terminal says nothing" [ ! -s "$tmp/err" ]
run "$a/bootstrap" 7
check "the exit code is the program's" [ "$code" = 7 ]
check "a second run builds nothing" [ "$(made "$a")" = 1 ]

ln -s "$a/bootstrap" "$tmp/absolute"
mkdir "$tmp/elsewhere"
ln -s ../absolute "$tmp/elsewhere/relative"
run sh -c 'cd "$1" && ./relative' sh "$tmp/elsewhere"
check "a relative link to an absolute link finds the checkout" grep -qxF "root=$a" "$tmp/out"
run sh -c 'cd "$1" && sh bootstrap x' sh "$a"
check "sh bootstrap works in its own folder" grep -qxF '[x]' "$tmp/out"
run env PATH="$a:$PATH" bootstrap x
check "found through PATH it works" grep -qxF "root=$a" "$tmp/out"

echo '#define NEW 1' >"$a/base/new.h"
run "$a/bootstrap"
check "a new header makes it build again" [ "$(made "$a")" = 2 ]
rm "$a/base/new.h"
echo 'int broken' >>"$a/bootstrap.c"
run "$a/bootstrap"
check "a program that does not compile ends with 1" [ "$code" = 1 ]
check "then the compiler's log is shown" grep -q 'bootstrap.c' "$tmp/err"
checkout "$a"
run "$a/bootstrap" x
check "mended, it builds again" grep -qxF '[x]' "$tmp/out"

b="$tmp/b"
checkout "$b"
"$b/bootstrap" 1 >"$tmp/one" 2>&1 &
one=$!
"$b/bootstrap" 2 >"$tmp/two" 2>&1 &
two=$!
wait $one; first=$?
wait $two; second=$?
check "two at once both run" [ "$first$second" = 00 ]
check "and build once" [ "$(made "$b")" = 1 ]

c="$tmp/c"
checkout "$c"
chmod -R a+rX,a-w "$c"
mkdir "$tmp/cache"
if [ "$(id -u)" != 0 ]; then
	as=''
elif setpriv --reuid 65534 --regid 65534 --clear-groups true 2>/dev/null; then
	as='setpriv --reuid 65534 --regid 65534 --clear-groups'
	chown 65534:65534 "$tmp/cache"
else
	as=none
fi
if [ "$as" = none ]; then
	count=$((count + 1))
	echo "ok $count - a read-only checkout builds in the cache # SKIP root cannot become somebody else"
else
	# shellcheck disable=SC2086 # a list of words
	run $as env XDG_CACHE_HOME="$tmp/cache" "$c/bootstrap" x
	check "a read-only checkout builds in the cache" grep -qxF "root=$c" "$tmp/out"
	check "and stays untouched" [ ! -e "$c/build" ]
	# shellcheck disable=SC2086
	run $as env XDG_CACHE_HOME="$tmp/with space" "$c/bootstrap" x
	check "a cache folder that make cannot use is refused with 3" [ "$code" = 3 ]
fi

d="$tmp/d"
checkout "$d"
sed -i '1i DEB_TOOLS := no-such-package-of-ours' "$d/Makefile"
if command -v dpkg-query >/dev/null; then
	run "$d/bootstrap" status
	check "a missing package ends with 3" [ "$code" = 3 ]
	check "naming the one command to type" grep -q 'apt-get install .*no-such-package-of-ours' "$tmp/err"
	run "$d/bootstrap" exec --yes
	check "--yes of another program's arguments agrees to nothing" grep -q 'packages are missing' "$tmp/err"
fi
echo "1..$count"
