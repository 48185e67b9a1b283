/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/redirect.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "tests/tap.h"

static const struct { const char *what, *servers, *want; } cases[] = {
	{ "one server", "127.0.0.11", "127.0.0.11>127.0.53.1:53" },
	{ "three", "10.0.0.1,10.0.0.2,10.0.0.3", "10.0.0.1>127.0.53.1:53 10.0.0.2>127.0.53.2:53 10.0.0.3>127.0.53.3:53" },
	{ "no more than three", "10.0.0.1,10.0.0.2,10.0.0.3,10.0.0.4", "10.0.0.1>127.0.53.1:53 10.0.0.2>127.0.53.2:53 10.0.0.3>127.0.53.3:53" },
	{ "the same twice", "10.0.0.1,10.0.0.1", "10.0.0.1>127.0.53.1:53" },
	{ "IPv6 has a port of its own", "10.0.0.1,fd00::53", "10.0.0.1>127.0.53.1:53 fd00::53>[::1]:53532" },
	{ "another port is not asked by anybody", "10.0.0.1:5353", "" },
	{ "none", "", "" },
	{ "a listener of ours is no server", "127.0.53.2,10.0.0.1", "10.0.0.1>127.0.53.1:53" },
	{ "servers on loopback", "127.0.0.53,::1", "127.0.0.53>127.0.53.1:53 ::1>[::1]:53532" },
};

int main(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct str rest = str_from(cases[i].servers), one;
		auto(buf) struct buf b = BUF_INIT(4096);
		struct redirect_rows none = { 0 }, have, next;
		struct hostport servers[8];
		char a[HOSTPORT_STRLEN], to[HOSTPORT_STRLEN];
		size_t n = 0;

		while (n < 8 && str_split(&rest, ',', &one)) {
			autofree char *text = xstrndup(one.p, one.len);

			n += !hostport_parse(text, 53, &servers[n]);
		}
		ok(redirect_plan(servers, n, &none, &have) == (*cases[i].want != '\0'), "%s: is there something to do?", cases[i].what);
		for (size_t k = 0; k < have.n; k++)
			buf_addf(&b, "%s%s>%s", k ? " " : "", addr_format(&have.row[k].server, a), hostport_format(&have.row[k].to, to));
		is_str(buf_str(&b), cases[i].want, "%s", cases[i].what);
		ok(!redirect_plan(servers, n, &have, &next), "%s: a second plan has nothing to do", cases[i].what);
	}
	return tap_done();
}
