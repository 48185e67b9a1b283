/* SPDX-License-Identifier: Apache-2.0 */
/* num: numbers out of strings, never without a maximum. The whole string must be the number; -EINVAL or -ERANGE else. */
#pragma once

#include <stdint.h>

#include "base/compiler.h"

int num_u64(const char *s, uint64_t max, uint64_t *ret) must_check;
int num_u16(const char *s, uint16_t *ret) must_check;
/* "1.5h", "90s", "500ms", "5m30s" (Go's durations) or a plain number of seconds → milliseconds. */
int num_duration_ms(const char *s, uint64_t *ret) must_check;
/* Kubernetes quantity of bytes ("128Mi", "1G", "512") → bytes. */
int num_bytes(const char *s, uint64_t *ret) must_check;
