// SPDX-License-Identifier: Apache-2.0

// Package child runs processes that belong to the node and starts them again when they end.
package child

import (
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"firestream/node/internal/log"
)

const (
	pause = time.Second     // before a process is started again
	grace = 3 * time.Second // between SIGTERM and SIGKILL
)

// Keep runs a program until ctx ends; then it asks the process to end and waits for that.
func Keep(ctx context.Context, out io.Writer, path string, args ...string) {
	keep(ctx, out, path, append([]string{filepath.Base(path)}, args...))
}

func keep(ctx context.Context, out io.Writer, path string, argv []string) {
	line := strings.TrimPrefix(strings.Join(argv, " "), ownName+" ")
	name, _, _ := strings.Cut(line, " ")
	for ctx.Err() == nil {
		log.Infof("Running %s", line)
		c := exec.CommandContext(ctx, path)
		c.Args, c.Stdout, c.Stderr = argv, out, out
		c.Cancel = func() error { return c.Process.Signal(syscall.SIGTERM) }
		c.WaitDelay = grace
		err := c.Run()
		if ctx.Err() != nil {
			return
		}
		log.Warnf("%s ended, starting it again: %v", name, err)
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

const ownName = "k3s"

// KeepComponent is Keep for one of the components in our own binary. extra comes from flags like --kubelet-arg and wins.
func KeepComponent(ctx context.Context, name string, args, extra []string) {
	keep(ctx, os.Stderr, "/proc/self/exe", append([]string{ownName, name}, WithExtra(args, extra)...))
}

// WithExtra appends arguments given as "name=value".
func WithExtra(args, extra []string) []string {
	for _, e := range extra {
		args = append(args, "--"+strings.TrimLeft(e, "-"))
	}
	return args
}
