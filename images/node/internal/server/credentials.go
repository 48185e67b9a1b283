// SPDX-License-Identifier: Apache-2.0

package server

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"firestream/node/internal/config"
	"firestream/node/internal/file"
	"firestream/node/internal/kubeconfig"
	"firestream/node/internal/log"
	"firestream/node/internal/pki"
	"firestream/node/internal/supervisor"
)

const (
	credDir   = config.ServerDir + "/cred"
	tokenPath = config.ServerDir + "/token"
)

// Kubeconfigs of the server's own components.
const (
	adminKubeconfig      = credDir + "/admin.kubeconfig"
	controllerKubeconfig = credDir + "/controller.kubeconfig"
	schedulerKubeconfig  = credDir + "/scheduler.kubeconfig"
)

type authorities struct{ server, client, requestHeader *pki.CA }

func loadAuthorities() (a authorities, err error) {
	for name, ca := range map[string]**pki.CA{"server-ca": &a.server, "client-ca": &a.client, "request-header-ca": &a.requestHeader} {
		if *ca, err = pki.LoadCA(config.TLSDir, name); err != nil {
			return a, err
		}
	}
	return a, nil
}

// issue writes certificates and kubeconfigs of the server's components.
func (a authorities) issue(c *config.Config) error {
	names := append([]string{"localhost", "127.0.0.1", c.NodeName, c.NodeIP.String(), c.APIServiceIP().String(), "kubernetes",
		"kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc." + c.ClusterDomain}, c.TLSSANs...)
	serving, err := a.server.Serving("kube-apiserver", names)
	if err != nil {
		return err
	}
	client, err := a.client.Client("kube-apiserver", "system:masters")
	if err != nil {
		return err
	}
	proxy, err := a.requestHeader.Client("system:auth-proxy")
	if err != nil {
		return err
	}
	for base, pair := range map[string]pki.Pair{apiServing: serving, apiClient: client, authProxy: proxy} {
		if err := pair.Write(base); err != nil {
			return err
		}
	}
	if err := pki.EnsureKey(serviceKey); err != nil {
		return err
	}
	return a.writeKubeconfigs(c)
}

func (a authorities) writeKubeconfigs(c *config.Config) error {
	for _, k := range []struct {
		path, user string
		groups     []string
	}{
		{adminKubeconfig, "system:admin", []string{"system:masters"}},
		{controllerKubeconfig, "system:kube-controller-manager", nil},
		{schedulerKubeconfig, "system:kube-scheduler", nil},
	} {
		pair, err := a.client.Client(k.user, k.groups...)
		if err != nil {
			return err
		}
		if err := kubeconfig.Write(k.path, localURL(c), a.server.PEM, pair, 0o600); err != nil {
			return err
		}
	}
	return publishKubeconfig(c)
}

func localURL(c *config.Config) string { return fmt.Sprintf("https://127.0.0.1:%d", c.Port) }

// publishKubeconfig hands the administrator's kubeconfig to the user; k3s's usual path leads there too.
func publishKubeconfig(c *config.Config) error {
	b, err := os.ReadFile(adminKubeconfig)
	if err != nil {
		return err
	}
	if err := file.Write(c.KubeconfigOut, b, c.KubeconfigMode); err != nil {
		return err
	}
	log.Infof("Wrote kubeconfig %s", c.KubeconfigOut)
	if c.KubeconfigOut == config.KubeconfigPath {
		return nil
	}
	if err := os.Remove(config.KubeconfigPath); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return os.Symlink(c.KubeconfigOut, config.KubeconfigPath)
}

// password is the cluster's shared secret: the one given, or the one of the last start, or a new one.
func password(c *config.Config, ca *pki.CA) (string, error) {
	token := c.Token
	if token == "" {
		token = file.Text(tokenPath)
	}
	if token == "" {
		token = rand.Text()
	}
	_, pw := supervisor.ParseToken(token)
	text := []byte(supervisor.FormatToken(ca.PEM, pw) + "\n")
	for _, path := range []string{tokenPath, config.ServerDir + "/node-token"} {
		if err := file.Write(path, text, 0o600); err != nil {
			return "", err
		}
	}
	return pw, nil
}
