// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func testJob(t *testing.T, env map[string]string) *job {
	t.Helper()
	dir := t.TempDir()
	return &job{args: []string{"install", "--create-namespace"}, env: func(k string) string { return env[k] }, chartDir: dir, configDir: dir, tmp: dir}
}

func TestInstallArgs(t *testing.T) {
	j := testJob(t, map[string]string{"CONFIG_HASH": "SHA256=1", "TIMEOUT": "5m"})
	one, ten := filepath.Join(j.configDir, "values-01_a.yaml"), filepath.Join(j.configDir, "values-10_b.yaml")
	for _, f := range []string{ten, one} {
		if err := os.WriteFile(f, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{"upgrade", "--install", "web", "c.tgz", "--namespace", "shop", "--create-namespace",
		"--labels", "helmcharts.helm.cattle.io/configHash=SHA256=1", "--timeout", "5m", "--values", one, "--values", ten}
	if got := j.installArgs("web", "shop", "c.tgz"); !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}

func TestChart(t *testing.T) {
	j := testJob(t, map[string]string{"CHART": "https://%{KUBERNETES_API}%/x.tgz", "KUBERNETES_SERVICE_HOST": "10.43.0.1",
		"KUBERNETES_SERVICE_PORT": "443"})
	if got, err := j.chart("web"); err != nil || got != "https://10.43.0.1:443/x.tgz" {
		t.Errorf("from elsewhere: got %q, %v", got, err)
	}
	content := filepath.Join(j.chartDir, "web.tgz.base64")
	if err := os.WriteFile(content, []byte("aGVs\nbG8=\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	path, err := j.chart("web")
	if b, _ := os.ReadFile(path); err != nil || string(b) != "hello" {
		t.Errorf("from the resource: got %q, %v", b, err)
	}
	if err := os.WriteFile(content, []byte("%"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := j.chart("web"); err == nil {
		t.Error("content that is not base64 was accepted")
	}
}
