// SPDX-License-Identifier: Apache-2.0

// Package file writes files that are either the old or the new ones, whenever the node is stopped.
package file

import (
	"bytes"
	"os"
	"path/filepath"
)

// Write replaces path by data, and makes the folders above it.
func Write(path string, data []byte, mode os.FileMode) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	if _, err = f.Write(data); err == nil {
		err = f.Chmod(mode)
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// Text is the content of path without surrounding space; "" when it cannot be read.
func Text(path string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	return string(bytes.TrimSpace(b))
}

// Exists tells whether anything is at path.
func Exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}
