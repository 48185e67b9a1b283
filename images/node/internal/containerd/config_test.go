// SPDX-License-Identifier: Apache-2.0

package containerd

import (
	"archive/tar"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

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

func TestTags(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.tar")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	w := tar.NewWriter(f)
	for name, text := range map[string]string{"layer.tar": "x", "manifest.json": `[{"RepoTags":["a/b:1"]},{"RepoTags":["c:2","d:3"]}]`} {
		if err := w.WriteHeader(&tar.Header{Name: name, Size: int64(len(text)), Mode: 0o644}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if got := tags(path); !slices.Equal(got, []string{"a/b:1", "c:2", "d:3"}) {
		t.Errorf("got %v", got)
	}
	if err := os.WriteFile(path, []byte("not an archive"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := tags(path); got != nil {
		t.Errorf("not an archive: got %v", got)
	}
}
