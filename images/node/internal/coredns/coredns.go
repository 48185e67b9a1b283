// SPDX-License-Identifier: Apache-2.0

// Package coredns writes the cluster DNS's manifest and keeps the nodes' names in its ConfigMap.
package coredns

import (
	"context"
	_ "embed"
	"errors"
	"io/fs"
	"net"
	"os"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"firestream/node/internal/config"
	"firestream/node/internal/file"
	"firestream/node/internal/log"
	"firestream/node/internal/nodes"
)

const manifestPath = config.ManifestsDir + "/coredns.yaml"

//go:embed coredns.yaml
var manifest string

func render(c *config.Config) string {
	return strings.NewReplacer("%{CLUSTER_DOMAIN}%", c.ClusterDomain, "%{CLUSTER_DNS}%", c.ClusterDNS.String(),
		"%{IMAGE}%", config.CoreDNSImage).Replace(manifest)
}

// WriteManifest puts the manifest where it will be applied, or takes it away when the cluster is to have no DNS of ours.
func WriteManifest(c *config.Config) error {
	if c.DisableCoreDNS {
		if err := os.Remove(manifestPath); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	}
	if file.Exists(manifestPath + ".skip") {
		return nil
	}
	log.Infof("Writing manifest: %s", manifestPath)
	return file.Write(manifestPath, []byte(render(c)), 0o600)
}

// KeepHosts keeps "IP NAME" of every node in the ConfigMap's NodeHosts until ctx ends. Lines of others stay.
func KeepHosts(ctx context.Context, client kubernetes.Interface) error {
	known := map[string]bool{}
	said := false
	maps := client.CoreV1().ConfigMaps(metav1.NamespaceSystem)
	return nodes.Watch(ctx, client, func(list []*corev1.Node) error {
		want := map[string]string{}
		for _, n := range list {
			if ip := nodes.InternalIP(n); net.ParseIP(ip) != nil {
				want[n.Name], known[n.Name] = ip, true
			}
		}
		cm, err := maps.Get(ctx, "coredns", metav1.GetOptions{})
		if err != nil {
			return err
		}
		hosts := mergeHosts(cm.Data["NodeHosts"], want, known)
		if hosts == cm.Data["NodeHosts"] {
			if !said {
				log.Infof("Cluster dns configmap already exists")
				said = true
			}
			return nil
		}
		if cm.Data == nil {
			cm.Data = map[string]string{}
		}
		cm.Data["NodeHosts"] = hosts
		if _, err := maps.Update(ctx, cm, metav1.UpdateOptions{FieldManager: "k3s-node-controller"}); err != nil {
			return err
		}
		log.Infof("Cluster dns configmap has been set successfully")
		said = true
		return nil
	})
}

// mergeHosts replaces the lines of known nodes in a hosts file by those in want.
func mergeHosts(current string, want map[string]string, known map[string]bool) string {
	lines := []string{}
	for _, line := range strings.Split(current, "\n") {
		f := strings.Fields(line)
		if len(f) == 0 || (len(f) == 2 && known[f[1]]) {
			continue
		}
		lines = append(lines, line)
	}
	for name, ip := range want {
		lines = append(lines, ip+" "+name)
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n") + "\n"
}
