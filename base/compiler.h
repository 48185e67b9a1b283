/* SPDX-License-Identifier: Apache-2.0 */
/* compiler: attributes and tiny macros that every file may use. */
#pragma once

#include <stddef.h>

#define must_check	__attribute__((warn_unused_result))
#define printf_like(fmt, first) __attribute__((format(printf, fmt, first)))
#define maybe_unused	__attribute__((__unused__))

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define MIN(a, b)	((a) < (b) ? (a) : (b))
#define MAX(a, b)	((a) > (b) ? (a) : (b))

#define container_of(ptr, type, member) \
	((type *)(void *)((char *)(ptr) - offsetof(type, member)))
