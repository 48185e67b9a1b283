// SPDX-License-Identifier: Apache-2.0

// Package config reads k3s's flags and environment, as far as this node honours them. What it does not know is accepted and, where
// that can be told, warned about: k3d and its users pass flags of every k3s version.
package config

import (
	"encoding/binary"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/util/validation"
)

// Where things are. All that must outlive the container is below DataDir.
const (
	DataDir         = "/var/lib/rancher/k3s"
	ServerDir       = DataDir + "/server"
	TLSDir          = ServerDir + "/tls"
	ManifestsDir    = ServerDir + "/manifests"
	AgentDir        = DataDir + "/agent"
	KubeconfigPath  = "/etc/rancher/k3s/k3s.yaml"
	RegistriesPath  = "/etc/rancher/k3s/registries.yaml"
	BakedImagesDir  = "/usr/share/k3s/images"
	DefaultPause    = "rancher/mirrored-pause:3.6"
	CoreDNSImage    = "rancher/mirrored-coredns-coredns:1.14.0"
	HelmJobImage    = "rancher/klipper-helm:v0.9.0-firestream"
	defaultHTTPPort = 6443
)

// Extra holds further arguments of the upstream components, each without its leading dashes.
type Extra struct {
	APIServer, ControllerManager, Scheduler, Kubelet, Proxy []string
}

// Config is one node's configuration.
type Config struct {
	NodeName   string
	NodeIP     net.IP
	Labels     map[string]string
	Taints     []string
	Token, URL string

	Port                     int
	ClusterCIDR, ServiceCIDR *net.IPNet
	ClusterDNS               net.IP
	ClusterDomain            string
	TLSSANs                  []string
	DisableCoreDNS           bool
	DisableHelm              bool
	KubeconfigOut            string
	KubeconfigMode           os.FileMode
	PauseImage               string
	Extra                    Extra
	Ignored                  []string
}

// APIServiceIP is the address of Service default/kubernetes.
func (c *Config) APIServiceIP() net.IP { return nthIP(c.ServiceCIDR, 1) }

// Host is what the node's surroundings contribute.
type Host struct {
	Name string
	IP   net.IP
	Env  func(string) string
}

// raw is the flags before they are checked.
type raw struct {
	nodeIP, labels, taints, disable              []string
	clusterCIDR, serviceCIDR, clusterDNS, kcMode string
}

// Parse reads the arguments of `k3s server` or `k3s agent`.
func Parse(args []string, h Host) (*Config, error) {
	c, r := &Config{}, &raw{}
	fs := pflag.NewFlagSet("k3s", pflag.ContinueOnError)
	fs.ParseErrorsAllowlist.UnknownFlags = true
	fs.Usage = func() {}
	bind(fs, c, r, h)
	ignored := bindIgnored(fs)
	if err := fs.Parse(args); err != nil {
		return nil, err
	}
	fs.Visit(func(f *pflag.Flag) {
		if slices.Contains(ignored, f.Name) {
			c.Ignored = append(c.Ignored, f.Name)
		}
	})
	return c, c.complete(r, h)
}

func bind(fs *pflag.FlagSet, c *Config, r *raw, h Host) {
	env := func(key, fallback string) string {
		if v := h.Env(key); v != "" {
			return v
		}
		return fallback
	}
	fs.StringVarP(&c.Token, "token", "t", env("K3S_TOKEN", ""), "")
	fs.StringVarP(&c.URL, "server", "s", env("K3S_URL", ""), "")
	fs.StringVar(&c.NodeName, "node-name", env("K3S_NODE_NAME", h.Name), "")
	fs.StringSliceVarP(&r.nodeIP, "node-ip", "i", nil, "")
	fs.StringSliceVar(&r.labels, "node-label", nil, "")
	fs.StringSliceVar(&r.taints, "node-taint", nil, "")
	fs.StringVar(&c.PauseImage, "pause-image", DefaultPause, "")

	fs.IntVar(&c.Port, "https-listen-port", defaultHTTPPort, "")
	fs.StringVar(&r.clusterCIDR, "cluster-cidr", "10.42.0.0/16", "")
	fs.StringVar(&r.serviceCIDR, "service-cidr", "10.43.0.0/16", "")
	fs.StringVar(&r.clusterDNS, "cluster-dns", "", "")
	fs.StringVar(&c.ClusterDomain, "cluster-domain", "cluster.local", "")
	fs.StringSliceVar(&c.TLSSANs, "tls-san", nil, "")
	fs.StringSliceVar(&r.disable, "disable", nil, "")
	fs.BoolVar(&c.DisableHelm, "disable-helm-controller", false, "")
	fs.StringVarP(&c.KubeconfigOut, "write-kubeconfig", "o", env("K3S_KUBECONFIG_OUTPUT", KubeconfigPath), "")
	fs.StringVar(&r.kcMode, "write-kubeconfig-mode", env("K3S_KUBECONFIG_MODE", "600"), "")

	fs.StringArrayVar(&c.Extra.APIServer, "kube-apiserver-arg", nil, "")
	fs.StringArrayVar(&c.Extra.ControllerManager, "kube-controller-manager-arg", nil, "")
	fs.StringArrayVar(&c.Extra.Scheduler, "kube-scheduler-arg", nil, "")
	fs.StringArrayVar(&c.Extra.Kubelet, "kubelet-arg", nil, "")
	fs.StringArrayVar(&c.Extra.Proxy, "kube-proxy-arg", nil, "")
}

// bindIgnored makes known what is not honoured: an unknown boolean flag would take the next argument for its value.
func bindIgnored(fs *pflag.FlagSet) []string {
	bools := []string{"cluster-init", "debug", "disable-network-policy", "disable-cloud-controller", "disable-kube-proxy",
		"disable-apiserver", "disable-controller-manager", "disable-scheduler", "docker", "embedded-registry", "flannel-ipv6-masq",
		"prefer-bundled-bin", "protect-kernel-defaults", "rootless", "secrets-encryption", "selinux"}
	strs := []string{"flannel-backend", "snapshotter", "data-dir", "config", "private-registry", "agent-token", "node-external-ip"}
	for _, name := range bools {
		fs.Bool(name, false, "")
	}
	for _, name := range strs {
		fs.String(name, "", "")
	}
	return append(bools, strs...)
}

func (c *Config) complete(r *raw, h Host) (err error) {
	c.NodeName = strings.ToLower(c.NodeName)
	if msgs := validation.IsDNS1123Subdomain(c.NodeName); len(msgs) > 0 {
		return fmt.Errorf("node name %q: %s", c.NodeName, msgs[0])
	}
	if c.NodeIP, err = nodeIP(r.nodeIP, h.IP); err != nil {
		return err
	}
	if c.ClusterCIDR, err = ipv4Net("cluster-cidr", r.clusterCIDR); err != nil {
		return err
	}
	if c.ServiceCIDR, err = ipv4Net("service-cidr", r.serviceCIDR); err != nil {
		return err
	}
	if c.ClusterDNS = nthIP(c.ServiceCIDR, 10); r.clusterDNS != "" {
		c.ClusterDNS = net.ParseIP(r.clusterDNS)
	}
	if c.ClusterDNS == nil || !c.ServiceCIDR.Contains(c.ClusterDNS) {
		return fmt.Errorf("cluster DNS address %q is not in service network %s", r.clusterDNS, c.ServiceCIDR)
	}
	mode, err := strconv.ParseUint(r.kcMode, 8, 9)
	if err != nil {
		return fmt.Errorf("kubeconfig mode %q is not an octal file mode", r.kcMode)
	}
	c.KubeconfigMode = os.FileMode(mode)
	c.URL = strings.TrimSuffix(c.URL, "/")
	c.DisableCoreDNS = slices.Contains(r.disable, "coredns")
	c.Labels, c.Taints = labelMap(r.labels), r.taints
	return nil
}

func nodeIP(flag []string, host net.IP) (net.IP, error) {
	if len(flag) == 0 {
		if host == nil {
			return nil, fmt.Errorf("no IPv4 address found on this machine: use --node-ip")
		}
		return host, nil
	}
	ip := net.ParseIP(flag[0]).To4()
	if ip == nil {
		return nil, fmt.Errorf("node IP %q is not an IPv4 address", flag[0])
	}
	return ip, nil
}

func ipv4Net(flag, s string) (*net.IPNet, error) {
	_, n, err := net.ParseCIDR(s)
	if err != nil || n.IP.To4() == nil {
		return nil, fmt.Errorf("--%s %q is not an IPv4 network", flag, s)
	}
	n.IP = n.IP.To4()
	return n, nil
}

func nthIP(n *net.IPNet, i uint32) net.IP {
	ip := make(net.IP, 4)
	binary.BigEndian.PutUint32(ip, binary.BigEndian.Uint32(n.IP)+i)
	return ip
}

func labelMap(list []string) map[string]string {
	m := map[string]string{"node.kubernetes.io/instance-type": "k3s"}
	for _, kv := range list {
		if k, v, _ := strings.Cut(kv, "="); k != "" {
			m[k] = v
		}
	}
	return m
}
