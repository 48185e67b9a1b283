/* SPDX-License-Identifier: Apache-2.0 */
/* hash: SHA-256 (libcrypto) of strings, files and trees; base64 and hex. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

#define HASH_HEX_LEN 64

struct hash;			/* incremental */

struct hash *hash_new(void);
void hash_add(struct hash *h, const void *p, size_t n);
void hash_adds(struct hash *h, const char *s);		/* with its terminating NUL, so that fields cannot run together */
/* Ends and frees h. */
void hash_hex(struct hash *h, char ret[static HASH_HEX_LEN + 1]);
void hash_raw(struct hash *h, uint8_t ret[static 32]);
/* Adds names, modes (x bit) and contents of all files below dir, sorted; skip as in file_list. */
int hash_tree(struct hash *h, const char *dir, const char *const *skip, struct err *err) must_check;

/* SHA-1, where a protocol wants it (RFC 6455). */
void hash_sha1(const void *p, size_t n, uint8_t ret[static 20]);

void base64_encode(struct buf *out, const void *p, size_t n, int url);	/* url: RFC 4648 section 5, padded */
int base64_decode(struct buf *out, const char *s, size_t n) must_check;	/* both alphabets, white space skipped; -EBADMSG */
void random_bytes(void *p, size_t n);
/* n random characters of [a-zA-Z] + '\0' into ret. */
void random_letters(char *ret, size_t n);
