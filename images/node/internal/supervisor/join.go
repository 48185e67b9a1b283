// SPDX-License-Identifier: Apache-2.0

package supervisor

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"firestream/node/internal/config"
	"firestream/node/internal/log"
	"firestream/node/internal/nodes"
)

const (
	requestTimeout = 10 * time.Second
	retryJoin      = 250 * time.Millisecond
	remindAfter    = 10 * time.Second
)

// errRefused marks what asking again does not change.
var errRefused = errors.New("refused")

// Join asks the cluster's server until it lets the node in.
func Join(ctx context.Context, c *config.Config) (*Bundle, error) {
	if c.URL == "" || c.Token == "" {
		return nil, errors.New("an agent needs --server (K3S_URL) and --token (K3S_TOKEN)")
	}
	said := time.Time{}
	for {
		b, err := joinOnce(ctx, c)
		if err == nil {
			return b, nil
		}
		if errors.Is(err, errRefused) {
			return nil, err
		}
		if time.Since(said) > remindAfter {
			log.Warnf("Waiting for server %s: %v", c.URL, err)
			said = time.Now()
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(retryJoin):
		}
	}
}

func joinOnce(ctx context.Context, c *config.Config) (*Bundle, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	hash, password := ParseToken(c.Token)
	// The authority is not known yet: its hash in the token vouches for it; with a bare password it is trusted, as k3s does.
	ca, err := do(ctx, &tls.Config{InsecureSkipVerify: true}, http.MethodGet, c.URL+"/cacerts", "", nil)
	if err != nil {
		return nil, err
	}
	if hash != "" && hash != caHash(ca) {
		return nil, fmt.Errorf("%w: the certificate authority of %s is not the one in the token", errRefused, c.URL)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(ca) {
		return nil, fmt.Errorf("%s/cacerts holds no certificate", c.URL)
	}
	spec, err := json.Marshal(nodes.Spec{Name: c.NodeName, IP: c.NodeIP.String(), Labels: c.Labels, Taints: c.Taints})
	if err != nil {
		return nil, err
	}
	d, err := do(ctx, &tls.Config{RootCAs: pool}, http.MethodPost, c.URL+agentPath, password, spec)
	if err != nil {
		return nil, err
	}
	b := &Bundle{}
	return b, json.Unmarshal(d, b)
}

func do(ctx context.Context, t *tls.Config, method, url, password string, body []byte) ([]byte, error) {
	rq, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errRefused, err)
	}
	if password != "" {
		rq.SetBasicAuth("node", password)
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: t, DisableKeepAlives: true}}
	rs, err := client.Do(rq)
	if err != nil {
		return nil, err
	}
	defer rs.Body.Close()
	d, err := io.ReadAll(io.LimitReader(rs.Body, maxResponse))
	if err != nil {
		return nil, err
	}
	switch {
	case rs.StatusCode == http.StatusOK:
		return d, nil
	case rs.StatusCode == http.StatusUnauthorized, rs.StatusCode == http.StatusBadRequest:
		return nil, fmt.Errorf("%w by %s: %s", errRefused, url, bytes.TrimSpace(d))
	}
	return nil, fmt.Errorf("%s: %s: %s", url, rs.Status, bytes.TrimSpace(d))
}
