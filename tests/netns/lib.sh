# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# What tests of the real agent share. A test sources this, is run again in namespaces of its own (no root needed, but ip(8)),
# and goes on with W, its folder. With REAL_ROOT=1 root goes without a user namespace: the agent can change its user then. MUST_WORK=1 makes a skip a failure. End with `done_testing`.

BUILD_DIR=${BUILD_DIR:-build/release}
case $BUILD_DIR in /*) ;; *) BUILD_DIR=$PWD/$BUILD_DIR ;; esac

if [ "${1:-}" != inside ]; then
	if ! command -v ip >/dev/null || ! unshare -rnm true 2>/dev/null; then
		[ "${MUST_WORK:-}" = 1 ] && { echo "not ok 1 - namespaces can be made"; echo "1..1"; exit 1; }
		echo "1..0 # SKIP no namespaces, or no ip command, here"
		exit 0
	fi
	W=$(mktemp -d) || exit 1
	chmod 755 "$W"
	user=r
	[ "${REAL_ROOT:-}" != 1 ] || [ "$(id -u)" != 0 ] || user=
	BUILD_DIR=$BUILD_DIR unshare -${user}nm --kill-child -pf --mount-proc "$0" inside "$W"
	r=$?
	rm -rf "$W"
	exit $r
fi

AGENT_SECCOMP_TRAP=1	# a system call that is refused is in the log
export AGENT_SECCOMP_TRAP
W=$2
AGENT=$BUILD_DIR/agent/agent
FAKES=$BUILD_DIR/netns/fakes
count=0 failed=0 got=

ok() { # ok RESULT SENTENCE
	count=$((count + 1))
	if [ "$1" = 0 ]; then
		echo "ok $count - $2"
	else
		echo "not ok $count - $2"
		failed=$((failed + 1))
		[ -z "$got" ] || printf '%s\n' "$got" | sed 's/^/#   got: /'
	fi
	got=
}
is() { # is GOT WANT SENTENCE
	got="$1 (wanted: $2)"
	[ "$1" = "$2" ]
	ok $? "$3"
}
soon() { # soon COMMAND…: true within 4 seconds
	n=0
	until "$@" >/dev/null 2>&1; do
		n=$((n + 1))
		[ $n -lt 200 ] || return 1
		sleep 0.02
	done
}
done_testing() {
	got=$(grep 'refused system call\|killed by signal 31' "$W/agent.log"); [ -z "$got" ]
	ok $? "no system call was refused"
	got=$(grep -A 9 Sanitizer "$W/agent.log"); [ -z "$got" ]
	ok $? "the agent's log has no finding of a sanitizer"
	echo "1..$count"
	[ $failed = 0 ]
	exit
}
now_ms() { echo $(($(date +%s%N) / 1000000)); }

agent() { "$AGENT" "$@" --config "$W/agent.json"; }
value() { agent status -o json | sed -n "s/.*\"$1\":[[:space:]]*\"\{0,1\}\([^\",]*\).*/\1/p" | head -n 1; }
supervisor_pid() { agent status -o json | sed -n '/"supervisor"/,/}/s/.*"pid":[[:space:]]*\([0-9]*\).*/\1/p'; }
# The whole agent, without a chance to do anything.
agent_kill() {
	super=$(supervisor_pid) worker=$(value pid)
	kill -STOP "$super" && kill -9 "$worker" "$super"
}
route_changes() { agent status -o json | sed -n '/"reconcile":/,/}/s/.*"changes":[[:space:]]*\([0-9]*\).*/\1/p'; }
state_is() { [ "$(value state)" = "$1" ]; }
says() { agent status | grep -q "$1"; }
routes() { ip -4 route show proto 98 | sed 's/ *dev.*//' | sort | tr '\n' ';'; }
has_route() { routes | grep -q "$1"; }
nodes() { # nodes NAME ADDRESSES CIDR READY…: what the API says; ADDRESSES with commas
	sep=
	while [ $# -ge 4 ]; do
		printf '%s{"metadata":{"name":"%s"},"spec":{"podCIDRs":["%s"]},"status":{"conditions":[{"type":"Ready","status":"%s"}],' \
			"$sep" "$1" "$3" "$4"
		printf '"addresses":[{"type":"InternalIP","address":"%s"}]}}' "$(printf %s "$2" | sed 's/,/"},{"type":"InternalIP","address":"/g')"
		sep=,
		shift 4
	done >"$W/new"
	mv "$W/new" "$W/kube/nodes"
}
dns_service() { # the cluster's DNS is a service with an endpoint: else its address would be refused
	printf '{"metadata":{"namespace":"kube-system","name":"kube-dns"},"spec":{"clusterIP":"10.43.0.10","clusterIPs":["10.43.0.10"],' >"$W/new"
	printf '"ports":[{"name":"dns","port":53,"protocol":"UDP"}]}}' >>"$W/new"
	mv "$W/new" "$W/kube/services"
	printf '{"metadata":{"namespace":"kube-system","name":"kube-dns-a","labels":{"kubernetes.io/service-name":"kube-dns"}},' >"$W/new"
	printf '"addressType":"IPv4","ports":[{"name":"dns","port":53,"protocol":"UDP"}],' >>"$W/new"
	printf '"endpoints":[{"addresses":["10.42.0.5"],"conditions":{"ready":true}}]}' >>"$W/new"
	mv "$W/new" "$W/kube/endpointslices"
}
objects() { # objects KIND ITEM…: the whole list
	kind=$1
	shift
	(IFS=,; printf '%s' "$*") >"$W/new"
	mv "$W/new" "$W/kube/$kind"
}
namespace() { printf '{"metadata":{"name":"%s"}}' "$1"; }
api_start() { # an API server, and the kubeconfig for it
	: >"$W/kube.out"
	"$FAKES" kube "$W/kube" >"$W/kube.out" &
	# shellcheck disable=SC2034 # for who stops it
	kube_pid=$!
	soon grep -q ready "$W/kube.out"
	cat >"$W/kubeconfig" <<-END
	{"apiVersion":"v1","kind":"Config","current-context":"c","contexts":[{"name":"c","context":{"cluster":"c","user":"u"}}],
	"clusters":[{"name":"c","cluster":{"server":"http://127.0.0.1:$(sed -n 's/ready //p' "$W/kube.out")"}}],
	"users":[{"name":"u","user":{"token":"t"}}]}
	END
}
kube_start() { # the same, and the agent's configuration with keys of its own from $1, which win
	[ -e "$W/kube/services" ] || dns_service
	api_start
	cat >"$W/agent.json" <<-END
	{"kubeconfig":"$W/kubeconfig","pod_cidr":"10.42.0.0/16","service_cidr":"10.43.0.0/16","dns":"10.43.0.10",$1
	"state_dir":"$W/state","socket":"$W/run/agent.sock","log":"$W/agent.log"}
	END
}

mount --make-rprivate /
mkdir "$W/kube"
mount -t tmpfs tmpfs /run
ip link set lo up
printf 'nameserver 127.0.0.99\noptions ndots:0\n' >"$W/resolv.conf"
cp "$W/resolv.conf" "$W/original"
mount --bind "$W/resolv.conf" /etc/resolv.conf
