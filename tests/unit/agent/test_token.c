/* SPDX-License-Identifier: Apache-2.0 */
/* Whose token it is, and when it is to be renewed. */
#include "agent/token.h"

#include <errno.h>

#include "base/hash.h"
#include "base/mem.h"
#include "tests/tap.h"

static char *jwt(const char *claims)
{
	struct buf b = BUF_INIT(4096);

	buf_adds(&b, "e30.");
	base64_encode(&b, claims, strlen(claims), 1);
	buf_adds(&b, ".c2ln");
	return buf_steal(&b);
}

static void test_claims(void)
{
	static const struct { const char *what, *claims; int want; } table[] = {
		{ "of a ServiceAccount", "{\"iat\":1000,\"exp\":5000,\"kubernetes.io\":{\"namespace\":\"kube-system\","
		  "\"serviceaccount\":{\"name\":\"firestream-agent\"}}}", 0 },
		{ "of somebody else", "{\"iat\":1000,\"exp\":5000,\"sub\":\"me\"}", -EBADMSG },
		{ "that never lives", "{\"iat\":5000,\"exp\":5000,\"kubernetes.io\":{\"namespace\":\"a\",\"serviceaccount\":{\"name\":\"b\"}}}",
		  -EBADMSG },
		{ "with a namespace that is a path", "{\"iat\":1,\"exp\":2,\"kubernetes.io\":{\"namespace\":\"../x\","
		  "\"serviceaccount\":{\"name\":\"b\"}}}", -EBADMSG },
	};
	struct token_claims c;

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		autofree char *t = jwt(table[i].claims);

		is_int(token_claims_read(t, strlen(t), &c), table[i].want, "a token %s is %s", table[i].what, table[i].want ? "refused" : "read");
		if (i == 0)
			is_str(c.account, "firestream-agent", "and says whose it is");
	}
	is_int(token_claims_read("nonsense", 8, &c), -EBADMSG, "what is no JWT is refused");
}

static void test_due(void)
{
	const struct token_claims c = { .issued = 1000, .expires = 5000 };
	static const struct { int64_t now, want; } table[] = { { 1000, 2000 }, { 2999, 1 }, { 3000, 0 }, { 9000, 0 } };

	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		is_int(token_due(&c, table[i].now), table[i].want, "at %lld it is due in %lld s", (long long)table[i].now, (long long)table[i].want);
}

int main(void)
{
	test_claims();
	test_due();
	return tap_done();
}
