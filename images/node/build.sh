#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Compiles the node's programs: run in this folder, result in $OUT (/out): k3s, helm and images.tar.
set -eu

out=${OUT:-/out}
kubernetes=1.34.4
certificates=${CERTIFICATES:-/etc/ssl/certs/ca-certificates.crt}

mkdir -p "$out"
programs=$(mktemp -d)
trap 'rm -rf "$programs"' EXIT

version=k8s.io/component-base/version
flags="-s -w -X $version.gitVersion=v$kubernetes+firestream -X $version.gitMajor=1 -X $version.gitMinor=34"
helm=helm.sh/helm/v3
flags="$flags -X $version.gitTreeState=clean -X $helm/internal/version.version=v3.19.5"
flags="$flags -X $helm/pkg/chartutil.k8sVersionMajor=1 -X $helm/pkg/chartutil.k8sVersionMinor=34"
export CGO_ENABLED=0 GOFLAGS="-trimpath -buildvcs=false"

echo "compiling Kubernetes, CoreDNS and Helm"
go build -ldflags "$flags" -o "$programs/" ./cmd/... helm.sh/helm/v3/cmd/helm
echo "packing the images of the node's pods"
"$programs/podimages" "$programs" "$certificates" "$out/images.tar"
cp "$programs/k3s" "$programs/helm" "$out/"
