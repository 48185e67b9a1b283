// SPDX-License-Identifier: Apache-2.0

// Package log writes lines in the form that k3s writes them, which is what k3d waits for in a node's log.
package log

import (
	"fmt"
	"os"
	"time"
)

// Infof reports progress.
func Infof(format string, args ...any) { line("info", format, args) }

// Warnf reports something that went wrong and will be tried again or done without.
func Warnf(format string, args ...any) { line("warning", format, args) }

// Fatalf reports why the node ends, and ends it.
func Fatalf(format string, args ...any) {
	line("fatal", format, args)
	os.Exit(1)
}

func line(level, format string, args []any) {
	now := time.Now().UTC().Format(time.RFC3339Nano)
	fmt.Fprintf(os.Stderr, "time=%q level=%s msg=%q\n", now, level, fmt.Sprintf(format, args...))
}
