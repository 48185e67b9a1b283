// SPDX-License-Identifier: Apache-2.0

// podimages packs the programs of the node's own pods as images into one archive, so that no engine is needed for making them.
//
//	podimages PROGRAMS CERTIFICATES OUT.tar
package main

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"

	"firestream/node/internal/config"
)

func main() {
	if len(os.Args) != 4 {
		fail(fmt.Errorf("usage: podimages PROGRAMS CERTIFICATES OUT.tar"))
	}
	f, err := os.Create(os.Args[3])
	if err != nil {
		fail(err)
	}
	w := bufio.NewWriterSize(f, 1<<20)
	if err := writeArchive(w, podImages(os.Args[1], os.Args[2])); err != nil {
		fail(err)
	}
	if err := w.Flush(); err != nil {
		fail(err)
	}
	if err := f.Close(); err != nil {
		fail(err)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "podimages:", err)
	os.Exit(1)
}

// podImages: programs is the folder they were built in; certificates is for helm, which fetches charts.
func podImages(programs, certificates string) []image {
	const bundle = "/etc/ssl/certs/ca-certificates.crt"
	bin := func(name string) string { return filepath.Join(programs, name) }
	return []image{{
		tag:    config.DefaultPause,
		files:  map[string]string{"/pause": bin("pause")},
		order:  []string{"/pause"},
		config: imageConfig{User: "65535:65535", Entrypoint: []string{"/pause"}, WorkingDir: "/"},
	}, {
		tag:    config.CoreDNSImage,
		files:  map[string]string{"/coredns": bin("coredns")},
		order:  []string{"/coredns"},
		config: imageConfig{Entrypoint: []string{"/coredns"}, WorkingDir: "/"},
	}, {
		tag:   config.HelmJobImage,
		files: map[string]string{"/bin/helm": bin("helm"), "/bin/helm-entry": bin("helm-entry"), bundle: certificates},
		order: []string{bundle, "/bin/helm", "/bin/helm-entry"},
		config: imageConfig{User: "1000:1000", Entrypoint: []string{"/bin/helm-entry"}, WorkingDir: "/",
			Env: []string{"HOME=/home/klipper-helm", "PATH=/bin"}},
	}}
}
