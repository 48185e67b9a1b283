// SPDX-License-Identifier: Apache-2.0

package containerd

import "testing"

func TestRegistryHosts(t *testing.T) {
	got, err := registryHosts([]byte(`mirrors:
  docker.io: {endpoint: [http://registry:5000/]}
  "reg.local:5000": {endpoint: [http://a, http://b]}
  "*": {endpoint: [http://all]}
`))
	if err != nil {
		t.Fatal(err)
	}
	const caps = "  capabilities = [\"pull\", \"resolve\"]\n"
	want := map[string]string{
		"docker.io":      "server = \"https://registry-1.docker.io\"\n[host.\"http://registry:5000\"]\n" + caps,
		"reg.local:5000": "server = \"https://reg.local:5000\"\n[host.\"http://a\"]\n" + caps + "[host.\"http://b\"]\n" + caps,
		"_default":       "[host.\"http://all\"]\n" + caps,
	}
	if len(got) != len(want) {
		t.Errorf("got %d folders, want %d", len(got), len(want))
	}
	for dir, text := range want {
		if got[dir] != text {
			t.Errorf("%s: got %q, want %q", dir, got[dir], text)
		}
	}
	if _, err := registryHosts([]byte("mirrors: [")); err == nil {
		t.Error("broken YAML was accepted")
	}
}
