// SPDX-License-Identifier: Apache-2.0

package main

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

func program(t *testing.T, content string) string {
	t.Helper()
	p := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(p, []byte(content), 0o755); err != nil {
		t.Fatal(err)
	}
	return p
}

func archive(t *testing.T, file string) []byte {
	t.Helper()
	var b bytes.Buffer
	err := writeArchive(&b, []image{{tag: "a/b:1", files: map[string]string{"/usr/bin/p": file}, order: []string{"/usr/bin/p"},
		config: imageConfig{User: "1:1", Entrypoint: []string{"/usr/bin/p"}, WorkingDir: "/"}}})
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func entries(t *testing.T, r io.Reader) map[string][]byte {
	t.Helper()
	m := map[string][]byte{}
	for tr := tar.NewReader(r); ; {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return m
		} else if err != nil {
			t.Fatal(err)
		}
		m[h.Name], _ = io.ReadAll(tr)
	}
}

func TestArchiveHoldsTogether(t *testing.T) {
	all := entries(t, bytes.NewReader(archive(t, program(t, "content"))))
	var manifest []struct {
		Config           string
		RepoTags, Layers []string
	}
	if err := json.Unmarshal(all["manifest.json"], &manifest); err != nil || len(manifest) != 1 || manifest[0].RepoTags[0] != "a/b:1" {
		t.Fatalf("manifest %s: %v", all["manifest.json"], err)
	}
	layer := all[manifest[0].Layers[0]]
	sum := sha256.Sum256(layer)
	var conf struct {
		Rootfs struct {
			DiffIDs []string `json:"diff_ids"`
		} `json:"rootfs"`
		Config struct{ User string } `json:"config"`
	}
	if err := json.Unmarshal(all[manifest[0].Config], &conf); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(conf.Rootfs.DiffIDs, []string{"sha256:" + hex.EncodeToString(sum[:])}) || conf.Config.User != "1:1" {
		t.Errorf("config does not fit the layer: %+v", conf)
	}
	files := entries(t, bytes.NewReader(layer))
	if string(files["usr/bin/p"]) != "content" || len(files) != 3 {
		t.Errorf("unexpected layer: %v", files)
	}
}

func TestArchiveIsReproducible(t *testing.T) {
	one, two := program(t, "content"), program(t, "content")
	if err := os.Chtimes(two, time.Unix(1, 0), time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(archive(t, one), archive(t, two)) {
		t.Error("same files, other bytes")
	}
}

func TestArchiveNeedsItsFiles(t *testing.T) {
	if err := writeArchive(io.Discard, []image{{files: map[string]string{"/p": "/nonexistent"}, order: []string{"/p"}}}); err == nil {
		t.Error("a missing program was ignored")
	}
}
