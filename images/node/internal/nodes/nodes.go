// SPDX-License-Identifier: Apache-2.0

// Package nodes creates Node objects before their kubelets do, with a pod network: then the CNI configuration is there when the kubelet
// first looks at the runtime (it looks again only every 5 s, and kube-controller-manager's own allocator needs some 6 s). Of a
// node that comes back, it takes away what was true in its earlier life: address, readiness, and that of its pods.
package nodes

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"runtime"
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/util/retry"

	"firestream/node/internal/log"
)

const reasonRestart = "NodeRestarted"

// Spec is what a node says about itself when it joins.
type Spec struct {
	Name   string            `json:"name"`
	IP     string            `json:"ip"`
	Labels map[string]string `json:"labels"`
	Taints []string          `json:"taints"`
	Server bool              `json:"-"`
}

// Registry registers nodes, one at a time.
type Registry struct {
	Client  kubernetes.Interface
	Network *net.IPNet // of all pods
	mu      sync.Mutex
}

// Check tells whether a Spec from the network can be used.
func (s *Spec) Check() error {
	if msgs := validation.IsDNS1123Subdomain(s.Name); len(msgs) > 0 {
		return fmt.Errorf("node name %q: %s", s.Name, msgs[0])
	}
	if net.ParseIP(s.IP).To4() == nil {
		return fmt.Errorf("node IP %q is not an IPv4 address", s.IP)
	}
	_, err := s.taints()
	return err
}

// Register makes the Node ready for its kubelet and returns its pod network.
func (r *Registry) Register(ctx context.Context, s Spec) (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	list, err := r.Client.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return "", err
	}
	used := map[string]bool{}
	var old *corev1.Node
	for i, n := range list.Items {
		used[n.Spec.PodCIDR] = true
		if n.Name == s.Name {
			old = &list.Items[i]
		}
	}
	if old != nil && old.Spec.PodCIDR != "" {
		return old.Spec.PodCIDR, r.refresh(ctx, s)
	}
	if old != nil { // made by somebody else without a network
		if err := r.Client.CoreV1().Nodes().Delete(ctx, s.Name, metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
			return "", err
		}
	}
	cidr, err := freeCIDR(r.Network, used)
	if err != nil {
		return "", err
	}
	return cidr, r.create(ctx, s, cidr)
}

func (r *Registry) create(ctx context.Context, s Spec, cidr string) error {
	taints, err := s.taints()
	if err != nil {
		return err
	}
	n := &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: s.Name, Labels: s.labels()},
		Spec:       corev1.NodeSpec{PodCIDR: cidr, PodCIDRs: []string{cidr}, Taints: taints},
		Status:     corev1.NodeStatus{Addresses: s.addresses()},
	}
	_, err = r.Client.CoreV1().Nodes().Create(ctx, n, metav1.CreateOptions{})
	return err
}

func (r *Registry) refresh(ctx context.Context, s Spec) error {
	nodes := r.Client.CoreV1().Nodes()
	labels, err := json.Marshal(map[string]any{"metadata": map[string]any{"labels": s.labels()}})
	if err != nil {
		return err
	}
	if _, err := nodes.Patch(ctx, s.Name, types.MergePatchType, labels, metav1.PatchOptions{}); err != nil {
		return err
	}
	err = retry.RetryOnConflict(retry.DefaultRetry, func() error {
		n, err := nodes.Get(ctx, s.Name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		n.Status.Addresses = s.addresses()
		unready(n.Status.Conditions)
		_, err = nodes.UpdateStatus(ctx, n, metav1.UpdateOptions{})
		return err
	})
	if err != nil {
		return err
	}
	return r.unreadyPods(ctx, s.Name)
}

func unready(conditions []corev1.NodeCondition) {
	for i := range conditions {
		if c := &conditions[i]; c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue {
			c.Status, c.LastTransitionTime = corev1.ConditionFalse, metav1.Now()
			c.Reason, c.Message = reasonRestart, "the node was started again"
		}
	}
}

// unreadyPods says of the pods that ran on a node that they do not answer now.
func (r *Registry) unreadyPods(ctx context.Context, node string) error {
	pods, err := r.Client.CoreV1().Pods("").List(ctx, metav1.ListOptions{FieldSelector: "spec.nodeName=" + node})
	if err != nil {
		return err
	}
	now := metav1.Now().UTC().Format("2006-01-02T15:04:05Z")
	cond := func(kind string) map[string]string {
		return map[string]string{"type": kind, "status": "False", "reason": reasonRestart, "lastTransitionTime": now}
	}
	patch, err := json.Marshal(map[string]any{"status": map[string]any{"conditions": []any{cond("Ready"), cond("ContainersReady")}}})
	if err != nil {
		return err
	}
	for _, p := range pods.Items {
		if p.Status.Phase != corev1.PodRunning {
			continue
		}
		_, err := r.Client.CoreV1().Pods(p.Namespace).Patch(ctx, p.Name, types.StrategicMergePatchType, patch, metav1.PatchOptions{}, "status")
		if err != nil && !apierrors.IsNotFound(err) {
			log.Warnf("Marking pod %s/%s as not ready: %v", p.Namespace, p.Name, err)
		}
	}
	return nil
}

func (s *Spec) addresses() []corev1.NodeAddress {
	return []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: s.IP}, {Type: corev1.NodeHostName, Address: s.Name}}
}

func (s *Spec) labels() map[string]string {
	l := map[string]string{
		"kubernetes.io/hostname": s.Name, "kubernetes.io/os": "linux", "kubernetes.io/arch": runtime.GOARCH,
		"beta.kubernetes.io/os": "linux", "beta.kubernetes.io/arch": runtime.GOARCH,
	}
	if s.Server {
		l["node-role.kubernetes.io/control-plane"], l["node-role.kubernetes.io/master"] = "true", "true"
	}
	for k, v := range s.Labels {
		l[k] = v
	}
	return l
}

// taints reads KEY[=VALUE]:EFFECT.
func (s *Spec) taints() ([]corev1.Taint, error) {
	var list []corev1.Taint
	for _, t := range s.Taints {
		kv, effect, _ := strings.Cut(t, ":")
		k, v, _ := strings.Cut(kv, "=")
		switch e := corev1.TaintEffect(effect); {
		case k == "":
			return nil, fmt.Errorf("taint %q has no key", t)
		case e == corev1.TaintEffectNoSchedule, e == corev1.TaintEffectPreferNoSchedule, e == corev1.TaintEffectNoExecute:
			list = append(list, corev1.Taint{Key: k, Value: v, Effect: e})
		default:
			return nil, fmt.Errorf("taint %q does not end in :NoSchedule, :PreferNoSchedule or :NoExecute", t)
		}
	}
	return list, nil
}
