// SPDX-License-Identifier: Apache-2.0

// Package server is `k3s server`: datastore, API server, supervisor, manifests and helm-controller in this process, controller manager
// and scheduler as children, and the node's own agent.
//
// The cluster's data is below the data folder and may meet a new container with a new address: certificates are issued anew, and
// /readyz stays red until what the old container said about itself has been taken back.
package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"
	"k8s.io/apiserver/pkg/server/healthz"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"firestream/node/internal/agent"
	"firestream/node/internal/apiserver"
	"firestream/node/internal/child"
	"firestream/node/internal/config"
	"firestream/node/internal/coredns"
	"firestream/node/internal/deploy"
	"firestream/node/internal/etcd"
	"firestream/node/internal/helmcontroller"
	"firestream/node/internal/host"
	"firestream/node/internal/log"
	"firestream/node/internal/nodes"
	"firestream/node/internal/supervisor"
)

const (
	stopTimeout  = 4 * time.Second // for all components together; Docker kills after ten
	drainTimeout = time.Second     // for requests to the API server, which would wait a minute for its watchers
	closeTimeout = time.Second
	gate         = "node-registered"
)

type server struct {
	config     *config.Config
	supervisor *supervisor.Supervisor
	rest       *rest.Config
	client     kubernetes.Interface
	started    time.Time
	registered chan struct{} // closed when our Node is up to date; podCIDR is set then
	podCIDR    string
}

// Run runs the server until ctx ends.
func Run(ctx context.Context, c *config.Config) error {
	s := &server{config: c, started: time.Now(), registered: make(chan struct{})}
	if err := s.prepare(); err != nil {
		return err
	}
	store, err := etcd.Start(ctx, config.ServerDir+"/db/etcd")
	if err != nil {
		return err
	}
	if err := store.ForgetServers(ctx); err != nil {
		return fmt.Errorf("datastore: %w", err)
	}
	log.Infof("Datastore is ready after %s", s.elapsed())
	err = s.runAll(ctx, store)
	closed := make(chan struct{})
	go func() {
		store.Close()
		close(closed)
	}()
	select {
	case <-closed:
	case <-time.After(closeTimeout): // what was committed is in its log
	}
	return err
}

func (s *server) elapsed() time.Duration { return time.Since(s.started).Round(time.Millisecond) }

// prepare writes everything that the components read.
func (s *server) prepare() error {
	if err := host.Prepare(); err != nil {
		return err
	}
	cas, err := loadAuthorities()
	if err != nil {
		return err
	}
	pw, err := password(s.config, cas.server)
	if err != nil {
		return err
	}
	if err := cas.issue(s.config); err != nil {
		return err
	}
	s.supervisor = &supervisor.Supervisor{Config: s.config, Password: pw, ServerCA: cas.server, ClientCA: cas.client}
	if s.rest, err = clientcmd.BuildConfigFromFlags("", adminKubeconfig); err != nil {
		return err
	}
	s.rest.QPS, s.rest.Burst, s.rest.WarningHandler = 200, 400, rest.NoWarnings{}
	if s.client, err = kubernetes.NewForConfig(s.rest); err != nil {
		return err
	}
	return coredns.WriteManifest(s.config)
}

// runAll runs the components; the first that fails ends them all.
func (s *server) runAll(ctx context.Context, store *etcd.Server) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		select {
		case err := <-store.Err():
			return fmt.Errorf("datastore: %w", err)
		case <-ctx.Done():
			return nil
		}
	})
	g.Go(func() error { return s.runAPIServer(ctx) })
	g.Go(func() error { return s.runAgent(ctx) })
	g.Go(func() error { return s.runCluster(ctx, g) })

	done := make(chan error, 1)
	go func() { done <- g.Wait() }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	select {
	case err := <-done:
		return err
	case <-time.After(stopTimeout):
		return context.Cause(ctx)
	}
}

func (s *server) runAPIServer(ctx context.Context) error {
	check := healthz.NamedCheck(gate, func(*http.Request) error {
		select {
		case <-s.registered:
			return nil
		default:
			return errors.New("the node is being registered")
		}
	})
	args := child.WithExtra(apiServerArgs(s.config), s.config.Extra.APIServer)
	log.Infof("Running kube-apiserver %v", args)
	ended := make(chan error, 1)
	go func() { ended <- apiserver.Run(ctx, args, s.supervisor.Wrap, check) }()
	select {
	case err := <-ended:
		if ctx.Err() == nil {
			return fmt.Errorf("kube-apiserver ended: %w", err)
		}
		return nil
	case <-ctx.Done():
	}
	select {
	case <-ended:
	case <-time.After(drainTimeout):
	}
	return nil
}

func (s *server) runAgent(ctx context.Context) error {
	b, err := s.supervisor.Bundle(s.config.NodeName, s.config.NodeIP)
	if err != nil {
		return err
	}
	err = agent.Run(ctx, s.config, localURL(s.config), b, func(ctx context.Context) (string, error) {
		select {
		case <-s.registered:
			return s.podCIDR, nil
		case <-ctx.Done():
			return "", ctx.Err()
		}
	})
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// runCluster starts what needs the API server, when it answers.
func (s *server) runCluster(ctx context.Context, g *errgroup.Group) error {
	c := s.config
	if !s.waitReady(ctx) {
		return nil
	}
	reg := &nodes.Registry{Client: s.client, Network: c.ClusterCIDR}
	if err := s.register(ctx, reg); err != nil {
		return err
	}
	log.Infof("Kube API server is now running after %s", s.elapsed())
	log.Infof("k3s is up and running")
	s.supervisor.SetRegistry(reg)

	g.Go(func() error {
		child.KeepComponent(ctx, "kube-controller-manager", controllerManagerArgs(c), c.Extra.ControllerManager)
		return nil
	})
	g.Go(func() error {
		child.KeepComponent(ctx, "kube-scheduler", schedulerArgs(), c.Extra.Scheduler)
		return nil
	})
	g.Go(func() error { return deploy.Run(ctx, s.rest, config.ManifestsDir) })
	if !c.DisableCoreDNS {
		g.Go(func() error { return coredns.KeepHosts(ctx, s.client) })
	}
	if !c.DisableHelm {
		g.Go(func() error { return s.runHelmController(ctx) })
	}
	return nil
}

// waitReady waits until the API server has all but our own check.
func (s *server) waitReady(ctx context.Context) bool {
	for ctx.Err() == nil {
		_, err := s.client.Discovery().RESTClient().Get().AbsPath("/readyz").Param("exclude", gate).Timeout(2 * time.Second).DoRaw(ctx)
		if err == nil {
			return true
		}
		select {
		case <-ctx.Done():
		case <-time.After(50 * time.Millisecond):
		}
	}
	return false
}

func (s *server) register(ctx context.Context, reg *nodes.Registry) error {
	c := s.config
	spec := nodes.Spec{Name: c.NodeName, IP: c.NodeIP.String(), Labels: c.Labels, Taints: c.Taints, Server: true}
	if err := spec.Check(); err != nil {
		return err
	}
	cidr, err := reg.Register(ctx, spec)
	if err != nil {
		return fmt.Errorf("registering the node: %w", err)
	}
	s.podCIDR = cidr
	close(s.registered)
	return nil
}

// runHelmController tries until it starts: the cluster is of use without it.
func (s *server) runHelmController(ctx context.Context) error {
	for {
		err := helmcontroller.Start(ctx, s.config, rest.CopyConfig(s.rest))
		if err == nil {
			return nil
		}
		log.Warnf("Helm controller: %v", err)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(5 * time.Second):
		}
	}
}
