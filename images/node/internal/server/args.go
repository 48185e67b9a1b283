// SPDX-License-Identifier: Apache-2.0

package server

import (
	"strconv"

	"firestream/node/internal/config"
	"firestream/node/internal/etcd"
)

// Files of the API server; bases of .crt and .key.
const (
	apiServing = config.TLSDir + "/serving-kube-apiserver"
	apiClient  = config.TLSDir + "/client-kube-apiserver"
	authProxy  = config.TLSDir + "/client-auth-proxy"
	serviceKey = config.TLSDir + "/service.key"
	serverCA   = config.TLSDir + "/server-ca"
	clientCA   = config.TLSDir + "/client-ca"
)

func apiServerArgs(c *config.Config) []string {
	issuer := "https://kubernetes.default.svc." + c.ClusterDomain
	return []string{
		"--advertise-address=" + c.NodeIP.String(),
		"--allow-privileged=true",
		"--anonymous-auth=false",
		"--api-audiences=" + issuer + ",k3s",
		"--authorization-mode=Node,RBAC",
		"--bind-address=0.0.0.0",
		"--cert-dir=" + config.TLSDir + "/temporary-certs",
		"--client-ca-file=" + clientCA + ".crt",
		"--enable-admission-plugins=NodeRestriction",
		"--enable-aggregator-routing=true",
		"--enable-bootstrap-token-auth=true",
		"--etcd-servers=" + etcd.Endpoint,
		"--kubelet-certificate-authority=" + serverCA + ".crt",
		"--kubelet-client-certificate=" + apiClient + ".crt",
		"--kubelet-client-key=" + apiClient + ".key",
		"--kubelet-preferred-address-types=InternalIP,ExternalIP,Hostname",
		"--profiling=false",
		"--proxy-client-cert-file=" + authProxy + ".crt",
		"--proxy-client-key-file=" + authProxy + ".key",
		"--requestheader-allowed-names=system:auth-proxy",
		"--requestheader-client-ca-file=" + config.TLSDir + "/request-header-ca.crt",
		"--requestheader-extra-headers-prefix=X-Remote-Extra-",
		"--requestheader-group-headers=X-Remote-Group",
		"--requestheader-username-headers=X-Remote-User",
		"--secure-port=" + strconv.Itoa(c.Port),
		"--service-account-issuer=" + issuer,
		"--service-account-key-file=" + serviceKey,
		"--service-account-signing-key-file=" + serviceKey,
		"--service-cluster-ip-range=" + c.ServiceCIDR.String(),
		"--service-node-port-range=30000-32767",
		"--tls-cert-file=" + apiServing + ".crt",
		"--tls-private-key-file=" + apiServing + ".key",
	}
}

// controllerManagerArgs: nodes get their networks from us, and each controller needs a token, which at the usual rate takes seconds.
func controllerManagerArgs(c *config.Config) []string {
	args := []string{
		"--allocate-node-cidrs=false",
		"--kube-api-qps=200",
		"--kube-api-burst=400",
		"--kubeconfig=" + controllerKubeconfig,
		"--authentication-kubeconfig=" + controllerKubeconfig,
		"--authorization-kubeconfig=" + controllerKubeconfig,
		"--bind-address=127.0.0.1",
		"--cluster-cidr=" + c.ClusterCIDR.String(),
		"--service-cluster-ip-range=" + c.ServiceCIDR.String(),
		"--leader-elect=false",
		"--controllers=*,tokencleaner,-service,-route,-cloud-node-lifecycle",
		"--profiling=false",
		"--root-ca-file=" + serverCA + ".crt",
		"--service-account-private-key-file=" + serviceKey,
		"--use-service-account-credentials=true",
	}
	for signer, ca := range map[string]string{"kubelet-client": clientCA, "kube-apiserver-client": clientCA,
		"kubelet-serving": serverCA, "legacy-unknown": serverCA} {
		args = append(args, "--cluster-signing-"+signer+"-cert-file="+ca+".crt", "--cluster-signing-"+signer+"-key-file="+ca+".key")
	}
	return args
}

func schedulerArgs() []string {
	return []string{
		"--kubeconfig=" + schedulerKubeconfig,
		"--authentication-kubeconfig=" + schedulerKubeconfig,
		"--authorization-kubeconfig=" + schedulerKubeconfig,
		"--bind-address=127.0.0.1",
		"--leader-elect=false",
		"--profiling=false",
	}
}
