// SPDX-License-Identifier: Apache-2.0

package pki

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"os"
	"path/filepath"
	"testing"
)

func mustCA(t *testing.T, dir string) *CA {
	t.Helper()
	a, err := LoadCA(dir, "server-ca")
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestAuthorityOutlivesRestart(t *testing.T) {
	dir := t.TempDir()
	first, second := mustCA(t, dir), mustCA(t, dir)
	if !bytes.Equal(first.PEM, second.PEM) {
		t.Fatal("a second start made another authority")
	}
	pair, err := second.Serving("x", []string{"node", "10.0.0.1"})
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(first.PEM)
	c, err := tls.X509KeyPair(pair.Cert, pair.Key)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"node", "10.0.0.1"} {
		if _, err := c.Leaf.Verify(x509.VerifyOptions{Roots: pool, DNSName: name}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := c.Leaf.Verify(x509.VerifyOptions{Roots: pool, DNSName: "other"}); err == nil {
		t.Error("certificate is good for a name that was not asked for")
	}
}

func TestClientCertificate(t *testing.T) {
	pair, err := mustCA(t, t.TempDir()).Client("system:node:a", "system:nodes")
	if err != nil {
		t.Fatal(err)
	}
	c, err := tls.X509KeyPair(pair.Cert, pair.Key)
	if err != nil {
		t.Fatal(err)
	}
	if c.Leaf.Subject.CommonName != "system:node:a" || c.Leaf.Subject.Organization[0] != "system:nodes" ||
		c.Leaf.ExtKeyUsage[0] != x509.ExtKeyUsageClientAuth {
		t.Errorf("unexpected subject or usage: %v %v", c.Leaf.Subject, c.Leaf.ExtKeyUsage)
	}
}

func TestDamagedAuthority(t *testing.T) {
	dir := t.TempDir()
	mustCA(t, dir)
	if err := os.WriteFile(filepath.Join(dir, "server-ca.crt"), []byte("nonsense"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadCA(dir, "server-ca"); err == nil {
		t.Error("a damaged authority was accepted")
	}
}

func TestEnsureKeyKeepsKey(t *testing.T) {
	path := filepath.Join(t.TempDir(), "service.key")
	var seen [2][]byte
	for i := range seen {
		if err := EnsureKey(path); err != nil {
			t.Fatal(err)
		}
		seen[i], _ = os.ReadFile(path)
	}
	if len(seen[0]) == 0 || !bytes.Equal(seen[0], seen[1]) {
		t.Error("the key changed")
	}
}
