#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Compiles server and clients: run in this folder, result in $OUT (/out).
set -eu
mkdir -p "${OUT:-/out}"
CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags "-s -w" -o "${OUT:-/out}/apps" .
