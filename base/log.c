/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/str.h"

#define LINE_MAX_BYTES 4096

static const char *const level_names[] = { "error", "warn", "info", "debug" };
_Static_assert(ARRAY_SIZE(level_names) == LOG_DEBUG + 1, "a name per level");

/* The process has one log: where it goes and how much is settled by main() before threads start; both are atomic. */
static atomic_int log_level = LOG_INFO;
static atomic_int log_fd = STDERR_FILENO;
static atomic_bool log_stamped;

int log_level_parse(const char *name, enum log_level *ret)
{
	for (size_t i = 0; i < ARRAY_SIZE(level_names); i++) {
		if (!streq(name, level_names[i]))
			continue;
		*ret = (enum log_level)i;
		return 0;
	}
	return -EINVAL;
}

void log_set_level(enum log_level level)
{
	atomic_store(&log_level, (int)level);
}

bool log_enabled(enum log_level level)
{
	return (int)level <= atomic_load(&log_level);
}

void log_set_fd(int fd, bool stamped)
{
	atomic_store(&log_stamped, stamped);
	atomic_store(&log_fd, fd);
}

static size_t stamp_put(char *p, size_t n)
{
	struct timespec ts;
	struct tm tm;
	size_t len;

	clock_gettime(CLOCK_REALTIME, &ts);
	gmtime_r(&ts.tv_sec, &tm);
	len = strftime(p, n, "%Y-%m-%dT%H:%M:%S", &tm);
	return len + (size_t)snprintf(p + len, n - len, ".%03ldZ ", ts.tv_nsec / 1000000);
}

/* One write() per line, so that lines of several threads do not mix. */
void log_line(enum log_level level, const char *fmt, ...)
{
	char line[LINE_MAX_BYTES];
	size_t len = 0, room = sizeof(line) - 1;
	int saved = errno, n;
	va_list ap;

	if (!log_enabled(level))
		return;
	if (atomic_load(&log_stamped))
		len = stamp_put(line, room);
	len += (size_t)snprintf(line + len, room - len, "%s: ", level_names[level]);
	errno = saved;	/* for %m */
	va_start(ap, fmt);
	n = vsnprintf(line + len, room - len, fmt, ap);
	va_end(ap);
	if (n > 0)
		len = MIN(len + (size_t)n, room - 1);
	for (size_t i = 0; i < len; i++)
		if (line[i] == '\n')
			line[i] = ' ';
	line[len++] = '\n';
	(void)!write(atomic_load(&log_fd), line, len);
	errno = saved;
}
