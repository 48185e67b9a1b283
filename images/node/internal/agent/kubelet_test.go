// SPDX-License-Identifier: Apache-2.0

package agent

import (
	"testing"

	kubeletv1beta1 "k8s.io/kubelet/config/v1beta1"
	"sigs.k8s.io/yaml"

	"firestream/node/internal/supervisor"
)

func TestKubeletConfigIsWhatTheKubeletKnows(t *testing.T) {
	b := &supervisor.Bundle{ClusterDNS: "10.43.0.10", ClusterDomain: "cluster.local"}
	var k kubeletv1beta1.KubeletConfiguration
	if err := yaml.UnmarshalStrict([]byte(kubeletConfig(b, "/etc/resolv.conf", "/docker/1")), &k); err != nil {
		t.Fatal(err)
	}
	if k.ClusterDNS[0] != b.ClusterDNS || k.CgroupRoot != "/docker/1" || *k.ResolverConfig != "/etc/resolv.conf" ||
		k.TLSCertFile != servingBase+".crt" || k.TLSPrivateKeyFile != servingBase+".key" || k.StaticPodPath != staticPodsDir ||
		k.EvictionHard["nodefs.available"] != "2%" {
		t.Errorf("unexpected: %+v", k)
	}
}

func TestUsableInPods(t *testing.T) {
	for text, want := range map[string]bool{
		"nameserver 127.0.0.11\noptions ndots:0\n":  false,
		"nameserver 127.0.0.11\nnameserver 1.1.1.1": true,
		"# nameserver 1.1.1.1":                      false,
		"":                                          false,
	} {
		if usableInPods(text) != want {
			t.Errorf("%q: want %v", text, want)
		}
	}
}
