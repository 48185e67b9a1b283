// SPDX-License-Identifier: Apache-2.0

// Package pki keeps the cluster's certificate authorities and issues what they sign. Authorities live as long as the data; all that
// they sign is issued anew at every start, so that it fits the node's current address.
package pki

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"

	"firestream/node/internal/file"
)

// CA is a certificate authority.
type CA struct {
	PEM  []byte
	cert *x509.Certificate
	key  crypto.Signer
}

// Pair is a certificate, followed by its authority's, and its key; both PEM.
type Pair struct{ Cert, Key []byte }

// LoadCA reads dir/name.{crt,key}, or makes them.
func LoadCA(dir, name string) (*CA, error) {
	base := filepath.Join(dir, name)
	certPEM, err := os.ReadFile(base + ".crt")
	if errors.Is(err, fs.ErrNotExist) {
		return newCA(base, name)
	} else if err != nil {
		return nil, err
	}
	keyPEM, err := os.ReadFile(base + ".key")
	if err != nil {
		return nil, err
	}
	c, k := block(certPEM), block(keyPEM)
	cert, err := x509.ParseCertificate(c)
	if err != nil {
		return nil, fmt.Errorf("%s.crt: %w", base, err)
	}
	key, err := x509.ParseECPrivateKey(k)
	if err != nil {
		return nil, fmt.Errorf("%s.key: %w", base, err)
	}
	return &CA{PEM: certPEM, cert: cert, key: key}, nil
}

func block(b []byte) []byte {
	if p, _ := pem.Decode(b); p != nil {
		return p.Bytes
	}
	return nil
}

func newCA(base, name string) (*CA, error) {
	key, keyPEM, err := newKey()
	if err != nil {
		return nil, err
	}
	t := template(fmt.Sprintf("k3s-%s@%d", name, time.Now().Unix()), nil, 10)
	t.IsCA, t.BasicConstraintsValid = true, true
	t.KeyUsage |= x509.KeyUsageCertSign
	der, err := x509.CreateCertificate(rand.Reader, t, t, key.Public(), key)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	a := &CA{PEM: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), cert: cert, key: key}
	if err := file.Write(base+".key", keyPEM, 0o600); err != nil { // first: a certificate without its key could not be mended
		return nil, err
	}
	return a, file.Write(base+".crt", a.PEM, 0o644)
}

func newKey() (*ecdsa.PrivateKey, []byte, error) {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	b, err := x509.MarshalECPrivateKey(k)
	if err != nil {
		return nil, nil, err
	}
	return k, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: b}), nil
}

func template(cn string, orgs []string, years int) *x509.Certificate {
	now := time.Now()
	serial, _ := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 63))
	return &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: cn, Organization: orgs},
		NotBefore:    now.Add(-time.Hour),
		NotAfter:     now.AddDate(years, 0, 0),
		KeyUsage:     x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment,
	}
}

// Client issues a client certificate: user cn in groups orgs.
func (a *CA) Client(cn string, orgs ...string) (Pair, error) {
	t := template(cn, orgs, 1)
	t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	return a.issue(t)
}

// Serving issues a server certificate for names and addresses.
func (a *CA) Serving(cn string, names []string) (Pair, error) {
	t := template(cn, nil, 1)
	t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	for _, n := range names {
		if ip := net.ParseIP(n); ip != nil {
			t.IPAddresses = append(t.IPAddresses, ip)
		} else {
			t.DNSNames = append(t.DNSNames, n)
		}
	}
	return a.issue(t)
}

func (a *CA) issue(t *x509.Certificate) (Pair, error) {
	key, keyPEM, err := newKey()
	if err != nil {
		return Pair{}, err
	}
	der, err := x509.CreateCertificate(rand.Reader, t, a.cert, key.Public(), a.key)
	if err != nil {
		return Pair{}, err
	}
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	return Pair{Cert: append(cert, a.PEM...), Key: keyPEM}, nil
}

// Write stores the pair as base.crt and base.key.
func (p Pair) Write(base string) error {
	if err := file.Write(base+".key", p.Key, 0o600); err != nil {
		return err
	}
	return file.Write(base+".crt", p.Cert, 0o644)
}

// EnsureKey makes a private key at path unless there is one.
func EnsureKey(path string) error {
	if file.Exists(path) {
		return nil
	}
	_, b, err := newKey()
	if err != nil {
		return err
	}
	return file.Write(path, b, 0o600)
}
