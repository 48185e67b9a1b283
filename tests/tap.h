/* SPDX-License-Identifier: Apache-2.0 */
/* tap: our own Test Anything Protocol, for one executable per module.
 *
 * A test is a sentence: ok(x > 1, "a number is read from %s", s). skip() says why; with MUST_WORK=1 in the environment
 * it is a failure. End main with `return tap_done();`. */
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int tap_count, tap_failed;

__attribute__((format(printf, 2, 3), __unused__)) static bool ok(bool good, const char *fmt, ...)
{
	va_list ap;

	printf("%s %d - ", good ? "ok" : "not ok", ++tap_count);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
	fflush(stdout);
	if (!good)
		tap_failed++;
	return good;
}

__attribute__((format(printf, 3, 4), __unused__)) static bool is_str(const char *got, const char *want, const char *fmt, ...)
{
	char what[512];
	bool good = got == want || (got && want && strcmp(got, want) == 0);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	ok(good, "%s", what);
	if (!good)
		printf("#   got: %s\n#  want: %s\n", got ? got : "(null)", want ? want : "(null)");
	return good;
}

__attribute__((format(printf, 3, 4), __unused__)) static bool is_int(long long got, long long want, const char *fmt, ...)
{
	char what[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	ok(got == want, "%s", what);
	if (got != want)
		printf("#   got: %lld\n#  want: %lld\n", got, want);
	return got == want;
}

__attribute__((__unused__)) static void skip(const char *what, const char *why)
{
	const char *must = getenv("MUST_WORK");
	bool fail = must && strcmp(must, "1") == 0;

	printf("%s %d - %s # SKIP %s\n", fail ? "not ok" : "ok", ++tap_count, what, why);
	if (fail)
		tap_failed++;
}

__attribute__((__unused__)) static int tap_done(void)
{
	printf("1..%d\n", tap_count);
	return tap_failed ? 1 : 0;
}
