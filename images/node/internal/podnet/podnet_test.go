// SPDX-License-Identifier: Apache-2.0

package podnet

import (
	"encoding/json"
	"maps"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func node(name, cidr, ip string) *corev1.Node {
	n := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: corev1.NodeSpec{PodCIDR: cidr}}
	if ip != "" {
		n.Status.Addresses = []corev1.NodeAddress{{Type: corev1.NodeHostName, Address: name}, {Type: corev1.NodeInternalIP, Address: ip}}
	}
	return n
}

func TestWantedRoutes(t *testing.T) {
	got := wantedRoutes([]*corev1.Node{
		node("self", "10.42.0.0/24", "172.18.0.2"),
		node("b", "10.42.1.0/24", "172.18.0.3"),
		node("no-network", "", "172.18.0.4"),
		node("no-address", "10.42.3.0/24", ""),
	}, "self")
	if want := map[string]string{"10.42.1.0/24": "172.18.0.3"}; !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestConflistIsJSON(t *testing.T) {
	if !json.Valid([]byte(conflist("10.42.0.0/24"))) {
		t.Error("not JSON")
	}
}
