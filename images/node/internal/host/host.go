// SPDX-License-Identifier: Apache-2.0

// Package host prepares the container that the node runs in, and says what it may do.
package host

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"firestream/node/internal/file"
	"firestream/node/internal/log"
)

const cgroupRoot = "/sys/fs/cgroup/"

// Prepare does what a machine's init would have done.
func Prepare() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_SHARED, ""); err != nil {
		return fmt.Errorf("sharing the mounts with pods: %w", err)
	}
	if err := os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0o644); err != nil {
		return fmt.Errorf("turning on forwarding: %w", err)
	}
	const bridge = "/proc/sys/net/bridge/bridge-nf-call-iptables"
	if file.Exists(bridge) {
		warn("passing bridged packets to iptables", os.WriteFile(bridge, []byte("1"), 0o644))
	}
	if !file.Exists("/dev/kmsg") {
		warn("providing /dev/kmsg", os.Symlink("/dev/console", "/dev/kmsg"))
	}
	if file.Text("/etc/machine-id") == "" {
		id := make([]byte, 16)
		_, _ = rand.Read(id)
		warn("writing the machine id", file.Write("/etc/machine-id", []byte(hex.EncodeToString(id)+"\n"), 0o444))
	}
	if ctl := file.Text(cgroupRoot + "cgroup.controllers"); ctl != "" {
		delegateControllers(strings.Fields(ctl))
	}
	return nil
}

// delegateControllers empties the root of the cgroup v2 tree: the kernel hands no controller to children of a group with processes.
func delegateControllers(controllers []string) {
	warn("making a cgroup", os.MkdirAll(cgroupRoot+"init", 0o755))
	for _, pid := range strings.Fields(file.Text(cgroupRoot + "cgroup.procs")) {
		_ = os.WriteFile(cgroupRoot+"init/cgroup.procs", []byte(pid), 0o644) // may have ended
	}
	for _, c := range controllers {
		warn("delegating cgroup controller "+c, os.WriteFile(cgroupRoot+"cgroup.subtree_control", []byte("+"+c), 0o644))
	}
}

func warn(what string, err error) {
	if err != nil {
		log.Warnf("%s: %v", what, err)
	}
}

// CgroupRoot is the group below which pods belong. Where the machine's whole cgroup v1 tree is mounted into the container, that is
// the container's own group: nodes that share "/" would remove each other's pods.
func CgroupRoot() string {
	return cgroupOf(file.Text("/proc/self/cgroup"), func(controller, path string) bool {
		return file.Exists(cgroupRoot + controller + path)
	})
}

func cgroupOf(self string, mounted func(controller, path string) bool) string {
	root := ""
	for _, line := range strings.Split(self, "\n") {
		f := strings.SplitN(line, ":", 3)
		if len(f) != 3 || f[1] == "" || strings.HasPrefix(f[1], "name=") || !mounted(f[1], "") {
			continue
		}
		if f[2] == "/" || (root != "" && f[2] != root) || !mounted(f[1], f[2]) {
			return "/"
		}
		root = f[2]
	}
	if root == "" {
		return "/"
	}
	return root
}

// HasSysResource tells whether this container may pass CAP_SYS_RESOURCE on to pods.
func HasSysResource() bool { return hasSysResource(file.Text("/proc/self/status")) }

func hasSysResource(status string) bool {
	for _, line := range strings.Split(status, "\n") {
		if hex, ok := strings.CutPrefix(line, "CapBnd:"); ok {
			set, err := strconv.ParseUint(strings.TrimSpace(hex), 16, 64)
			return err != nil || set&(1<<unix.CAP_SYS_RESOURCE) != 0
		}
	}
	return true
}
