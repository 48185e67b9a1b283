// SPDX-License-Identifier: Apache-2.0

package config

import (
	"net"
	"os"
	"strings"

	"firestream/node/internal/file"
)

// ThisHost describes the container that we run in.
func ThisHost() (Host, error) {
	name, err := os.Hostname()
	return Host{Name: name, IP: hostIP(defaultDevice(file.Text("/proc/net/route"))), Env: os.Getenv}, err
}

// defaultDevice is the interface of the default route in the text of /proc/net/route; "" when there is none.
func defaultDevice(routes string) string {
	for _, line := range strings.Split(routes, "\n") {
		if f := strings.Fields(line); len(f) > 7 && f[1] == "00000000" && f[7] == "00000000" {
			return f[0]
		}
	}
	return ""
}

// hostIP is the first IPv4 address of dev, or of any interface but loopback when dev is "".
func hostIP(dev string) net.IP {
	ifs, err := net.Interfaces()
	if err != nil {
		return nil
	}
	for _, i := range ifs {
		if (dev != "" && i.Name != dev) || i.Flags&net.FlagLoopback != 0 {
			continue
		}
		addrs, _ := i.Addrs()
		for _, a := range addrs {
			if n, ok := a.(*net.IPNet); ok && n.IP.To4() != nil {
				return n.IP.To4()
			}
		}
	}
	return nil
}
