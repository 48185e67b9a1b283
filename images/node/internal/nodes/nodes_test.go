// SPDX-License-Identifier: Apache-2.0

package nodes

import (
	"context"
	"net"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
)

func network(s string) *net.IPNet {
	_, n, err := net.ParseCIDR(s)
	if err != nil {
		panic(err)
	}
	return n
}

func TestFreeCIDR(t *testing.T) {
	for _, c := range []struct {
		what, cluster string
		used          []string
		want          string
	}{
		{"first node", "10.42.0.0/16", nil, "10.42.0.0/24"},
		{"gap is filled", "10.42.0.0/16", []string{"10.42.0.0/24", "10.42.2.0/24"}, "10.42.1.0/24"},
		{"crosses an octet", "10.42.255.0/23", []string{"10.42.254.0/24"}, "10.42.255.0/24"},
		{"whole network is one node", "10.1.2.0/24", nil, "10.1.2.0/24"},
		{"used up", "10.1.2.0/24", []string{"10.1.2.0/24"}, ""},
		{"too small", "10.1.2.0/25", nil, ""},
	} {
		used := map[string]bool{}
		for _, u := range c.used {
			used[u] = true
		}
		got, err := freeCIDR(network(c.cluster), used)
		if got != c.want || (err != nil) != (c.want == "") {
			t.Errorf("%s: got %q (%v), want %q", c.what, got, err, c.want)
		}
	}
}

func TestRegister(t *testing.T) {
	ctx := context.Background()
	client := fake.NewClientset()
	r := &Registry{Client: client, Network: network("10.42.0.0/16")}
	for name, want := range map[string]string{"a": "10.42.0.0/24"} {
		cidr, err := r.Register(ctx, Spec{Name: name, IP: "172.18.0.2", Taints: []string{"k=v:NoSchedule"}, Server: true})
		if err != nil || cidr != want {
			t.Fatalf("%s: got %q, %v", name, cidr, err)
		}
	}
	n, _ := client.CoreV1().Nodes().Get(ctx, "a", metav1.GetOptions{})
	if n.Labels["node-role.kubernetes.io/control-plane"] != "true" || len(n.Spec.Taints) != 1 || InternalIP(n) != "172.18.0.2" {
		t.Errorf("unexpected node: %+v", n)
	}
	if cidr, err := r.Register(ctx, Spec{Name: "b", IP: "172.18.0.3"}); err != nil || cidr != "10.42.1.0/24" {
		t.Errorf("second node: got %q, %v", cidr, err)
	}
}

func TestNodeThatComesBack(t *testing.T) {
	ctx := context.Background()
	ready := corev1.PodCondition{Type: corev1.PodReady, Status: corev1.ConditionTrue}
	client := fake.NewClientset(
		&corev1.Node{
			ObjectMeta: metav1.ObjectMeta{Name: "a"}, Spec: corev1.NodeSpec{PodCIDR: "10.42.7.0/24"},
			Status: corev1.NodeStatus{Conditions: []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}},
				Addresses: []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: "172.18.0.2"}}},
		},
		&corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Name: "p", Namespace: "d"}, Spec: corev1.PodSpec{NodeName: "a"},
			Status: corev1.PodStatus{Phase: corev1.PodRunning, Conditions: []corev1.PodCondition{ready}},
		})
	r := &Registry{Client: client, Network: network("10.42.0.0/16")}
	cidr, err := r.Register(ctx, Spec{Name: "a", IP: "172.18.0.9"})
	if err != nil || cidr != "10.42.7.0/24" {
		t.Fatalf("got %q, %v", cidr, err)
	}
	n, _ := client.CoreV1().Nodes().Get(ctx, "a", metav1.GetOptions{})
	if InternalIP(n) != "172.18.0.9" || n.Status.Conditions[0].Status != corev1.ConditionFalse {
		t.Errorf("stale node status: %+v", n.Status)
	}
	p, _ := client.CoreV1().Pods("d").Get(ctx, "p", metav1.GetOptions{})
	for _, c := range p.Status.Conditions {
		if c.Status != corev1.ConditionFalse {
			t.Errorf("pod still claims %s", c.Type)
		}
	}
}

func TestCheck(t *testing.T) {
	for _, c := range []struct {
		what string
		spec Spec
		ok   bool
	}{
		{"plain", Spec{Name: "a-1", IP: "1.2.3.4", Taints: []string{"k:NoExecute"}}, true},
		{"bad name", Spec{Name: "A b", IP: "1.2.3.4"}, false},
		{"bad address", Spec{Name: "a", IP: "::1"}, false},
		{"bad effect", Spec{Name: "a", IP: "1.2.3.4", Taints: []string{"k=v:Never"}}, false},
		{"taint without key", Spec{Name: "a", IP: "1.2.3.4", Taints: []string{"=v:NoSchedule"}}, false},
	} {
		if err := c.spec.Check(); (err == nil) != c.ok {
			t.Errorf("%s: %v", c.what, err)
		}
	}
}
