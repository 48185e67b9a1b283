// SPDX-License-Identifier: Apache-2.0

package supervisor

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"k8s.io/client-go/kubernetes/fake"

	"firestream/node/internal/config"
	"firestream/node/internal/nodes"
	"firestream/node/internal/pki"
)

func TestToken(t *testing.T) {
	for token, want := range map[string][2]string{
		"plain":                    {"", "plain"},
		"a:b":                      {"", "a:b"},
		"K10abc::server:pass:word": {"abc", "pass:word"},
		"K10abc::pass":             {"abc", "pass"},
		"K10abc":                   {"", "K10abc"},
	} {
		if hash, pw := ParseToken(token); hash != want[0] || pw != want[1] {
			t.Errorf("%s: got %q, %q", token, hash, pw)
		}
	}
}

// cluster serves a supervisor with our own certificates.
func cluster(t *testing.T) (*Supervisor, *config.Config, *httptest.Server) {
	t.Helper()
	parse := func(args ...string) *config.Config {
		c, err := config.Parse(args, config.Host{Name: "a", IP: net.IPv4(127, 0, 0, 1).To4(), Env: func(string) string { return "" }})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	s := &Supervisor{Config: parse(), Password: "secret"}
	for name, ca := range map[string]**pki.CA{"server-ca": &s.ServerCA, "client-ca": &s.ClientCA} {
		var err error
		if *ca, err = pki.LoadCA(t.TempDir(), name); err != nil {
			t.Fatal(err)
		}
	}
	pair, err := s.ServerCA.Serving("x", []string{"127.0.0.1"})
	if err != nil {
		t.Fatal(err)
	}
	cert, err := tls.X509KeyPair(pair.Cert, pair.Key)
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewUnstartedServer(s.Wrap(http.NotFoundHandler()))
	srv.TLS = &tls.Config{Certificates: []tls.Certificate{cert}}
	srv.StartTLS()
	t.Cleanup(srv.Close)
	return s, parse("--server", srv.URL, "--token", FormatToken(s.ServerCA.PEM, "secret")), srv
}

func TestJoin(t *testing.T) {
	s, c, _ := cluster(t)
	s.SetRegistry(&nodes.Registry{Client: fake.NewClientset(), Network: s.Config.ClusterCIDR})
	b, err := Join(context.Background(), c)
	if err != nil {
		t.Fatal(err)
	}
	if b.PodCIDR != "10.42.0.0/24" || b.ClusterDNS != "10.43.0.10" || len(b.Kubelet.Key) == 0 || string(b.ServerCA) != string(s.ServerCA.PEM) {
		t.Errorf("unexpected bundle: %+v", b)
	}
}

func TestJoinRefused(t *testing.T) {
	_, c, _ := cluster(t)
	for token, want := range map[string]string{
		"wrong": "not this cluster's",
		"K10" + strings.Repeat("0", 64) + "::server:secret": "not the one in the token",
		"": "needs --server",
	} {
		c.Token = token
		if _, err := Join(context.Background(), c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("token %q: %v", token, err)
		}
	}
}

func TestJoinBeforeReady(t *testing.T) {
	_, c, _ := cluster(t)
	if _, err := joinOnce(context.Background(), c); err == nil || !strings.Contains(err.Error(), "503") {
		t.Errorf("got %v", err)
	}
}
