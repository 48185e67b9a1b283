// SPDX-License-Identifier: Apache-2.0

package config

import (
	"net"
	"slices"
	"strings"
	"testing"
)

func testHost(env map[string]string) Host {
	return Host{Name: "k3d-Dev-server-0", IP: net.IPv4(172, 18, 0, 2).To4(), Env: func(k string) string { return env[k] }}
}

func TestParseDefaults(t *testing.T) {
	c, err := Parse(nil, testHost(nil))
	if err != nil {
		t.Fatal(err)
	}
	if c.NodeName != "k3d-dev-server-0" || c.NodeIP.String() != "172.18.0.2" || c.Port != 6443 || c.KubeconfigMode != 0o600 ||
		c.ClusterDNS.String() != "10.43.0.10" || c.APIServiceIP().String() != "10.43.0.1" || c.KubeconfigOut != KubeconfigPath {
		t.Errorf("unexpected defaults: %+v", c)
	}
}

func TestParseWhatK3dPasses(t *testing.T) {
	c, err := Parse([]string{"--disable=traefik,coredns", "--cluster-init", "--tls-san", "0.0.0.0", "--tls-san", "a,b", "--no-such-flag=x",
		"--node-label", "a=b,c", "--node-taint", "k=v:NoSchedule", "--kubelet-arg=max-pods=20", "--service-cidr", "10.9.0.0/24", "--flannel-backend=vxlan"},
		testHost(map[string]string{"K3S_TOKEN": "secret", "K3S_URL": "https://x:6443/", "K3S_KUBECONFIG_OUTPUT": "/output/kubeconfig.yaml",
			"K3S_KUBECONFIG_MODE": "666"}))
	if err != nil {
		t.Fatal(err)
	}
	if !c.DisableCoreDNS || !slices.Equal(c.TLSSANs, []string{"0.0.0.0", "a", "b"}) || c.Labels["a"] != "b" || c.Labels["c"] != "" ||
		c.Taints[0] != "k=v:NoSchedule" || c.Extra.Kubelet[0] != "max-pods=20" || c.ClusterDNS.String() != "10.9.0.10" {
		t.Errorf("unexpected flags: %+v", c)
	}
	if c.Token != "secret" || c.URL != "https://x:6443" || c.KubeconfigOut != "/output/kubeconfig.yaml" || c.KubeconfigMode != 0o666 {
		t.Errorf("unexpected environment: %+v", c)
	}
	if !slices.Equal(c.Ignored, []string{"cluster-init", "flannel-backend"}) {
		t.Errorf("ignored: %v", c.Ignored)
	}
}

func TestParseErrors(t *testing.T) {
	for arg, want := range map[string]string{
		"--node-name=not_a_name":       "node name",
		"--node-ip=1.2.3":              "not an IPv4 address",
		"--cluster-cidr=10.0.0.0":      "not an IPv4 network",
		"--service-cidr=fd00::/64":     "not an IPv4 network",
		"--cluster-dns=1.2.3.4":        "is not in service network",
		"--write-kubeconfig-mode=rw-r": "octal",
		"--https-listen-port=x":        "invalid argument",
	} {
		if _, err := Parse([]string{arg}, testHost(nil)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q", arg, err, want)
		}
	}
}

func TestDefaultDevice(t *testing.T) {
	const table = "Iface Destination Gateway Flags RefCnt Use Metric Mask\n" +
		"eth1 000011AC 00000000 0001 0 0 0 0000FFFF\neth0 00000000 010011AC 0003 0 0 0 00000000\n"
	if got := defaultDevice(table); got != "eth0" {
		t.Errorf("got %q", got)
	}
	if got := defaultDevice(""); got != "" {
		t.Errorf("got %q", got)
	}
}
