/* SPDX-License-Identifier: Apache-2.0 */
#include "net/ctlmsg.h"

#include <errno.h>

#include "base/mem.h"
#include "tests/tap.h"

static void test_requests(void)
{
	static const struct { const char *text; int code; } rows[] = {
		{ "{\"op\":\"status\"}", 0 },
		{ "{\"op\":\"stop\",\"more\":1}", 0 },
		{ "{\"op\":\"dance\"}", -ENOSYS },
		{ "{\"op\":3}", -EBADMSG },
		{ "{}", -EBADMSG },
		{ "[]", -EBADMSG },
		{ "status", -EBADMSG },
		{ "", -EBADMSG },
	};
	static char big[CTLMSG_REQUEST_MAX + 1];
	struct err err = { 0 };
	enum ctl_op op;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		is_int(ctl_request_parse(rows[i].text, strlen(rows[i].text), &op, &err), rows[i].code, "request %s", rows[i].text);
	ok(ctl_request_parse(big, sizeof(big), &op, &err) == -EBADMSG, "a request that is too long is refused");
	for (unsigned i = 0; i < CTL_OPS; i++) {
		autofree char *text = ctl_request_text((enum ctl_op)i);

		ok(!ctl_request_parse(text, strlen(text), &op, &err) && op == i, "%s is understood", ctl_op_name((enum ctl_op)i));
	}
}

static void test_replies(void)
{
	json *body = json_object(), *got = NULL;
	autofree char *good = NULL, *bad = ctl_reply_error("no \"such\" thing");
	struct err err = { 0 };

	json_set_str(body, "state", "ready");
	good = ctl_reply_ok("status", body);
	ok(good[strlen(good) - 1] == '\n' && !ctl_reply_parse(good, strlen(good), &got, &err), "a reply is read");
	is_str(json_str(got, "status.state", ""), "ready", "with its body");
	json_free(got);
	got = NULL;
	is_int(ctl_reply_parse(bad, strlen(bad), &got, &err), -EREMOTEIO, "a refusal is one");
	is_str(err_text(&err), "no \"such\" thing", "and keeps its sentence");
	is_int(ctl_reply_parse("{\"status\":1}", 12, &got, &err), -EBADMSG, "a reply without ok is none");
	is_int(ctl_call("/nonexistent/socket", CTL_STATUS, loop_deadline(100), &got, &err), -ENOENT, "no socket is -ENOENT");
}

int main(void)
{
	test_requests();
	test_replies();
	return tap_done();
}
