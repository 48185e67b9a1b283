// SPDX-License-Identifier: Apache-2.0

package main

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path"
	"runtime"
	"strings"
)

// image is an image made from nothing but files.
type image struct {
	tag    string
	files  map[string]string // path in the image: file here
	order  []string          // of files
	config imageConfig
}

type imageConfig struct {
	User       string   `json:",omitempty"`
	Env        []string `json:",omitempty"`
	Entrypoint []string
	WorkingDir string
}

// writeArchive writes images in the form of `docker save`. The same files give the same bytes.
func writeArchive(w io.Writer, images []image) error {
	tw := tar.NewWriter(w)
	type entry struct {
		Config   string
		RepoTags []string
		Layers   []string
	}
	var manifest []entry
	for _, im := range images {
		h := sha256.New()
		size := new(counter)
		if err := writeLayer(io.MultiWriter(h, size), im); err != nil {
			return err
		}
		digest := hex.EncodeToString(h.Sum(nil))
		conf, err := json.Marshal(imageJSON(im, digest))
		if err != nil {
			return err
		}
		sum := sha256.Sum256(conf)
		e := entry{Config: hex.EncodeToString(sum[:]) + ".json", RepoTags: []string{im.tag}, Layers: []string{digest + ".tar"}}
		if err := tw.WriteHeader(header(e.Layers[0], int64(*size), 0o644)); err != nil {
			return err
		}
		if err := writeLayer(tw, im); err != nil {
			return err
		}
		if err := writeFile(tw, e.Config, conf); err != nil {
			return err
		}
		manifest = append(manifest, e)
	}
	b, err := json.Marshal(manifest)
	if err != nil {
		return err
	}
	if err := writeFile(tw, "manifest.json", b); err != nil {
		return err
	}
	return tw.Close()
}

func imageJSON(im image, layer string) any {
	return map[string]any{
		"architecture": runtime.GOARCH,
		"os":           "linux",
		"config":       im.config,
		"rootfs":       map[string]any{"type": "layers", "diff_ids": []string{"sha256:" + layer}},
	}
}

// writeLayer writes the image's one layer: folders, then what is in them.
func writeLayer(w io.Writer, im image) error {
	tw := tar.NewWriter(w)
	made := map[string]bool{}
	for _, name := range im.order {
		if err := writeFolders(tw, path.Dir(name), made); err != nil {
			return err
		}
		if err := copyFile(tw, name, im.files[name]); err != nil {
			return err
		}
	}
	return tw.Close()
}

func writeFolders(tw *tar.Writer, dir string, made map[string]bool) error {
	if dir == "." || dir == "/" || made[dir] {
		return nil
	}
	if err := writeFolders(tw, path.Dir(dir), made); err != nil {
		return err
	}
	made[dir] = true
	h := header(strings.TrimPrefix(dir, "/")+"/", 0, 0o755)
	h.Typeflag = tar.TypeDir
	return tw.WriteHeader(h)
}

func copyFile(tw *tar.Writer, name, source string) error {
	f, err := os.Open(source)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	mode := int64(0o644)
	if info.Mode()&0o111 != 0 {
		mode = 0o755
	}
	if err := tw.WriteHeader(header(strings.TrimPrefix(name, "/"), info.Size(), mode)); err != nil {
		return err
	}
	if _, err := io.Copy(tw, f); err != nil {
		return fmt.Errorf("%s: %w", source, err)
	}
	return nil
}

func writeFile(tw *tar.Writer, name string, b []byte) error {
	if err := tw.WriteHeader(header(name, int64(len(b)), 0o644)); err != nil {
		return err
	}
	_, err := io.Copy(tw, bytes.NewReader(b))
	return err
}

func header(name string, size, mode int64) *tar.Header {
	return &tar.Header{Typeflag: tar.TypeReg, Name: name, Size: size, Mode: mode, Format: tar.FormatUSTAR}
}

type counter int64

func (c *counter) Write(b []byte) (int, error) {
	*c += counter(len(b))
	return len(b), nil
}
