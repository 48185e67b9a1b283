/* SPDX-License-Identifier: Apache-2.0 */
#include "base/hash.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/mem.h"

struct hash {
	EVP_MD_CTX *ctx;
};

static void must(int good)
{
	if (good != 1)
		abort();
}

struct hash *hash_new(void)
{
	struct hash *h = xcalloc(1, sizeof(*h));

	h->ctx = EVP_MD_CTX_new();
	must(h->ctx != NULL);
	must(EVP_DigestInit_ex(h->ctx, EVP_sha256(), NULL));
	return h;
}

void hash_add(struct hash *h, const void *p, size_t n)
{
	must(EVP_DigestUpdate(h->ctx, p, n));
}

void hash_adds(struct hash *h, const char *s)
{
	hash_add(h, s, strlen(s) + 1);
}

void hash_raw(struct hash *h, uint8_t ret[static 32])
{
	must(EVP_DigestFinal_ex(h->ctx, ret, NULL));
	EVP_MD_CTX_free(h->ctx);
	free(h);
}

void hash_hex(struct hash *h, char ret[static HASH_HEX_LEN + 1])
{
	static const char digits[] = "0123456789abcdef";
	uint8_t raw[32];

	hash_raw(h, raw);
	for (size_t i = 0; i < sizeof(raw); i++) {
		ret[2 * i] = digits[raw[i] >> 4];
		ret[2 * i + 1] = digits[raw[i] & 15];
	}
	ret[HASH_HEX_LEN] = '\0';
}

static int add_content(struct hash *h, int fd)
{
	autofree char *chunk = xrealloc(NULL, 64, 1024);
	ssize_t n;

	while ((n = read(fd, chunk, 64 * 1024)) != 0) {
		if (n > 0)
			hash_add(h, chunk, (size_t)n);
		else if (errno != EINTR)
			return -errno;
	}
	return 0;
}

static int add_link(struct hash *h, const char *path)
{
	char to[PATH_MAX];
	ssize_t n = readlink(path, to, sizeof(to) - 1);

	if (n < 0)
		return -errno;
	to[n] = '\0';
	hash_adds(h, "link");
	hash_adds(h, to);
	return 0;
}

/* A file's content goes in as a hash of its own, so that no content can pass for another file's name. */
static int add_file(struct hash *h, const char *path)
{
	autoclose int fd = -1;
	char hex[HASH_HEX_LEN + 1];
	struct hash *content;
	struct stat st;
	int r;

	if (lstat(path, &st) < 0)
		return -errno;
	if (S_ISLNK(st.st_mode))
		return add_link(h, path);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return -errno;
	content = hash_new();
	r = add_content(content, fd);
	hash_hex(content, hex);
	hash_adds(h, st.st_mode & 0100 ? "program" : "file");
	hash_adds(h, hex);
	return r;
}

int hash_tree(struct hash *h, const char *dir, const char *const *skip, struct err *err)
{
	auto(strv) struct strv files = { 0 };
	int r = file_list(dir, skip, &files, err);

	for (size_t i = 0; !r && i < files.n; i++) {
		autofree char *path = path_join(dir, files.v[i]);

		hash_adds(h, files.v[i]);
		r = add_file(h, path);
		if (r)
			err_set(err, r, "cannot read %s: %s", path, err_text(&(struct err){ .code = r }));
	}
	return r;
}

void hash_sha1(const void *p, size_t n, uint8_t ret[static 20])
{
	must(EVP_Digest(p, n, ret, NULL, EVP_sha1(), NULL));
}

void base64_encode(struct buf *out, const void *p, size_t n, int url)
{
	static const char standard[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	static const char safe[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	const char *digits = url ? safe : standard;
	const uint8_t *b = p;

	for (; n; n -= MIN(n, 3), b += 3) {
		uint32_t v = (uint32_t)b[0] << 16 | (n > 1 ? (uint32_t)b[1] << 8 : 0) | (n > 2 ? b[2] : 0);
		char quad[4] = { digits[v >> 18], digits[v >> 12 & 63], '=', '=' };

		if (n > 1)
			quad[2] = digits[v >> 6 & 63];
		if (n > 2)
			quad[3] = digits[v & 63];
		buf_add(out, quad, 4);
		if (n <= 3)
			break;
	}
}

static int base64_digit(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+' || c == '-')
		return 62;
	return c == '/' || c == '_' ? 63 : -1;
}

int base64_decode(struct buf *out, const char *s, size_t n)
{
	unsigned digits = 0, padding = 0;
	uint32_t v = 0;

	for (size_t i = 0; i < n; i++) {
		int d = base64_digit(s[i]);

		if (s[i] == ' ' || (s[i] >= '\t' && s[i] <= '\r'))
			continue;
		if (s[i] == '=') {
			padding++;
			continue;
		}
		if (d < 0 || padding)
			return -EBADMSG;
		v = v << 6 | (uint32_t)d;
		if (++digits % 4 == 0)
			buf_add(out, (char[]){ (char)(v >> 16), (char)(v >> 8), (char)v }, 3);
	}
	if (digits % 4 == 1 || (padding && padding != (4 - digits % 4) % 4))
		return -EBADMSG;
	if (digits % 4 == 2)
		buf_addc(out, (char)(v >> 4));
	if (digits % 4 == 3)
		buf_add(out, (char[]){ (char)(v >> 10), (char)(v >> 2) }, 2);
	return buf_ok(out) ? 0 : -EBADMSG;
}

void random_bytes(void *p, size_t n)
{
	assert(n <= INT_MAX);
	must(RAND_bytes(p, (int)n));
}

void random_letters(char *ret, size_t n)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
	uint8_t b;

	for (size_t i = 0; i < n;) {
		random_bytes(&b, 1);
		if (b < 4 * 52)
			ret[i++] = letters[b % 52];
	}
	ret[n] = '\0';
}
