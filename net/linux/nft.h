/* SPDX-License-Identifier: Apache-2.0 */
/* nft: nf_tables transactions over netlink, without the nft program or its libraries.
 *
 * Between nft_begin() and nft_commit() objects are added and removed; the kernel takes all of it or nothing. Tables are of
 * family inet and owned (NFT_TABLE_F_OWNER): nobody else can change them, and the kernel removes them when the socket is
 * closed, that is when the process ends, however it ends. Needs CAP_NET_ADMIN and Linux 5.12.
 *
 * A rule is written as it is read: nft_rule_begin(), matches and statements in their order, nft_rule_end(). Where a match
 * fails the rule ends. Values are network byte order. Registers are the caller's: 0 … NFT_REGS-1, of 4 bytes each. */
#pragma once

#include "base/err.h"
#include "net/addr.h"

#define NFT_REGS 16
#define NFT_BATCH_SOFT (96u << 10)	/* commit about here: what the kernel takes at once without privilege is little more */

struct nft;

struct nft *nft_new(struct err *err);			/* NULL on failure */
/* Of a process that is killed, its tables go before its other sockets: the kernel closes the highest descriptor first. */
void nft_close_first(struct nft *n);
struct nft *nft_free(struct nft *n);			/* its tables go with it; returns NULL */

void nft_begin(struct nft *n);				/* forgets what was begun */
size_t nft_pending(const struct nft *n);		/* bytes since nft_begin() */
/* 0 also when there is nothing to do. The message names what failed. -ENOENT: something referred to is not there;
 * -EOPNOTSUPP, -EPERM: no nf_tables here, or not for us. */
int nft_commit(struct nft *n, struct err *err) must_check;

/* ---- objects ----------------------------------------------------------------------------------------------------- */
enum nft_type { NFT_FILTER, NFT_NAT, NFT_ROUTE };
enum { NFT_OUTPUT = 3 };				/* NF_INET_LOCAL_OUT */

void nft_table_add(struct nft *n, const char *table);	/* no failure when it is there */
void nft_table_renew(struct nft *n, const char *table);	/* empty, whether it was there or not */
void nft_table_delete(struct nft *n, const char *table);
/* A base chain at OUTPUT whose policy is accept. */
void nft_hook_add(struct nft *n, const char *table, const char *chain, enum nft_type type, int priority);

/* What elements consist of. */
enum nft_key {
	NFT_KEY_ADDR4, NFT_KEY_ADDR6,			/* an address */
	NFT_KEY_PORT4, NFT_KEY_PORT6,			/* address . protocol . port */
	NFT_KEYS,
};

struct nft_element {
	struct addr addr;
	uint8_t protocol;
	uint16_t port;
	struct addr value;				/* of maps */
};

/* map: its values are addresses as its keys. timeout: its elements have one. */
void nft_set_add(struct nft *n, const char *table, const char *set, enum nft_key key, bool map, bool timeout);
/* timeout_ms 0: none. -EEXIST for one that is there, -ENOENT for one to delete that is not. */
void nft_elements_add(struct nft *n, const char *table, const char *set, enum nft_key key, const struct nft_element *e, size_t count,
		      uint64_t timeout_ms);
void nft_elements_delete(struct nft *n, const char *table, const char *set, enum nft_key key, const struct nft_element *e,
			 size_t count);

/* A condition holds for some time after it was set or renewed: what it guards ends soon when whoever renews it hangs. It lives
 * in a set of that name. */
#define NFT_CONDITION_RENEW_MS 1000		/* often enough */
/* holds_ms 0: it does not hold yet. */
void nft_condition_add(struct nft *n, const char *table, const char *name, uint64_t holds_ms);
/* A transaction of its own. The first after another one waits for the kernel's grace period: some 10 ms. */
int nft_condition_renew(struct nft *n, const char *table, const char *name, uint64_t holds_ms, struct err *err) must_check;

/* ---- rules ------------------------------------------------------------------------------------------------------- */
void nft_rule_begin(struct nft *n, const char *table, const char *chain);
void nft_rule_end(struct nft *n);

void nft_match_family(struct nft *n, int family);			/* AF_INET, AF_INET6 */
void nft_match_l4proto(struct nft *n, uint8_t protocol);
void nft_match_mark(struct nft *n, uint32_t mark);
void nft_match_saddr(struct nft *n, const struct addr *a);
void nft_match_daddr(struct nft *n, const struct addr *a);
void nft_match_daddr_in(struct nft *n, const struct prefix *p);
void nft_match_dport(struct nft *n, uint16_t port);
void nft_match_sport(struct nft *n, uint16_t port);
void nft_match_icmp_type(struct nft *n, uint8_t type);
void nft_match_new(struct nft *n);					/* conntrack state new */
void nft_match_condition(struct nft *n, const char *name);

void nft_load_daddr(struct nft *n, int family, unsigned reg);		/* 1 or 4 registers */
void nft_load_l4proto(struct nft *n, unsigned reg);
void nft_load_dport(struct nft *n, unsigned reg);
void nft_load_addr(struct nft *n, const struct addr *a, unsigned reg);
void nft_match_in(struct nft *n, const char *set, unsigned reg);	/* the key begins there; below, too */
void nft_match_not_in(struct nft *n, const char *set, unsigned reg);
void nft_load_from(struct nft *n, const char *map, unsigned reg, unsigned to);	/* a match as well */

void nft_set_daddr(struct nft *n, const struct addr *a);		/* stateless; checksums are kept right */
void nft_set_saddr(struct nft *n, const struct addr *a);
void nft_set_dport(struct nft *n, uint8_t protocol, uint16_t port);	/* of TCP or UDP, which was matched before */
void nft_set_sport(struct nft *n, uint8_t protocol, uint16_t port);
void nft_notrack(struct nft *n);
void nft_dnat(struct nft *n, int family, unsigned reg);
void nft_redirect(struct nft *n, uint16_t port, unsigned reg);		/* to that port of loopback; where NAT is */
void nft_accept(struct nft *n);
enum nft_reject { NFT_TCP_RESET, NFT_HOST_UNREACHABLE, NFT_PORT_UNREACHABLE };
void nft_reject(struct nft *n, enum nft_reject with);
