#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Mounts made by pods have to be seen by the kubelet and the other way round.
mount --make-rshared /
