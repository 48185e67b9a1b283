/* SPDX-License-Identifier: Apache-2.0 */
/* Expressions of rules. Matches load into the last registers, so that the caller's keep what they have. */
#include "net/linux/nft_internal.h"

#include <arpa/inet.h>
#include <linux/icmp.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netlink.h>
#include <netinet/in.h>

#include "base/mem.h"

#define SCRATCH 12		/* the first of four registers of ours */
#define CT_STATE_NEW 8u		/* NF_CT_STATE_BIT(IP_CT_NEW), which the kernel's headers keep to themselves */

/* What stands where in the headers. */
enum { IP4_SADDR = 12, IP4_DADDR = 16, IP4_CHECKSUM = 10, IP6_SADDR = 8, IP6_DADDR = 24, L4_SPORT = 0, L4_DPORT = 2,
       TCP_CHECKSUM = 16, UDP_CHECKSUM = 6 };

static uint32_t reg_number(unsigned reg)
{
	return NFT_REG32_00 + reg;
}

static void expr_begin(struct nft *n, const char *name)
{
	nft_nest(n, NFTA_LIST_ELEM);
	nft_attr_str(n, NFTA_EXPR_NAME, name);
	nft_nest(n, NFTA_EXPR_DATA);
}

static void expr_end(struct nft *n)
{
	nft_unnest(n);
	nft_unnest(n);
}

void nft_rule_begin(struct nft *n, const char *table, const char *chain)
{
	nft_message_begin(n, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND, "a rule of", chain);
	nft_attr_str(n, NFTA_RULE_TABLE, table);
	nft_attr_str(n, NFTA_RULE_CHAIN, chain);
	nft_nest(n, NFTA_RULE_EXPRESSIONS);
}

void nft_rule_end(struct nft *n)
{
	nft_unnest(n);
	nft_message_end(n);
}

/* ---- loads ------------------------------------------------------------------------------------------------------- */

static void meta_load(struct nft *n, enum nft_meta_keys key, unsigned reg)
{
	expr_begin(n, "meta");
	nft_attr_u32(n, NFTA_META_KEY, key);
	nft_attr_u32(n, NFTA_META_DREG, reg_number(reg));
	expr_end(n);
}

static void payload_load(struct nft *n, enum nft_payload_bases base, unsigned at, unsigned len, unsigned reg)
{
	expr_begin(n, "payload");
	nft_attr_u32(n, NFTA_PAYLOAD_DREG, reg_number(reg));
	nft_attr_u32(n, NFTA_PAYLOAD_BASE, base);
	nft_attr_u32(n, NFTA_PAYLOAD_OFFSET, at);
	nft_attr_u32(n, NFTA_PAYLOAD_LEN, len);
	expr_end(n);
}

static unsigned addr_offset(int family, bool destination)
{
	if (family == AF_INET6)
		return destination ? IP6_DADDR : IP6_SADDR;
	return destination ? IP4_DADDR : IP4_SADDR;
}

static void addr_load(struct nft *n, int family, bool destination, unsigned reg)
{
	payload_load(n, NFT_PAYLOAD_NETWORK_HEADER, addr_offset(family, destination), family == AF_INET6 ? 16 : 4, reg);
}

void nft_load_daddr(struct nft *n, int family, unsigned reg)
{
	addr_load(n, family, true, reg);
}

void nft_load_l4proto(struct nft *n, unsigned reg)
{
	meta_load(n, NFT_META_L4PROTO, reg);
}

void nft_load_dport(struct nft *n, unsigned reg)
{
	payload_load(n, NFT_PAYLOAD_TRANSPORT_HEADER, L4_DPORT, 2, reg);
}

void nft_load_addr(struct nft *n, const struct addr *a, unsigned reg)
{
	expr_begin(n, "immediate");
	nft_attr_u32(n, NFTA_IMMEDIATE_DREG, reg_number(reg));
	nft_attr_value(n, NFTA_IMMEDIATE_DATA, a->b, addr_bits(a) / 8);
	expr_end(n);
}

/* ---- matches ----------------------------------------------------------------------------------------------------- */

static void compare(struct nft *n, enum nft_cmp_ops op, unsigned reg, const void *p, size_t len)
{
	expr_begin(n, "cmp");
	nft_attr_u32(n, NFTA_CMP_SREG, reg_number(reg));
	nft_attr_u32(n, NFTA_CMP_OP, op);
	nft_attr_value(n, NFTA_CMP_DATA, p, len);
	expr_end(n);
}

static void mask_apply(struct nft *n, unsigned reg, const void *mask, size_t len)
{
	static const uint8_t zero[16];

	expr_begin(n, "bitwise");
	nft_attr_u32(n, NFTA_BITWISE_SREG, reg_number(reg));
	nft_attr_u32(n, NFTA_BITWISE_DREG, reg_number(reg));
	nft_attr_u32(n, NFTA_BITWISE_LEN, (uint32_t)len);
	nft_attr_value(n, NFTA_BITWISE_MASK, mask, len);
	nft_attr_value(n, NFTA_BITWISE_XOR, zero, len);
	expr_end(n);
}

static void meta_match(struct nft *n, enum nft_meta_keys key, const void *p, size_t len)
{
	meta_load(n, key, SCRATCH);
	compare(n, NFT_CMP_EQ, SCRATCH, p, len);
}

void nft_match_family(struct nft *n, int family)
{
	meta_match(n, NFT_META_NFPROTO, &(uint8_t){ family == AF_INET6 ? NFPROTO_IPV6 : NFPROTO_IPV4 }, 1);
}

void nft_match_l4proto(struct nft *n, uint8_t protocol)
{
	meta_match(n, NFT_META_L4PROTO, &protocol, 1);
}

void nft_match_mark(struct nft *n, uint32_t mark)
{
	meta_match(n, NFT_META_MARK, &mark, sizeof(mark));	/* in host order there */
}

static void addr_match(struct nft *n, const struct addr *a, bool destination)
{
	nft_match_family(n, a->family);
	addr_load(n, a->family, destination, SCRATCH);
	compare(n, NFT_CMP_EQ, SCRATCH, a->b, addr_bits(a) / 8);
}

void nft_match_saddr(struct nft *n, const struct addr *a)
{
	addr_match(n, a, false);
}

void nft_match_daddr(struct nft *n, const struct addr *a)
{
	addr_match(n, a, true);
}

void nft_match_daddr_in(struct nft *n, const struct prefix *p)
{
	size_t len = addr_bits(&p->addr) / 8;
	uint8_t mask[16] = { 0 };

	for (unsigned i = 0; i < p->len; i++)
		mask[i / 8] |= (uint8_t)(0x80 >> i % 8);
	nft_match_family(n, p->addr.family);
	addr_load(n, p->addr.family, true, SCRATCH);
	mask_apply(n, SCRATCH, mask, len);
	compare(n, NFT_CMP_EQ, SCRATCH, p->addr.b, len);
}

static void port_match(struct nft *n, unsigned at, uint16_t port)
{
	port = htons(port);
	payload_load(n, NFT_PAYLOAD_TRANSPORT_HEADER, at, sizeof(port), SCRATCH);
	compare(n, NFT_CMP_EQ, SCRATCH, &port, sizeof(port));
}

void nft_match_dport(struct nft *n, uint16_t port)
{
	port_match(n, L4_DPORT, port);
}

void nft_match_sport(struct nft *n, uint16_t port)
{
	port_match(n, L4_SPORT, port);
}

void nft_match_icmp_type(struct nft *n, uint8_t type)
{
	payload_load(n, NFT_PAYLOAD_TRANSPORT_HEADER, 0, 1, SCRATCH);
	compare(n, NFT_CMP_EQ, SCRATCH, &type, 1);
}

void nft_match_new(struct nft *n)
{
	const uint32_t mask = CT_STATE_NEW, none = 0;

	expr_begin(n, "ct");
	nft_attr_u32(n, NFTA_CT_KEY, NFT_CT_STATE);
	nft_attr_u32(n, NFTA_CT_DREG, reg_number(SCRATCH));
	expr_end(n);
	mask_apply(n, SCRATCH, &mask, sizeof(mask));
	compare(n, NFT_CMP_NEQ, SCRATCH, &none, sizeof(none));
}

static void lookup(struct nft *n, const char *set, unsigned reg, int to, uint32_t flags)
{
	expr_begin(n, "lookup");
	nft_attr_str(n, NFTA_LOOKUP_SET, set);
	nft_attr_u32(n, NFTA_LOOKUP_SREG, reg_number(reg));
	if (to >= 0)
		nft_attr_u32(n, NFTA_LOOKUP_DREG, reg_number((unsigned)to));
	if (flags)
		nft_attr_u32(n, NFTA_LOOKUP_FLAGS, flags);
	expr_end(n);
}

void nft_match_condition(struct nft *n, const char *name)
{
	nft_load_addr(n, &nft_holds.addr, SCRATCH);
	lookup(n, name, SCRATCH, -1, 0);
}

void nft_match_not_in(struct nft *n, const char *set, unsigned reg)
{
	lookup(n, set, reg, -1, NFT_LOOKUP_F_INV);
}

void nft_match_in(struct nft *n, const char *set, unsigned reg)
{
	lookup(n, set, reg, -1, 0);
}

void nft_load_from(struct nft *n, const char *map, unsigned reg, unsigned to)
{
	lookup(n, map, reg, (int)to, 0);
}

/* ---- statements -------------------------------------------------------------------------------------------------- */

struct store {
	enum nft_payload_bases base;
	unsigned at, len, checksum;	/* checksum: its offset, 0 for none */
	bool pseudo;			/* in the pseudo header of the transport's checksum */
};

static void payload_store(struct nft *n, const struct store *s, const void *p)
{
	expr_begin(n, "immediate");
	nft_attr_u32(n, NFTA_IMMEDIATE_DREG, reg_number(SCRATCH));
	nft_attr_value(n, NFTA_IMMEDIATE_DATA, p, s->len);
	expr_end(n);
	expr_begin(n, "payload");
	nft_attr_u32(n, NFTA_PAYLOAD_SREG, reg_number(SCRATCH));
	nft_attr_u32(n, NFTA_PAYLOAD_BASE, s->base);
	nft_attr_u32(n, NFTA_PAYLOAD_OFFSET, s->at);
	nft_attr_u32(n, NFTA_PAYLOAD_LEN, s->len);
	nft_attr_u32(n, NFTA_PAYLOAD_CSUM_TYPE, s->checksum ? NFT_PAYLOAD_CSUM_INET : NFT_PAYLOAD_CSUM_NONE);
	nft_attr_u32(n, NFTA_PAYLOAD_CSUM_OFFSET, s->checksum);
	nft_attr_u32(n, NFTA_PAYLOAD_CSUM_FLAGS, s->pseudo ? NFT_PAYLOAD_L4CSUM_PSEUDOHDR : 0);
	expr_end(n);
}

static void addr_store(struct nft *n, const struct addr *a, bool destination)
{
	const struct store s = { NFT_PAYLOAD_NETWORK_HEADER, addr_offset(a->family, destination), addr_bits(a) / 8,
				 a->family == AF_INET ? IP4_CHECKSUM : 0, true };

	payload_store(n, &s, a->b);
}

static void port_store(struct nft *n, uint8_t protocol, unsigned at, uint16_t port)
{
	const struct store s = { NFT_PAYLOAD_TRANSPORT_HEADER, at, sizeof(port),
				 protocol == IPPROTO_TCP ? TCP_CHECKSUM : UDP_CHECKSUM, false };

	port = htons(port);
	payload_store(n, &s, &port);
}

void nft_set_dport(struct nft *n, uint8_t protocol, uint16_t port)
{
	port_store(n, protocol, L4_DPORT, port);
}

void nft_set_sport(struct nft *n, uint8_t protocol, uint16_t port)
{
	port_store(n, protocol, L4_SPORT, port);
}

void nft_set_daddr(struct nft *n, const struct addr *a)
{
	addr_store(n, a, true);
}

void nft_set_saddr(struct nft *n, const struct addr *a)
{
	addr_store(n, a, false);
}

void nft_notrack(struct nft *n)
{
	nft_nest(n, NFTA_LIST_ELEM);
	nft_attr_str(n, NFTA_EXPR_NAME, "notrack");
	nft_unnest(n);
}

void nft_dnat(struct nft *n, int family, unsigned reg)
{
	expr_begin(n, "nat");
	nft_attr_u32(n, NFTA_NAT_TYPE, NFT_NAT_DNAT);
	nft_attr_u32(n, NFTA_NAT_FAMILY, family == AF_INET6 ? NFPROTO_IPV6 : NFPROTO_IPV4);
	nft_attr_u32(n, NFTA_NAT_REG_ADDR_MIN, reg_number(reg));
	expr_end(n);
}

void nft_redirect(struct nft *n, uint16_t port, unsigned reg)
{
	port = htons(port);
	expr_begin(n, "immediate");
	nft_attr_u32(n, NFTA_IMMEDIATE_DREG, reg_number(reg));
	nft_attr_value(n, NFTA_IMMEDIATE_DATA, &port, sizeof(port));
	expr_end(n);
	expr_begin(n, "redir");
	nft_attr_u32(n, NFTA_REDIR_REG_PROTO_MIN, reg_number(reg));
	expr_end(n);
}

void nft_accept(struct nft *n)
{
	expr_begin(n, "immediate");
	nft_attr_u32(n, NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT);
	nft_nest(n, NFTA_IMMEDIATE_DATA);
	nft_nest(n, NFTA_DATA_VERDICT);
	nft_attr_u32(n, NFTA_VERDICT_CODE, NF_ACCEPT);
	nft_unnest(n);
	nft_unnest(n);
	expr_end(n);
}

void nft_reject(struct nft *n, enum nft_reject with)
{
	static const uint8_t codes[] = { [NFT_HOST_UNREACHABLE] = NFT_REJECT_ICMPX_HOST_UNREACH,
					 [NFT_PORT_UNREACHABLE] = NFT_REJECT_ICMPX_PORT_UNREACH };

	expr_begin(n, "reject");
	nft_attr_u32(n, NFTA_REJECT_TYPE, with == NFT_TCP_RESET ? NFT_REJECT_TCP_RST : NFT_REJECT_ICMPX_UNREACH);
	if (with != NFT_TCP_RESET)
		nft_attr(n, NFTA_REJECT_ICMP_CODE, &codes[with], 1);
	expr_end(n);
}
