// SPDX-License-Identifier: Apache-2.0

// Package deploy applies the manifests in a folder, as k3s does: at the start, when a file changes, and again when one failed. A file
// with NAME.skip beside it is left out; removing a file removes nothing from the cluster.
package deploy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"

	"firestream/node/internal/file"
	"firestream/node/internal/log"
)

const (
	interval = time.Second
	manager  = "deploy@k3s"
)

type deployer struct {
	client dynamic.Interface
	mapper *restmapper.DeferredDiscoveryRESTMapper
	done   map[string]string // content of a file when it was applied
	failed map[string]string // what was said about it last
}

// Run keeps the manifests below dir applied until ctx ends.
func Run(ctx context.Context, rc *rest.Config, dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	disc, err := discovery.NewDiscoveryClientForConfig(rc)
	if err != nil {
		return err
	}
	client, err := dynamic.NewForConfig(rc)
	if err != nil {
		return err
	}
	d := &deployer{client: client, mapper: restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(disc)),
		done: map[string]string{}, failed: map[string]string{}}
	for {
		d.pass(ctx, dir)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(interval):
		}
	}
}

func (d *deployer) pass(ctx context.Context, dir string) {
	for _, f := range manifests(dir) {
		b, err := os.ReadFile(f)
		if err != nil || d.done[f] == string(b) {
			continue
		}
		if err := d.apply(ctx, b); err != nil {
			d.mapper.Reset() // a kind may have come since
			if msg := err.Error(); msg != d.failed[f] && ctx.Err() == nil {
				log.Warnf("Failed to apply %s: %v", f, err)
				d.failed[f] = msg
			}
			continue
		}
		log.Infof("Applied manifest %s", f)
		d.done[f] = string(b)
		delete(d.failed, f)
	}
}

// manifests are the files below dir that are to be applied, in order of their names.
func manifests(dir string) []string {
	var files []string
	_ = filepath.WalkDir(dir, func(p string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || e.Name()[0] == '.' {
			return nil
		}
		if slices.Contains([]string{".yaml", ".yml", ".json"}, filepath.Ext(p)) && !file.Exists(p+".skip") {
			files = append(files, p)
		}
		return nil
	})
	slices.Sort(files)
	return files
}

// parse reads a file's objects, those first that others need.
func parse(b []byte) ([]*unstructured.Unstructured, error) {
	var objs []*unstructured.Unstructured
	dec := utilyaml.NewYAMLOrJSONDecoder(bytes.NewReader(b), 4096)
	for {
		u := &unstructured.Unstructured{}
		if err := dec.Decode(u); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, err
		}
		switch {
		case len(u.Object) == 0:
		case u.IsList():
			err := u.EachListItem(func(o runtime.Object) error {
				objs = append(objs, o.(*unstructured.Unstructured))
				return nil
			})
			if err != nil {
				return nil, err
			}
		default:
			objs = append(objs, u)
		}
	}
	slices.SortStableFunc(objs, func(a, b *unstructured.Unstructured) int { return rank(a.GetKind()) - rank(b.GetKind()) })
	return objs, nil
}

func rank(kind string) int {
	switch kind {
	case "Namespace":
		return 0
	case "CustomResourceDefinition":
		return 1
	}
	return 2
}

func (d *deployer) apply(ctx context.Context, b []byte) error {
	objs, err := parse(b)
	if err != nil {
		return err
	}
	var errs []error
	for _, o := range objs {
		if err := d.applyOne(ctx, o); err != nil {
			errs = append(errs, fmt.Errorf("%s %s: %w", o.GetKind(), o.GetName(), err))
		}
	}
	return errors.Join(errs...)
}

func (d *deployer) applyOne(ctx context.Context, o *unstructured.Unstructured) error {
	gvk := o.GroupVersionKind()
	m, err := d.mapper.RESTMapping(gvk.GroupKind(), gvk.Version)
	if err != nil {
		return err
	}
	var target dynamic.ResourceInterface = d.client.Resource(m.Resource)
	if m.Scope.Name() == meta.RESTScopeNameNamespace {
		ns := o.GetNamespace()
		if ns == "" {
			ns = metav1.NamespaceDefault
		}
		target = d.client.Resource(m.Resource).Namespace(ns)
	}
	j, err := o.MarshalJSON()
	if err != nil {
		return err
	}
	force := true
	_, err = target.Patch(ctx, o.GetName(), types.ApplyPatchType, j, metav1.PatchOptions{FieldManager: manager, Force: &force})
	return err
}
