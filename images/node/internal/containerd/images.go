// SPDX-License-Identifier: Apache-2.0

package containerd

import (
	"archive/tar"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"firestream/node/internal/config"
	"firestream/node/internal/file"
	"firestream/node/internal/log"
)

// importedDir remembers which archives have been imported, by their size and time.
const importedDir = rootDir + "/imported"

// ImportImages loads the images of the node itself and those that the user put into the data folder, unless that was done in an
// earlier life. They are unpacked when first used.
func ImportImages(ctx context.Context) {
	for _, dir := range []string{config.BakedImagesDir, config.AgentDir + "/images"} {
		archives, _ := filepath.Glob(dir + "/*.tar*")
		for _, f := range archives {
			start := time.Now()
			mark := filepath.Join(importedDir, filepath.Base(dir)+"-"+filepath.Base(f))
			id := identity(f)
			if file.Text(mark) == id && present(ctx, f) {
				continue
			}
			if out, err := ctr(ctx, "image", "import", "--no-unpack", f).CombinedOutput(); err != nil {
				log.Warnf("Importing images from %s: %v: %s", f, err, out)
				continue
			}
			log.Infof("Imported images from %s in %s", f, time.Since(start).Round(time.Millisecond))
			if err := file.Write(mark, []byte(id), 0o644); err != nil {
				log.Warnf("%v", err)
			}
		}
	}
}

func identity(path string) string {
	info, err := os.Stat(path)
	if err != nil {
		return ""
	}
	return fmt.Sprintf("%d %d", info.Size(), info.ModTime().UnixNano())
}

// present tells whether containerd still has all that is in an archive.
func present(ctx context.Context, archive string) bool {
	want := tags(archive)
	if len(want) == 0 {
		return false
	}
	out, err := ctr(ctx, "image", "ls", "-q").Output()
	have := strings.Fields(string(out))
	return err == nil && !slices.ContainsFunc(want, func(t string) bool {
		return !slices.ContainsFunc(have, func(h string) bool { return h == t || strings.HasSuffix(h, "/"+t) })
	})
}

// tags are the names in an archive made by `docker save`; none when it is of another kind.
func tags(archive string) []string {
	f, err := os.Open(archive)
	if err != nil {
		return nil
	}
	defer f.Close()
	for tr := tar.NewReader(f); ; {
		h, err := tr.Next()
		if err != nil {
			return nil
		}
		if h.Name != "manifest.json" {
			continue
		}
		var entries []struct{ RepoTags []string }
		if json.NewDecoder(io.LimitReader(tr, 1<<20)).Decode(&entries) != nil {
			return nil
		}
		var list []string
		for _, e := range entries {
			list = append(list, e.RepoTags...)
		}
		return list
	}
}
