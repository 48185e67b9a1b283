/* SPDX-License-Identifier: Apache-2.0 */
/* nft internal: what nft.c and nft_rule.c share: the writing of netlink attributes. */
#pragma once

#include "base/buf.h"
#include "net/linux/nft.h"

#define NFT_DEPTH 8

struct nft {
	int fd;
	uint32_t seq, first_seq;	/* of the next message; of the batch's begin */
	struct buf batch;
	size_t message;			/* where the one under way begins */
	size_t nest[NFT_DEPTH];		/* where the open attributes begin */
	unsigned depth;
	uint32_t set_id;
	struct buf names;		/* "what name\n" of each message, for errors */
};

/* The one element of a condition's set. */
extern const struct nft_element nft_holds;

void nft_message_begin(struct nft *n, unsigned type, unsigned flags, const char *what, const char *name);
void nft_message_end(struct nft *n);

void nft_attr(struct nft *n, unsigned type, const void *p, size_t len);
void nft_attr_str(struct nft *n, unsigned type, const char *s);
void nft_attr_u32(struct nft *n, unsigned type, uint32_t v);	/* written big endian */
void nft_attr_u64(struct nft *n, unsigned type, uint64_t v);
void nft_nest(struct nft *n, unsigned type);
void nft_unnest(struct nft *n);
/* { VALUE: bytes } */
void nft_attr_value(struct nft *n, unsigned type, const void *p, size_t len);
