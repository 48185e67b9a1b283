// SPDX-License-Identifier: Apache-2.0

// Package kubeconfig writes kubeconfig files as k3s names what is in them: all is called "default".
package kubeconfig

import (
	"os"

	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"

	"firestream/node/internal/file"
	"firestream/node/internal/pki"
)

// Write stores a kubeconfig for the API server at url.
func Write(path, url string, ca []byte, client pki.Pair, mode os.FileMode) error {
	const name = "default"
	c := api.NewConfig()
	c.Clusters[name] = &api.Cluster{Server: url, CertificateAuthorityData: ca}
	c.AuthInfos[name] = &api.AuthInfo{ClientCertificateData: client.Cert, ClientKeyData: client.Key}
	c.Contexts[name] = &api.Context{Cluster: name, AuthInfo: name}
	c.CurrentContext = name
	b, err := clientcmd.Write(*c)
	if err != nil {
		return err
	}
	return file.Write(path, b, mode)
}
