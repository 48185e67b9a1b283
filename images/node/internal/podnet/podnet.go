// SPDX-License-Identifier: Apache-2.0

// Package podnet is the pod network: a bridge per node by the CNI plugins, one route per other node (all nodes are neighbours), and
// flannel's rules for masquerading, so that pods see each other's and the network's real addresses.
package podnet

import (
	"context"
	"fmt"
	"os/exec"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes"

	"firestream/node/internal/file"
	"firestream/node/internal/log"
	"firestream/node/internal/nodes"
)

const confPath = "/etc/cni/net.d/10-k3s.conflist"

func conflist(podCIDR string) string {
	return fmt.Sprintf(`{
  "cniVersion": "1.0.0",
  "name": "cbr0",
  "plugins": [
    {
      "type": "bridge", "bridge": "cni0", "isDefaultGateway": true, "hairpinMode": true, "ipMasq": false, "promiscMode": false,
      "ipam": {"type": "host-local", "ranges": [[{"subnet": %q}]], "dataDir": "/var/lib/cni/networks"}
    },
    {"type": "portmap", "capabilities": {"portMappings": true}}
  ]
}
`, podCIDR)
}

func rules(clusterCIDR, podCIDR string) [][]string {
	return [][]string{
		{"nat", "POSTROUTING", "-s", clusterCIDR, "-d", clusterCIDR, "-j", "RETURN"},
		{"nat", "POSTROUTING", "-s", clusterCIDR, "!", "-d", "224.0.0.0/4", "-j", "MASQUERADE"},
		{"nat", "POSTROUTING", "!", "-s", clusterCIDR, "-d", podCIDR, "-j", "RETURN"},
		{"nat", "POSTROUTING", "!", "-s", clusterCIDR, "-d", clusterCIDR, "-j", "MASQUERADE"},
		{"filter", "FORWARD", "-s", clusterCIDR, "-j", "ACCEPT"},
		{"filter", "FORWARD", "-d", clusterCIDR, "-j", "ACCEPT"},
	}
}

// Setup makes this node's part; with the CNI configuration in place the kubelet calls the node ready.
func Setup(clusterCIDR, podCIDR string) error {
	for _, r := range rules(clusterCIDR, podCIDR) {
		table, chain, rule := r[0], r[1], r[2:]
		if run("iptables", append([]string{"-w", "-t", table, "-C", chain}, rule...)...) == nil {
			continue
		}
		if err := run("iptables", append([]string{"-w", "-t", table, "-A", chain}, rule...)...); err != nil {
			return err
		}
	}
	if err := file.Write(confPath, []byte(conflist(podCIDR)), 0o644); err != nil {
		return err
	}
	log.Infof("The pod network of this node is %s", podCIDR)
	return nil
}

func run(name string, args ...string) error {
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, strings.TrimSpace(string(out)))
	}
	return nil
}

// Route keeps one route per other node until ctx ends.
func Route(ctx context.Context, client kubernetes.Interface, self string) error {
	have := map[string]string{}
	return nodes.Watch(ctx, client, func(list []*corev1.Node) error {
		want := wantedRoutes(list, self)
		var failed error
		for cidr, via := range want {
			if have[cidr] == via {
				continue
			}
			if err := run("ip", "route", "replace", cidr, "via", via); err != nil {
				log.Warnf("%v", err)
				failed = err
				continue
			}
			log.Infof("Route to %s is via %s", cidr, via)
			have[cidr] = via
		}
		for cidr := range have {
			if _, ok := want[cidr]; !ok {
				_ = run("ip", "route", "del", cidr) // went with its device
				delete(have, cidr)
			}
		}
		return failed
	})
}

func wantedRoutes(list []*corev1.Node, self string) map[string]string {
	want := map[string]string{}
	for _, n := range list {
		if ip := nodes.InternalIP(n); n.Name != self && n.Spec.PodCIDR != "" && ip != "" {
			want[n.Spec.PodCIDR] = ip
		}
	}
	return want
}
