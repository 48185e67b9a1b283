// SPDX-License-Identifier: Apache-2.0

// Package apiserver runs kube-apiserver inside the server process: as its own command does, but with our paths in front of its handlers
// and without its signal handler, of which a process can have only one.
package apiserver

import (
	"context"
	"net/http"

	"github.com/spf13/pflag"
	utilerrors "k8s.io/apimachinery/pkg/util/errors"
	"k8s.io/apiserver/pkg/server/healthz"
	"k8s.io/client-go/rest"
	basecompat "k8s.io/component-base/compatibility"
	logsapi "k8s.io/component-base/logs/api/v1"
	"k8s.io/kubernetes/cmd/kube-apiserver/app"
	"k8s.io/kubernetes/cmd/kube-apiserver/app/options"
)

// Run serves until ctx ends. wrap gets the handler of everything; checks are added to /readyz.
func Run(ctx context.Context, args []string, wrap func(http.Handler) http.Handler, checks ...healthz.HealthChecker) error {
	opts, err := complete(ctx, args)
	if err != nil {
		return err
	}
	conf, err := app.NewConfig(opts)
	if err != nil {
		return err
	}
	completed, err := conf.Complete()
	if err != nil {
		return err
	}
	srv, err := app.CreateServerChain(completed)
	if err != nil {
		return err
	}
	if err := srv.GenericAPIServer.AddReadyzChecks(checks...); err != nil {
		return err
	}
	prepared, err := srv.PrepareRun()
	if err != nil {
		return err
	}
	h := srv.GenericAPIServer.Handler
	h.FullHandlerChain = wrap(h.FullHandlerChain)
	return prepared.Run(ctx)
}

func complete(ctx context.Context, args []string) (options.CompletedOptions, error) {
	var none options.CompletedOptions
	s := options.NewServerRunOptions()
	fs := pflag.NewFlagSet("kube-apiserver", pflag.ContinueOnError)
	for _, f := range s.Flags().FlagSets {
		fs.AddFlagSet(f)
	}
	if err := fs.Parse(args); err != nil {
		return none, err
	}
	reg := s.GenericServerRunOptions.ComponentGlobalsRegistry
	if err := reg.Set(); err != nil {
		return none, err
	}
	rest.SetDefaultWarningHandler(rest.NoWarnings{})
	if err := logsapi.ValidateAndApply(s.Logs, reg.FeatureGateFor(basecompat.DefaultKubeComponent)); err != nil {
		return none, err
	}
	o, err := s.Complete(ctx)
	if err != nil {
		return none, err
	}
	return o, utilerrors.NewAggregate(o.Validate())
}
