// SPDX-License-Identifier: Apache-2.0

package deploy

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestManifests(t *testing.T) {
	dir := t.TempDir()
	for _, f := range []string{"b.yaml", "a.yml", "sub/c.json", "skipped.yaml", "skipped.yaml.skip", "note.txt", ".b.yaml"} {
		p := filepath.Join(dir, f)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{filepath.Join(dir, "a.yml"), filepath.Join(dir, "b.yaml"), filepath.Join(dir, "sub/c.json")}
	if got := manifests(dir); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if got := manifests(filepath.Join(dir, "absent")); got != nil {
		t.Errorf("got %v", got)
	}
}

func TestParseOrder(t *testing.T) {
	objs, err := parse([]byte(`# only a comment
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: second}}
---
apiVersion: v1
kind: List
items:
- {apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {name: kinds}}
- {apiVersion: v1, kind: Secret, metadata: {name: third}}
---
{apiVersion: v1, kind: Namespace, metadata: {name: first}}
`))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, o := range objs {
		got = append(got, o.GetName())
	}
	if want := []string{"first", "kinds", "second", "third"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if _, err := parse([]byte("a: [")); err == nil {
		t.Error("broken YAML was accepted")
	}
}
