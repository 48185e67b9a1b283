// SPDX-License-Identifier: Apache-2.0

// k3s is a Kubernetes node in one program: upstream's components behind k3s's command line, for tests and for machines that reach
// no registry. It is what k3d and Firestream start in a node's container, and never more.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"k8s.io/component-base/cli"
	"k8s.io/component-base/version"
	kubectl "k8s.io/kubectl/pkg/cmd"
	controllermanager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	proxy "k8s.io/kubernetes/cmd/kube-proxy/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"

	"firestream/node/internal/agent"
	"firestream/node/internal/config"
	"firestream/node/internal/containerd"
	"firestream/node/internal/log"
	"firestream/node/internal/server"
)

func main() {
	name, args := command(os.Args)
	switch name {
	case "server":
		runNode(server.Run, name, args)
	case "agent":
		runNode(agent.Join, name, args)
	case "kubectl":
		runKubectl(args)
	case "ctr":
		env := append(os.Environ(), "CONTAINERD_ADDRESS="+containerd.Socket, "CONTAINERD_NAMESPACE=k8s.io")
		log.Fatalf("ctr: %v", syscall.Exec("/usr/bin/ctr", append([]string{"ctr"}, args...), env))
	case "kube-controller-manager":
		runComponent(controllermanager.NewControllerManagerCommand(), args)
	case "kube-scheduler":
		runComponent(scheduler.NewSchedulerCommand(), args)
	case "kube-proxy":
		runComponent(proxy.NewProxyCommand(), args)
	case "kubelet":
		runComponent(kubelet.NewKubeletCommand(context.Background()), args)
	case "--version", "-v", "version":
		fmt.Println("k3s version " + version.Get().GitVersion)
	default:
		log.Fatalf("unknown command %q: server, agent, kubectl, ctr or --version", name)
	}
}

// command is the subcommand: the program's own name when called through a link (kubectl), else the first argument.
func command(argv []string) (string, []string) {
	if name := filepath.Base(argv[0]); name == "kubectl" || name == "ctr" {
		return name, argv[1:]
	}
	if len(argv) < 2 {
		return "server", nil
	}
	return argv[1], argv[2:]
}

func runNode(run func(context.Context, *config.Config) error, mode string, args []string) {
	host, err := config.ThisHost()
	if err != nil {
		log.Fatalf("%v", err)
	}
	c, err := config.Parse(args, host)
	if err != nil {
		log.Fatalf("%v", err)
	}
	log.Infof("Starting k3s %s %s as %s at %s", mode, version.Get().GitVersion, c.NodeName, c.NodeIP)
	if len(c.Ignored) > 0 {
		log.Warnf("This node ignores --%s", strings.Join(c.Ignored, ", --"))
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if err := run(ctx, c); err != nil && ctx.Err() == nil {
		log.Fatalf("%v", err)
	}
	log.Infof("Stopped")
}

func runKubectl(args []string) {
	if _, err := os.Stat(config.KubeconfigPath); err == nil && os.Getenv("KUBECONFIG") == "" {
		_ = os.Setenv("KUBECONFIG", config.KubeconfigPath)
	}
	os.Args = append([]string{"kubectl"}, args...) // it looks for plugins there
	os.Exit(cli.Run(kubectl.NewDefaultKubectlCommand()))
}

func runComponent(c *cobra.Command, args []string) {
	c.SetArgs(args)
	os.Exit(cli.Run(c))
}
