// SPDX-License-Identifier: Apache-2.0

package nodes

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"

	"k8s.io/apimachinery/pkg/labels"
)

const retryAfter = 200 * time.Millisecond

// Watch calls fn with all nodes whenever one changes, and again soon when fn was not content. It returns when ctx ends.
func Watch(ctx context.Context, client kubernetes.Interface, fn func([]*corev1.Node) error) error {
	factory := informers.NewSharedInformerFactory(client, 0)
	informer := factory.Core().V1().Nodes()
	changed := make(chan struct{}, 1)
	poke := func() {
		select {
		case changed <- struct{}{}:
		default:
		}
	}
	_, err := informer.Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(any) { poke() },
		UpdateFunc: func(any, any) { poke() },
		DeleteFunc: func(any) { poke() },
	})
	if err != nil {
		return err
	}
	factory.Start(ctx.Done())
	defer factory.Shutdown()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-changed:
		}
		list, err := informer.Lister().List(labels.Everything())
		if err != nil {
			return err
		}
		if fn(list) != nil {
			time.AfterFunc(retryAfter, poke)
		}
	}
}

// InternalIP is a node's address; "" when it has none yet.
func InternalIP(n *corev1.Node) string {
	for _, a := range n.Status.Addresses {
		if a.Type == corev1.NodeInternalIP {
			return a.Address
		}
	}
	return ""
}
