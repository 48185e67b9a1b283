#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# down --purge leaves the engine as it was.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

try "down --purge" bs down --purge --headless
is "$(engine_objects)" "$(cat "$E2E/before")" "containers, networks and volumes are as they were before the first up"
try "down again finds nothing to do" bs down --purge --headless
finish
