/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* strerror() without its shared buffer. */
static const char *errno_text(int code)
{
	const char *s;

#ifdef __GLIBC__
	s = strerrordesc_np(code);
#else
	s = strerror(code);
#endif
	return s ? s : "unknown error";
}

/* Takes away a UTF-8 sequence that the end of a full buffer has cut. */
static void msg_mend(char *msg, size_t size, size_t wanted)
{
	size_t n = size - 1, back = 0;
	unsigned char lead;

	if (wanted < size)
		return;
	while (back < 3 && back < n && ((unsigned char)msg[n - 1 - back] & 0xc0) == 0x80)
		back++;
	lead = (unsigned char)msg[n - 1 - back];
	if (lead >= 0xc0 && back < (lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : 1))
		msg[n - 1 - back] = '\0';
}

int err_set(struct err *err, int code, const char *fmt, ...)
{
	char msg[sizeof(err->msg)]; /* the arguments may point into err->msg */
	va_list ap;
	int n;

	assert(code < 0);
	if (!err)
		return code;
	va_start(ap, fmt);
	n = vsnprintf(msg, sizeof(msg), fmt, ap);
	va_end(ap);
	if (n < 0)
		msg[0] = '\0';
	else
		msg_mend(msg, sizeof(msg), (size_t)n);
	memcpy(err->msg, msg, strlen(msg) + 1);
	err->code = code;
	return code;
}

int err_wrap(struct err *err, int code, const char *fmt, ...)
{
	char context[sizeof(err->msg)];
	va_list ap;

	assert(code < 0);
	if (!err)
		return code;
	va_start(ap, fmt);
	if (vsnprintf(context, sizeof(context), fmt, ap) < 0)
		context[0] = '\0';
	va_end(ap);
	return err_set(err, code, "%s: %s", context, err->msg[0] ? err->msg : errno_text(-code));
}

const char *err_text(const struct err *err)
{
	if (!err)
		return "unknown error";
	return err->msg[0] ? err->msg : errno_text(-err->code);
}
