/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "base/err.h"
#include "tests/tap.h"

static void test_long(void)
{
	struct err err = { 0 };
	char text[2000];
	size_t n;

	for (size_t pad = 0; pad < 4; pad++) {
		memset(text, 'a', pad);
		for (n = pad; n + 4 < sizeof(text); n += 3)
			memcpy(text + n, "\xe2\x82\xac", 3);
		text[n] = '\0';
		err_set(&err, -EINVAL, "%s", text);
		n = strlen(err.msg);
		ok(n < sizeof(err.msg) && n >= sizeof(err.msg) - 3 && (n - pad) % 3 == 0,
		   "a long message is cut between characters (%zu bytes before)", pad);
	}
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	err_set(&err, -EINVAL, "%s", text);
	is_int((long long)strlen(err.msg), sizeof(err.msg) - 1, "plain letters fill the buffer");
}

int main(void)
{
	struct err err = { 0 };

	is_int(err_set(&err, -EINVAL, "line %d: no", 3), -EINVAL, "err_set returns the code");
	is_str(err_text(&err), "line 3: no", "the message is formatted");
	is_int(err.code, -EINVAL, "the code is kept");
	is_int(err_wrap(&err, -EIO, "reading %s", "x.yaml"), -EIO, "err_wrap returns the code");
	is_str(err_text(&err), "reading x.yaml: line 3: no", "context goes in front");
	err_set(&err, -EINVAL, "%s again", err.msg);
	is_str(err_text(&err), "reading x.yaml: line 3: no again", "a message may be made of itself");
	err = (struct err){ 0 };
	err_wrap(&err, -ENOENT, "opening");
	is_str(err_text(&err), "opening: No such file or directory", "an empty message becomes the code's words");
	is_str(err_text(&(struct err){ .code = -EACCES }), "Permission denied", "no message: the code's words");
	ok(err_text(&(struct err){ .code = -99999 }) != NULL, "an unknown code has words");
	ok(err_text(NULL) != NULL, "no err has words");
	is_int(err_set(NULL, -EPERM, "x"), -EPERM, "err may be NULL");
	is_int(err_wrap(NULL, -EPERM, "x"), -EPERM, "err may be NULL when wrapped");
	test_long();
	return tap_done();
}
