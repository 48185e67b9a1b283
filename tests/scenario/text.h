/* SPDX-License-Identifier: Apache-2.0 */
/* text: DNS messages as scenarios write them.
 *
 * An answer: RCODE [FLAG…] [RECORD [, RECORD]…] [/ AUTHORITY…] [/ ADDITIONAL…]
 *   FLAG    aa tc ad edns do; ecs cookie padding: options in its OPT
 *   RECORD  OWNER TTL TYPE DATA…, as in a zone file; OWNER @ is the question's name; `SOA MINIMUM` for short; HTTPS
 *           and TYPEnnn take HEX; `xN` behind the data: N records, the last two bytes of the data counting up
 * An expected one has also `!FLAG` for what must not be set, `ttl<=N` for all records, `records N` in the answer section,
 * `size N` or `size<=N` of the message, `ede N` in the OPT, and * for any TTL or data. A section that is not named is
 * not looked at; `none` is an empty one. Always checked: id, question byte for byte, an OPT only for who sent one. */
#pragma once

#include "net/dnswire.h"

#define TEXT_RDATA_MAX 600
#define TEXT_FLAGS 6
#define TEXT_RCODES 6

extern const char *const text_rcodes[TEXT_RCODES];
extern const struct text_flag {
	const char *name;
	uint16_t bit;
} text_flags[TEXT_FLAGS];

struct words {
	char **v;		/* borrowed */
	size_t n, at;
};

struct record {
	struct dns_name owner;		/* len 0: the question's name */
	uint16_t type;
	bool any_ttl, any_data;
	uint32_t ttl;
	uint8_t rdata[TEXT_RDATA_MAX];
	size_t len;
	unsigned times;
};

/* The next word, or NULL. take: moves on when it is this one. number: the word as a number, -EINVAL. */
const char *words_next(struct words *w);
bool words_take(struct words *w, const char *word);
int words_number(struct words *w, uint64_t max, uint64_t *ret) must_check;
/* Takes "ttl<=5", with prefix "ttl<=". */
bool words_take_number(struct words *w, const char *prefix, uint64_t *ret);

/* "A", "TYPE65280" → its number, -EINVAL. */
int text_type(const char *word);
int text_rcode(const char *word);	/* "nxdomain"; -EINVAL */
int text_record(struct words *w, struct record *ret) must_check;
/* Hex digits; the length, or -EINVAL. */
int text_hex(const char *word, uint8_t *ret, size_t max);
/* The answer that the rest of w describes, to q under this id; its length, or -EINVAL. */
int text_answer(struct words *w, const struct dns_query *q, uint16_t id, uint8_t out[static DNS_MSG_MAX]) must_check;
/* Is msg, an answer to q, what the rest of w expects? 0; 1: no, ret says why; -EINVAL: w cannot be read. */
int text_expect(struct words *w, const struct dns_query *q, const uint8_t *msg, size_t n, char ret[static 256]) must_check;
/* A message in short, for people. */
const char *text_message(const uint8_t *msg, size_t n, char *ret, size_t size);
