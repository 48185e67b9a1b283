// SPDX-License-Identifier: Apache-2.0

package coredns

import (
	"net"
	"strings"
	"testing"

	"firestream/node/internal/config"
)

func TestMergeHosts(t *testing.T) {
	known := map[string]bool{"a": true, "gone": true}
	for _, c := range []struct {
		what, current string
		want          map[string]string
		result        string
	}{
		{"empty", "", map[string]string{"a": "1.1.1.1"}, "1.1.1.1 a\n"},
		{"new address", "1.1.1.1 a\n", map[string]string{"a": "2.2.2.2"}, "2.2.2.2 a\n"},
		{"lines of others stay", "9.9.9.9 host.k3d.internal\n1.1.1.1 gone\n", map[string]string{"a": "1.1.1.1"}, "1.1.1.1 a\n9.9.9.9 host.k3d.internal\n"},
	} {
		if got := mergeHosts(c.current, c.want, known); got != c.result {
			t.Errorf("%s: got %q, want %q", c.what, got, c.result)
		}
	}
}

func TestRenderFillsEverything(t *testing.T) {
	text := render(&config.Config{ClusterDomain: "cluster.test", ClusterDNS: net.IPv4(10, 9, 0, 10)})
	if strings.Contains(text, "%{") {
		t.Error("a placeholder is left")
	}
	for _, part := range []string{"kubernetes cluster.test in-addr.arpa", `clusterIP: "10.9.0.10"`, "hosts /etc/coredns/NodeHosts",
		"import /etc/coredns/custom/*.override", "import /etc/coredns/custom/*.server", config.CoreDNSImage} {
		if !strings.Contains(text, part) {
			t.Errorf("lacks %q", part)
		}
	}
}
