// SPDX-License-Identifier: Apache-2.0

package containerd

import (
	"fmt"
	"net/url"
	"strings"

	"sigs.k8s.io/yaml"
)

// configText is containerd's configuration. Scores for the OOM killer stay as they are: lowering them needs a right that the
// node's container may not have.
func configText(pauseImage, runc string) string {
	return fmt.Sprintf(`version = 2
root = %q
state = %q
oom_score = 0
disabled_plugins = ["io.containerd.internal.v1.opt", "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs"]

[grpc]
  address = %q

[plugins."io.containerd.grpc.v1.cri"]
  stream_server_address = "127.0.0.1"
  stream_server_port = "10010"
  sandbox_image = %q
  restrict_oom_score_adj = true
  enable_selinux = false
  disable_apparmor = true
  enable_unprivileged_ports = true
  enable_unprivileged_icmp = true

[plugins."io.containerd.grpc.v1.cri".cni]
  bin_dir = "/usr/lib/cni"
  conf_dir = "/etc/cni/net.d"

[plugins."io.containerd.grpc.v1.cri".containerd]
  snapshotter = "overlayfs"
  disable_snapshot_annotations = true

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
  SystemdCgroup = false
  BinaryName = %q

[plugins."io.containerd.grpc.v1.cri".registry]
  config_path = %q
`, rootDir, stateDir, Socket, pauseImage, runc, hostsDir)
}

// registryHosts turns k3s's registries.yaml (mirrors; no credentials) into containerd's hosts.toml files, by folder name.
func registryHosts(registries []byte) (map[string]string, error) {
	var r struct {
		Mirrors map[string]struct {
			Endpoint []string `json:"endpoint"`
		} `json:"mirrors"`
	}
	if err := yaml.Unmarshal(registries, &r); err != nil {
		return nil, err
	}
	hosts := map[string]string{}
	for name, m := range r.Mirrors {
		dir, server := registryServer(name)
		var b strings.Builder
		if server != "" {
			fmt.Fprintf(&b, "server = %q\n", server)
		}
		for _, e := range m.Endpoint {
			fmt.Fprintf(&b, "[host.%q]\n  capabilities = [\"pull\", \"resolve\"]\n", strings.TrimSuffix(e, "/"))
		}
		hosts[dir] = b.String()
	}
	return hosts, nil
}

func registryServer(name string) (dir, server string) {
	if u, err := url.Parse(name); err == nil && u.Host != "" {
		return u.Host, name
	}
	switch name {
	case "*":
		return "_default", ""
	case "docker.io":
		return name, "https://registry-1.docker.io"
	}
	return name, "https://" + name
}
