/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/tmpl.h"
#include "tests/tap.h"

static const char *value(void *arg, const char *name)
{
	return streq(name, "name") ? "web" : streq(name, "a.b-c") ? "${name}" : streq(name, "empty") ? "" : NULL;
}

int main(void)
{
	static const struct {
		const char *text, *want, *error;
	} cases[] = {
		{ "", "", NULL },
		{ "no place", "no place", NULL },
		{ "${name}", "web", NULL },
		{ "a ${name}, ${name}.", "a web, web.", NULL },
		{ "${a.b-c}", "${name}", NULL },
		{ "[${empty}]", "[]", NULL },
		{ "cost: $$5, $x $", "cost: $5, $x $", NULL },
		{ "$${name}", "${name}", NULL },
		{ "1\n2 ${gone}", NULL, "line 2: nothing is called \"${gone}\"" },
		{ "x\n\n${name", NULL, "line 3: \"${\" is never closed" },
		{ "${na\nme}", NULL, "line 1: \"${\" is never closed" },
		{ "${}", NULL, "line 1: \"${}\" is no name" },
		{ "${name:-x}", NULL, "line 1: \"${name:-x}\" is no name" },
	};
	auto(buf) struct buf small = BUF_INIT(3);
	struct err err;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		auto(buf) struct buf b = BUF_INIT(1000);
		int r;

		err = (struct err){ 0 };
		r = tmpl_render(&b, cases[i].text, value, NULL, &err);
		if (cases[i].error)
			is_str(r == -EINVAL ? err.msg : "done", cases[i].error, "\"%s\" is refused", cases[i].text);
		else
			is_str(r ? err.msg : buf_str(&b), cases[i].want, "\"%s\"", cases[i].text);
	}
	is_int(tmpl_render(&small, "${name}x", value, NULL, &err), -EFBIG, "what does not fit is an error: %s", err.msg);
	return tap_done();
}
