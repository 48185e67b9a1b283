#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Docker's resolver listens on 127.0.0.11 of the node, which pods cannot reach and k3s refuses. Its NAT rules are repeated for
# the network's gateway address, also for what comes from pods, and resolv.conf names that address instead.
gateway=$(ip -4 route show default | sed -n 's/^default via \([0-9.]*\).*/\1/p;q')
[ -n "$gateway" ] || exit 0
grep -q '^nameserver 127\.0\.0\.11' /etc/resolv.conf || exit 0
rules=$(iptables-save -t nat 2>/dev/null)
case $rules in
*DOCKER_OUTPUT*) ;;
*) exit 0 ;; # an engine whose rules are elsewhere: leave the resolver as it is
esac
echo "$rules" | sed \
	-e "s/-d 127\.0\.0\.11/-d $gateway/g" \
	-e 's/^-A OUTPUT \(.*\) -j DOCKER_OUTPUT$/&\n-A PREROUTING \1 -j DOCKER_OUTPUT/' \
	-e "s/--to-source :53/--to-source $gateway:53/g" | iptables-restore || exit 1
sed 's/^nameserver 127\.0\.0\.11/nameserver '"$gateway"'/' /etc/resolv.conf > /tmp/resolv.conf.k3d &&
	cat /tmp/resolv.conf.k3d > /etc/resolv.conf
