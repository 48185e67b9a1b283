/* SPDX-License-Identifier: Apache-2.0 */
/* log: lines on stderr or in a file. Used by programs and features; base/ and net/ only call log_debug().
 * A failure is logged exactly once, by whoever decides what to do about it. Thread-safe. */
#pragma once

#include <stdbool.h>

#include "base/compiler.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

/* name: "error" "warn" "info" "debug"; -EINVAL otherwise. */
int log_level_parse(const char *name, enum log_level *ret) must_check;
void log_set_level(enum log_level level);
bool log_enabled(enum log_level level);
/* fd gets every line from now on, with an RFC 3339 time in front when stamped; the caller keeps fd. */
void log_set_fd(int fd, bool stamped);
void log_line(enum log_level level, const char *fmt, ...) printf_like(2, 3);

#define log_error(...)	log_line(LOG_ERROR, __VA_ARGS__)
#define log_warn(...)	log_line(LOG_WARN, __VA_ARGS__)
#define log_info(...)	log_line(LOG_INFO, __VA_ARGS__)
#define log_debug(...)	do { if (log_enabled(LOG_DEBUG)) log_line(LOG_DEBUG, __VA_ARGS__); } while (0)
