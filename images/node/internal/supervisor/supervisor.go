// SPDX-License-Identifier: Apache-2.0

// Package supervisor is how nodes join: k3s's own paths on the API server's port (/cacerts, /ping, /v1-k3s/agent), and the client of
// these. A node proves itself with the cluster's token and gets certificates and its pod network.
package supervisor

import (
	"crypto/subtle"
	"encoding/json"
	"net"
	"net/http"
	"sync/atomic"

	"firestream/node/internal/config"
	"firestream/node/internal/log"
	"firestream/node/internal/nodes"
	"firestream/node/internal/pki"
)

const (
	agentPath   = "/v1-k3s/agent"
	maxBody     = 64 << 10
	maxResponse = 1 << 20
)

// Bundle is what a node needs to run.
type Bundle struct {
	PodCIDR, ClusterCIDR, ClusterDNS, ClusterDomain string
	ServerCA, ClientCA                              []byte
	Kubelet, Serving, Proxy                         pki.Pair
}

// Supervisor serves joining nodes.
type Supervisor struct {
	Config             *config.Config
	Password           string
	ServerCA, ClientCA *pki.CA
	registry           atomic.Pointer[nodes.Registry]
}

// SetRegistry opens the cluster to joining nodes.
func (s *Supervisor) SetRegistry(r *nodes.Registry) { s.registry.Store(r) }

// Wrap answers our own paths and leaves all others to next.
func (s *Supervisor) Wrap(next http.Handler) http.Handler {
	own := http.NewServeMux()
	own.HandleFunc("GET /cacerts", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(s.ServerCA.PEM) })
	own.HandleFunc("GET /ping", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("pong")) })
	own.HandleFunc("POST "+agentPath, s.join)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/cacerts", "/ping", agentPath:
			own.ServeHTTP(w, r)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

func (s *Supervisor) join(w http.ResponseWriter, r *http.Request) {
	_, password, _ := r.BasicAuth()
	if subtle.ConstantTimeCompare([]byte(password), []byte(s.Password)) != 1 {
		http.Error(w, "the token is not this cluster's", http.StatusUnauthorized)
		return
	}
	reg := s.registry.Load()
	if reg == nil {
		http.Error(w, "the server is starting", http.StatusServiceUnavailable)
		return
	}
	var spec nodes.Spec
	err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody)).Decode(&spec)
	if err == nil {
		err = spec.Check()
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	b, err := s.Bundle(spec.Name, net.ParseIP(spec.IP))
	if err == nil {
		b.PodCIDR, err = reg.Register(r.Context(), spec)
	}
	if err != nil {
		log.Warnf("Node %s cannot join: %v", spec.Name, err)
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(b)
}

// Bundle issues a node's certificates; its pod network is left out.
func (s *Supervisor) Bundle(node string, ip net.IP) (*Bundle, error) {
	c := s.Config
	b := &Bundle{ClusterCIDR: c.ClusterCIDR.String(), ClusterDNS: c.ClusterDNS.String(), ClusterDomain: c.ClusterDomain,
		ServerCA: s.ServerCA.PEM, ClientCA: s.ClientCA.PEM}
	var err error
	if b.Kubelet, err = s.ClientCA.Client("system:node:"+node, "system:nodes"); err != nil {
		return nil, err
	}
	if b.Serving, err = s.ServerCA.Serving(node, []string{node, "localhost", "127.0.0.1", ip.String()}); err != nil {
		return nil, err
	}
	b.Proxy, err = s.ClientCA.Client("system:kube-proxy")
	return b, err
}
