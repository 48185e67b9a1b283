/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/mem.h"
#include "tests/tap.h"

static char dir[] = "/tmp/test_hash.XXXXXX";

static void tree_hex(char ret[static HASH_HEX_LEN + 1])
{
	static const char *const skip[] = { "skipped", NULL };
	struct hash *h = hash_new();
	struct err err = { 0 };

	if (hash_tree(h, dir, skip, &err))
		printf("# %s\n", err.msg);
	hash_hex(h, ret);
}

static void test_tree(void)
{
	autofree char *a = path_join(dir, "a"), *b = path_join(dir, "sub/b"), *sub = path_join(dir, "sub"), *link = path_join(dir, "l");
	autofree char *skipped = path_join(dir, "skipped");
	char first[HASH_HEX_LEN + 1], now[HASH_HEX_LEN + 1];
	struct hash *h;

	(void)!file_mkdirs(sub, 0755, NULL);
	(void)!file_write(a, "1", 1, 0644, NULL);
	(void)!file_write(b, "2", 1, 0644, NULL);
	ok(symlink("a", link) == 0, "a tree is made");
	tree_hex(first);
	chmod(a, 0600);
	(void)!file_write(skipped, "2", 1, 0644, NULL);
	tree_hex(now);
	is_str(now, first, "who may read a file does not matter, nor what is skipped");
	chmod(a, 0755);
	tree_hex(now);
	ok(!streq(now, first), "a program is not a file");
	chmod(a, 0644);
	(void)!file_write(b, "3", 1, 0644, NULL);
	tree_hex(now);
	ok(!streq(now, first), "other content, other hash");
	(void)!file_write(b, "2", 1, 0644, NULL);
	unlink(link);
	ok(symlink("b", link) == 0, "the link changes");
	tree_hex(now);
	ok(!streq(now, first), "and the hash");
	h = hash_new();
	ok(hash_tree(h, "/no/such/dir", NULL, &(struct err){ 0 }) == -ENOENT, "a missing tree is an error");
	hash_hex(h, now);
	(void)!file_remove_tree(dir, NULL);
}

static void test_base64(void)
{
	static const struct {
		const char *plain, *coded;
	} cases[] = {
		{ "", "" }, { "f", "Zg==" }, { "fo", "Zm8=" }, { "foo", "Zm9v" }, { "foob", "Zm9vYg==" }, { "\xff\xfe", "//4=" },
	};
	static const char *const bad[] = { "Z", "Zg=", "Zg===", "Z=g=", "Zm9v=", "Zm!v", "Zg==Zg==", "=" };
	auto(buf) struct buf b = BUF_INIT(100);

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		buf_reset(&b);
		base64_encode(&b, cases[i].plain, strlen(cases[i].plain), 0);
		is_str(buf_str(&b), cases[i].coded, "encoded %s", cases[i].coded);
		buf_reset(&b);
		ok(base64_decode(&b, cases[i].coded, strlen(cases[i].coded)) == 0 && streq(buf_str(&b), cases[i].plain), "and back");
	}
	buf_reset(&b);
	base64_encode(&b, "\xff\xfe", 2, 1);
	is_str(buf_str(&b), "__4=", "the alphabet for URLs");
	buf_reset(&b);
	ok(base64_decode(&b, " Zm9v\nYg", 8) == 0 && streq(buf_str(&b), "foob"), "white space and no padding");
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		is_int(base64_decode(&b, bad[i], strlen(bad[i])), -EBADMSG, "\"%s\" is refused", bad[i]);
	buf_done(&b);
	buf_init(&b, 2);
	is_int(base64_decode(&b, "Zm9v", 4), -EBADMSG, "what does not fit is refused");
}

int main(void)
{
	char hex[HASH_HEX_LEN + 1], other[HASH_HEX_LEN + 1], letters[33];
	struct hash *h = hash_new();

	if (!mkdtemp(dir))
		return 1;
	hash_add(h, "ab", 2);
	hash_add(h, "c", 1);
	hash_hex(h, hex);
	is_str(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", "SHA-256 of abc");
	h = hash_new();
	hash_adds(h, "ab");
	hash_adds(h, "c");
	hash_hex(h, hex);
	h = hash_new();
	hash_adds(h, "a");
	hash_adds(h, "bc");
	hash_hex(h, other);
	ok(!streq(hex, other), "strings do not run together");
	test_tree();
	test_base64();
	random_letters(letters, 32);
	ok(strlen(letters) == 32 && strspn(letters, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") == 32,
	   "32 random letters");
	return tap_done();
}
