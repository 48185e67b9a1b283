#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# cgroup v2: controllers can be handed down only by a group without processes of its own, and here the engine's init, not
# k3s, is process 1. So all processes move to a child group first.
[ -f /sys/fs/cgroup/cgroup.controllers ] || exit 0
mkdir -p /sys/fs/cgroup/init || exit 1
while read -r pid; do
	echo "$pid" > /sys/fs/cgroup/init/cgroup.procs 2>/dev/null || :
done < /sys/fs/cgroup/cgroup.procs
read -r controllers < /sys/fs/cgroup/cgroup.controllers
for c in $controllers; do
	echo "+$c" > /sys/fs/cgroup/cgroup.subtree_control 2>/dev/null || :
done
exit 0
