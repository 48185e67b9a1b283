// SPDX-License-Identifier: Apache-2.0

// Package helmcontroller runs k3s's controller of HelmChart and HelmChartConfig. It is helm-controller's own Register without leader
// election: its other packages do not compile against this release of Kubernetes.
package helmcontroller

import (
	"context"
	"strconv"
	"time"

	"github.com/k3s-io/helm-controller/pkg/controllers/chart"
	"github.com/k3s-io/helm-controller/pkg/crds"
	helm "github.com/k3s-io/helm-controller/pkg/generated/controllers/helm.cattle.io"
	"github.com/rancher/wrangler/v3/pkg/apply"
	"github.com/rancher/wrangler/v3/pkg/crd"
	"github.com/rancher/wrangler/v3/pkg/generated/controllers/batch"
	"github.com/rancher/wrangler/v3/pkg/generated/controllers/core"
	"github.com/rancher/wrangler/v3/pkg/generated/controllers/rbac"
	"github.com/rancher/wrangler/v3/pkg/generic"
	"github.com/rancher/wrangler/v3/pkg/schemes"
	"github.com/rancher/wrangler/v3/pkg/start"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apiextensions-apiserver/pkg/client/clientset/clientset"
	"k8s.io/client-go/kubernetes"
	typedv1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/record"

	"firestream/node/internal/config"
	"firestream/node/internal/log"
)

const workers = 2

// Start makes the resource definitions and starts the controllers; they run until ctx ends.
func Start(ctx context.Context, c *config.Config, rc *rest.Config) error {
	if err := createCRDs(ctx, rc); err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(rc)
	if err != nil {
		return err
	}
	applier, err := apply.NewForConfig(rc)
	if err != nil {
		return err
	}
	opts := &generic.FactoryOptions{}
	cores, err := core.NewFactoryFromConfigWithOptions(rc, opts)
	if err != nil {
		return err
	}
	opts.SharedControllerFactory = cores.ControllerFactory()
	jobs, err := batch.NewFactoryFromConfigWithOptions(rc, opts)
	if err != nil {
		return err
	}
	roles, err := rbac.NewFactoryFromConfigWithOptions(rc, opts)
	if err != nil {
		return err
	}
	helms, err := helm.NewFactoryFromConfigWithOptions(rc, opts)
	if err != nil {
		return err
	}
	events := record.NewBroadcaster(record.WithContext(ctx))
	events.StartRecordingToSink(&typedv1.EventSinkImpl{Interface: client.CoreV1().Events("")})
	recorder := events.NewRecorder(schemes.All, corev1.EventSource{Component: "helm-controller", Host: c.NodeName})

	chart.DefaultJobImage = config.HelmJobImage
	h, k := helms.Helm().V1(), cores.Core().V1()
	chart.Register(ctx, "", "helm-controller", "cluster-admin", strconv.Itoa(c.Port), client,
		applier.WithSetOwnerReference(false, false).WithContext(ctx), recorder,
		h.HelmChart(), h.HelmChart().Cache(), h.HelmChartConfig(), h.HelmChartConfig().Cache(),
		jobs.Batch().V1().Job(), jobs.Batch().V1().Job().Cache(), roles.Rbac().V1().ClusterRoleBinding(),
		k.ServiceAccount(), k.ConfigMap(), k.Secret(), k.Secret().Cache())
	if err := start.All(ctx, workers, cores, jobs, roles, helms); err != nil {
		return err
	}
	log.Infof("Helm controller started with job image %s", chart.DefaultJobImage)
	return nil
}

func createCRDs(ctx context.Context, rc *rest.Config) error {
	list, err := crds.List()
	if err != nil {
		return err
	}
	ext, err := clientset.NewForConfig(rc)
	if err != nil {
		return err
	}
	return crd.BatchCreateCRDs(ctx, ext.ApiextensionsV1().CustomResourceDefinitions(), nil, time.Minute, list)
}
