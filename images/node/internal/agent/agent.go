// SPDX-License-Identifier: Apache-2.0

// Package agent runs what every node runs: containerd, the kubelet, kube-proxy and the pod network.
package agent

import (
	"context"
	"fmt"
	"os"

	"golang.org/x/sync/errgroup"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"firestream/node/internal/child"
	"firestream/node/internal/config"
	"firestream/node/internal/containerd"
	"firestream/node/internal/file"
	"firestream/node/internal/host"
	"firestream/node/internal/kubeconfig"
	"firestream/node/internal/log"
	"firestream/node/internal/podnet"
	"firestream/node/internal/supervisor"
)

const (
	dir               = config.AgentDir
	kubeletKubeconfig = dir + "/kubelet.kubeconfig"
	proxyKubeconfig   = dir + "/kubeproxy.kubeconfig"
)

// Join is `k3s agent`: it runs the node of a cluster whose server is elsewhere.
func Join(ctx context.Context, c *config.Config) error {
	if err := host.Prepare(); err != nil {
		return err
	}
	b, err := supervisor.Join(ctx, c)
	if err != nil {
		return err
	}
	return Run(ctx, c, c.URL, b, func(context.Context) (string, error) { return b.PodCIDR, nil })
}

// Run runs the node until ctx ends. podCIDR is asked when the runtime is up and may wait for the API server.
func Run(ctx context.Context, c *config.Config, url string, b *supervisor.Bundle, podCIDR func(context.Context) (string, error)) error {
	if err := writeCredentials(url, b); err != nil {
		return err
	}
	if err := containerd.Start(ctx, c.PauseImage); err != nil {
		return err
	}
	containerd.ImportImages(ctx)
	cidr, err := podCIDR(ctx)
	if err != nil {
		return fmt.Errorf("registering the node: %w", err)
	}
	if err := podnet.Setup(b.ClusterCIDR, cidr); err != nil {
		return err
	}
	if err := writeKubeletConfig(b); err != nil {
		return err
	}
	// a kubelet may not list nodes, kube-proxy may
	rc, err := clientcmd.BuildConfigFromFlags("", proxyKubeconfig)
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(rc)
	if err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { child.KeepComponent(ctx, "kubelet", kubeletArgs(c), c.Extra.Kubelet); return nil })
	g.Go(func() error { child.KeepComponent(ctx, "kube-proxy", proxyArgs(c, b), c.Extra.Proxy); return nil })
	g.Go(func() error { return podnet.Route(ctx, client, c.NodeName) })
	return g.Wait()
}

func writeCredentials(url string, b *supervisor.Bundle) error {
	if err := file.Write(dir+"/server-ca.crt", b.ServerCA, 0o644); err != nil {
		return err
	}
	if err := file.Write(clientCA, b.ClientCA, 0o644); err != nil {
		return err
	}
	if err := b.Serving.Write(servingBase); err != nil {
		return err
	}
	if err := kubeconfig.Write(kubeletKubeconfig, url, b.ServerCA, b.Kubelet, 0o600); err != nil {
		return err
	}
	return kubeconfig.Write(proxyKubeconfig, url, b.ServerCA, b.Proxy, 0o600)
}

func writeKubeletConfig(b *supervisor.Bundle) error {
	if err := os.MkdirAll(staticPodsDir, 0o755); err != nil {
		return err
	}
	resolv, err := resolvConf()
	if err != nil {
		return err
	}
	root := host.CgroupRoot()
	log.Infof("Pods go below cgroup %s and resolve with %s", root, resolv)
	return file.Write(kubeletConfigPath, []byte(kubeletConfig(b, resolv, root)), 0o644)
}
