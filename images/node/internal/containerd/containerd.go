// SPDX-License-Identifier: Apache-2.0

// Package containerd runs the distribution's containerd and gives it the images that the node brings along. Its data is below the
// data folder; its state dies with the container, and so do the pods' processes.
package containerd

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"firestream/node/internal/child"
	"firestream/node/internal/config"
	"firestream/node/internal/file"
	"firestream/node/internal/host"
	"firestream/node/internal/log"
)

// Socket is where containerd answers.
const Socket = stateDir + "/containerd.sock"

const (
	stateDir     = "/run/k3s/containerd"
	rootDir      = config.AgentDir + "/containerd"
	configPath   = config.AgentDir + "/etc/containerd/config.toml"
	hostsDir     = config.AgentDir + "/etc/containerd/certs.d"
	startTimeout = 60 * time.Second
)

// Start brings containerd up and keeps it running until ctx ends.
func Start(ctx context.Context, pauseImage string) error {
	runc := "/usr/sbin/runc"
	if !host.HasSysResource() {
		runc = "/usr/local/bin/runc-nosysres"
	}
	if err := writeRegistries(); err != nil {
		log.Warnf("%s: %v", config.RegistriesPath, err)
	}
	if err := file.Write(configPath, []byte(configText(pauseImage, runc)), 0o644); err != nil {
		return err
	}
	for _, dir := range []string{stateDir, rootDir} {
		if err := os.MkdirAll(dir, 0o711); err != nil {
			return err
		}
	}
	out, err := os.Create(rootDir + "/containerd.log")
	if err != nil {
		return err
	}
	go func() {
		defer out.Close()
		child.Keep(ctx, out, "/usr/bin/containerd", "-c", configPath)
	}()
	return wait(ctx)
}

func writeRegistries() error {
	if err := os.RemoveAll(hostsDir); err != nil {
		return err
	}
	b, err := os.ReadFile(config.RegistriesPath)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	hosts, err := registryHosts(b)
	if err != nil {
		return err
	}
	for dir, text := range hosts {
		if err := file.Write(filepath.Join(hostsDir, filepath.Base(dir), "hosts.toml"), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

func wait(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for {
		if file.Exists(Socket) && ctr(ctx, "version").Run() == nil {
			log.Infof("Containerd is now running")
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("containerd did not answer within %s: see %s/containerd.log", startTimeout, rootDir)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func ctr(ctx context.Context, args ...string) *exec.Cmd {
	return exec.CommandContext(ctx, "/usr/bin/ctr", append([]string{"-a", Socket, "-n", "k8s.io"}, args...)...)
}
