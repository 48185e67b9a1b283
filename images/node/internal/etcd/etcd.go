// SPDX-License-Identifier: Apache-2.0

// Package etcd runs the cluster's datastore inside the server process, on loopback only.
package etcd

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/embed"
	"go.etcd.io/etcd/server/v3/etcdserver/api/v3client"
)

// Endpoint is where the API server finds it.
const Endpoint = "http://127.0.0.1:2379"

const peer = "http://127.0.0.1:2380"

// Server is a running datastore.
type Server struct{ e *embed.Etcd }

// Start opens the datastore in dir and waits until it serves.
func Start(ctx context.Context, dir string) (*Server, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	c := embed.NewConfig()
	c.Name, c.Dir, c.LogLevel = "default", dir, "error"
	c.ListenClientUrls, c.AdvertiseClientUrls = urls(Endpoint), urls(Endpoint)
	c.ListenPeerUrls, c.AdvertisePeerUrls = urls(peer), urls(peer)
	c.InitialCluster = c.InitialClusterFromName(c.Name)
	c.TickMs, c.ElectionMs = 20, 200 // one member: nobody to wait for
	e, err := embed.StartEtcd(c)
	if err != nil {
		return nil, fmt.Errorf("datastore: %w", err)
	}
	select {
	case <-e.Server.ReadyNotify():
	case err := <-e.Err():
		return nil, fmt.Errorf("datastore: %w", err)
	case <-ctx.Done():
		e.Close()
		return nil, ctx.Err()
	}
	return &Server{e}, nil
}

func urls(s string) []url.URL {
	u, err := url.Parse(s)
	if err != nil {
		panic(err)
	}
	return []url.URL{*u}
}

// ForgetServers removes the addresses under which API servers announced themselves in an earlier life: until they expire, Service
// default/kubernetes would also lead to the address that the node had then.
func (s *Server) ForgetServers(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	c := v3client.New(s.e.Server)
	defer c.Close()
	_, err := c.Delete(ctx, "/registry/masterleases/", clientv3.WithPrefix())
	return err
}

// Err yields the reason when the datastore fails.
func (s *Server) Err() <-chan error { return s.e.Err() }

// Close ends it.
func (s *Server) Close() { s.e.Close() }
