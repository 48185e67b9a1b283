// SPDX-License-Identifier: Apache-2.0

// helm-entry is the entry point of the image in which HelmChart jobs run: it fulfils helm-controller's contract of arguments,
// environment and mounts with the real helm.
package main

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

const (
	helmPath       = "/bin/helm"
	terminationLog = "/dev/termination-log"
)

// job is what helm-controller passes.
type job struct {
	args                     []string // of this program
	env                      func(string) string
	chartDir, configDir, tmp string
}

func main() {
	j := &job{args: os.Args[1:], env: os.Getenv, chartDir: "/chart", configDir: "/config", tmp: os.TempDir()}
	if err := j.run(); err != nil {
		fmt.Fprintln(os.Stderr, "helm-entry:", err)
		_ = os.WriteFile(terminationLog, []byte(err.Error()), 0o644)
		os.Exit(1)
	}
}

func (j *job) run() error {
	name, ns := j.env("NAME"), j.env("TARGET_NAMESPACE")
	if len(j.args) == 0 || name == "" {
		return errors.New("needs an action and the environment of a HelmChart job")
	}
	if j.args[0] == "delete" {
		return helm("uninstall", name, "--namespace", ns, "--ignore-not-found", "--wait")
	}
	if repo := j.env("REPO"); repo != "" {
		if err := helm(j.repoArgs(name, repo)...); err != nil {
			return err
		}
	}
	chart, err := j.chart(name)
	if err != nil {
		return err
	}
	args := j.installArgs(name, ns, chart)
	if err = helm(args...); err == nil || j.env("FAILURE_POLICY") != "reinstall" || !broken(name, ns) {
		return err
	}
	if err := helm("uninstall", name, "--namespace", ns, "--wait"); err != nil {
		return err
	}
	return helm(args...)
}

func (j *job) repoArgs(name, repo string) []string {
	args := []string{"repo", "add", name, repo}
	if ca := filepath.Join(j.configDir, "ca-file.pem"); exists(ca) {
		args = append(args, "--ca-file", ca)
	}
	if j.env("INSECURE_SKIP_TLS_VERIFY") == "true" {
		args = append(args, "--insecure-skip-tls-verify")
	}
	return args
}

// chart is what helm is to install: the archive inside the HelmChart, or a reference.
func (j *job) chart(name string) (string, error) {
	b, err := os.ReadFile(filepath.Join(j.chartDir, name+".tgz.base64"))
	if errors.Is(err, fs.ErrNotExist) {
		api := j.env("KUBERNETES_SERVICE_HOST") + ":" + j.env("KUBERNETES_SERVICE_PORT")
		return strings.ReplaceAll(j.env("CHART"), "%{KUBERNETES_API}%", api), nil
	} else if err != nil {
		return "", err
	}
	d, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(string(b)), ""))
	if err != nil {
		return "", fmt.Errorf("chartContent: %w", err)
	}
	path := filepath.Join(j.tmp, name+".tgz")
	return path, os.WriteFile(path, d, 0o600)
}

func (j *job) installArgs(name, ns, chart string) []string {
	args := append([]string{"upgrade", "--install", name, chart, "--namespace", ns}, j.args[1:]...)
	if hash := j.env("CONFIG_HASH"); hash != "" { // without this label the controller makes the job again
		args = append(args, "--labels", "helmcharts.helm.cattle.io/configHash="+hash)
	}
	if timeout := j.env("TIMEOUT"); timeout != "" {
		args = append(args, "--timeout", timeout)
	}
	if j.env("PLAIN_HTTP") == "true" {
		args = append(args, "--plain-http")
	}
	if j.env("INSECURE_SKIP_TLS_VERIFY") == "true" {
		args = append(args, "--insecure-skip-tls-verify")
	}
	if ca := filepath.Join(j.configDir, "ca-file.pem"); exists(ca) {
		args = append(args, "--ca-file", ca)
	}
	values, _ := filepath.Glob(filepath.Join(j.configDir, "values-*.yaml"))
	slices.Sort(values) // later ones win
	for _, v := range values {
		args = append(args, "--values", v)
	}
	return args
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// broken tells whether a release was left in a state that no upgrade gets out of.
func broken(name, ns string) bool {
	out, err := exec.Command(helmPath, "list", "--all", "--failed", "--pending", "--short", "--filter", "^"+name+"$", "--namespace", ns).Output()
	return err == nil && len(out) > 0
}

func helm(args ...string) error {
	fmt.Println("+ helm", strings.Join(args, " "))
	var said strings.Builder
	c := exec.Command(helmPath, args...)
	c.Stdout, c.Stderr = os.Stdout, &said
	err := c.Run()
	fmt.Fprint(os.Stderr, said.String())
	if err != nil {
		return fmt.Errorf("helm %s: %w: %s", args[0], err, strings.TrimSpace(said.String()))
	}
	return nil
}
