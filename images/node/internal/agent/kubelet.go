// SPDX-License-Identifier: Apache-2.0

package agent

import (
	"fmt"
	"net"
	"os"
	"slices"
	"strings"

	"firestream/node/internal/config"
	"firestream/node/internal/containerd"
	"firestream/node/internal/file"
	"firestream/node/internal/supervisor"
)

const (
	clientCA          = dir + "/client-ca.crt"
	servingBase       = dir + "/serving-kubelet"
	staticPodsDir     = dir + "/pod-manifests"
	kubeletConfigPath = dir + "/etc/kubelet.yaml"
	resolvFallback    = dir + "/etc/resolv.conf"
)

// kubeletConfig: no score for the OOM killer is lowered and cgroup v1 is accepted, because hosts like that are common.
func kubeletConfig(b *supervisor.Bundle, resolv, cgroupRoot string) string {
	return fmt.Sprintf(`apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
authentication:
  anonymous: {enabled: false}
  webhook: {enabled: true}
  x509: {clientCAFile: %q}
authorization: {mode: Webhook}
cgroupDriver: cgroupfs
cgroupRoot: %q
clusterDNS: [%q]
clusterDomain: %q
containerRuntimeEndpoint: "unix://%s"
failSwapOn: false
failCgroupV1: false
resolvConf: %q
tlsCertFile: "%[7]s.crt"
tlsPrivateKeyFile: "%[7]s.key"
oomScoreAdj: 0
healthzBindAddress: 127.0.0.1
staticPodPath: %[8]q
nodeStatusUpdateFrequency: 2s
serializeImagePulls: false
evictionHard: {imagefs.available: "2%%", nodefs.available: "2%%"}
imageGCHighThresholdPercent: 99
imageGCLowThresholdPercent: 98
`, clientCA, cgroupRoot, b.ClusterDNS, b.ClusterDomain, containerd.Socket, resolv, servingBase, staticPodsDir)
}

func kubeletArgs(c *config.Config) []string {
	labels := []string{}
	for k, v := range c.Labels {
		labels = append(labels, k+"="+v)
	}
	slices.Sort(labels)
	return []string{"--config=" + kubeletConfigPath, "--kubeconfig=" + kubeletKubeconfig, "--hostname-override=" + c.NodeName,
		"--node-ip=" + c.NodeIP.String(), "--node-labels=" + strings.Join(labels, ","),
		"--root-dir=/var/lib/kubelet", "--cert-dir=" + dir + "/pki"}
}

// proxyArgs leaves the conntrack limits of the host alone: they are read-only here.
func proxyArgs(c *config.Config, b *supervisor.Bundle) []string {
	return []string{"--kubeconfig=" + proxyKubeconfig, "--hostname-override=" + c.NodeName, "--proxy-mode=iptables",
		"--cluster-cidr=" + b.ClusterCIDR, "--conntrack-max-per-core=0",
		"--conntrack-tcp-timeout-established=0s", "--conntrack-tcp-timeout-close-wait=0s",
		"--healthz-bind-address=127.0.0.1", "--metrics-bind-address=127.0.0.1:10249", "--iptables-min-sync-period=0s", "--profiling=false"}
}

// resolvConf is the file that pods resolve external names with: ours, unless a pod could not reach the servers in it.
func resolvConf() (string, error) {
	const own = "/etc/resolv.conf"
	text, err := os.ReadFile(own)
	if err == nil && usableInPods(string(text)) {
		return own, nil
	}
	return resolvFallback, file.Write(resolvFallback, []byte("nameserver 8.8.8.8\n"), 0o644)
}

func usableInPods(resolv string) bool {
	for _, line := range strings.Split(resolv, "\n") {
		if f := strings.Fields(line); len(f) > 1 && f[0] == "nameserver" {
			if ip := net.ParseIP(f[1]); ip != nil && !ip.IsLoopback() {
				return true
			}
		}
	}
	return false
}
